//! HTTP/2 connections (RFC 9113): the client's frames are read, each request is handed to the handler on a task of its own, and the
//! answers go back as the client takes them. A malformed request is answered and its stream reset, a broken rule of the connection
//! ends it. It knows no rule and no user; `connection` calls it.
//!
//! From the bytes inwards: `frame` (one frame), `mux` (all streams of a connection: `blocks` and `head` read requests, `send` takes turns,
//! `leave` ends, `history` and `budget` remember), `wire` (what a connection and its streams share), `body` (what handlers see of it).

mod blocks;
mod body;
mod budget;
mod exchange;
mod frame;
mod head;
mod history;
mod leave;
mod mux;
mod send;
mod stream;
mod wire;

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::drive::Farewell;
use super::pulse::Pulse;
use super::{ConnectionInfo, Handler};
use crate::http::stream::Stream;
pub use blocks::Begun;
pub use frame::Code;
pub use mux::{Bounds, Mux, PREFACE};
use send::FULL;
pub use stream::Ending;
use wire::Wire;

/// How much is read at once. On the stack: an idle connection has no buffer.
const READ: usize = 16 * 1024;

/// One connection at work; resolves when it has ended.
pub struct Connection<H> {
    handler: Rc<H>,
    info: Rc<ConnectionInfo>,
    wire: Rc<Wire>,
    stream: Stream,
    /// What was read and is not a whole frame yet.
    inbound: BytesMut,
    /// How much of what is to be written has been.
    sent: usize,
    is_unflushed: bool,
    is_shut: bool,
    pulse: Rc<Pulse>,
}

impl<H: Handler> Connection<H> {
    /// Returns the connection of which `first` has been read already.
    pub fn new(
        handler: Rc<H>,
        info: Rc<ConnectionInfo>,
        (stream, first): (Stream, BytesMut),
        bounds: Bounds,
        pulse: Rc<Pulse>,
    ) -> Self {
        let wire = Rc::new(Wire::new(bounds));
        let mut connection = Self {
            handler,
            info,
            wire,
            stream,
            inbound: BytesMut::new(),
            sent: 0,
            is_unflushed: false,
            is_shut: false,
            pulse,
        };
        connection.take_all(first);
        connection
    }

    /// Takes the whole frames of what was read, and keeps the rest.
    fn take_all(&mut self, mut bytes: BytesMut) {
        let taken = self.take(&bytes);
        bytes.advance(taken);
        if !bytes.is_empty() {
            self.inbound = bytes;
        }
    }

    /// Takes whole frames from the start of `bytes`; returns how many bytes they were.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            let mux = &mut *self.wire.mux.borrow_mut();
            match mux.receive(&bytes[taken..]) {
                Ok((length, begun)) => {
                    taken += length;
                    let Some(begun) = begun else {
                        if mux.is_within_head(&bytes[taken..]) {
                            self.pulse.head_is_partial();
                        } else {
                            self.pulse.head_is_complete();
                        }
                        return taken;
                    };
                    if let Some(stream) = mux.find(begun.stream) {
                        stream.flight = Some(self.pulse.begin_request());
                    }
                    let (handler, info) = (Rc::clone(&self.handler), Rc::clone(&self.info));
                    tokio::task::spawn_local(exchange::run(handler, info, Rc::clone(&self.wire), begun));
                }
                Err(code) => {
                    mux.fail(code);
                    return bytes.len();
                }
            }
        }
    }

    /// Writes all there is to write.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mux = &mut *self.wire.mux.borrow_mut();
        loop {
            mux.fill();
            if mux.out.is_empty() {
                break;
            }
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &mux.out[self.sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pulse.write_goes_on();
            self.is_unflushed = true;
            self.sent += written;
            if self.sent == mux.out.len() {
                self.sent = 0;
                // An idle connection keeps no buffer.
                mux.out = Vec::new();
            }
        }
        if self.is_unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once, and takes what came; returns whether there was anything.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.wire.mux.borrow().out.len() >= 2 * FULL {
            // A client that doesn't read is not heard either: its frames would have us write more. Data alone never gets this far.
            return Poll::Pending;
        }
        if self.pulse.turn_is_over() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.inbound.is_empty() {
            let mut scratch = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            let read = buffer.filled();
            self.pulse.take_from_turn(read.len());
            let taken = self.take(read);
            if taken < read.len() {
                self.inbound = BytesMut::from(&read[taken..]);
            }
            return Poll::Ready(Ok(!read.is_empty()));
        }
        self.inbound.reserve(READ);
        let length = ready!(pin!(self.stream.read_buf(&mut self.inbound)).poll(context))?;
        self.pulse.take_from_turn(length);
        let inbound = std::mem::take(&mut self.inbound);
        self.take_all(inbound);
        Poll::Ready(Ok(length > 0))
    }

    /// Ends the connection. A reset would overtake the GOAWAY: what the client still sends is read and thrown away until it closes too,
    /// or the connection's timer fires.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_shut {
            if ready!(Pin::new(&mut self.stream).poll_shutdown(context)).is_err() {
                return Poll::Ready(());
            }
            self.is_shut = true;
        }
        self.pulse.lingers();
        let mut scratch = [MaybeUninit::uninit(); READ];
        loop {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

impl<H: Handler> Future for Connection<H> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.wire.wait_for_work(context);
        loop {
            let written = this.poll_write(context);
            match &written {
                Poll::Pending => this.pulse.write_is_blocked(),
                Poll::Ready(_) => this.pulse.write_goes_on(),
            }
            if matches!(written, Poll::Ready(Err(_))) {
                return Poll::Ready(());
            }
            if this.wire.mux.borrow().is_done() {
                return if written.is_ready() { this.poll_close(context) } else { Poll::Pending };
            }
            match ready!(this.poll_read(context)) {
                Ok(true) => {}
                Ok(false) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

impl<H> Drop for Connection<H> {
    fn drop(&mut self) {
        self.wire.mux.borrow_mut().abandon();
    }
}

impl<H: Handler> Farewell for Connection<H> {
    fn say_farewell(self: Pin<&mut Self>) {
        self.wire.mux.borrow_mut().leave();
    }

    fn refuse_late_head(self: Pin<&mut Self>) -> bool {
        let mux = &mut *self.wire.mux.borrow_mut();
        let is_news = !mux.is_done();
        if is_news {
            mux.fail(Code::EnhanceYourCalm);
        }
        is_news
    }

    fn tend(self: Pin<&mut Self>) -> bool {
        self.wire.mux.borrow_mut().tend()
    }
}

#[cfg(test)]
mod tests;
