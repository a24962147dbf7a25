//! Fields that end at each connection, and fields that have no place behind a body.

use http::header::{CONNECTION, TE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::names::{HOP_BY_HOP, NEVER_IN_TRAILERS, NEVER_NOMINATED};
use super::{folded_eq, folded_starts_with};
use crate::http::fields::{Fields, Lookup};

/// Removes what belongs to the connection the message came by: the known fields, and what `Connection` lists. It can list
/// what it likes: `is_protected` names, those that carry the message itself and `X-Forwarded-*` stay. `TE: trailers` stays,
/// since whoever accepts trailers should get them through us.
pub fn remove_hop_by_hop(fields: &mut Fields, is_protected: &dyn Fn(&[u8]) -> bool) {
    if !fields.names().any(is_hop_by_hop) {
        return;
    }
    let listed: Vec<u8> = fields.values(&CONNECTION).collect::<Vec<_>>().join(&b',');
    let is_nominated = |name: &[u8]| lists(&listed, name) && !is_never_nominated(name) && !is_protected(name);
    let takes_trailers = fields.list_holds(&TE, b"trailers");
    fields.remove_where(|name| is_hop_by_hop(name) || is_nominated(name));
    if takes_trailers {
        fields.append(TE, HeaderValue::from_static("trailers"));
    }
}

/// Whether a list has an option in it (RFC 9110 section 5.6.1).
pub fn lists(list: &[u8], option: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|listed| listed.trim_ascii().eq_ignore_ascii_case(option))
}

/// Removes from a trailer section, of either direction, what may only stand in a head.
pub fn remove_forbidden_trailers(trailers: &mut HeaderMap) {
    let forbidden: Vec<HeaderName> =
        trailers.keys().filter(|name| is_forbidden_trailer(name.as_str().as_bytes())).cloned().collect();
    for name in forbidden {
        trailers.remove(name);
    }
}

/// Whether a name is in the list. The lengths are looked at first: on most messages that is all there is to do.
fn is_hop_by_hop(name: &[u8]) -> bool {
    const LENGTHS: u64 = {
        let mut lengths = 0;
        let mut at = 0;
        while at < HOP_BY_HOP.len() {
            lengths |= 1 << HOP_BY_HOP[at].len();
            at += 1;
        }
        lengths
    };
    if name.len() >= 64 || LENGTHS & (1 << name.len()) == 0 {
        return false;
    }
    HOP_BY_HOP.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

fn is_never_nominated(name: &[u8]) -> bool {
    folded_starts_with(name, b"x-forwarded-")
        || NEVER_NOMINATED.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

fn is_forbidden_trailer(name: &[u8]) -> bool {
    folded_starts_with(name, b"x-forwarded-")
        || NEVER_IN_TRAILERS.iter().chain(HOP_BY_HOP).any(|forbidden| folded_eq(name, forbidden))
}
