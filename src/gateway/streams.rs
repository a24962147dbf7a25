//! One worker's open streams by session, so that they close within a second of its end.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use http::{HeaderMap, header};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::oneshot;

use crate::auth::Revocations;
use crate::identity::SessionId;

/// Fewer sessions than this are never swept.
const SWEEP_AT: usize = 1024;

/// Who waits for the end of which session. Dropping a sender is the signal.
pub struct Streams {
    revocations: Arc<Revocations>,
    waiting: RefCell<HashMap<SessionId, Vec<oneshot::Sender<()>>>>,
    /// At how many sessions those whose streams are all gone are looked for: twice what the last look left.
    sweep_at: Cell<usize>,
}

/// Returns whether a response can outlive its session by much: event streams and gRPC.
pub fn is_long_lived(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let begins_with = |name: &[u8]| kind.len() >= name.len() && kind[..name.len()].eq_ignore_ascii_case(name);
    begins_with(b"text/event-stream") || begins_with(b"application/grpc")
}

impl Streams {
    /// Must be called on a worker: it listens there for ended sessions.
    pub fn new(revocations: Arc<Revocations>) -> Rc<Self> {
        let ended = revocations.ended_sessions();
        let streams = Rc::new(Self { revocations, waiting: RefCell::default(), sweep_at: Cell::new(SWEEP_AT) });
        tokio::task::spawn_local(listen(Rc::downgrade(&streams), ended));
        streams
    }

    /// Returns what resolves when `session` ends; at once if it has.
    pub fn watch(&self, session: SessionId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if self.waiting.borrow().len() >= self.sweep_at.get() {
            self.sweep();
            self.sweep_at.set(SWEEP_AT.max(2 * self.waiting.borrow().len()));
        }
        let mut waiting = self.waiting.borrow_mut();
        let of_session = waiting.entry(session).or_default();
        of_session.retain(|sender| !sender.is_closed());
        of_session.push(sender);
        // Looked at after listening, so that an end in between is not missed.
        if self.revocations.is_ended(session) {
            waiting.remove(&session);
        }
        receiver
    }

    fn end(&self, session: SessionId) {
        self.waiting.borrow_mut().remove(&session);
    }

    fn sweep(&self) {
        self.waiting.borrow_mut().retain(|session, of_session| {
            of_session.retain(|sender| !sender.is_closed());
            !of_session.is_empty() && !self.revocations.is_ended(*session)
        });
    }
}

async fn listen(streams: Weak<Streams>, mut ended: broadcast::Receiver<SessionId>) {
    loop {
        let heard = ended.recv().await;
        let Some(streams) = streams.upgrade() else { return };
        match heard {
            Ok(session) => streams.end(session),
            // More ended at once than the feed holds: look at all of ours.
            Err(RecvError::Lagged(_)) => streams.sweep(),
            Err(RecvError::Closed) => return,
        }
    }
}
