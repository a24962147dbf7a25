//! What goes back to a client, whichever protocol it speaks.

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Response, StatusCode};

use super::fields::Fields;

/// An answer: ours, or an upstream's with its fields as they came.
#[derive(Debug)]
pub struct ClientResponse<B> {
    pub status: StatusCode,
    pub fields: Fields,
    pub body: B,
}

impl<B> ClientResponse<B> {
    /// Returns one without fields.
    pub fn new(status: StatusCode, body: B) -> Self {
        Self { status, fields: Fields::default(), body }
    }

    pub fn map<C>(self, change: impl FnOnce(B) -> C) -> ClientResponse<C> {
        ClientResponse { status: self.status, fields: self.fields, body: change(self.body) }
    }
}

/// Returns the answer to HEAD: that of GET, its length said, its body left out (RFC 9110 section 9.3.2).
pub fn left_out(response: Response<Bytes>) -> Response<Bytes> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Response::from_parts(parts, Bytes::new())
}

impl<B> From<Response<B>> for ClientResponse<B> {
    fn from(response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, fields: parts.headers.into(), body }
    }
}
