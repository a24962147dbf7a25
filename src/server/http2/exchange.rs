//! One request and its answer, on one stream.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderMap, Method};
use http_body::{Body as HttpBody, Frame};
use tokio::sync::oneshot;

use super::super::answer::{Plan, with_date};
use super::super::service::handle;
use super::super::{ConnectionInfo, Handler, Unreadable};
use super::blocks::Begun;
use super::body::{self, Incoming, Tunnel};
use super::frame::Code;
use super::stream::Ending;
use super::wire::{Held, Wire};
use crate::http::body::{Body, ClientBody};
use crate::http::fields::{Fields, Names};
use crate::http::hpack::{encode_field, encode_status};
use crate::http::outgoing::Left;
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;
use crate::http::wire::Violation;

/// What HTTP/2 doesn't have (RFC 9113 section 8.2.2).
const OF_HTTP_1: Names = Names::new(&["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);

struct Exchange<H> {
    handler: Rc<H>,
    info: Rc<ConnectionInfo>,
    held: Held,
}

/// Resolves when all of the answer is on its way, or the stream has ended; so does a panic end it.
pub async fn run<H: Handler>(handler: Rc<H>, info: Rc<ConnectionInfo>, wire: Rc<Wire>, begun: Begun) {
    let exchange = Exchange { handler, info, held: Held { wire, stream: begun.stream, code: Code::Internal } };
    match begun.request {
        Ok(request) => exchange.exchange(request).await,
        Err(violation) => exchange.refuse(violation).await,
    }
}

impl<H: Handler> Exchange<H> {
    async fn exchange(self, request: ClientRequest<()>) {
        let is_head = request.method == Method::HEAD;
        let is_connect = request.method == Method::CONNECT;
        let mut body = ClientBody::default();
        let mut switch = None;
        if is_connect {
            let (sender, switched) = oneshot::channel();
            body.offer_upgrade(body::upgrade(switched));
            switch = Some(sender);
        } else if !self.held.wire.is_read(self.held.stream) {
            body = ClientBody::new(Incoming { wire: Rc::clone(&self.held.wire), stream: self.held.stream });
        }
        let request = Box::new(request.map(|()| body));
        let mut answering = pin!(handle(Rc::clone(&self.handler), Rc::clone(&self.info), request));
        let answered = self.unless_gone(|context| answering.as_mut().poll(context)).await;
        let Some(response) = answered else { return };
        if let Some(switch) = switch.filter(|switch| response.status.is_success() && !switch.is_closed()) {
            return self.open_tunnel(response, switch);
        }
        if is_connect {
            self.held.wire.forget_body(self.held.stream);
        }
        self.answer(response, is_head, Ending::EndStream).await;
    }

    /// Answers what can't be served. What is malformed has its stream end by an error all the same (RFC 9113 section 8.1.1).
    async fn refuse(&self, violation: Violation) {
        let response = self.handler.refuse(&self.info, &Unreadable::MalformedStream(violation));
        let ending = match violation {
            // Well-formed as far as HTTP/2 goes.
            Violation::UnknownExpectation
            | Violation::HeadTooLarge
            | Violation::TooManyFields
            | Violation::TargetTooLong
            | Violation::MalformedTarget => Ending::EndStream,
            _ => Ending::Reset(Code::Protocol),
        };
        self.answer(response, false, ending).await;
    }

    /// Says that the stream is a tunnel now, and hands it over.
    fn open_tunnel(self, mut response: ClientResponse<Body<H::Stream>>, switch: oneshot::Sender<Tunnel>) {
        response.fields.remove(&CONTENT_LENGTH);
        self.send_head(&response, None, false);
        // Whoever has gone meanwhile drops it, which ends the stream.
        let _ = switch.send(Tunnel::new(self.held));
    }

    async fn answer(&self, mut response: ClientResponse<Body<H::Stream>>, is_head: bool, ending: Ending) {
        let plan = Plan::new(&response, is_head, false);
        let told = plan.settle(&mut response.fields);
        let has_body = plan.left != Left::Nothing || !matches!(ending, Ending::EndStream);
        self.send_head(&response, told, !has_body);
        if has_body {
            let mut sending = Sending { plan, ending, body: response.body };
            self.unless_gone(|context| sending.poll(&self.held.wire, self.held.stream, context)).await;
        }
    }

    fn send_head<S>(&self, response: &ClientResponse<S>, told: Option<u64>, ends: bool) {
        self.held.wire.with(|mux| {
            mux.send_head(self.held.stream, ends, |out| {
                encode_status(response.status.as_u16(), out);
                encode_fields(&response.fields, out);
                if let Some(length) = told {
                    encode_field(b"content-length", itoa::Buffer::new().format(length).as_bytes(), out);
                }
                if !response.fields.contains(&DATE) {
                    with_date(|date| encode_field(b"date", date.as_bytes(), out));
                }
            });
        });
    }

    /// Returns what `poll` ends with, unless the stream ends before.
    async fn unless_gone<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        poll_fn(|context| match self.held.wire.poll_gone(self.held.stream, context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => poll(context).map(Some),
        })
        .await
    }
}

/// A body on its way.
struct Sending<B> {
    plan: Plan,
    ending: Ending,
    body: B,
}

impl<B: HttpBody<Data = Bytes> + Unpin> Sending<B> {
    /// Returns ready when nothing more is to be taken of the body.
    fn poll(&mut self, wire: &Wire, stream: u32, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if ready!(wire.poll_room(stream, context)).is_err() {
                return Poll::Ready(());
            }
            let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
            let (piece, ending) = self.take(frame.transpose());
            let is_last = !matches!(ending, Ending::Open);
            wire.with(|mux| mux.send(stream, piece, ending));
            if is_last {
                return Poll::Ready(());
            }
        }
    }

    /// Returns the next piece, and what follows it.
    fn take<E>(&mut self, frame: Result<Option<Frame<Bytes>>, E>) -> (Bytes, Ending) {
        let broken = || (Bytes::new(), Ending::Reset(Code::Internal));
        let Ok(frame) = frame else { return broken() };
        let Some(frame) = frame else { return (Bytes::new(), self.end()) };
        match frame.into_data() {
            Ok(data) => {
                if let Left::Length(left) = &mut self.plan.left {
                    let Some(rest) = left.checked_sub(data.len() as u64) else { return broken() };
                    *left = rest;
                }
                let is_last = self.plan.left == Left::Length(0) || self.body.is_end_stream();
                let ending = if is_last { self.end() } else { Ending::Open };
                (data, ending)
            }
            Err(other) => match other.into_trailers() {
                Ok(trailers) if self.plan.left == Left::Chunks => (Bytes::new(), Ending::Trailers(block(&trailers))),
                Ok(_) | Err(_) => (Bytes::new(), self.end()),
            },
        }
    }

    /// Returns how the answer ends where its body does.
    fn end(&mut self) -> Ending {
        let is_short = matches!(self.plan.left, Left::Length(1..));
        let ending = std::mem::replace(&mut self.ending, Ending::Over);
        if is_short { Ending::Reset(Code::Internal) } else { ending }
    }
}

fn encode_fields(fields: &Fields, out: &mut Vec<u8>) {
    fields.each_without(&OF_HTTP_1, |name, value| encode_field(name, value, out));
}

fn block(trailers: &HeaderMap) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in trailers {
        encode_field(name.as_str().as_bytes(), value.as_bytes(), &mut block);
    }
    block
}
