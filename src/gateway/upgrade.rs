//! Upgrades: WebSocket and nothing else, asked for over HTTP/1.1 (RFC 6455) or HTTP/2 (RFC 8441); the app is always asked over
//! HTTP/1.1. Any other `Upgrade` is ignored, as RFC 9110 section 7.8 allows; any other `:protocol` is refused.

use http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};

use super::Refusal;
use crate::http::body::{ClientBody, Upgrade};
use crate::http::fields::{Fields, Lookup};
use crate::http::header::remove_hop_by_hop;
use crate::http::request::ClientRequest;
use crate::http::websocket::{self, accept_of, fresh_key};

/// A WebSocket that a client asks for.
pub(super) struct Asked {
    client: Upgrade,
    /// Our own key towards the app, where the client has none: HTTP/2 needs no such proof.
    key: Option<String>,
}

/// Whether a request is the extended CONNECT for a WebSocket. Only on HTTP/2 is there a `:protocol`.
pub fn is_extended_connect<B>(request: &ClientRequest<B>) -> bool {
    request.method == Method::CONNECT && request.protocol.as_ref().is_some_and(|protocol| protocol == "websocket")
}

/// Makes an extended CONNECT the GET that it would be over HTTP/1.1 (RFC 8441 section 5): that is what rules are written for.
pub(super) fn adopt(request: &mut ClientRequest<ClientBody>) {
    if is_extended_connect(request) {
        request.method = Method::GET;
    }
}

/// Returns the WebSocket that a request asks for, if it does. There is one version of it: a draft's, or one to come, may frame
/// otherwise (RFC 6455 section 4.4).
pub(super) fn take(request: &mut ClientRequest<ClientBody>) -> Result<Option<Asked>, Refusal> {
    let key = match request.version {
        Version::HTTP_11 if asks_over_http_1(request) => None,
        Version::HTTP_2 if request.protocol.is_some() => Some(fresh_key()),
        _ => return Ok(None),
    };
    if names_other_version(&request.fields) {
        return Err(Refusal::WebSocketVersion);
    }
    let client = request.body.take_upgrade();
    Ok(client.map(|client| Asked { client, key }))
}

impl Asked {
    /// Whether a success without a switch of protocols would be taken for one.
    pub(super) fn is_extended(&self) -> bool {
        self.key.is_some()
    }

    /// Sets what asks the app: fields that hop-by-hop cleaning took away, and those that HTTP/2 doesn't have.
    pub(super) fn ask_app(&self, fields: &mut Fields) {
        for (name, value) in announcement() {
            fields.set(name, value);
        }
        if let Some(key) = &self.key {
            fields.remove(&header::SEC_WEBSOCKET_ACCEPT);
            fields.set(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(websocket::VERSION));
            fields.set(header::SEC_WEBSOCKET_KEY, HeaderValue::from_str(key).expect("base64 is a field value"));
        }
    }

    /// Returns the client's end, and the status by which it learns that the app has switched; `fields` are those of the app's 101,
    /// and the client's afterwards.
    pub(super) fn settle(self, fields: &mut Fields) -> Result<(Upgrade, StatusCode), Refusal> {
        if !is_websocket(fields) {
            return Err(Refusal::UnaskedUpgrade);
        }
        let accepted = fields.first(&header::SEC_WEBSOCKET_ACCEPT);
        if self.key.as_ref().is_some_and(|key| accepted != Some(accept_of(key).as_bytes())) {
            return Err(Refusal::UnaskedUpgrade);
        }
        remove_hop_by_hop(fields, &|_| false);
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

fn asks_over_http_1<B>(request: &ClientRequest<B>) -> bool {
    request.method == Method::GET
        && request.fields.list_holds(&header::CONNECTION, b"upgrade")
        && is_websocket(&request.fields)
}

/// Returns whether the one `Upgrade` field says `websocket`.
fn is_websocket(fields: &Fields) -> bool {
    fields.only(&header::UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case(b"websocket"))
}

/// Returns the two fields that say which protocol is meant.
pub(super) fn announcement() -> [(HeaderName, HeaderValue); 2] {
    [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
    ]
}

/// Whether a version is named that is not ours. An app may find a request without any in order, or decline it.
fn names_other_version(fields: &Fields) -> bool {
    fields.values(&header::SEC_WEBSOCKET_VERSION).any(|version| version != websocket::VERSION.as_bytes())
}
