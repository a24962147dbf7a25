//! Bodies on their way: the client's to the upstream, the upstream's to the client. Streamed frame by frame, never gathered.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::{Instant as TokioInstant, Sleep};

use super::InFlight;
use super::conversation::Conversation;
use super::head::{Framing, ResponseHead};
use super::pool::Pool;
use super::upgraded::Upgraded;
use crate::clock::Clock;
use crate::http::body::ClientBody;
use crate::http::header::{IdentityFilter, remove_forbidden_trailers};
use crate::http::wire::{Chunks, Piece, take_bytes};

/// How much of a body is read at once, and held at most while its client reads nothing.
const READ: u64 = 32 * 1024;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("broke off: {0}")]
    Broken(String),
    #[error("stood still for {0:?}")]
    Idle(Duration),
    #[error("was cut because its session has ended")]
    SessionEnded,
}

/// How many bytes of a request's body have gone on their way; stays readable when the body is gone.
#[derive(Clone, Debug, Default)]
pub struct BytesIn(Rc<Cell<u64>>);

impl BytesIn {
    pub fn count(&self) -> u64 {
        self.0.get()
    }
}

/// The client's body on its way to an upstream.
#[derive(Default)]
pub struct RequestBody(Option<Coming>);

/// A body of which something is still to come.
struct Coming {
    incoming: ClientBody,
    filter: Arc<IdentityFilter>,
    bytes: BytesIn,
    /// When the client last sent something.
    last: Option<Instant>,
}

impl RequestBody {
    /// Returns the body of a request; its trailers may say no more than `filter` lets headers say.
    pub fn new(incoming: ClientBody, filter: &Arc<IdentityFilter>) -> Self {
        if incoming.is_end_stream() {
            return Self::default();
        }
        Self(Some(Coming { incoming, filter: Arc::clone(filter), bytes: BytesIn::default(), last: None }))
    }

    /// Returns the count of a body, `None` if there is none.
    pub fn bytes_in(&self) -> Option<BytesIn> {
        self.0.as_ref().map(|coming| coming.bytes.clone())
    }

    /// Returns when the client last sent something of it.
    pub(super) fn last(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|coming| coming.last)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(Coming { incoming, filter, bytes, last }) = &mut self.get_mut().0 else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(context));
        *last = Some(Clock::monotonic());
        if let Some(Ok(sent)) = &frame {
            bytes.0.set(bytes.0.get() + sent.data_ref().map_or(0, |data| data.len() as u64));
        }
        let clean = |frame| with_trailers(frame, |trailers| filter.strip_trailers(trailers));
        Poll::Ready(frame.map(|frame| frame.map(clean).map_err(|error| BodyError::Broken(error.to_string()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|coming| coming.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |coming| coming.incoming.size_hint())
    }
}

/// The upstream's body on its way to the client. Read to its end, it gives the connection back.
pub struct ResponseBody {
    /// `None` once the connection was given back, or given up.
    conversation: Option<Box<Conversation>>,
    rest: Rest,
    keeps_alive: bool,
    pool: Weak<Pool>,
    idle: Duration,
    /// Set when the upstream first keeps us waiting.
    timer: Option<IdleTimer>,
    /// Resolves when the session that the stream belongs to has ended.
    cut: Option<oneshot::Receiver<()>>,
    bytes: u64,
    /// Why the body ends here; told one turn later.
    failed: Option<BodyError>,
    _in_flight: InFlight,
}

/// What of the body has not been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    Length(u64),
    Chunks(Chunks),
    UntilClose,
}

/// What was there to be taken.
enum Taken {
    Frame(Frame<Bytes>),
    End,
    Nothing,
}

struct IdleTimer {
    sleep: Pin<Box<Sleep>>,
    /// When something last came.
    last: Instant,
}

impl ResponseBody {
    /// Returns the body that follows `head`.
    pub(super) fn new(
        conversation: Box<Conversation>,
        head: &ResponseHead,
        pool: &Rc<Pool>,
        idle: Duration,
        in_flight: InFlight,
    ) -> Self {
        let rest = match head.framing {
            Framing::Length(0) => Rest::Nothing,
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunks(Chunks::default()),
            Framing::UntilClose => Rest::UntilClose,
        };
        let mut body = Self {
            conversation: Some(conversation),
            rest,
            keeps_alive: head.keeps_alive,
            pool: Rc::downgrade(pool),
            idle,
            timer: None,
            cut: None,
            bytes: 0,
            failed: None,
            _in_flight: in_flight,
        };
        if rest == Rest::Nothing && head.status != StatusCode::SWITCHING_PROTOCOLS {
            body.finish();
        }
        body
    }

    /// Ends the stream as soon as `cut` resolves or its other side is dropped.
    pub fn cut_when(&mut self, cut: oneshot::Receiver<()>) {
        self.cut = Some(cut);
    }

    /// Returns how many bytes have gone through.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the connection of a response that switches protocols; `None` for any other.
    pub fn take_upgraded(&mut self) -> Option<Upgraded> {
        self.conversation.take_if(|_| self.rest == Rest::Nothing).map(|conversation| conversation.into_upgraded())
    }

    /// The body has been read to its end.
    fn finish(&mut self) {
        self.rest = Rest::Nothing;
        let stream = self.conversation.take().filter(|_| self.keeps_alive).and_then(|ended| ended.into_reusable());
        if let (Some(stream), Some(pool)) = (stream, self.pool.upgrade()) {
            pool.put(stream);
        }
    }

    /// Returns what comes next; `None` at the end.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        loop {
            let Some(conversation) = &mut self.conversation else { return Poll::Ready(Ok(None)) };
            conversation.send(context)?;
            match self.take_piece()? {
                Taken::Frame(frame) => return Poll::Ready(Ok(Some(frame))),
                Taken::End => return Poll::Ready(Ok(None)),
                Taken::Nothing => {}
            }
            let wanted = if let Rest::Length(left) = self.rest { left.min(READ) } else { READ };
            let Some(conversation) = &mut self.conversation else { return Poll::Ready(Ok(None)) };
            let wanted = usize::try_from(wanted).expect("at most what is read at once");
            match ready!(conversation.poll_read(wanted, context)) {
                Ok(0) if self.rest == Rest::UntilClose => self.finish(),
                Ok(0) => return Poll::Ready(Err(broken(&"the connection was closed"))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(broken(&error))),
            }
        }
    }

    /// Takes what has been read already.
    fn take_piece(&mut self) -> Result<Taken, BodyError> {
        let Some(conversation) = &mut self.conversation else { return Ok(Taken::End) };
        let inbound = &mut conversation.inbound;
        let data = match &mut self.rest {
            Rest::Nothing => return Ok(Taken::End),
            Rest::Length(_) | Rest::UntilClose if inbound.is_empty() => return Ok(Taken::Nothing),
            Rest::UntilClose => take_bytes(inbound, inbound.len()),
            Rest::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(inbound.len());
                *left -= here as u64;
                take_bytes(inbound, here)
            }
            Rest::Chunks(chunks) => match chunks.take(inbound).map_err(|error| broken(&error))? {
                Piece::Data(data) => data,
                Piece::Incomplete => return Ok(Taken::Nothing),
                Piece::End(trailers) => {
                    self.finish();
                    return Ok(if trailers.is_empty() { Taken::End } else { Taken::Frame(Frame::trailers(trailers)) });
                }
            },
        };
        if self.rest == Rest::Length(0) {
            self.finish();
        }
        Ok(Taken::Frame(Frame::data(data)))
    }

    /// Returns ready when nothing has moved for too long: the upstream sent nothing, and took nothing of an upload that still
    /// goes on. The timer is set once and looks back when it fires.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| IdleTimer {
            sleep: Box::pin(tokio::time::sleep(self.idle)),
            last: Clock::monotonic(),
        });
        while timer.sleep.as_mut().poll(context).is_ready() {
            let uploaded = self.conversation.as_ref().and_then(|conversation| conversation.outgoing.body().last());
            let deadline = uploaded.map_or(timer.last, |uploaded| uploaded.max(timer.last)) + self.idle;
            if deadline <= Clock::monotonic() {
                return Poll::Ready(());
            }
            timer.sleep.as_mut().reset(TokioInstant::from_std(deadline));
        }
        Poll::Pending
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(cut) = &mut this.cut
            && Pin::new(cut).poll(context).is_ready()
        {
            this.conversation = None;
            return Poll::Ready(Some(Err(BodyError::SessionEnded)));
        }
        let Poll::Ready(next) = this.poll_next(context) else {
            return this.poll_idle(context).map(|()| Some(Err(BodyError::Idle(this.idle))));
        };
        if let Some(timer) = &mut this.timer {
            timer.last = Clock::monotonic();
        }
        match next {
            Ok(frame) => {
                this.bytes += frame.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
                Poll::Ready(frame.map(|frame| Ok(with_trailers(frame, remove_forbidden_trailers))))
            }
            Err(error) => {
                // An error takes back what has not been written: first the client's connection has its turn to write what came.
                this.conversation = None;
                this.failed = Some(error);
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest == Rest::Nothing
    }

    fn size_hint(&self) -> SizeHint {
        match self.rest {
            Rest::Nothing => SizeHint::with_exact(0),
            Rest::Length(left) => SizeHint::with_exact(left),
            Rest::Chunks(_) | Rest::UntilClose => SizeHint::default(),
        }
    }
}

fn broken(why: &impl ToString) -> BodyError {
    BodyError::Broken(why.to_string())
}

fn with_trailers(frame: Frame<Bytes>, clean: impl FnOnce(&mut HeaderMap)) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            clean(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(data) => data,
    }
}
