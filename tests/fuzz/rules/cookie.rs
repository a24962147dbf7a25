//! Cookies of a request: every line is a `Cookie` field. However many there are, the app gets one, with each cookie byte for byte.

use http::header::COOKIE;
use http::{HeaderName, HeaderValue};
use vestibule::http::cookie::join_cookies;
use vestibule::http::fields::{Fields, Lookup};

const OTHER: HeaderName = HeaderName::from_static("x-other");

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    let mut fields = Fields::default();
    fields.append(OTHER, HeaderValue::from_static("a=1"));
    for value in data.split(|&byte| byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        fields.append(COOKIE, value);
    }
    fields.first(&COOKIE)?;
    let before = fields.clone();
    join_cookies(&mut fields);
    assert_eq!(fields.values(&COOKIE).count(), before.values(&COOKIE).count().min(1));
    assert!(pairs(&fields).eq(pairs(&before)), "joining changed what there was");
    assert_eq!(fields.only(&OTHER), Some(&b"a=1"[..]));
    Some(())
}

fn pairs(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    fields.values(&COOKIE).flat_map(|field| field.split(|&byte| byte == b';')).map(<[u8]>::trim_ascii)
}
