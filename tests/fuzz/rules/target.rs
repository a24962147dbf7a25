//! Host and request target. Three lines: the authority, the target in origin form, and a prefix to take off.
//! Whatever is taken has one spelling, survives being parsed again, and names one resource to every reader behind us.

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri};
use vestibule::http::path::comparable;
use vestibule::http::target::Target;

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(data).ok()?;
    let mut lines = text.split('\n');
    let (Some(authority), Some(origin_form)) = (lines.next(), lines.next()) else { return None };
    let prefix = lines.next().unwrap_or("/");
    let parsed = Target::parse(authority, origin_form);
    read_from_a_request(authority, origin_form, parsed.as_ref().ok());
    let Ok(target) = parsed else { return Some(()) };
    check_host(&target);
    check_path(&target);
    check_prefix(&target, prefix);
    Some(())
}

/// A request is read as its parts are, if the library hands them on unchanged.
fn read_from_a_request(authority: &str, origin_form: &str, parsed: Option<&Target>) {
    let (Ok(uri), Ok(host)) = (origin_form.parse::<Uri>(), HeaderValue::from_bytes(authority.as_bytes())) else {
        return;
    };
    if uri.path_and_query().map(PathAndQuery::as_str) != Some(origin_form) || uri.authority().is_some() {
        return;
    }
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    request.headers_mut().insert(HOST, host);
    assert_eq!(Target::read(&request.into()).ok().as_ref(), parsed);
}

fn check_host(target: &Target) {
    let host = target.host();
    assert!(!host.is_empty() && !host.ends_with('.'));
    assert_eq!(host, host.to_ascii_lowercase());
    let authority = target.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
    let again = Target::parse(&authority, target.path_and_query()).expect("a canonical target is one");
    assert_eq!((again.host(), again.port()), (host, target.port()));
    assert_eq!(again.path_and_query(), target.path_and_query(), "the canonical form is not its own");
    assert_eq!(again.has_encoded_slash(), target.path().contains("%2F"));
    assert!(target.has_encoded_slash() || !again.has_encoded_slash());
    // The library lets no request with these in its query reach us, and what a forward-auth header says goes no further.
    if target.query().is_some_and(|query| query.contains(['"', '<', '>'])) {
        return;
    }
    let uri =
        Uri::builder().scheme("http").authority(authority.as_str()).path_and_query(target.path_and_query()).build();
    let uri = uri.expect("what is forwarded is a URI");
    assert_eq!(uri.host(), Some(host));
    assert_eq!((uri.path(), uri.query()), (target.path(), target.query()));
}

fn check_path(target: &Target) {
    let path = target.path();
    assert!(path.starts_with('/') && !path.contains("//"), "{path}");
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#?\"<>[]^`{|}".contains(&byte)), "{path}");
    assert!(target.path_and_query().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
    for (at, _) in path.match_indices('%') {
        let digits = path.get(at + 1..at + 3).expect("an escape has two digits");
        assert!(digits.bytes().all(|digit| digit.is_ascii_digit() || (b'A'..=b'F').contains(&digit)), "{path}");
        let byte = u8::from_str_radix(digits, 16).expect("they are digits");
        assert!(!byte.is_ascii_alphanumeric() && !b"-._~\\#".contains(&byte) && !byte.is_ascii_control(), "{path}");
    }
    assert_eq!(comparable(&comparable(path)), comparable(path));
    assert_no_way_up(path.as_bytes());
}

/// However often a server decodes, whatever it takes for a separator or cuts off: nothing leads out of a directory.
fn assert_no_way_up(path: &[u8]) {
    let mut text = path.to_vec();
    loop {
        for segment in text.split(|byte| matches!(byte, b'/' | b'\\')) {
            let name = segment.split(|byte| matches!(byte, b';' | b'?' | b'#' | 0)).next().unwrap_or_default();
            assert!(!matches!(name.trim_ascii(), b"." | b".."), "{}", String::from_utf8_lossy(path));
        }
        let decoded = decode(&text);
        if decoded == text {
            break;
        }
        text = decoded;
    }
    assert!(std::str::from_utf8(&text).is_ok(), "{}", String::from_utf8_lossy(path));
    assert!(!text.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\'), "{}", String::from_utf8_lossy(path));
}

fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|digit| char::from(*digit).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high << 4 | low).expect("two digits are a byte"));
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

fn check_prefix(target: &Target, prefix: &str) {
    let Ok(prefix) = Target::parse("a", prefix) else { return };
    let rest = target.path_and_query_without(prefix.path());
    let again = Target::parse("a", &rest).expect("a rest is a target");
    assert_eq!(again.path_and_query(), rest, "the rest is not canonical");
    assert_eq!(again.query(), target.query());
    assert!(target.path().ends_with(again.path()) || again.path() == "/", "{} less {}", target.path(), prefix.path());
}
