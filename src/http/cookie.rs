//! Reading one cookie, and taking one out of a request without touching its neighbours.
//! Our session cookie stays with us; what the app set for itself goes through byte for byte.

use http::header::{COOKIE, Entry, HeaderMap, HeaderValue};

/// Returns the values of every cookie of that name, in the order they came; names are case-sensitive (RFC 6265).
pub fn cookie_values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(COOKIE).iter().flat_map(move |field| {
        field.as_bytes().split(|&byte| byte == b';').filter_map(move |pair| value_of(pair, name.as_bytes()))
    })
}

/// Removes every cookie of that name. A field is rebuilt only when it holds one, and dropped when nothing is left in it.
pub fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    if cookie_values(headers, name).next().is_none() {
        return;
    }
    let kept: Vec<HeaderValue> =
        headers.get_all(COOKIE).iter().filter_map(|field| field_without(field, name.as_bytes())).collect();
    if let Entry::Occupied(entry) = headers.entry(COOKIE) {
        entry.remove_entry_mult();
    }
    for field in kept {
        headers.append(COOKIE, field);
    }
}

/// Makes one field of several: HTTP/2 clients may send each cookie apart, and HTTP/1 has a single field (RFC 9113 section 8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (fields.next(), fields.next()) else { return };
    let all: Vec<&[u8]> = [first, second].into_iter().chain(fields).map(HeaderValue::as_bytes).collect();
    let joined = HeaderValue::from_bytes(&all.join(&b"; "[..])).expect("field values joined are a field value");
    headers.insert(COOKIE, joined);
}

fn field_without(field: &HeaderValue, name: &[u8]) -> Option<HeaderValue> {
    let pairs = || field.as_bytes().split(|&byte| byte == b';');
    if !pairs().any(|pair| value_of(pair, name).is_some()) {
        return Some(field.clone());
    }
    let kept: Vec<&[u8]> = pairs().filter(|pair| value_of(pair, name).is_none()).collect();
    let text = kept.join(&b';');
    let text = text.trim_ascii_start();
    if text.is_empty() {
        return None;
    }
    let mut value = HeaderValue::from_bytes(text).ok()?;
    value.set_sensitive(field.is_sensitive());
    Some(value)
}

fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let pair = pair.trim_ascii();
    let value = pair.strip_prefix(name)?.trim_ascii_start();
    // `name =x` is `name` to lenient readers, and so it is to us: it must not get past.
    Some(value.strip_prefix(b"=")?.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_in_several_fields_become_one_in_their_order() {
        let mut headers = HeaderMap::new();
        for field in ["a=1", "b=2; c=3", "d=4"] {
            headers.append(COOKIE, HeaderValue::from_static(field));
        }
        join_cookies(&mut headers);
        let fields: Vec<&HeaderValue> = headers.get_all(COOKIE).iter().collect();
        assert_eq!(fields, ["a=1; b=2; c=3; d=4"]);
    }

    fn without(fields: &[&str], name: &str) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(COOKIE, HeaderValue::from_str(field).unwrap());
        }
        remove_cookie(&mut headers, name);
        headers.get_all(COOKIE).iter().map(|field| field.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn one_cookie_goes_and_the_others_stay_byte_for_byte() {
        for (given, expected) in [
            ("s=1; a=\"x, y\";b;  c==", "a=\"x, y\";b;  c=="),
            ("a=1; s=2; b=3", "a=1; b=3"),
            ("a=1;s=2", "a=1"),
            ("a=1; s =2; s= 3", "a=1"),
            ("a=1; s=; s=4; ss=5; xs=6", "a=1; ss=5; xs=6"),
            ("S=1; a=s=2", "S=1; a=s=2"),
            ("s; a=1", "s; a=1"),
        ] {
            assert_eq!(without(&[given], "s"), [expected], "{given}");
        }
    }

    #[test]
    fn a_field_that_held_nothing_else_goes_and_its_neighbours_stay() {
        assert_eq!(without(&["s=1"], "s"), [""; 0]);
        assert_eq!(without(&["a=1", "s=1; ", "b=2; s=3"], "s"), ["a=1", "b=2"]);
    }

    #[test]
    fn every_value_of_a_name_is_found() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; s=x"));
        headers.append(COOKIE, HeaderValue::from_static("s=y"));
        assert_eq!(cookie_values(&headers, "s").collect::<Vec<_>>(), [b"x", b"y"]);
        assert_eq!(cookie_values(&headers, "t").count(), 0);
    }
}
