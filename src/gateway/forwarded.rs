//! Where a request came from, told to the upstream anew: what the client says of it counts only behind a trusted proxy.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Ingress;
use super::rules::{Rules, ViaValues};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Sets Host, `X-Forwarded-*`, `Forwarded`, `Via` and `X-Request-Id` for the upstream.
pub fn rewrite(headers: &mut HeaderMap, ingress: &Ingress<'_>, rules: &Rules) {
    let host = host_value(ingress);
    let scheme = scheme(headers, ingress);
    let public_host = vouched(headers, &HOST, ingress).unwrap_or_else(|| host.clone());
    let peer = ingress.client.peer.ip().to_canonical();
    let chain = |name: &HeaderName, own: String| {
        let before = ingress.client.behind_proxy.then(|| joined(headers, name)).flatten();
        before.map_or_else(|| own.clone(), |before| format!("{before}, {own}"))
    };
    let addresses = chain(&FOR, peer.to_string());
    let forwarded = chain(&header::FORWARDED, forwarded_element(peer, own_scheme(ingress), &host));
    headers.insert(FOR, ours(addresses));
    headers.insert(header::FORWARDED, ours(forwarded));
    headers.insert(PROTO, HeaderValue::from_static(scheme));
    headers.insert(HOST, public_host);
    headers.insert(header::HOST, host);
    headers.insert(REQUEST_ID, ingress.request_id.clone());
    if let Some(via) = &rules.via {
        append_via(headers, via, ingress);
    }
}

/// What is joined of checked addresses, schemes and canonical hosts is a field value; should a proxy's part not be, it is left out.
fn ours(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

fn host_value(ingress: &Ingress<'_>) -> HeaderValue {
    let target = ingress.target;
    match target.port() {
        None => ours(target.host().to_owned()),
        Some(port) => ours(format!("{}:{port}", target.host())),
    }
}

/// Returns how the client reached the outermost proxy that is trusted.
pub fn scheme(headers: &HeaderMap, ingress: &Ingress<'_>) -> &'static str {
    let vouched = vouched(headers, &PROTO, ingress);
    match vouched.as_ref().map(HeaderValue::as_bytes) {
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
fn vouched(headers: &HeaderMap, name: &HeaderName, ingress: &Ingress<'_>) -> Option<HeaderValue> {
    if !ingress.client.behind_proxy {
        return None;
    }
    let mut fields = headers.get_all(name).iter();
    let only = fields.next()?;
    (fields.next().is_none() && !only.as_bytes().contains(&b',')).then(|| only.clone())
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let fields: Vec<&str> = headers.get_all(name).iter().filter_map(|field| field.to_str().ok()).collect();
    (!fields.is_empty()).then(|| fields.join(", "))
}

/// Returns one `Forwarded` element (RFC 7239): IPv6 addresses are quoted and in brackets, a host is always quoted.
fn forwarded_element(peer: IpAddr, scheme: &str, host: &HeaderValue) -> String {
    let mut element = match peer {
        IpAddr::V4(ip) => format!("for={ip}"),
        IpAddr::V6(ip) => format!("for=\"[{ip}]\""),
    };
    let host = host.to_str().unwrap_or_default();
    write!(element, ";host=\"{host}\";proto={scheme}").expect("a String takes everything");
    element
}

fn append_via(headers: &mut HeaderMap, via: &ViaValues, ingress: &Ingress<'_>) {
    let own = match ingress.version {
        http::Version::HTTP_2 => &via.http_2,
        http::Version::HTTP_10 => &via.http_10,
        _ => &via.http_11,
    };
    headers.append(header::VIA, own.clone());
}
