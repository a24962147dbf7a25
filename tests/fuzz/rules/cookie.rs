//! Cookies of a request. The first line is the name of ours, every further line a `Cookie` field. Ours goes, in every
//! spelling that a reader behind us could take for it; what the app set stays byte for byte.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use vestibule::http::cookie::{cookie_values, join_cookies, remove_cookie};

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    let mut lines = data.split(|&byte| byte == b'\n');
    let name = lines.next().and_then(|name| std::str::from_utf8(name).ok())?;
    // A cookie's name is a token (RFC 6265 section 4.1.1).
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        return None;
    }
    let mut headers = HeaderMap::new();
    headers.insert("x-other", HeaderValue::from_static("a=1"));
    for value in lines.filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(COOKIE, value);
    }
    let before = headers.clone();
    let found = cookie_values(&headers, name).count();
    assert_eq!(found, pairs(&before).filter(|pair| name_of(pair) == name.as_bytes()).count());
    remove_cookie(&mut headers, name);
    assert_eq!(headers.get("x-other"), before.get("x-other"));
    assert_eq!(cookie_values(&headers, name).count(), 0, "one got past");
    if found == 0 {
        assert_eq!(headers, before, "nothing was to be done");
    }
    let is_kept = |pair: &&[u8]| !pair.is_empty() && name_of(pair) != name.as_bytes();
    let kept: Vec<&[u8]> = pairs(&before).filter(is_kept).collect();
    let left: Vec<&[u8]> = pairs(&headers).filter(|pair| !pair.is_empty()).collect();
    assert_eq!(left, kept, "a neighbour was touched");
    join_cookies(&mut headers);
    assert!(headers.get_all(COOKIE).iter().count() <= 1);
    let joined: Vec<&[u8]> = pairs(&headers).filter(|pair| !pair.is_empty()).collect();
    assert_eq!(joined, kept, "joining changed what there was");
    assert_eq!(cookie_values(&headers, name).count(), 0, "joining brought one back");
    Some(())
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let fields = headers.get_all(COOKIE).iter();
    fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b';')).map(<[u8]>::trim_ascii)
}

/// Returns what stands before the first `=`; a pair without one has no name.
fn name_of<'a>(pair: &&'a [u8]) -> &'a [u8] {
    pair.iter().position(|&byte| byte == b'=').map_or(b"", |end| pair[..end].trim_ascii())
}
