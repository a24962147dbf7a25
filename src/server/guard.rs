//! Stands between the socket and the HTTP library: what the library reads of an HTTP/1 connection are complete heads that
//! two parsers read the same way, and bodies as framed. It decides nothing about what a request may do, and never changes a byte;
//! for a head that is refused it delivers a made-up request instead, so that the answer comes in its turn. An HTTP/2 connection
//! whose frames are broken ends for the library, and what it had to say is followed by the GOAWAY that names the rule.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Unreadable;
use super::frames::{Frames, Goodbye};
use super::gate::{Gate, Verdict};
use super::pulse::Pulse;
use super::scan::{Halt, Scanner};

/// Stands for a request that can't be read; the service never hands it to the handler.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n";

/// How many bytes are kept that follow a request to upgrade; the rest stays in the socket.
const HELD_BYTES: usize = 16 * 1024;

/// How much of a closed connection is read and thrown away in one go.
const DISCARD_BYTES: usize = 8 * 1024;

enum Mode {
    Scan(Scanner),
    /// Bytes wait for the answer to a request to upgrade.
    Hold(Scanner),
    /// A request was refused: what comes is thrown away.
    Discard,
    /// A body broke its framing, or no request came at all.
    Broken,
    /// HTTP/2: read in turns.
    Frames(Frames),
    /// HTTP/2 that was broken: the library sees its end.
    Ended(Farewell),
    /// An upgraded connection: not ours to read.
    Pass,
}

/// The last frame of an HTTP/2 connection, on its way.
struct Farewell {
    frame: Goodbye,
    sent: usize,
    /// Whether the library has read all that came before; else it found something wrong itself, and says so.
    is_due: bool,
}

/// A stream whose reads are checked and whose blocked writes are timed.
pub struct Guard<S> {
    stream: S,
    mode: Mode,
    /// Bytes read and not delivered; the first `ready` of them have been checked.
    pending: BytesMut,
    ready: usize,
    is_shut: bool,
    pulse: Arc<Pulse>,
    gate: Arc<Gate>,
}

impl<S> Guard<S> {
    /// Returns a guard for an HTTP/1 connection of which `first` has been read already.
    pub fn http1(stream: S, first: BytesMut, header_size: usize, pulse: Arc<Pulse>) -> Self {
        Self::new(stream, first, Mode::Scan(Scanner::new(header_size)), pulse)
    }

    /// Returns a guard for an HTTP/2 connection of which `first` has been read already.
    pub fn http2(stream: S, first: BytesMut, pulse: Arc<Pulse>) -> Self {
        Self::new(stream, first, Mode::Frames(Frames::new()), pulse)
    }

    fn new(stream: S, first: BytesMut, mode: Mode, pulse: Arc<Pulse>) -> Self {
        let mut guard = Self { stream, mode, pending: first, ready: 0, is_shut: false, pulse, gate: Arc::default() };
        guard.scan_pending();
        guard
    }

    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Checks `pending` from its start; afterwards `ready` of it may be delivered.
    fn scan_pending(&mut self) {
        let Some((valid, halt)) = self.mode.scan(&self.pending) else { return };
        self.ready = valid;
        self.heed(halt);
    }

    /// Checks the bytes just read into `buffer` after `before`, where they lie. What can't be delivered yet moves to `pending`.
    fn scan_in_place(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let Some((valid, halt)) = self.mode.scan(&buffer.filled()[before..]) else { return };
        self.pending.extend_from_slice(&buffer.filled()[before + valid..]);
        buffer.set_filled(before + valid);
        self.heed(halt);
    }

    fn heed(&mut self, halt: Halt) {
        match halt {
            Halt::Nothing => self.pulse.head_is_complete(),
            Halt::PartialHead => self.pulse.head_is_partial(),
            Halt::Upgrade { number } => {
                self.pulse.head_is_complete();
                self.gate.hold_after(number);
                self.change_mode(Mode::Hold);
            }
            Halt::Refused { number, reason } => self.refuse(number, reason),
            Halt::BrokenBody | Halt::NotHttp => self.mode = Mode::Broken,
            Halt::BrokenFrame(frame) => self.mode = Mode::Ended(Farewell { frame, sent: 0, is_due: false }),
        }
    }

    fn refuse(&mut self, number: u64, reason: Unreadable) {
        self.pulse.head_is_complete();
        self.gate.refuse(number, reason);
        self.pending.truncate(self.ready);
        self.pending.extend_from_slice(STAND_IN);
        self.ready = self.pending.len();
        self.mode = Mode::Discard;
    }

    fn change_mode(&mut self, next: impl FnOnce(Scanner) -> Mode) {
        self.mode = match std::mem::replace(&mut self.mode, Mode::Broken) {
            Mode::Scan(scanner) | Mode::Hold(scanner) => next(scanner),
            other => other,
        };
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
}

impl Mode {
    /// Returns how many of `bytes` may be delivered, and why not more, if anything is checked now.
    fn scan(&mut self, bytes: &[u8]) -> Option<(usize, Halt)> {
        match self {
            Self::Scan(scanner) => Some(scanner.scan(bytes)),
            Self::Frames(frames) => Some(frames.scan(bytes)),
            Self::Hold(_) | Self::Discard | Self::Broken | Self::Ended(_) | Self::Pass => None,
        }
    }
}

impl<S: AsyncRead + Unpin> Guard<S> {
    fn poll_scanned(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<Read>> {
        if !self.pending.is_empty() && self.gate.head_is_late() {
            let Mode::Scan(scanner) = &self.mode else { return Poll::Ready(Ok(Read::Again)) };
            self.refuse(scanner.next_number(), Unreadable::HeadTooSlow);
            return Poll::Ready(Ok(Read::Again));
        }
        self.poll_checked(context, buffer)
    }

    fn poll_in_turns(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<Read>> {
        if self.pulse.turn_is_over() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.poll_checked(context, buffer)
    }

    /// Reads what may be delivered into `buffer`, and the rest into `pending`.
    fn poll_checked(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<Read>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let length = buffer.filled().len() - before;
        if length == 0 {
            return Poll::Ready(Ok(Read::Done));
        }
        self.pulse.take_from_turn(length);
        if self.pending.is_empty() {
            self.scan_in_place(buffer, before);
            let delivers = buffer.filled().len() > before;
            return Poll::Ready(Ok(if delivers { Read::Done } else { Read::Again }));
        }
        self.keep_back(buffer, before);
        self.scan_pending();
        Poll::Ready(Ok(Read::Again))
    }

    fn poll_held(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<Read>> {
        match self.gate.poll_verdict(context) {
            Verdict::Pass => {
                self.mode = Mode::Pass;
                self.ready = self.pending.len();
            }
            Verdict::Resume => {
                self.change_mode(Mode::Scan);
                self.scan_pending();
            }
            Verdict::Undecided if self.pending.len() >= HELD_BYTES => return Poll::Pending,
            Verdict::Undecided => {
                // Read on, so that a client that goes away is noticed.
                let before = buffer.filled().len();
                ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
                if buffer.filled().len() == before {
                    return if self.pending.is_empty() { Poll::Ready(Ok(Read::Done)) } else { Poll::Pending };
                }
                self.keep_back(buffer, before);
            }
        }
        Poll::Ready(Ok(Read::Again))
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

    fn keep_back(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        self.pending.extend_from_slice(&buffer.filled()[before..]);
        buffer.set_filled(before);
    }

    /// Whether the client may still be sending what nobody will read.
    fn leaves_unread(&self) -> bool {
        match &self.mode {
            Mode::Scan(scanner) => !self.pending.is_empty() || scanner.is_in_body(),
            Mode::Discard | Mode::Broken | Mode::Ended(_) => true,
            // Who upgraded closes as the other protocol says.
            Mode::Hold(_) | Mode::Frames(_) | Mode::Pass => false,
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

impl<S: AsyncWrite + Unpin> Guard<S> {
    /// Says why an HTTP/2 connection ends, once the library has written all it had, frame by frame.
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
}

/// Whether a read has something to say to the HTTP library.
enum Read {
    Done,
    Again,
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        loop {
            if guard.ready > 0 {
                guard.deliver(buffer);
                return Poll::Ready(Ok(()));
            }
            let read = match &mut guard.mode {
                Mode::Pass => return Pin::new(&mut guard.stream).poll_read(context, buffer),
                // The end of the stream would tell the HTTP library that the client is gone, and the refusal with it.
                Mode::Discard => return Poll::Pending,
                Mode::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Mode::Scan(_) => guard.poll_scanned(context, buffer),
                Mode::Hold(_) => guard.poll_held(context, buffer),
                Mode::Frames(_) => guard.poll_in_turns(context, buffer),
                Mode::Ended(farewell) => {
                    farewell.is_due = true;
                    return Poll::Ready(Ok(()));
                }
            };
            if let Read::Done = ready!(read)? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
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
        if guard.leaves_unread() { guard.poll_discard(context) } else { Poll::Ready(Ok(())) }
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
