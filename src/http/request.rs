//! What a client asks for, on either protocol.

use bytes::Bytes;
use http::{Method, Request, Uri, Version};

use super::fields::Fields;

/// A request as the edge took it in, and as it goes on to an upstream.
#[derive(Debug)]
pub struct ClientRequest<B> {
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub fields: Fields,
    /// The `:protocol` of an extended CONNECT (RFC 8441); only HTTP/2 has it.
    pub protocol: Option<Bytes>,
    pub body: B,
}

impl<B> ClientRequest<B> {
    pub fn map<C>(self, change: impl FnOnce(B) -> C) -> ClientRequest<C> {
        let Self { method, uri, version, fields, protocol, body } = self;
        ClientRequest { method, uri, version, fields, protocol, body: change(body) }
    }

    /// Returns it as the handlers of our own endpoints take it.
    pub fn into_http(self) -> Request<B> {
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.fields.into_map();
        request
    }
}

impl<B> From<Request<B>> for ClientRequest<B> {
    fn from(request: Request<B>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            uri: parts.uri,
            version: parts.version,
            fields: parts.headers.into(),
            protocol: None,
            body,
        }
    }
}
