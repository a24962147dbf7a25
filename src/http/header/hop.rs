//! Fields that end at each connection, and fields that have no place behind a body.

use http::header::{CONNECTION, TE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::names::{HOP_BY_HOP, NEVER_IN_TRAILERS, NEVER_NOMINATED};
use super::{folded_eq, folded_starts_with};
use crate::http::fields::{Fields, Lookup, Names};

/// Removes what belongs to the connection the message came by: the known fields, and what `Connection` lists. It can list
/// what it likes: `is_protected` names, those that carry the message itself and `X-Forwarded-*` stay. `TE: trailers` stays,
/// since whoever accepts trailers should get them through us.
pub fn remove_hop_by_hop(fields: &mut Fields, is_protected: &dyn Fn(&[u8]) -> bool) {
    if !fields.contains_any(&OF_CONNECTIONS) {
        return;
    }
    if fields.first(&CONNECTION).is_some_and(|first| !is_everyday(first)) || fields.values(&CONNECTION).nth(1).is_some()
    {
        let mut nominated: Vec<Vec<u8>> = fields.values(&CONNECTION).flat_map(nominated).collect();
        nominated.sort_unstable();
        let is_nominated = |name: &[u8]| nominated.binary_search(&name.to_ascii_lowercase()).is_ok();
        fields.remove_where(|name| is_nominated(name) && !is_never_nominated(name) && !is_protected(name));
    }
    let takes_trailers = fields.list_holds(&TE, b"trailers");
    fields.remove_any(&OF_CONNECTIONS);
    if takes_trailers {
        fields.append(TE, HeaderValue::from_static("trailers"));
    }
}

const OF_CONNECTIONS: Names = Names::new(HOP_BY_HOP);

/// Returns what a `Connection` field lists, in lower case, but for the everyday `close`, `keep-alive` and `upgrade`. `TE` is listed by
/// everyone who sends it, and is judged by its value.
fn nominated(list: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let options = list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    options.filter(|option| !option.is_empty() && !is_everyday(option)).map(<[u8]>::to_ascii_lowercase)
}

fn is_everyday(option: &[u8]) -> bool {
    EVERYDAY.iter().any(|known| option.eq_ignore_ascii_case(known))
}

/// What connections usually say of themselves; those of them that are fields go anyway.
const EVERYDAY: [&[u8]; 4] = [b"keep-alive", b"close", b"upgrade", b"te"];

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

fn is_never_nominated(name: &[u8]) -> bool {
    folded_starts_with(name, b"x-forwarded-")
        || NEVER_NOMINATED.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

fn is_forbidden_trailer(name: &[u8]) -> bool {
    folded_starts_with(name, b"x-forwarded-")
        || NEVER_IN_TRAILERS.iter().chain(HOP_BY_HOP).any(|forbidden| folded_eq(name, forbidden))
}
