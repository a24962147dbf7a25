use super::*;
use crate::http::hpack::encode_field;

const MOST: usize = 16 * 1024;

/// Returns the block of these fields; a name in capitals stays so.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let length = |text: &str| u8::try_from(text.len()).unwrap();
            block.extend([&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat());
        } else {
            encode_field(name.as_bytes(), value.as_bytes(), &mut block);
        }
    }
    block
}

fn read(fields: &[(&str, &str)]) -> Result<Asked, Violation> {
    read_request(&mut Decoder::new(0), &block(fields), MOST).unwrap()
}

/// Returns a request for a path with these fields as well.
fn with<'a>(path: &'a str, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let pseudo = [(":method", "POST"), (":scheme", "https"), (":authority", "a.test"), (":path", path)];
    [&pseudo, fields].concat()
}

#[test]
fn a_request_is_its_pseudo_header_fields_and_the_lines_of_the_others() {
    let Asked { request, length, expects_continue } =
        read(&with("/x?y", &[("content-length", "3"), ("expect", "100-continue"), ("b", "1"), ("b", "")])).unwrap();
    assert_eq!((request.method, request.uri.to_string().as_str()), (Method::POST, "https://a.test/x?y"));
    assert_eq!((request.version, length, expects_continue), (Version::HTTP_2, Some(3), true));
    let mut lines = Vec::new();
    request.fields.write(&mut lines);
    assert_eq!(String::from_utf8_lossy(&lines), "content-length: 3\r\nexpect: 100-continue\r\nb: 1\r\nb: \r\n");
}

#[test]
fn what_is_malformed_is_refused_by_its_name() {
    for (fields, verdict) in [
        (&[("x", ""), ("y", "a b"), ("te", "trailers")][..], None),
        (&[("X", "a")], Some(Violation::MalformedField)),
        (&[("x y", "a")], Some(Violation::MalformedField)),
        (&[("", "a")], Some(Violation::MalformedField)),
        (&[("x", " a")], Some(Violation::MalformedField)),
        (&[("x", "a\t")], Some(Violation::MalformedField)),
        (&[("x", "a\r\nb: c")], Some(Violation::MalformedField)),
        (&[("x", "a\0")], Some(Violation::MalformedField)),
        (&[("te", "gzip")], Some(Violation::MalformedField)),
        (&[("connection", "close")], Some(Violation::MalformedField)),
        (&[("proxy-connection", "close")], Some(Violation::MalformedField)),
        (&[("keep-alive", "1")], Some(Violation::MalformedField)),
        (&[("transfer-encoding", "chunked")], Some(Violation::MalformedField)),
        (&[("upgrade", "websocket")], Some(Violation::MalformedField)),
        (&[("host", "A.test")], None),
        (&[("host", "b.test")], Some(Violation::InvalidHost)),
        (&[("host", "a.test"), ("host", "a.test")], Some(Violation::InvalidHost)),
        (&[("content-length", "")], Some(Violation::InvalidContentLength)),
        (&[("content-length", "+3")], Some(Violation::InvalidContentLength)),
        (&[("content-length", "3"), ("content-length", "3")], Some(Violation::InvalidContentLength)),
        (&[("content-type", "a/b"), ("content-type", "a/b")], Some(Violation::RepeatedContentType)),
        (&[("expect", "200-ok")], Some(Violation::UnknownExpectation)),
        (&[("expect", "100-continue"), ("expect", "100-continue")], Some(Violation::UnknownExpectation)),
        (&[(":path", "/y")], Some(Violation::MalformedPseudoHeader)),
        (&[("x", ""), (":protocol", "websocket")], Some(Violation::MalformedPseudoHeader)),
        (&[(":status", "200")], Some(Violation::MalformedPseudoHeader)),
        (&[(":protocol", "websocket")], Some(Violation::MalformedPseudoHeader)),
    ] {
        assert_eq!(read(&with("/x", fields)).err(), verdict, "{fields:?}");
    }
}

#[test]
fn a_path_is_one_or_the_request_is_malformed() {
    for path in ["/#", "/x#y", "/x?y#z", "/ ", "/x\"y?\"", "/x?\"", "/\u{e9}"] {
        assert_eq!(read(&with(path, &[])).err(), Some(Violation::MalformedTarget), "{path:?}");
    }
    for path in ["", "x", "*", "http://a.test/", "?x"] {
        assert_eq!(read(&with(path, &[])).err(), Some(Violation::MalformedPseudoHeader), "{path:?}");
    }
    let long = format!("/{}", "x".repeat(MOST));
    assert_eq!(read(&with(&long, &[])).err(), Some(Violation::HeadTooLarge));
    let options = [(":method", "OPTIONS"), (":scheme", "https"), (":authority", "a.test"), (":path", "*")];
    assert_eq!(read(&options).unwrap().request.uri.path(), "*");
}

#[test]
fn every_pseudo_header_field_is_there_once_as_the_method_wants_it() {
    let method = |name| (":method", name);
    let (scheme, authority, path) = ((":scheme", "https"), (":authority", "a.test"), (":path", "/x"));
    let protocol = (":protocol", "websocket");
    for (fields, is_request) in [
        (&[method("GET"), scheme, path, ("host", "a.test")][..], true),
        (&[method("GET"), scheme, path], true),
        (&[method("GET"), path, authority], false),
        (&[method("GET"), scheme, authority], false),
        (&[scheme, authority, path], false),
        (&[method("G T"), scheme, authority, path], false),
        (&[method("GET"), method("GET"), scheme, authority, path], false),
        (&[method("GET"), (":scheme", "ftp"), authority, path], false),
        (&[method("GET"), scheme, (":authority", ""), path], false),
        (&[method("CONNECT"), authority], true),
        (&[method("CONNECT")], false),
        (&[method("CONNECT"), scheme, authority, path], false),
        (&[method("CONNECT"), scheme, authority, path, protocol], true),
        (&[method("CONNECT"), authority, protocol], false),
        (&[method("CONNECT"), scheme, path, protocol], false),
    ] {
        assert_eq!(read(fields).is_ok(), is_request, "{fields:?}");
    }
}

#[test]
fn fields_are_counted_and_the_pieces_of_a_cookie_count_as_none() {
    assert!(read(&with("/", &[("x", ""); FIELDS])).is_ok());
    assert_eq!(read(&with("/", &[("x", ""); FIELDS + 1])).err(), Some(Violation::TooManyFields));
    assert!(read(&with("/", &[("cookie", "a=b"); FIELDS + 1])).is_ok());
    let large = "x".repeat(MOST / 2);
    assert_eq!(read(&with("/", &[("a", &large), ("b", &large)])).err(), Some(Violation::HeadTooLarge));
}

#[test]
fn trailers_have_fields_and_nothing_else() {
    let trailers = |fields: &[(&str, &str)]| read_trailers(&mut Decoder::new(0), &block(fields), MOST).unwrap();
    assert_eq!(trailers(&[("grpc-status", "0")]).unwrap()["grpc-status"], "0");
    assert_eq!(trailers(&[("x", ""), (":path", "/")]).err(), Some(Violation::MalformedPseudoHeader));
    assert_eq!(trailers(&[(":method", "GET")]).err(), Some(Violation::MalformedPseudoHeader));
    assert_eq!(trailers(&[("X", "")]).err(), Some(Violation::MalformedField));
    assert_eq!(read_trailers(&mut Decoder::new(0), b"\x80", MOST).err(), Some(Code::Compression));
}

#[test]
fn a_field_that_is_named_thousands_of_times_ends_the_connection() {
    let mut decoder = Decoder::new(4096);
    let mut block = b"\x40\x01x\x7f\xa1\x1e".to_vec();
    block.resize(block.len() + 4000, b'y');
    block.extend([0xbe; 10]);
    assert_eq!(read_request(&mut decoder, &block, MOST).unwrap().err(), Some(Violation::HeadTooLarge));
    assert_eq!(read_request(&mut decoder, &[0xbe; 1000], MOST).err(), Some(Code::EnhanceYourCalm));
}
