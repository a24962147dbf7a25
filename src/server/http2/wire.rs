//! The streams of one HTTP/2 connection as its parts share them: whoever reads a body or answers borrows them for one step, and has
//! the connection write what came of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use super::frame::Code;
use super::mux::{Bounds, Mux};
use super::stream::Waiting;
use crate::http::body::ClientError;

/// The right to answer on a stream: when it is dropped, the stream goes once its answer has, or breaks off with `code`.
pub struct Held {
    pub wire: Rc<Wire>,
    pub stream: u32,
    pub code: Code,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.wire.with(|mux| mux.release(self.stream, self.code));
    }
}

/// Why a body ended before its end; its stream has ended too.
#[derive(Debug, thiserror::Error)]
#[error("the stream was closed")]
pub struct Closed;

pub struct Wire {
    pub mux: RefCell<Mux>,
    connection: RefCell<Waiting>,
}

impl Wire {
    pub fn new(bounds: Bounds) -> Self {
        Self { mux: RefCell::new(Mux::new(bounds)), connection: RefCell::default() }
    }

    /// Has the connection be woken when there is something to write.
    pub fn wait_for_work(&self, context: &Context<'_>) {
        self.connection.borrow_mut().wait(context);
    }

    /// Returns what `act` returns.
    pub fn with<T>(&self, act: impl FnOnce(&mut Mux) -> T) -> T {
        let mux = &mut *self.mux.borrow_mut();
        let done = act(mux);
        if !mux.out.is_empty() || mux.is_done() {
            self.connection.borrow_mut().wake();
        }
        done
    }

    /// Returns ready when a stream has ended before its answer has.
    pub fn poll_gone(&self, id: u32, context: &Context<'_>) -> Poll<()> {
        match self.mux.borrow_mut().find(id) {
            Some(stream) => {
                stream.task.wait(context);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    /// Returns ready when another piece may be sent on a stream.
    pub fn poll_room(&self, id: u32, context: &Context<'_>) -> Poll<Result<(), Closed>> {
        match self.mux.borrow_mut().find(id) {
            Some(stream) if stream.piece.is_empty() => Poll::Ready(Ok(())),
            Some(stream) => {
                stream.writer.wait(context);
                Poll::Pending
            }
            None => Poll::Ready(Err(Closed)),
        }
    }

    /// Returns at most `most` bytes of what has come on a stream; none at its end.
    pub fn poll_data(&self, id: u32, most: usize, context: &Context<'_>) -> Poll<Result<Bytes, Closed>> {
        self.with(|mux| {
            let Some(stream) = mux.find(id) else { return Poll::Ready(Err(Closed)) };
            if stream.arrived.is_empty() {
                if stream.has_ended {
                    return Poll::Ready(Ok(Bytes::new()));
                }
                stream.reader.wait(context);
                if std::mem::take(&mut stream.awaits_continue) {
                    mux.send_continue(id);
                }
                return Poll::Pending;
            }
            let data = stream.arrived.take(most);
            mux.give_back_on(id, u32::try_from(data.len()).unwrap_or(u32::MAX));
            Poll::Ready(Ok(data))
        })
    }

    /// Returns the next piece of a body, its trailers, or `None` at its end.
    pub fn poll_body(&self, id: u32, context: &Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        match self.poll_data(id, usize::MAX, context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(closed)) => Poll::Ready(Some(Err(closed.into()))),
            Poll::Ready(Ok(data)) if !data.is_empty() => Poll::Ready(Some(Ok(Frame::data(data)))),
            Poll::Ready(Ok(_)) => {
                let trailers = self.mux.borrow_mut().find(id).and_then(|stream| stream.trailers.take());
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
        }
    }

    /// Whether nothing more is to come of a body.
    pub fn is_read(&self, id: u32) -> bool {
        self.mux.borrow_mut().find(id).is_some_and(|stream| stream.is_read())
    }

    /// Returns how many bytes of a body are to come, if that is known.
    pub fn body_left(&self, id: u32) -> Option<u64> {
        let mux = &mut *self.mux.borrow_mut();
        let stream = mux.find(id)?;
        let to_come = if stream.has_ended { Some(0) } else { stream.left };
        to_come.map(|left| left + stream.arrived.len() as u64)
    }

    /// Nobody reads a body any more.
    pub fn forget_body(&self, id: u32) {
        self.with(|mux| {
            let Some(stream) = mux.find(id) else { return };
            stream.is_unread = true;
            stream.trailers = None;
            let unread = u32::try_from(std::mem::take(&mut stream.arrived).len()).unwrap_or(u32::MAX);
            mux.give_back(unread);
        });
    }
}
