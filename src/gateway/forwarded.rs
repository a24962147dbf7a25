//! Where a request came from, told to the upstream anew: what the client says of it counts only behind a trusted proxy.
//! What was written once for a client and a host is kept, since most requests come from where one came a moment ago.

use std::cell::RefCell;
use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use super::Ingress;
use super::rules::{Rules, ViaValues};
use crate::http::fields::{Fields, Lookup, Names, text};
use crate::http::wire::append_line;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is told anew.
const SET: Names =
    Names::new(&["x-forwarded-for", "forwarded", "x-forwarded-proto", "x-forwarded-host", "host", "x-request-id"]);

/// How many clients a worker remembers what to write for. Two that share a place take turns, which costs a few hundred nanoseconds.
const PLACES: usize = 256;

/// What one worker has written of clients and hosts.
#[derive(Default)]
pub struct Origins {
    places: RefCell<Vec<Option<Origin>>>,
}

struct Origin {
    peer: IpAddr,
    is_tls: bool,
    host: String,
    port: Option<u16>,
    values: OriginValues,
}

/// What is said of one client that asks for one host.
#[derive(Clone)]
struct OriginValues {
    address: HeaderValue,
    element: HeaderValue,
    host: HeaderValue,
    host_line: Bytes,
    /// The lines that say so of a client that came to us itself.
    lines: Bytes,
}

impl Origins {
    fn values<T>(&self, ingress: &Ingress<'_>, take: impl Fn(&OriginValues) -> T) -> T {
        let peer = ingress.client.peer.ip().to_canonical();
        let (host, port) = (ingress.target.host(), ingress.target.port());
        let mut places = self.places.borrow_mut();
        if places.is_empty() {
            places.resize_with(PLACES, || None);
        }
        let place = &mut places[place_of(peer, host)];
        let is_same = |origin: &&Origin| {
            (origin.peer, origin.is_tls, origin.port) == (peer, ingress.is_tls, port) && origin.host == host
        };
        if let Some(origin) = place.as_ref().filter(is_same) {
            return take(&origin.values);
        }
        let values = OriginValues::new(peer, ingress);
        let taken = take(&values);
        *place = Some(Origin { peer, is_tls: ingress.is_tls, host: host.to_owned(), port, values });
        taken
    }
}

/// Returns a place by the low bytes of the address, where clients differ, and the length of the host.
fn place_of(peer: IpAddr, host: &str) -> usize {
    let low = match peer {
        IpAddr::V4(ip) => ip.octets().map(usize::from),
        IpAddr::V6(ip) => [5, 7, 13, 15].map(|at| usize::from(ip.octets()[at])),
    };
    low.iter().fold(host.len(), |place, byte| place.wrapping_mul(31) + byte) % PLACES
}

impl OriginValues {
    fn new(peer: IpAddr, ingress: &Ingress<'_>) -> Self {
        let host = match ingress.target.port() {
            None => ingress.target.host().to_owned(),
            Some(port) => format!("{}:{port}", ingress.target.host()),
        };
        let (address, scheme) = (ours(peer.to_string()), own_scheme(ingress));
        let (element, host) = (ours(forwarded_element(peer, scheme, &host)), ours(host));
        let mut lines = Vec::new();
        // Host first, where servers look for it (RFC 9110 section 7.2).
        append_line(b"host", host.as_bytes(), &mut lines);
        let host_line = Bytes::copy_from_slice(&lines);
        for (name, value) in [
            (&FOR, address.as_bytes()),
            (&header::FORWARDED, element.as_bytes()),
            (&PROTO, scheme.as_bytes()),
            (&HOST, host.as_bytes()),
        ] {
            append_line(name.as_str().as_bytes(), value, &mut lines);
        }
        Self { address, element, host, host_line, lines: lines.into() }
    }
}

/// Sets Host, `X-Forwarded-*`, `Forwarded`, `Via` and `X-Request-Id` for the upstream.
pub fn rewrite(fields: &mut Fields, ingress: &Ingress<'_>, rules: &Rules, origins: &Origins) {
    if ingress.client.behind_proxy {
        continue_chains(fields, ingress, origins.values(ingress, OriginValues::clone));
    } else {
        fields.remove_any(&SET);
        fields.tell(origins.values(ingress, |values| values.lines.clone()));
    }
    fields.append(REQUEST_ID, ingress.request_id.clone());
    if let Some(via) = &rules.via {
        append_via(fields, via, ingress);
    }
}

/// Says of the client what the proxy before us says, and of the proxy what we see.
fn continue_chains(fields: &mut Fields, ingress: &Ingress<'_>, values: OriginValues) {
    let OriginValues { address, element, host, host_line, lines: _ } = values;
    let scheme = scheme(fields, ingress);
    let public_host = vouched(fields, &HOST, ingress).and_then(value).unwrap_or(host);
    let chain = |name: &HeaderName, own: HeaderValue| match joined(fields, name) {
        Some(before) => ours(format!("{before}, {}", own.to_str().unwrap_or_default())),
        None => own,
    };
    let set = [
        (FOR, chain(&FOR, address)),
        (header::FORWARDED, chain(&header::FORWARDED, element)),
        (PROTO, HeaderValue::from_static(scheme)),
        (HOST, public_host),
    ];
    fields.remove_any(&SET);
    fields.tell(host_line);
    for (name, value) in set {
        fields.append(name, value);
    }
}

/// What is joined of checked addresses, schemes and canonical hosts is a field value; should a proxy's part not be, it is left out.
fn ours(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Returns how the client reached the outermost proxy that is trusted.
pub fn scheme(fields: &Fields, ingress: &Ingress<'_>) -> &'static str {
    match vouched(fields, &PROTO, ingress) {
        Some(b"https") => "https",
        Some(b"http") => "http",
        Some(_) | None => own_scheme(ingress),
    }
}

/// How the peer reached us: what an element of `Forwarded` says, each of which is about one hop.
fn own_scheme(ingress: &Ingress<'_>) -> &'static str {
    if ingress.is_tls { "https" } else { "http" }
}

/// Returns the single value of a header that a trusted proxy vouches for.
fn vouched<'a>(fields: &'a Fields, name: &HeaderName, ingress: &Ingress<'_>) -> Option<&'a [u8]> {
    if !ingress.client.behind_proxy {
        return None;
    }
    fields.only(name).filter(|only| !only.contains(&b','))
}

fn value(bytes: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(bytes).ok()
}

fn joined(fields: &Fields, name: &HeaderName) -> Option<String> {
    let fields: Vec<&str> = fields.values(name).filter_map(text).collect();
    (!fields.is_empty()).then(|| fields.join(", "))
}

/// Returns one `Forwarded` element (RFC 7239): IPv6 addresses are quoted and in brackets, a host is always quoted.
fn forwarded_element(peer: IpAddr, scheme: &str, host: &str) -> String {
    match peer {
        IpAddr::V4(ip) => format!("for={ip};host=\"{host}\";proto={scheme}"),
        IpAddr::V6(ip) => format!("for=\"[{ip}]\";host=\"{host}\";proto={scheme}"),
    }
}

fn append_via(fields: &mut Fields, via: &ViaValues, ingress: &Ingress<'_>) {
    let own = match ingress.version {
        http::Version::HTTP_2 => &via.http_2,
        http::Version::HTTP_10 => &via.http_10,
        _ => &via.http_11,
    };
    fields.append(header::VIA, own.clone());
}
