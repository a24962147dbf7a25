//! Requests whose end two parsers see in two places (request smuggling), and heads that they read two ways. The connection must
//! end with the refusal: nobody knows what the bytes after it are.

use super::probe::{Expect, Family, Probe};
use super::site::Site;

/// Fields of a POST, and the body behind them; every one ends in a second request to the protected path.
const SMUGGLED: &[(&str, &str, &str)] = &[
    ("Content-Length and Transfer-Encoding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding and Content-Length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked, identity", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: identity, chunked", "Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: xchunked", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding, space before the colon", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding, folded", "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding, vertical tab", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
    ("Content-Length twice", "Content-Length: 5\r\nContent-Length: 0\r\n", "hello"),
    ("Content-Length: 5, 0", "Content-Length: 5, 0\r\n", "hello"),
    ("Content-Length: +5", "Content-Length: +5\r\n", "hello"),
    ("Content-Length: -1", "Content-Length: -1\r\n", ""),
    ("Content-Length: 0x5", "Content-Length: 0x5\r\n", "hello"),
    ("Content-Length past 64 bits", "Content-Length: 18446744073709551621\r\n", "hello"),
    ("a bare LF between fields", "X-A: 1\nContent-Length: 5\r\n", "hello"),
    ("a bare CR in a field", "X-A: 1\rContent-Length: 5\r\n", "hello"),
    ("a NUL in a field", "X-A: 1\0\r\n", ""),
    ("a folded field", "X-A: 1\r\n 2\r\n", ""),
    ("a field without a colon", "Content-Length\r\n", ""),
    ("a field without a name", ": 1\r\n", ""),
    ("a space in a field name", "X A: 1\r\n", ""),
];

const UNREADABLE: Expect = Expect::RefusedForGood(&[400, 501]);

pub fn probes(site: &Site) -> Vec<Probe> {
    let (path, authority) = (&site.public, &site.authority);
    let protected = site.protected.as_ref().unwrap_or(path);
    let second = format!("GET {protected} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let raw = |name: &str, request: String, expect: Expect| Probe {
        family: Family::Framing,
        name: name.to_owned(),
        request: request.into_bytes(),
        expect,
    };
    let head = |line: &str| format!("{line}\r\nHost: {authority}\r\n");
    let smuggled = SMUGGLED.iter().map(|(name, fields, body)| {
        let request = format!("{}{fields}\r\n{body}{second}", head(&format!("POST {path} HTTP/1.1")));
        raw(name, request, UNREADABLE)
    });
    let mut probes: Vec<Probe> = smuggled.collect();
    let old = format!("{}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}", head(&format!("POST {path} HTTP/1.0")));
    probes.push(raw("HTTP/1.0 with Transfer-Encoding", old, UNREADABLE));
    for (name, line) in [
        ("HTTP/9.9", format!("GET {path} HTTP/9.9")),
        ("HTTP/1.1 in lower case", format!("GET {path} http/1.1")),
        ("two spaces in the request line", format!("GET  {path} HTTP/1.1")),
        ("a space in the target", format!("GET {path} x HTTP/1.1")),
        ("a tab in the request line", format!("GET\t{path}\tHTTP/1.1")),
    ] {
        probes.push(raw(name, format!("{}\r\n{second}", head(&line)), Expect::RefusedForGood(&[400, 404, 501, 505])));
    }
    let fields = "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n".repeat(4096);
    let long = format!("{}{fields}\r\n", head(&format!("GET {path} HTTP/1.1")));
    probes.push(raw("a head of 330 KiB", long, Expect::RefusedForGood(&[400, 413, 431])));
    probes
}
