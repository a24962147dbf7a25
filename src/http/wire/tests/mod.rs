mod chunked;

use bytes::Bytes;
use http::{HeaderName, Method, Version};
use proptest::prelude::*;

use super::*;
use crate::http::fields::Lookup;

fn check(lines: &str) -> Result<Head, Violation> {
    check_head(format!("{}\r\n\r\n", lines.replace('\n', "\r\n")).as_bytes())
}

fn with_field(field: &str) -> Result<Head, Violation> {
    check(&format!("POST / HTTP/1.1\nHost: a\n{field}"))
}

fn framing(fields: &str) -> Result<Framing, Violation> {
    with_field(fields).map(|head| head.framing)
}

#[test]
fn an_ordinary_head_passes() {
    let head = check("GET /a?b HTTP/1.1\nHost: a.example:80\nX-Note: \t caf\u{e9} \nEmpty:").unwrap();
    let plain =
        Head { framing: Framing::None, wants_upgrade: false, expects_continue: false, http_10: false, persists: true };
    assert_eq!(head, plain);
    assert!(check("GET / HTTP/1.0").unwrap().http_10);
    assert!(check_head(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok());
}

#[test]
fn a_request_is_made_of_what_its_head_says() {
    let bytes = "\r\nPUT http://a:80/x?y=%41 HTTP/1.0\r\nHost: a:80\r\nX-Note: \t caf\u{e9}  b \r\nx-note:\r\n\r\n";
    let (head, request) = read_head(&Bytes::copy_from_slice(bytes.as_bytes())).unwrap();
    assert!(head.http_10 && request.version == Version::HTTP_10);
    assert_eq!((&request.method, request.uri.to_string().as_str()), (&Method::PUT, "http://a:80/x?y=%41"));
    let notes: Vec<_> = request.fields.values(&HeaderName::from_static("x-note")).collect();
    assert_eq!(notes, ["caf\u{e9}  b".as_bytes(), b""]);
    assert_eq!(request.fields.names().count(), 3);
}

#[test]
fn a_connection_persists_unless_its_client_says_otherwise() {
    for (head, expected) in [
        ("GET / HTTP/1.1\nHost: a", true),
        ("GET / HTTP/1.1\nHost: a\nConnection: keep-alive", true),
        ("GET / HTTP/1.1\nHost: a\nConnection: x , Close", false),
        ("GET / HTTP/1.1\nHost: a\nConnection: keep-alive\nConnection: close", false),
        ("GET / HTTP/1.0", false),
        ("GET / HTTP/1.0\nConnection: Keep-Alive", true),
        ("GET / HTTP/1.0\nConnection: keep-alive, close", false),
    ] {
        assert_eq!(check(head).unwrap().persists, expected, "{head}");
    }
}

#[test]
fn the_request_line_has_one_form() {
    for (line, expected) in [
        ("GET  / HTTP/1.1", Violation::MalformedRequestLine),
        ("GET / HTTP/1.1 ", Violation::MalformedRequestLine),
        (" GET / HTTP/1.1", Violation::MalformedRequestLine),
        ("GET /a b HTTP/1.1", Violation::MalformedRequestLine),
        ("GET\t/\tHTTP/1.1", Violation::MalformedRequestLine),
        ("GET /", Violation::NotHttp),
        ("G(T / HTTP/1.1", Violation::MalformedRequestLine),
        ("GET / http/1.1", Violation::MalformedRequestLine),
        ("GET / HTTP/1.10", Violation::MalformedRequestLine),
        ("GET / HTTP/2.0", Violation::UnsupportedVersion),
        ("GET / HTTP/1.2", Violation::UnsupportedVersion),
        ("GET / HTTP/0.9", Violation::UnsupportedVersion),
        ("GET /#x HTTP/1.1", Violation::MalformedTarget),
        ("GET /\0 HTTP/1.1", Violation::MalformedTarget),
        ("GET /\u{e9} HTTP/1.1", Violation::MalformedTarget),
        ("GET /\r HTTP/1.1", Violation::MalformedTarget),
        ("CONNECT a:443 HTTP/1.1", Violation::UnsupportedMethod),
        ("TRACE / HTTP/1.1", Violation::UnsupportedMethod),
    ] {
        assert_eq!(check(&format!("{line}\nHost: a")), Err(expected), "{line}");
    }
    let long = format!("GET /{} HTTP/1.1\nHost: a", "a".repeat(16 * 1024));
    assert_eq!(check(&long), Err(Violation::TargetTooLong));
    for method in ["PROPFIND", "M-SEARCH", "getx", &"A".repeat(64)] {
        assert!(check(&format!("{method} / HTTP/1.1\nHost: a")).is_ok(), "{method}");
    }
    let long = format!("{} / HTTP/1.1\nHost: a", "A".repeat(65));
    assert_eq!(check(&long), Err(Violation::UnsupportedMethod));
}

#[test]
fn fields_have_one_form() {
    for field in [
        "A : b",
        " folded",
        "\tfolded",
        "no colon",
        ": b",
        "A\0: b",
        "A: \0",
        "A: b\rc",
        "A: \x07",
        "A: \x7f",
        "A\u{e9}: b",
        "A(: b",
    ] {
        assert_eq!(with_field(field), Err(Violation::MalformedField), "{field:?}");
    }
    assert!(check_head(b"GET / HTTP/1.1\r\nHost: a\r\nA: \xff\x80\r\n\r\n").is_ok());
}

#[test]
fn every_line_ends_in_cr_lf() {
    for head in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "",
        "\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nx",
    ] {
        assert_eq!(check_head(head.as_bytes()), Err(Violation::MalformedLine), "{head:?}");
    }
}

#[test]
fn there_is_exactly_one_host_with_a_host_in_it() {
    for fields in [
        "",
        "\nHost:",
        "\nHost: a\nHost: a",
        "\nHost: a\nhost: b",
        "\nHost: a, b",
        "\nHost: a b",
        "\nHost: u@a",
        "\nHost: a/b",
    ] {
        assert_eq!(check(&format!("GET / HTTP/1.1{fields}")), Err(Violation::InvalidHost), "{fields:?}");
    }
    assert_eq!(check("GET / HTTP/1.0\nHost: a\nHost: b"), Err(Violation::InvalidHost));
}

#[test]
fn a_body_is_framed_in_one_way_only() {
    assert_eq!(framing("Content-Length: 0"), Ok(Framing::Length(0)));
    assert_eq!(framing("content-length:\t1234567890 "), Ok(Framing::Length(1_234_567_890)));
    assert_eq!(framing("Transfer-Encoding: Chunked"), Ok(Framing::Chunked));
    for value in [
        "+5",
        "-5",
        "5,5",
        "5, 5",
        "",
        "0x5",
        "5 5",
        "05",
        "00",
        "5.0",
        "99999999999999999999",
        "18446744073709551621",
        "\u{b2}",
    ] {
        assert_eq!(framing(&format!("Content-Length: {value}")), Err(Violation::InvalidContentLength), "{value}");
    }
    assert_eq!(framing("Content-Length: 5\nContent-Length: 5"), Err(Violation::InvalidContentLength));
    for fields in [
        "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\nTransfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: chunked\nContent-Length: 5",
        "Content-Length: 5\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip\nContent-Length: 5",
    ] {
        assert_eq!(framing(fields), Err(Violation::InvalidTransferEncoding), "{fields}");
    }
    for coding in ["identity", "gzip", "xchunked", "cow"] {
        assert_eq!(framing(&format!("Transfer-Encoding: {coding}")), Err(Violation::UnknownTransferCoding), "{coding}");
    }
    assert_eq!(check("POST / HTTP/1.0\nTransfer-Encoding: chunked"), Err(Violation::InvalidTransferEncoding));
}

#[test]
fn expectations_and_upgrades_are_noted() {
    assert!(with_field("Expect: 100-Continue").unwrap().expects_continue);
    assert!(!check("POST / HTTP/1.0\nExpect: 100-continue").unwrap().expects_continue);
    assert_eq!(with_field("Expect: 100-continue, x"), Err(Violation::UnknownExpectation));
    assert_eq!(with_field("Expect: 100-continue\nExpect: 100-continue"), Err(Violation::UnknownExpectation));
    assert!(with_field("Connection: keep-alive, Upgrade\nUpgrade: websocket").unwrap().wants_upgrade);
    for fields in ["Upgrade: websocket", "Connection: upgrade", "Connection: xupgrade\nUpgrade: websocket"] {
        assert!(!with_field(fields).unwrap().wants_upgrade, "{fields}");
    }
}

#[test]
fn what_makes_a_head_too_long_is_named() {
    let long = "a".repeat(40);
    for (head, expected) in [
        (format!("\r\n{long}"), Violation::MalformedRequestLine),
        (format!("{long} / HTTP/1.1\r\nHost: a\r\n\r\n"), Violation::MalformedRequestLine),
        (format!("GET /{long}"), Violation::TargetTooLong),
        (format!("GET / HTTP/1.1\r\nA: {long}"), Violation::HeadTooLarge),
        (format!("GET / HTTP/1.1\r\nA: {long}\r\n\r\n"), Violation::HeadTooLarge),
        ("\r\n".repeat(40), Violation::HeadTooLarge),
    ] {
        assert_eq!(blame_oversize(head.as_bytes(), 32), expected, "{head:?}");
    }
}

#[test]
fn there_is_one_content_type() {
    assert!(with_field("Content-Type: text/plain").is_ok());
    let twice = "Content-Type: text/plain\ncontent-type: text/plain";
    assert_eq!(with_field(twice), Err(Violation::RepeatedContentType));
}

#[test]
fn fields_are_counted() {
    let head = |count: usize| format!("GET / HTTP/1.1\nHost: a{}", "\nA: b".repeat(count - 1));
    assert!(check(&head(100)).is_ok());
    assert_eq!(check(&head(101)), Err(Violation::TooManyFields));
}

#[test]
fn the_end_of_a_head_is_found_however_its_lines_end() {
    for (bytes, expected) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\nbody", Some(27)),
        ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", Some(22)),
        ("a\n\nbody", Some(3)),
        ("a\n\r\nbody", Some(4)),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r", None),
        ("\r\n\r\n\r\n", None),
        ("", None),
    ] {
        assert_eq!(find_head_end(bytes.as_bytes()), expected, "{bytes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_bytes_make_the_checks_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check_head(&bytes);
        let _ = ChunkScanner::new().advance(&bytes);
        let _ = find_head_end(&bytes);
    }

    /// A head that passes has no byte by which another parser could see other lines or other framing.
    #[test]
    fn a_damaged_head_is_refused_or_still_one_message(at in any::<prop::sample::Index>(), insert in "[\\x00-\\x20:,;]{1,2}") {
        let mut head = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y\r\n\r\n".to_vec();
        let at = at.index(head.len());
        head.splice(at..at, insert.bytes());
        prop_assume!(find_head_end(&head) == Some(head.len()));
        match read_head(&Bytes::copy_from_slice(&head)) {
            Ok((said, _)) => prop_assert_eq!(check_head(&head), Ok(said)),
            Err(violation) => prop_assert!(check_head(&head).map_or_else(|other| other == violation, |_| violation == Violation::MalformedTarget)),
        }
        if let Ok(checked) = check_head(&head) {
            let text = String::from_utf8(head).unwrap();
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
            prop_assert!(matches!(checked.framing, Framing::Length(5) | Framing::None), "{text:?}");
        }
    }
}
