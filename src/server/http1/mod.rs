//! HTTP/1.1 connections (RFC 9112): one request after the other is read, handed to the handler, and answered. What can't be read, or
//! could be read two ways, is answered in its turn and ends the connection. It knows no rule and no user; `connection` calls it.

mod answer;
mod body;
mod io;
mod wire;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use http::{Method, StatusCode};
use tokio::sync::oneshot;

use super::drive::Farewell;
use super::pulse::Pulse;
use super::service::{self, handle};
use super::{ConnectionInfo, Handler, Unreadable};
use crate::http::body::{Body, ClientBody};
use crate::http::outgoing::{Left, Outgoing, Unsent};
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;
use crate::http::stream::Stream;
use crate::http::wire::Head;
use answer::Framed;
use body::{Incoming, Switched};
use wire::{Begin, Wire, Writer};

/// One connection.
pub struct Connection<H> {
    handler: Rc<H>,
    info: Rc<ConnectionInfo>,
    wire: Rc<Wire>,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    NextRequest,
    /// No request, but what the client still sends must not reset the connection before it has read the answer.
    Close,
    /// Nothing: the client is gone, or can't be told otherwise that its answer was cut.
    Drop,
}

impl<H: Handler> Connection<H> {
    /// Returns the connection of which `first` has been read already; heads may be `header_size` bytes long.
    pub fn new(
        handler: Rc<H>,
        info: Rc<ConnectionInfo>,
        (stream, first): (Stream, BytesMut),
        header_size: usize,
        pulse: Rc<Pulse>,
    ) -> Self {
        Self { handler, info, wire: Rc::new(Wire::new(stream, first, header_size, pulse)) }
    }

    /// Returns the connection at work.
    pub fn run(self) -> Running {
        Running { wire: Rc::clone(&self.wire), work: Box::pin(self.serve()) }
    }

    async fn serve(self) {
        loop {
            // Boxed: an idle connection should not carry the room for answering.
            let after = match poll_fn(|context| self.wire.poll_begin(context)).await {
                Begin::Request(request, said) => Box::pin(self.exchange(request, said)).await,
                Begin::Refused(reason) => Box::pin(self.refuse(reason)).await,
                Begin::End => After::Close,
                Begin::NotHttp => After::Drop,
            };
            match after {
                After::NextRequest => {}
                After::Close => return poll_fn(|context| self.wire.poll_close(context)).await,
                After::Drop => return,
            }
        }
    }

    async fn exchange(&self, mut request: Box<ClientRequest<ClientBody>>, said: Head) -> After {
        let _in_flight = self.wire.pulse.begin_request();
        let is_head = request.method == Method::HEAD;
        let switch = self.give_body(&said, &mut request.body);
        let Some(response) = self.ask_handler(request).await else { return After::Drop };
        let is_switch = response.status == StatusCode::SWITCHING_PROTOCOLS;
        let switch = switch.filter(|offered| is_switch && !offered.is_closed());
        if is_switch && switch.is_none() {
            tracing::error!("an upgrade was answered that the request had not asked for");
            return self.answer(service::internal_error(), &said, is_head).await;
        }
        let after = self.answer(response, &said, is_head).await;
        // A switch is no answer that another request could follow: what the connection was to do then counts no more.
        let Some(switch) = switch.filter(|_| after != After::Drop) else { return after };
        // What follows is the other protocol's, be it in the buffer already (Pingora's RUSTSEC-2026-0033). Whoever has gone
        // meanwhile drops it.
        let _ = switch.send(Switched::new(Rc::clone(&self.wire)));
        After::Drop
    }

    async fn ask_handler(&self, request: Box<ClientRequest<ClientBody>>) -> Option<ClientResponse<Body<H::Stream>>> {
        let mut answering = pin!(handle(Rc::clone(&self.handler), Rc::clone(&self.info), request));
        self.unless_gone(|context| answering.as_mut().poll(context)).await
    }

    /// Gives a request its body; returns where to send the connection if the protocol is switched.
    fn give_body(&self, said: &Head, body: &mut ClientBody) -> Option<oneshot::Sender<Switched>> {
        if let Some(incoming) = Incoming::begin(&self.wire) {
            *body = ClientBody::new(incoming);
            // The other protocol would begin within the body, should the answer come first.
            return None;
        }
        said.wants_upgrade.then(|| {
            let (switch, switched) = oneshot::channel();
            body.offer_upgrade(body::upgrade(switched));
            switch
        })
    }

    async fn refuse(&self, reason: Unreadable) -> After {
        let _in_flight = self.wire.pulse.begin_request();
        let response = self.handler.refuse(&self.info, &reason);
        self.answer(response, &wire::NOTHING_SAID, false).await
    }

    /// Sends an answer to its end.
    async fn answer(&self, response: ClientResponse<Body<H::Stream>>, said: &Head, is_head: bool) -> After {
        let may_persist = self.wire.begin_answer() && said.persists;
        let framed = Framed::new(&response, said, is_head);
        let persists = may_persist && framed.persists;
        let head = framed.head(response.status, response.fields, said, persists);
        let mut outgoing = Outgoing::new(head, framed.left(), response.body);
        let mut is_gathered = false;
        let sent = self.unless_gone(|context| {
            if !is_gathered {
                is_gathered = true;
                outgoing.gather(context)?;
            }
            outgoing.poll_send(&mut Writer(&self.wire), context)
        });
        let sent = sent.await;
        if let Some(Err(Unsent::Body(_) | Unsent::Length)) = sent
            && framed.left() == Left::UntilClose
        {
            self.wire.reset();
        }
        let Some(Ok(())) = sent else { return After::Drop };
        drop(outgoing);
        if persists && self.wire.has_read_request() { After::NextRequest } else { After::Close }
    }

    /// Returns what `poll` ends with, unless the client goes away before.
    async fn unless_gone<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        poll_fn(|context| match poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.wire.poll_gone(context).map(|()| None),
        })
        .await
    }
}

/// A connection at work; resolves when it has ended or speaks another protocol.
pub struct Running {
    wire: Rc<Wire>,
    work: Pin<Box<dyn Future<Output = ()>>>,
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.work.as_mut().poll(context)
    }
}

impl Farewell for Running {
    fn say_farewell(self: Pin<&mut Self>) {
        self.wire.say_farewell();
    }

    fn refuse_late_head(self: Pin<&mut Self>) -> bool {
        self.wire.refuse_late_head()
    }

    fn tend(self: Pin<&mut Self>) -> bool {
        true
    }
}
