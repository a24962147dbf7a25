//! The head of an answer, and how its body is framed (RFC 9112 section 6). Pure but for the date.

use http::StatusCode;
use http::header::{CONNECTION, DATE};
use http_body::Body;

use super::super::answer::{Plan, with_date};
use crate::http::fields::Fields;
use crate::http::outgoing::Left;
use crate::http::response::ClientResponse;
use crate::http::wire::{Head, append_length, append_line};

/// How one answer is framed, and what becomes of the connection.
pub(super) struct Framed {
    plan: Plan,
    /// Whether another request may follow as far as this answer goes.
    pub(super) persists: bool,
}

impl Framed {
    /// Returns how to frame `body`, whatever the fields say.
    pub(super) fn new(response: &ClientResponse<impl Body>, said: &Head, is_head: bool) -> Self {
        let plan = Plan::new(response, is_head, said.http_10);
        let persists = plan.left != Left::UntilClose && !response.fields.list_holds(&CONNECTION, b"close");
        Self { plan, persists }
    }

    pub(super) fn left(&self) -> Left {
        self.plan.left
    }

    /// Returns the head.
    pub(super) fn head(&self, status: StatusCode, mut fields: Fields, said: &Head, persists: bool) -> Vec<u8> {
        let mut head = Vec::with_capacity(1024 + self.left().to_be_copied());
        head.extend_from_slice(b"HTTP/1.1 ");
        head.extend_from_slice(status.as_str().as_bytes());
        head.extend_from_slice(b" ");
        head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        head.extend_from_slice(b"\r\n");
        let told = self.plan.settle(&mut fields);
        fields.write(&mut head);
        if let Some(length) = told {
            append_length(length, &mut head);
        }
        if self.left() == Left::Chunks {
            head.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        if status != StatusCode::SWITCHING_PROTOCOLS {
            match (persists, said.http_10) {
                (false, _) if !fields.list_holds(&CONNECTION, b"close") => {
                    head.extend_from_slice(b"connection: close\r\n");
                }
                (true, true) => head.extend_from_slice(b"connection: keep-alive\r\n"),
                (true | false, _) => {}
            }
        }
        if !fields.contains(&DATE) {
            with_date(|date| append_line(b"date", date.as_bytes(), &mut head));
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use http_body_util::Full;

    use super::*;
    use crate::http::body::Body as OurBody;
    use crate::http::wire::Framing;

    fn said(http_10: bool, persists: bool) -> Head {
        Head { framing: Framing::None, wants_upgrade: false, expects_continue: false, http_10, persists }
    }

    /// A body whose length nobody knows.
    struct Endless;

    impl Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }

    fn framed(status: u16, field: Option<(&str, &str)>, body: impl Body, said: &Head, is_head: bool) -> (Left, String) {
        let mut response = Response::builder().status(status).header("date", "now");
        if let Some((name, value)) = field {
            response = response.header(name, value);
        }
        let response = ClientResponse::from(response.body(body).unwrap());
        let framed = Framed::new(&response, said, is_head);
        let head = framed.head(response.status, response.fields, said, said.persists && framed.persists);
        let text = String::from_utf8(head).unwrap();
        let (_, fields) = text.split_once("date: now\r\n").unwrap();
        (framed.left(), fields.trim_end().replace("\r\n", "|"))
    }

    fn three() -> OurBody<Full<Bytes>> {
        OurBody::from(Bytes::from_static(b"abc"))
    }

    #[test]
    fn an_answer_is_framed_by_its_body_and_not_by_what_its_fields_say() {
        let (new, old) = (said(false, true), said(true, true));
        for (status, field, head, expected) in [
            (200, None, false, (Left::Length(3), "content-length: 3")),
            (200, Some(("content-length", "9")), false, (Left::Length(3), "content-length: 3")),
            (200, Some(("transfer-encoding", "chunked")), false, (Left::Length(3), "content-length: 3")),
            (200, None, true, (Left::Nothing, "content-length: 3")),
            (204, Some(("content-length", "3")), false, (Left::Nothing, "")),
            (304, Some(("content-length", "9")), false, (Left::Nothing, "content-length: 9")),
            (304, None, false, (Left::Nothing, "")),
        ] {
            let (left, fields) = framed(status, field, three(), &new, head);
            assert_eq!((left, fields.as_str()), expected, "{status} {field:?} {head}");
        }
        assert_eq!(
            framed(200, None, OurBody::<Full<Bytes>>::empty(), &new, false),
            (Left::Nothing, "content-length: 0".into())
        );
        assert_eq!(
            framed(200, Some(("content-length", "9")), OurBody::<Full<Bytes>>::empty(), &new, true).1,
            "content-length: 9"
        );
        assert_eq!(framed(200, None, OurBody::<Full<Bytes>>::empty(), &new, true).1, "");
        assert_eq!(framed(200, None, Endless, &new, false), (Left::Chunks, "transfer-encoding: chunked".into()));
        assert_eq!(framed(200, None, Endless, &old, false), (Left::UntilClose, "connection: close".into()));
    }

    #[test]
    fn an_answer_says_whether_its_connection_goes_on() {
        for (old, persists, field, expected) in [
            (false, true, None, ""),
            (false, false, None, "connection: close"),
            (false, true, Some(("connection", "close")), "connection: close"),
            (true, true, None, "connection: keep-alive"),
            (true, false, None, "connection: close"),
        ] {
            let (_, fields) = framed(204, field, three(), &said(old, persists), false);
            assert_eq!(fields, expected, "{old} {persists} {field:?}");
        }
    }

    #[test]
    fn an_answer_without_a_date_gets_one() {
        let response = ClientResponse::new(StatusCode::OK, three());
        let said = said(false, true);
        let framed = Framed::new(&response, &said, false);
        let head = String::from_utf8(framed.head(StatusCode::OK, response.fields, &said, true)).unwrap();
        assert!(head.contains("\r\ndate: ") && head.ends_with(" GMT\r\n\r\n"), "{head}");
    }
}
