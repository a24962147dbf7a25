//! Fields that end at each connection, and fields that have no place behind a body.

use http::header::{CONNECTION, TE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::names::{HOP_BY_HOP, NEVER_IN_TRAILERS, NEVER_NOMINATED};
use super::{folded_eq, folded_starts_with};
use crate::http::fields::Fields;

/// Removes what belongs to the connection the message came by: the known fields, and what `Connection` lists. It can list
/// what it likes: `is_protected` names, those that carry the request itself and `X-Forwarded-*` stay. `TE: trailers` stays,
/// since whoever accepts trailers should get them through us.
pub fn remove_hop_by_hop(headers: &mut HeaderMap, is_protected: &dyn Fn(&HeaderName) -> bool) {
    let present = headers
        .keys()
        .filter_map(|name| place_of(name.as_str().as_bytes()))
        .fold(0_u32, |places, place| places | 1 << place);
    if present == 0 {
        return;
    }
    for name in nominated(headers) {
        if !is_never_nominated(name.as_str()) && !is_protected(&name) {
            headers.remove(name);
        }
    }
    let takes_trailers = headers.get_all(TE).iter().any(lists_trailers);
    for (place, name) in HOP_BY_HOP.iter().enumerate() {
        if present & (1 << place) != 0 {
            headers.remove(*name);
        }
    }
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Whether `Connection` lists an option (RFC 9110 section 7.6.1).
pub fn connection_lists(headers: &HeaderMap, option: &[u8]) -> bool {
    headers.get_all(CONNECTION).iter().any(|field| lists(field.as_bytes(), option))
}

/// Whether a list has an option in it (RFC 9110 section 5.6.1).
pub fn lists(list: &[u8], option: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|listed| listed.trim_ascii().eq_ignore_ascii_case(option))
}

/// Removes what belongs to the connection that an answer came by, with all that its `Connection` lists but the fields that carry
/// the answer itself.
pub fn remove_connection_fields(fields: &mut Fields) {
    if !fields.names().any(is_hop_by_hop) {
        return;
    }
    let listed: Vec<u8> = fields.values(&CONNECTION).collect::<Vec<_>>().join(&b',');
    let is_nominated = |name: &[u8]| lists(&listed, name) && !is_never_nominated(&lower_case(name));
    fields.remove_where(|name| is_hop_by_hop(name) || is_nominated(name));
}

fn lower_case(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    place_of(name).is_some()
}

/// Removes from a trailer section, of either direction, what may only stand in a head.
pub fn remove_forbidden_trailers(trailers: &mut HeaderMap) {
    let forbidden: Vec<HeaderName> =
        trailers.keys().filter(|name| is_forbidden_trailer(name.as_str())).cloned().collect();
    for name in forbidden {
        trailers.remove(name);
    }
}

/// Returns the names that `Connection` lists and the message has, but for the everyday `close`, `keep-alive` and `upgrade`.
/// `TE` is listed by everyone who sends it, and is judged by its value.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for field in headers.get_all(CONNECTION) {
        for option in field.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            if EVERYDAY.iter().any(|known| option.eq_ignore_ascii_case(known)) {
                continue;
            }
            names.extend(HeaderName::from_bytes(option).ok().filter(|name| headers.contains_key(name)));
        }
    }
    names
}

/// What connections usually say of themselves; those of them that are fields go anyway.
const EVERYDAY: [&[u8]; 4] = [b"keep-alive", b"close", b"upgrade", b"te"];

/// Returns where in the list a name stands. The lengths are looked at first: on most requests that is all there is to do.
fn place_of(name: &[u8]) -> Option<usize> {
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
        return None;
    }
    HOP_BY_HOP.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

fn is_never_nominated(name: &str) -> bool {
    folded_starts_with(name, "x-forwarded-") || NEVER_NOMINATED.contains(&name)
}

fn is_forbidden_trailer(name: &str) -> bool {
    folded_starts_with(name, "x-forwarded-")
        || NEVER_IN_TRAILERS.iter().chain(HOP_BY_HOP).any(|forbidden| folded_eq(name, forbidden))
}

fn lists_trailers(field: &HeaderValue) -> bool {
    lists(field.as_bytes(), b"trailers")
}
