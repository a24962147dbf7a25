//! The cookies of a request: an app is told of them in one field, byte for byte as they came.

use http::HeaderValue;
use http::header::COOKIE;

use super::fields::{Fields, Lookup};

/// Makes one field of several: HTTP/2 clients may send each cookie apart, and HTTP/1 has a single field (RFC 9113 section 8.2.3).
pub fn join_cookies(fields: &mut Fields) {
    let mut cookies = fields.values(&COOKIE);
    let (Some(first), Some(second)) = (cookies.next(), cookies.next()) else { return };
    let all: Vec<&[u8]> = [first, second].into_iter().chain(cookies).collect();
    let joined = HeaderValue::from_bytes(&all.join(&b"; "[..])).expect("field values joined are a field value");
    fields.set(COOKIE, joined);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_in_several_fields_become_one_in_their_order() {
        let mut fields = Fields::default();
        for field in ["a=1", "b=2; c=3", "d=4"] {
            fields.append(COOKIE, HeaderValue::from_static(field));
        }
        join_cookies(&mut fields);
        assert_eq!(fields.values(&COOKIE).collect::<Vec<_>>(), [b"a=1; b=2; c=3; d=4"]);
    }
}
