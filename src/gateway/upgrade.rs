//! Upgrades: WebSocket and nothing else, asked for over HTTP/1.1 (RFC 6455) or HTTP/2 (RFC 8441); the app is always asked over
//! HTTP/1.1. Any other `Upgrade` is ignored, as RFC 9110 section 7.8 allows; any other `:protocol` is refused.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header};
use hyper::ext::Protocol;

use super::Refusal;
use crate::http::body::{ClientBody, Upgrade};
use crate::http::fields::Fields;
use crate::http::header::{connection_lists, remove_connection_fields};
use crate::http::websocket::{self, accept_of, fresh_key};

/// A WebSocket that a client asks for.
pub(super) struct Asked {
    client: Upgrade,
    /// Our own key towards the app, where the client has none: HTTP/2 needs no such proof.
    key: Option<String>,
}

/// Whether a request is the extended CONNECT for a WebSocket. Only on HTTP/2 is there a `:protocol`.
pub fn is_extended_connect<B>(request: &Request<B>) -> bool {
    *request.method() == Method::CONNECT
        && request.extensions().get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Makes an extended CONNECT the GET that it would be over HTTP/1.1 (RFC 8441 section 5): that is what rules are written for.
pub(super) fn adopt(request: &mut Request<ClientBody>) {
    if is_extended_connect(request) {
        *request.method_mut() = Method::GET;
    }
}

/// Returns the WebSocket that a request asks for, if it does. There is one version of it: a draft's, or one to come, may frame
/// otherwise (RFC 6455 section 4.4).
pub(super) fn take(request: &mut Request<ClientBody>) -> Result<Option<Asked>, Refusal> {
    let key = match request.version() {
        Version::HTTP_11 if asks_over_http_1(request) => None,
        Version::HTTP_2 if request.extensions().get::<Protocol>().is_some() => Some(fresh_key()),
        _ => return Ok(None),
    };
    if names_other_version(request.headers()) {
        return Err(Refusal::WebSocketVersion);
    }
    let client = request.body_mut().take_upgrade();
    Ok(client.map(|client| Asked { client, key }))
}

impl Asked {
    /// Whether a success without a switch of protocols would be taken for one.
    pub(super) fn is_extended(&self) -> bool {
        self.key.is_some()
    }

    /// Sets what asks the app: fields that hop-by-hop cleaning took away, and those that HTTP/2 doesn't have.
    pub(super) fn ask_app(&self, headers: &mut HeaderMap) {
        headers.extend(announcement());
        if let Some(key) = &self.key {
            headers.remove(header::SEC_WEBSOCKET_ACCEPT);
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(websocket::VERSION));
            headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(key).expect("base64 is a field value"));
        }
    }

    /// Returns the client's end, and the status by which it learns that the app has switched; `headers` are those of the app's 101,
    /// and the client's afterwards.
    pub(super) fn settle(self, fields: &mut Fields) -> Result<(Upgrade, StatusCode), Refusal> {
        if !is_websocket(fields.values(&header::UPGRADE)) {
            return Err(Refusal::UnaskedUpgrade);
        }
        let accepted = fields.first(&header::SEC_WEBSOCKET_ACCEPT);
        if self.key.as_ref().is_some_and(|key| accepted != Some(accept_of(key).as_bytes())) {
            return Err(Refusal::UnaskedUpgrade);
        }
        remove_connection_fields(fields);
        if self.key.is_none() {
            for (name, value) in announcement() {
                fields.append(name, value);
            }
            return Ok((self.client, StatusCode::SWITCHING_PROTOCOLS));
        }
        fields.remove(&header::SEC_WEBSOCKET_ACCEPT);
        fields.remove(&header::CONTENT_LENGTH);
        Ok((self.client, StatusCode::OK))
    }
}

fn asks_over_http_1<B>(request: &Request<B>) -> bool {
    *request.method() == Method::GET
        && request.headers().contains_key(header::UPGRADE)
        && connection_lists(request.headers(), b"upgrade")
        && is_websocket(request.headers().get_all(header::UPGRADE).iter().map(HeaderValue::as_bytes))
}

/// Returns whether the one `Upgrade` field says `websocket`.
fn is_websocket<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> bool {
    let only = fields.next().is_some_and(|field| field.eq_ignore_ascii_case(b"websocket"));
    only && fields.next().is_none()
}

/// Returns the two fields that say which protocol is meant.
pub(super) fn announcement() -> [(HeaderName, HeaderValue); 2] {
    [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
    ]
}

/// Whether a version is named that is not ours. An app may find a request without any in order, or decline it.
fn names_other_version(headers: &HeaderMap) -> bool {
    headers.get_all(header::SEC_WEBSOCKET_VERSION).iter().any(|version| version != websocket::VERSION)
}
