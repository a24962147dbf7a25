//! A request to a server as it goes on the wire (RFC 9112): made of parsed values only, and framed by its body alone.

use http::header::{CONTENT_LENGTH, TRAILER};
use http::{Method, Version};
use http_body::Body;

use super::body::RequestBody;
use crate::http::fields::Names;
use crate::http::outgoing::{Left, Outgoing};
use crate::http::request::ClientRequest;
use crate::http::wire::append_length;

/// What the body says better.
const FRAMING: Names = Names::new(&["content-length", "transfer-encoding"]);

/// Returns the message of a request whose target is in origin form. What it says of the body's length follows from `body`, and only
/// from the request's own Content-Length where that agrees.
pub(super) fn outgoing<B>(request: &ClientRequest<B>, body: RequestBody) -> Outgoing<RequestBody> {
    let given = request.fields.first(&CONTENT_LENGTH);
    // HTTP/2 lets trailers follow a body of known length; over HTTP/1.1 they only follow chunks.
    let has_trailers = request.version == Version::HTTP_2 && request.fields.contains(&TRAILER);
    let left = if body.is_end_stream() {
        Left::Nothing
    } else if has_trailers {
        Left::Chunks
    } else {
        let length = given.and_then(|length| std::str::from_utf8(length).ok()).and_then(|length| length.parse().ok());
        length.map_or(Left::Chunks, Left::Length)
    };
    let mut head = Vec::with_capacity(1024 + left.to_be_copied());
    let target = request.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    for part in [request.method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    request.fields.write_without(&FRAMING, &mut head);
    match left {
        Left::Length(length) => append_length(length, &mut head),
        Left::Chunks | Left::UntilClose => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Left::Nothing if given.is_some() || takes_content(&request.method) => append_length(0, &mut head),
        Left::Nothing => {}
    }
    head.extend_from_slice(b"\r\n");
    Outgoing::new(head, left, body)
}

/// Whether a request without a body should say so (RFC 9110 section 8.6).
fn takes_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head_of(method: &str, fields: &[(&str, &str)]) -> String {
        let mut request = Request::builder().method(method).uri("/a?b=c").header("host", "app");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut outgoing = outgoing(&request.body(()).unwrap().into(), RequestBody::default());
        let mut sent = Vec::new();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(outgoing.poll_send(&mut sent, &mut context).is_ready());
        String::from_utf8(sent).unwrap()
    }

    #[test]
    fn a_request_is_framed_by_its_body_and_not_by_what_its_fields_say() {
        for (method, fields, expected) in [
            ("GET", &[][..], ""),
            ("GET", &[("content-length", "0")], "content-length: 0\r\n"),
            ("GET", &[("transfer-encoding", "chunked")], ""),
            ("POST", &[], "content-length: 0\r\n"),
            ("POST", &[("content-length", "5"), ("transfer-encoding", "chunked")], "content-length: 0\r\n"),
        ] {
            let head = format!("{method} /a?b=c HTTP/1.1\r\nhost: app\r\n{expected}\r\n");
            assert_eq!(head_of(method, fields), head, "{method} {fields:?}");
        }
    }
}
