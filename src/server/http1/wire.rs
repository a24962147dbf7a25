//! One HTTP/1.1 connection's socket, and how far the bytes that came on it have been read: through heads and bodies, one request
//! at a time. Whoever reads a body or writes an answer borrows it for one step, so that both can go on at once.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::super::Unreadable;
use super::super::pulse::Pulse;
use super::body::Broken;
use crate::http::body::ClientBody;
use crate::http::stream::Stream;
use crate::http::wire::{
    ChunkScanner, Chunks, Framing, Head, Piece, Violation, blame_oversize, find_head_end, read_head,
};

/// How much is read at once where nothing is waited for; most heads are shorter. On the stack: an idle connection has no buffer.
const HEAD_READ: usize = 8 * 1024;

/// How much of a body is read at once.
const BODY_READ: usize = 32 * 1024;

/// How many pieces of a body that nobody reads are thrown away before it is given up, and its connection.
const FORGOTTEN_PIECES: usize = 16;

/// How many bytes are kept that follow a request under way; the rest stays in the socket.
const HELD: usize = 16 * 1024;

/// What a client that expects it waits for before it sends a body (RFC 9110 section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What is known of a client whose head can't be read.
pub(super) const NOTHING_SAID: Head =
    Head { framing: Framing::None, wants_upgrade: false, expects_continue: false, http_10: false, persists: false };

/// What comes on a connection next.
pub(super) enum Begin {
    /// The body is not in it yet.
    Request(Box<Request<ClientBody>>, Head),
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

struct Io {
    stream: Stream,
    /// What was read and not taken.
    inbound: BytesMut,
    rest: Rest,
    /// What the client waits for before it sends the body.
    owed: &'static [u8],
    is_shut: bool,
}

/// What of the request under way has not been taken.
enum Rest {
    Nothing,
    Length(u64),
    Chunks(Box<Chunked>),
    /// Where it ends can't be told, or nobody will read that far.
    Broken,
}

#[derive(Default)]
struct Chunked {
    scanner: ChunkScanner,
    /// How many of the bytes that wait were found to follow the grammar.
    checked: usize,
    pieces: Chunks,
}

impl Wire {
    pub(super) fn new(stream: Stream, first: BytesMut, header_size: usize, pulse: Rc<Pulse>) -> Self {
        let io = Io { stream, inbound: first, rest: Rest::Nothing, owed: b"", is_shut: false };
        Self {
            io: RefCell::new(io),
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
            return Some(io.refuse(violation));
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
            Err(violation) => return Some(io.refuse(violation)),
        };
        self.requests.set(self.requests.get() + 1);
        if let Err(violation) = io.begin_body(&said) {
            return Some(io.refuse(violation));
        }
        Some(Begin::Request(Box::new(request.map(|()| ClientBody::default())), said))
    }

    /// Whether a body follows the head that was read last, or some of it is still to come.
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
            if let Some(taken) = io.take_piece()? {
                return Poll::Ready(Ok(taken));
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

    /// Says that the answer goes out now, and returns whether another request may follow it.
    pub(super) fn begin_answer(&self) -> bool {
        let io = &mut *self.io.borrow_mut();
        if io.owed.len() == CONTINUE.len() {
            io.owed = b"";
        }
        !self.is_leaving.get() && !matches!(io.rest, Rest::Broken)
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
        if matches!(io.rest, Rest::Nothing) && io.inbound.is_empty() {
            return Poll::Ready(());
        }
        self.pulse.lingers();
        loop {
            io.inbound = BytesMut::new();
            if !matches!(ready!(io.poll_read(HEAD_READ, context)), Ok(1..)) {
                return Poll::Ready(());
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

impl Io {
    fn refuse(&mut self, violation: Violation) -> Begin {
        self.rest = Rest::Broken;
        Begin::Refused(Unreadable::Malformed(violation))
    }

    /// Takes bytes from the start of what came; what is empty afterwards keeps no memory.
    fn take(&mut self, length: usize) -> Bytes {
        if length == self.inbound.len() {
            return std::mem::take(&mut self.inbound).freeze();
        }
        self.inbound.split_to(length).freeze()
    }

    /// Reads up to `length` bytes behind those that wait; returns how many, 0 at the end.
    fn poll_read(&mut self, length: usize, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.inbound.is_empty() || length > HEAD_READ {
            self.inbound.reserve(length);
            return pin!(self.stream.read_buf(&mut self.inbound)).poll(context);
        }
        let mut scratch = [MaybeUninit::uninit(); HEAD_READ];
        let mut buffer = ReadBuf::uninit(&mut scratch[..length]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        self.inbound = BytesMut::from(buffer.filled());
        Poll::Ready(Ok(self.inbound.len()))
    }

    fn begin_body(&mut self, said: &Head) -> Result<(), Violation> {
        self.rest = match said.framing {
            Framing::None | Framing::Length(0) => Rest::Nothing,
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunks(Box::default()),
        };
        let waits = said.expects_continue && self.inbound.is_empty() && !matches!(self.rest, Rest::Nothing);
        self.owed = if waits { CONTINUE } else { b"" };
        self.check_chunks()
    }

    /// Checks the bytes that have come of a chunked body: nothing is taken of it that another parser could frame otherwise.
    fn check_chunks(&mut self) -> Result<(), Violation> {
        let Rest::Chunks(body) = &mut self.rest else { return Ok(()) };
        match body.scanner.advance(&self.inbound[body.checked..]) {
            Ok(progress) => body.checked += progress.consumed,
            Err(violation) => {
                self.rest = Rest::Broken;
                return Err(violation);
            }
        }
        Ok(())
    }

    /// Takes what has come of the body: a piece, or `Some(None)` at its end.
    fn take_piece(&mut self) -> Result<Option<Option<Frame<Bytes>>>, Broken> {
        match &mut self.rest {
            Rest::Nothing => Ok(Some(None)),
            Rest::Broken => Err(Broken::Closed),
            Rest::Length(_) if self.inbound.is_empty() => Ok(None),
            Rest::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.inbound.len());
                *left -= here as u64;
                if *left == 0 {
                    self.rest = Rest::Nothing;
                }
                Ok(Some(Some(Frame::data(self.take(here)))))
            }
            Rest::Chunks(body) => {
                let before = self.inbound.len();
                let piece = body.pieces.take(&mut self.inbound);
                body.checked = body.checked.saturating_sub(before - self.inbound.len());
                let taken = match piece {
                    Ok(Piece::Incomplete) => return Ok(None),
                    Ok(Piece::Data(data)) => return Ok(Some(Some(Frame::data(data)))),
                    Ok(Piece::End(trailers)) => Ok(Some((!trailers.is_empty()).then(|| Frame::trailers(trailers)))),
                    Err(_) => Err(Broken::Malformed(Violation::MalformedChunk)),
                };
                self.rest = if taken.is_ok() { Rest::Nothing } else { Rest::Broken };
                if self.inbound.is_empty() {
                    self.inbound = BytesMut::new();
                }
                taken
            }
        }
    }

    fn forget_body(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..FORGOTTEN_PIECES {
            match self.take_piece() {
                Ok(Some(Some(_))) => {}
                Ok(Some(None)) => return,
                // Whoever waits for our word before sending it will not send it.
                Ok(None) if self.owed.is_empty() => {
                    let came = matches!(self.poll_read(BODY_READ, &mut context), Poll::Ready(Ok(1..)));
                    if !came || self.check_chunks().is_err() {
                        break;
                    }
                }
                Ok(None) | Err(_) => break,
            }
        }
        self.rest = Rest::Broken;
    }

    /// Says that the body may come, to a client that waits for it.
    fn poll_owed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.owed.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.owed.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, self.owed))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.owed = &self.owed[written..];
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }
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
        self.poll(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, |stream, context| stream.poll_shutdown(context))
    }
}
