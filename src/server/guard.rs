//! Stands between the socket and the HTTP/2 library: what the library reads are frames that were judged, and a connection takes turns
//! with the others of its worker. It never changes a byte. A connection whose frames are broken ends for the library, and what it
//! had to say is followed by the GOAWAY that names the rule.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{Frames, Goodbye};
use super::pulse::Pulse;
use crate::http::stream::Stream;

/// How much of a closed connection is read and thrown away in one go.
const DISCARD_BYTES: usize = 8 * 1024;

enum Mode {
    Frames(Frames),
    /// A frame was broken: the library sees the connection's end.
    Ended(Farewell),
}

/// The last frame of a connection, on its way.
struct Farewell {
    frame: Goodbye,
    sent: usize,
    /// Whether the library has read all that came before; else it found something wrong itself, and says so.
    is_due: bool,
}

/// A stream whose reads are judged and whose blocked writes are timed.
pub struct Guard {
    stream: Stream,
    mode: Mode,
    /// Bytes read and not delivered; the first `ready` of them have been judged.
    pending: BytesMut,
    ready: usize,
    is_shut: bool,
    pulse: Rc<Pulse>,
}

impl Guard {
    /// Returns a guard for a connection of which `first` has been read already.
    pub fn new(stream: Stream, first: BytesMut, pulse: Rc<Pulse>) -> Self {
        let mode = Mode::Frames(Frames::new());
        let mut guard = Self { stream, mode, pending: first, ready: 0, is_shut: false, pulse };
        guard.judge_pending();
        guard
    }

    /// Judges `pending` from its start; afterwards `ready` of it may be delivered.
    fn judge_pending(&mut self) {
        let Mode::Frames(frames) = &mut self.mode else { return };
        let (valid, goodbye) = frames.scan(&self.pending);
        self.ready = valid;
        self.heed(goodbye);
    }

    /// Judges the bytes just read into `buffer` after `before`, where they lie. What can't be delivered yet moves to `pending`.
    fn judge_in_place(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let Mode::Frames(frames) = &mut self.mode else { return };
        let (valid, goodbye) = frames.scan(&buffer.filled()[before..]);
        self.pending.extend_from_slice(&buffer.filled()[before + valid..]);
        buffer.set_filled(before + valid);
        self.heed(goodbye);
    }

    fn heed(&mut self, goodbye: Option<Goodbye>) {
        if let Some(frame) = goodbye {
            self.mode = Mode::Ended(Farewell { frame, sent: 0, is_due: false });
        }
    }

    fn deliver(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.ready.min(buffer.remaining());
        buffer.put_slice(&self.pending[..length]);
        self.pending.advance(length);
        self.ready -= length;
        if self.pending.is_empty() {
            // An idle connection keeps no buffer.
            self.pending = BytesMut::new();
        }
    }

    /// Reads what may be delivered into `buffer`, and the rest into `pending`; returns whether there is something to say to the library.
    fn poll_judged(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        if self.pulse.turn_is_over() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let length = buffer.filled().len() - before;
        if length == 0 {
            return Poll::Ready(Ok(true));
        }
        self.pulse.take_from_turn(length);
        if self.pending.is_empty() {
            self.judge_in_place(buffer, before);
            return Poll::Ready(Ok(buffer.filled().len() > before));
        }
        self.pending.extend_from_slice(&buffer.filled()[before..]);
        buffer.set_filled(before);
        self.judge_pending();
        Poll::Ready(Ok(false))
    }

    /// Says why the connection ends, once the library has written all it had, frame by frame.
    fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Mode::Ended(farewell) = &mut self.mode else { return Poll::Ready(Ok(())) };
        while farewell.is_due && farewell.sent < farewell.frame.len() {
            let rest = &farewell.frame[farewell.sent..];
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => farewell.sent += written,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads and throws away what the client still sends, until it closes too or the connection's timer ends it.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pulse.lingers();
        let mut scratch = [std::mem::MaybeUninit::uninit(); DISCARD_BYTES];
        loop {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            let ended = match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) => buffer.filled().is_empty(),
                Err(_) => true,
            };
            if ended {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn time_write<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &result {
            Poll::Pending => self.pulse.write_is_blocked(),
            Poll::Ready(_) => self.pulse.write_goes_on(),
        }
        result
    }
}

impl AsyncRead for Guard {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        loop {
            if guard.ready > 0 {
                guard.deliver(buffer);
                return Poll::Ready(Ok(()));
            }
            if let Mode::Ended(farewell) = &mut guard.mode {
                farewell.is_due = true;
                return Poll::Ready(Ok(()));
            }
            if ready!(guard.poll_judged(context, buffer))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let written = Pin::new(&mut guard.stream).poll_write(context, bytes);
        guard.time_write(written)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        let flushed = Pin::new(&mut guard.stream).poll_flush(context);
        guard.time_write(flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        if !guard.is_shut {
            let said = guard.poll_farewell(context);
            ready!(guard.time_write(said))?;
            let shut = Pin::new(&mut guard.stream).poll_shutdown(context);
            ready!(guard.time_write(shut))?;
            guard.is_shut = true;
        }
        if matches!(guard.mode, Mode::Ended(_)) { guard.poll_discard(context) } else { Poll::Ready(Ok(())) }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let written = Pin::new(&mut guard.stream).poll_write_vectored(context, slices);
        guard.time_write(written)
    }
}
