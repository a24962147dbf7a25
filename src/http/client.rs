//! Who is at the other end: the peer's address, and behind trusted proxies the address they vouch for.
//! A header is believed from a trusted peer only, and only as far back as every hop after it is trusted too.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::{FORWARDED, HeaderName};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::fields::{Fields, Lookup, text};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// The client: the peer, or the right-most address that no trusted proxy has (Forwarded, else X-Forwarded-For).
    pub ip: IpAddr,
    /// Whether the peer is a trusted proxy.
    pub behind_proxy: bool,
}

impl ClientAddr {
    pub fn read(peer: SocketAddr, fields: &Fields, trusted: &[IpNet]) -> Self {
        let peer_ip = peer.ip().to_canonical();
        let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip));
        let behind_proxy = is_trusted(peer_ip);
        let ip = if behind_proxy { first_untrusted(peer_ip, fields, is_trusted) } else { peer_ip };
        Self { peer, ip, behind_proxy }
    }

    /// Returns the key that limits share: an IPv4 address, or the /64 of an IPv6 address; IPv4-mapped IPv6 counts as IPv4.
    pub fn network(&self) -> IpNet {
        match self.ip.to_canonical() {
            IpAddr::V4(ip) => Ipv4Net::from(ip).into(),
            IpAddr::V6(ip) => Ipv6Net::new_assert(ip, 64).trunc().into(),
        }
    }
}

/// Walks the hops from the nearest on. A hop that names no address (`unknown`, obfuscated, garbage) ends the walk:
/// whoever stands before it is unknown, so the last good address answers for all.
fn first_untrusted(peer: IpAddr, fields: &Fields, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let (name, read_hop): (_, fn(&str) -> Option<IpAddr>) =
        if fields.contains(&FORWARDED) { (FORWARDED, forwarded_for) } else { (X_FORWARDED_FOR, hop_address) };
    let mut nearest = peer;
    let lists: Vec<&[u8]> = fields.values(&name).collect();
    for field in lists.into_iter().rev() {
        for hop in hops(field).rev() {
            let Some(ip) = read_hop(hop) else { return nearest };
            nearest = ip;
            if !is_trusted(ip) {
                return nearest;
            }
        }
    }
    nearest
}

/// Returns the list's elements. A field that isn't text is one element that names nobody.
/// Quoted strings of `Forwarded` can hold a comma; none of those is an address, so cutting there only ends the walk.
fn hops(field: &[u8]) -> std::str::Split<'_, char> {
    text(field).unwrap_or("unknown").split(',')
}

/// Returns the address of the `for` parameter of one `forwarded-element` (RFC 7239 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut values = element.split(';').filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    match value.strip_prefix('"') {
        Some(quoted) => hop_address(quoted.strip_suffix('"')?),
        None => hop_address(value),
    }
}

/// Returns the address of a node: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn hop_address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let ip = if let Some(rest) = node.strip_prefix('[') {
        let (ip, port) = rest.split_once(']')?;
        let has_port = port.strip_prefix(':').is_some_and(is_node_port);
        (port.is_empty() || has_port).then(|| ip.parse::<Ipv6Addr>().ok()).flatten().map(IpAddr::V6)
    } else if let Ok(ip) = node.parse() {
        Some(ip)
    } else {
        let (ip, port) = node.split_once(':')?;
        is_node_port(port).then(|| ip.parse().ok().map(IpAddr::V4)).flatten()
    };
    ip.map(|ip| ip.to_canonical())
}

/// A port, or the obfuscated one of RFC 7239 6.3 (`_` and a token).
fn is_node_port(port: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    port.parse::<u16>().is_ok() || (port.starts_with('_') && port.bytes().all(is_token))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn client(peer: &str, fields: &[(&'static str, &str)]) -> ClientAddr {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        ClientAddr::read(peer.parse().unwrap(), &headers.into(), &trusted)
    }

    fn ip(peer: &str, fields: &[(&'static str, &str)]) -> String {
        client(peer, fields).ip.to_string()
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        let fields = [("x-forwarded-for", "192.0.2.9"), ("forwarded", "for=192.0.2.9"), ("x-real-ip", "192.0.2.9")];
        let client = client("198.51.100.7:4000", &fields);
        assert_eq!(client.ip.to_string(), "198.51.100.7");
        assert!(!client.behind_proxy);
    }

    #[test]
    fn without_trusted_proxies_nobody_is_believed() {
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.9"))]);
        let client = ClientAddr::read("10.0.0.1:4000".parse().unwrap(), &headers.into(), &[]);
        assert_eq!(client.ip.to_string(), "10.0.0.1");
    }

    #[test]
    fn behind_proxies_the_right_most_untrusted_address_counts() {
        for (value, expected) in [
            ("192.0.2.9", "192.0.2.9"),
            ("192.0.2.9, 192.0.2.10", "192.0.2.10"),
            ("192.0.2.9,10.1.1.1 , 10.2.2.2", "192.0.2.9"),
            ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
            ("192.0.2.9:4711", "192.0.2.9"),
            ("2001:db8::9", "2001:db8::9"),
            ("[2001:db8::9]:443, 2001:db8:1::1", "2001:db8::9"),
            ("::ffff:192.0.2.9", "192.0.2.9"),
            ("192.0.2.9, unknown", "10.0.0.1"),
            ("192.0.2.9, garbage, 10.1.1.1", "10.1.1.1"),
            ("192.0.2.9, , 10.1.1.1", "10.1.1.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(ip("10.0.0.1:4000", &[("x-forwarded-for", value)]), expected, "{value}");
        }
    }

    #[test]
    fn several_fields_are_one_list() {
        let fields = [("x-forwarded-for", "192.0.2.9"), ("x-forwarded-for", "192.0.2.10, 10.1.1.1")];
        assert_eq!(ip("10.0.0.1:4000", &fields), "192.0.2.10");
    }

    #[test]
    fn forwarded_is_read_in_its_own_grammar_and_before_x_forwarded_for() {
        for (value, expected) in [
            ("for=192.0.2.9", "192.0.2.9"),
            ("proto=https;For=\"192.0.2.9:47\";by=10.0.0.1", "192.0.2.9"),
            ("for=192.0.2.1, for=\"[2001:db8::9]:80\";host=a", "2001:db8::9"),
            ("for=192.0.2.9, for=\"[2001:db8:1::5]\"", "192.0.2.9"),
            ("for=192.0.2.9:_x7", "192.0.2.9"),
            ("for=192.0.2.9, for=unknown", "10.0.0.1"),
            ("for=192.0.2.9, for=_hidden, for=10.1.1.1", "10.1.1.1"),
            ("for=192.0.2.9, for=\"unclosed", "10.0.0.1"),
            ("for=192.0.2.9, for=\"10.1.1.1,x\"", "10.0.0.1"),
            ("for=192.0.2.9;for=192.0.2.10", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
        ] {
            let fields = [("x-forwarded-for", "203.0.113.1"), ("forwarded", value)];
            assert_eq!(ip("10.0.0.1:4000", &fields), expected, "{value}");
        }
    }

    #[test]
    fn a_mapped_peer_is_the_ipv4_peer_it_is() {
        assert_eq!(ip("[::ffff:10.0.0.1]:4000", &[("x-forwarded-for", "192.0.2.9")]), "192.0.2.9");
    }

    #[test]
    fn limits_share_an_ipv4_address_or_an_ipv6_64() {
        let network = |peer: &str| client(peer, &[]).network().to_string();
        assert_eq!(network("198.51.100.7:1"), "198.51.100.7/32");
        assert_eq!(network("[::ffff:198.51.100.7]:1"), "198.51.100.7/32");
        assert_eq!(network("[2001:db8:2:3:4:5:6:7]:1"), "2001:db8:2:3::/64");
        assert_eq!(network("[2001:db8:2:3:ffff::]:1"), "2001:db8:2:3::/64");
    }
}
