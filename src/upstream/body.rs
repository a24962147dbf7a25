//! Bodies on their way: the client's to the upstream, the upstream's to the client. Streamed frame by frame, never gathered.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Instant as TokioInstant, Sleep};

use super::InFlight;
use super::pool::Lease;
use crate::clock::Clock;
use crate::http::header::{IdentityFilter, remove_forbidden_trailers};

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("stood still for {0:?}")]
    Idle(Duration),
    #[error("was cut because its session has ended")]
    SessionEnded,
}

/// What the sending side can see of a request body under way.
#[derive(Debug)]
pub(super) struct Progress {
    pub done: Cell<bool>,
    pub failed: Cell<bool>,
    /// Whether the upstream asked for more and the client has not sent it.
    pub waits_for_client: Cell<bool>,
    /// When the client last sent something of it.
    pub last: Cell<Option<Instant>>,
    pub bytes: Cell<u64>,
}

/// How many bytes of a request's body have gone on their way; stays readable when the body is gone.
#[derive(Clone, Debug)]
pub struct BytesIn(Rc<Progress>);

impl BytesIn {
    pub fn count(&self) -> u64 {
        self.0.bytes.get()
    }
}

/// The client's body on its way to an upstream.
pub struct RequestBody {
    incoming: Option<(Incoming, Arc<IdentityFilter>)>,
    progress: Rc<Progress>,
}

impl RequestBody {
    /// Returns the body of a request; its trailers may say no more than `filter` lets headers say.
    pub fn new(incoming: Incoming, filter: &Arc<IdentityFilter>) -> Self {
        let done = incoming.is_end_stream();
        let progress = Progress {
            done: Cell::new(done),
            failed: Cell::new(false),
            waits_for_client: Cell::new(false),
            last: Cell::new(None),
            bytes: Cell::new(0),
        };
        Self { incoming: (!done).then(|| (incoming, Arc::clone(filter))), progress: Rc::new(progress) }
    }

    pub(super) fn empty_like(progress: &Rc<Progress>) -> Self {
        Self { incoming: None, progress: Rc::clone(progress) }
    }

    pub fn bytes_in(&self) -> BytesIn {
        BytesIn(Rc::clone(&self.progress))
    }

    pub(super) fn progress(&self) -> Rc<Progress> {
        Rc::clone(&self.progress)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Some((incoming, filter)) = &mut this.incoming else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *incoming).poll_frame(context);
        this.progress.waits_for_client.set(polled.is_pending());
        let frame = std::task::ready!(polled);
        this.progress.last.set(Some(Clock::monotonic()));
        match &frame {
            None => this.progress.done.set(true),
            Some(Err(_)) => this.progress.failed.set(true),
            Some(Ok(sent)) => {
                let length = sent.data_ref().map_or(0, |data| data.len() as u64);
                this.progress.bytes.set(this.progress.bytes.get() + length);
                this.progress.done.set(incoming.is_end_stream());
            }
        }
        let clean = |frame| with_trailers(frame, |trailers| filter.strip_trailers(trailers));
        Poll::Ready(frame.map(|frame| frame.map(clean).map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(|(incoming, _)| incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), |(incoming, _)| incoming.size_hint())
    }
}

/// The upstream's body on its way to the client. Read to its end, it gives the connection back.
pub struct ResponseBody {
    incoming: Incoming,
    lease: Option<Lease>,
    request: Rc<Progress>,
    idle: Duration,
    /// Set when the upstream first keeps us waiting.
    timer: Option<IdleTimer>,
    /// Resolves when the session that the stream belongs to has ended.
    cut: Option<oneshot::Receiver<()>>,
    bytes: u64,
    _in_flight: InFlight,
}

struct IdleTimer {
    sleep: Pin<Box<Sleep>>,
    /// When something last came.
    last: Instant,
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        lease: Lease,
        request: Rc<Progress>,
        in_flight: InFlight,
        idle: Duration,
    ) -> Self {
        let mut body = Self {
            incoming,
            lease: Some(lease),
            request,
            idle,
            timer: None,
            cut: None,
            bytes: 0,
            _in_flight: in_flight,
        };
        if body.incoming.is_end_stream() {
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

    /// A connection whose request was not sent to its end is in no state to carry another one.
    fn finish(&mut self) {
        if let Some(lease) = self.lease.take()
            && self.request.done.get()
        {
            lease.give_back();
        }
    }

    /// Returns ready when the upstream has sent nothing for too long. The timer is set once and looks back when it fires.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| IdleTimer {
            sleep: Box::pin(tokio::time::sleep(self.idle)),
            last: Clock::monotonic(),
        });
        while timer.sleep.as_mut().poll(context).is_ready() {
            let deadline = timer.last + self.idle;
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
        if let Some(cut) = &mut this.cut
            && Pin::new(cut).poll(context).is_ready()
        {
            this.lease = None;
            return Poll::Ready(Some(Err(BodyError::SessionEnded)));
        }
        let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(context) else {
            return this.poll_idle(context).map(|()| Some(Err(BodyError::Idle(this.idle))));
        };
        if let Some(timer) = &mut this.timer {
            timer.last = Clock::monotonic();
        }
        match &frame {
            None => this.finish(),
            Some(Ok(data)) => {
                this.bytes += data.data_ref().map_or(0, |data| data.len() as u64);
                if this.incoming.is_end_stream() {
                    this.finish();
                }
            }
            Some(Err(_)) => this.lease = None,
        }
        let clean = |frame| with_trailers(frame, remove_forbidden_trailers);
        Poll::Ready(frame.map(|frame| frame.map(clean).map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
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
