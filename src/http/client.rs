//! Who is at the other end: the peer's address, and behind trusted proxies the address they vouch for.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

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
    pub fn read(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        todo!("{peer} {headers:?} {trusted:?}")
    }

    /// Returns the key that limits share: an IPv4 address, or the /64 of an IPv6 address; IPv4-mapped IPv6 counts as IPv4.
    pub fn network(&self) -> IpNet {
        todo!()
    }
}
