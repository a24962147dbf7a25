//! Host and port as a request names them, in one spelling.
//! Refuses whatever two parsers could take for two hosts: user info, escapes, empty labels, numbers that are no address.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The text is not a host name or address with an optional port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAuthority;

/// Longest name of the DNS, without its final dot, and longest label (RFC 1035 2.3.4).
const NAME_LENGTH: usize = 253;
const LABEL_LENGTH: usize = 63;

/// Appends the host to `out`, in lower case, without final dot, IPv6 in brackets and shortest form; returns the port.
pub fn append_host(authority: &str, out: &mut String) -> Result<Option<u16>, InvalidAuthority> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(InvalidAuthority)?;
        let address: Ipv6Addr = address.parse().map_err(|_| InvalidAuthority)?;
        out.push('[');
        out.push_str(&address.to_string());
        out.push(']');
        return match port.strip_prefix(':') {
            Some(port) => parse_port(port).map(Some),
            None if port.is_empty() => Ok(None),
            None => Err(InvalidAuthority),
        };
    }
    let (name, port) = match authority.split_once(':') {
        Some((name, port)) => (name, Some(parse_port(port)?)),
        None => (authority, None),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if !is_name(name) {
        return Err(InvalidAuthority);
    }
    let start = out.len();
    out.push_str(name);
    out[start..].make_ascii_lowercase();
    Ok(port)
}

/// Whether `name` is a host name, or an IPv4 address in its usual form; no final dot.
pub fn is_name(name: &str) -> bool {
    let mut label = 0;
    for byte in name.bytes() {
        match byte {
            b'.' if label == 0 => return false,
            b'.' => label = 0,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' if label < LABEL_LENGTH => label += 1,
            _ => return false,
        }
    }
    if label == 0 || name.len() > NAME_LENGTH {
        return false;
    }
    // A name that ends in a number is an address to resolvers and browsers (`127.1`, `0x7f.1`), or nothing at all.
    !ends_in_number(&name[name.len() - label..]) || name.parse::<Ipv4Addr>().is_ok()
}

fn ends_in_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit()) || hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn parse_port(text: &str) -> Result<u16, InvalidAuthority> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if !is_plain {
        return Err(InvalidAuthority);
    }
    text.parse().map_err(|_| InvalidAuthority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authority: &str) -> Option<(String, Option<u16>)> {
        let mut host = String::new();
        let port = append_host(authority, &mut host).ok()?;
        Some((host, port))
    }

    #[test]
    fn one_host_has_one_spelling() {
        for (given, host, port) in [
            ("App.Example.COM", "app.example.com", None),
            ("app.example.com.", "app.example.com", None),
            ("app.example.com.:8443", "app.example.com", Some(8443)),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[2001:DB8:0:0::1]:443", "[2001:db8::1]", Some(443)),
            ("[::1]", "[::1]", None),
            ("my_service:3000", "my_service", Some(3000)),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
        ] {
            assert_eq!(read(given), Some((host.into(), port)), "{given}");
        }
    }

    #[test]
    fn what_is_not_a_host_with_an_optional_port_is_refused() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = "a.".repeat(127) + "aa";
        for given in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a.example..",
            ":80",
            "a:",
            "a:0",
            "a:080",
            "a:65536",
            "a:+80",
            "a:80:80",
            "a b",
            "user@a",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a,b",
            "a%2eb",
            "bücher.example",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:",
            "[fe80::1%25eth0]",
            "[127.0.0.1]",
            "127.1",
            "0x7f.0.0.1",
            "1.2.3.4.5",
            "1.2.3.0x4",
            "01.2.3.4",
            "256.1.1.1",
            "a\0",
            "*.example.com",
            &long_label,
            &long_name,
        ] {
            assert_eq!(read(given), None, "{given}");
        }
    }
}
