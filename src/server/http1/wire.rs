//! One HTTP/1.1 connection as its parts share it: heads, bodies and answers, one request at a time. Whoever reads a body or writes an answer borrows it for one step, so that both can go on at once.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::Unreadable;
use super::super::pulse::Pulse;
use super::body::Broken;
use super::io::{BODY_READ, HEAD_READ, Io, Rest, Taken};
use crate::http::body::ClientBody;
use crate::http::request::ClientRequest;
use crate::http::stream::Stream;
use crate::http::wire::{Framing, Head, Violation, blame_oversize, find_head_end, read_head};

/// How many bytes are kept that follow a request under way; the rest stays in the socket.
const HELD: usize = 16 * 1024;

/// What is known of a client whose head can't be read.
pub(super) const NOTHING_SAID: Head =
    Head { framing: Framing::None, wants_upgrade: false, expects_continue: false, http_10: false, persists: false };

/// What comes on a connection next.
pub(super) enum Begin {
    /// The body is not in it yet.
    Request(Box<ClientRequest<ClientBody>>, Head),
    Refused(Unreadable),
    /// The client has no more, or is to be let go.
    End,
    /// The connection speaks another protocol, which has no use for an answer in ours.
    NotHttp,
}

pub(super) struct Wire {
    io: RefCell<Io>,
    pub(super) pulse: Rc<Pulse>,
    header_size: usize,
    /// How many requests have begun.
    requests: Cell<u64>,
    is_leaving: Cell<bool>,
    head_is_late: Cell<bool>,
}

impl Wire {
    pub(super) fn new(stream: Stream, first: BytesMut, header_size: usize, pulse: Rc<Pulse>) -> Self {
        Self {
            io: RefCell::new(Io::new(stream, first)),
            pulse,
            header_size,
            requests: Cell::new(0),
            is_leaving: Cell::new(false),
            head_is_late: Cell::new(false),
        }
    }

    /// Has the connection end after the request in flight; at once if there is none.
    pub(super) fn say_farewell(&self) {
        self.is_leaving.set(true);
    }

    /// Has the head that has begun be refused; returns whether it had not been before.
    pub(super) fn refuse_late_head(&self) -> bool {
        !self.head_is_late.replace(true)
    }

    /// Returns the number of the request that began last.
    pub(super) fn request(&self) -> u64 {
        self.requests.get()
    }

    /// Returns the next request without its body.
    pub(super) fn poll_begin(&self, context: &mut Context<'_>) -> Poll<Begin> {
        let io = &mut *self.io.borrow_mut();
        loop {
            if self.is_leaving.get() {
                return Poll::Ready(Begin::End);
            }
            if let Some(begin) = self.take_head(io) {
                self.pulse.head_is_complete();
                self.head_is_late.set(false);
                return Poll::Ready(begin);
            }
            let read = match io.poll_read(HEAD_READ, context) {
                Poll::Pending if self.head_is_late.get() => {
                    io.rest = Rest::Broken;
                    return Poll::Ready(Begin::Refused(Unreadable::HeadTooSlow));
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => read,
            };
            if !matches!(read, Ok(1..)) {
                return Poll::Ready(Begin::End);
            }
        }
    }

    /// Takes the head at the start of what came, if it is there.
    fn take_head(&self, io: &mut Io) -> Option<Begin> {
        let end = find_head_end(&io.inbound);
        if end.unwrap_or(io.inbound.len()) > self.header_size {
            let violation = blame_oversize(&io.inbound, self.header_size);
            return Some(refuse(io, violation));
        }
        let Some(end) = end else {
            // Some clients end a body with an empty line (RFC 9112 section 2.2): that begins no request yet.
            if io.inbound.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
                self.pulse.head_is_partial();
            }
            return None;
        };
        let head = io.take(end);
        let (said, request) = match read_head(&head) {
            Ok(read) => read,
            Err(Violation::NotHttp) if self.requests.get() == 0 => return Some(Begin::NotHttp),
            Err(violation) => return Some(refuse(io, violation)),
        };
        self.requests.set(self.requests.get() + 1);
        if let Err(violation) = io.begin_body(&said) {
            return Some(refuse(io, violation));
        }
        Some(Begin::Request(Box::new(request.map(|()| ClientBody::default())), said))
    }

    /// Whether the request that began last has been taken to its end, its body included.
    pub(super) fn has_read_request(&self) -> bool {
        matches!(self.io.borrow().rest, Rest::Nothing)
    }

    /// Returns how many bytes of the body are to come, if the head said so.
    pub(super) fn body_left(&self) -> Option<u64> {
        match self.io.borrow().rest {
            Rest::Nothing => Some(0),
            Rest::Length(left) => Some(left),
            Rest::Chunks(_) | Rest::Broken => None,
        }
    }

    /// Returns the next piece of the body of request `number`, `None` at its end.
    pub(super) fn poll_body(
        &self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, Broken>> {
        let io = &mut *self.io.borrow_mut();
        // Whoever kept a body beyond its request gets nothing of the next one.
        if self.requests.get() != number {
            return Poll::Ready(Ok(None));
        }
        loop {
            match io.take_piece()? {
                Taken::Frame(frame) => return Poll::Ready(Ok(Some(frame))),
                Taken::End => return Poll::Ready(Ok(None)),
                Taken::Nothing => {}
            }
            ready!(io.poll_owed(context))?;
            let wanted = if let Rest::Length(left) = io.rest { left } else { u64::MAX };
            let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(BODY_READ);
            if ready!(io.poll_read(wanted, context))? == 0 {
                io.rest = Rest::Broken;
                return Poll::Ready(Err(Broken::Closed));
            }
            io.check_chunks()?;
        }
    }

    /// Nobody reads the body of request `number` any more: if it ends in what has come of it, another request may follow.
    pub(super) fn forget_body(&self, number: u64) {
        if self.requests.get() == number {
            self.io.borrow_mut().forget_body();
        }
    }

    /// Says that the answer goes out now, and returns whether another request may follow it: not if the body has not come to its end,
    /// since the app may have done with it.
    pub(super) fn begin_answer(&self) -> bool {
        let io = &mut *self.io.borrow_mut();
        io.take_back_continue();
        !self.is_leaving.get() && matches!(io.rest, Rest::Nothing)
    }

    /// Has the connection end by a reset: to a client that reads until it ends, a part of the answer would look whole.
    pub(super) fn reset(&self) {
        self.io.borrow().stream.reset_at_close();
    }

    /// Returns ready when the client has closed while its request is under way. What it sends meanwhile is its next request.
    pub(super) fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        let io = &mut *self.io.borrow_mut();
        if !matches!(io.rest, Rest::Nothing) {
            return Poll::Pending;
        }
        while io.inbound.len() < HELD {
            if !matches!(ready!(io.poll_read(HEAD_READ, context)), Ok(1..)) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Ends the connection. A reset would overtake the answer (RFC 9112 section 9.6): what the client still sends is read and
    /// thrown away until it closes too, or the connection's timer fires.
    pub(super) fn poll_close(&self, context: &mut Context<'_>) -> Poll<()> {
        let io = &mut *self.io.borrow_mut();
        if !io.is_shut {
            let shut = Pin::new(&mut io.stream).poll_shutdown(context);
            if ready!(self.time_write(shut)).is_err() {
                return Poll::Ready(());
            }
            io.is_shut = true;
        }
        let mut awaits_more = !matches!(io.rest, Rest::Nothing) || !io.inbound.is_empty();
        loop {
            io.inbound = BytesMut::new();
            match io.poll_read(HEAD_READ, context) {
                Poll::Ready(Ok(1..)) => awaits_more = true,
                Poll::Pending if awaits_more => break,
                Poll::Ready(_) | Poll::Pending => return Poll::Ready(()),
            }
        }
        // Whoever still had a body in hand must not take what comes now for the rest of it.
        io.rest = Rest::Broken;
        self.pulse.lingers();
        Poll::Pending
    }

    fn time_write<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &result {
            Poll::Pending => self.pulse.write_is_blocked(),
            Poll::Ready(_) => self.pulse.write_goes_on(),
        }
        result
    }

    /// Reads what belongs to the other protocol, once this one is over.
    pub(super) fn poll_read_other(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let io = &mut *self.io.borrow_mut();
        if io.inbound.is_empty() {
            return Pin::new(&mut io.stream).poll_read(context, buffer);
        }
        let length = io.inbound.len().min(buffer.remaining());
        buffer.put_slice(&io.take(length));
        Poll::Ready(Ok(()))
    }
}

fn refuse(io: &mut Io, violation: Violation) -> Begin {
    io.rest = Rest::Broken;
    Begin::Refused(Unreadable::Malformed(violation))
}

/// The way to the client.
pub(super) struct Writer<'a>(pub(super) &'a Wire);

impl Writer<'_> {
    fn poll<T>(
        &self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let io = &mut *self.0.io.borrow_mut();
        let written = match io.poll_owed(context) {
            Poll::Ready(Ok(())) => write(Pin::new(&mut io.stream), context),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        self.0.time_write(written)
    }
}

impl AsyncWrite for Writer<'_> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, |stream, context| stream.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, AsyncWrite::poll_shutdown)
    }
}
