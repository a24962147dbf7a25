//! Upgrades: WebSocket over HTTP/1.1 (RFC 6455) and nothing else. Any other `Upgrade` is ignored, as RFC 9110 section 7.8 allows.

use http::{HeaderMap, HeaderValue, Method, Request, Version, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::Refusal;

/// RFC 6455 section 4.1.
pub(super) const WEBSOCKET_VERSION: &str = "13";

/// Returns the client's end of the connection-to-be, if the request asks for a WebSocket. There is one version of it: a draft's, or
/// one to come, may frame otherwise (RFC 6455 section 4.4).
pub(super) fn take(request: &mut Request<Incoming>) -> Result<Option<OnUpgrade>, Refusal> {
    let asks = request.version() == Version::HTTP_11
        && *request.method() == Method::GET
        && request.headers().contains_key(header::UPGRADE)
        && connection_lists_upgrade(request.headers())
        && is_websocket(request.headers());
    if asks && names_other_version(request.headers()) {
        return Err(Refusal::WebSocketVersion);
    }
    Ok(asks.then(|| hyper::upgrade::on(request)))
}

/// Returns whether the one `Upgrade` field says `websocket`.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(header::UPGRADE).iter();
    let only = fields.next().is_some_and(|field| field.as_bytes().eq_ignore_ascii_case(b"websocket"));
    only && fields.next().is_none()
}

/// Sets the two fields that hop-by-hop cleaning took away.
pub(super) fn announce(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Whether a version is named that is not ours. An app may find a request without any in order, or decline it.
fn names_other_version(headers: &HeaderMap) -> bool {
    headers.get_all(header::SEC_WEBSOCKET_VERSION).iter().any(|version| version != WEBSOCKET_VERSION)
}

fn connection_lists_upgrade(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(header::CONNECTION).iter();
    fields
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}
