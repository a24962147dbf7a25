//! One worker's open streams by session, so that they close within a second of its end.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use http::header;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::oneshot;

use crate::auth::Revocations;
use crate::auth::revocation::Ended;
use crate::http::fields::Fields;
use crate::identity::{Principal, SessionId, UserId};

/// Fewer sessions than this are never swept.
const SWEEP_AT: usize = 1024;

/// Who waits for the end of which session. Dropping a sender is the signal.
pub struct Streams {
    revocations: Arc<Revocations>,
    waiting: RefCell<HashMap<SessionId, Waiting>>,
    /// At how many sessions those whose streams are all gone are looked for: twice what the last look left.
    sweep_at: Cell<usize>,
}

struct Waiting {
    user: UserId,
    senders: Vec<oneshot::Sender<()>>,
}

/// Returns whether a response can outlive its session by much: event streams and gRPC.
pub fn is_long_lived(fields: &Fields) -> bool {
    let kind = fields.first(&header::CONTENT_TYPE).unwrap_or_default();
    let begins_with = |name: &[u8]| kind.len() >= name.len() && kind[..name.len()].eq_ignore_ascii_case(name);
    begins_with(b"text/event-stream") || begins_with(b"application/grpc")
}

impl Streams {
    /// Must be called on a worker: it listens there for ended sessions.
    pub fn new(revocations: Arc<Revocations>) -> Rc<Self> {
        let ended = revocations.ended();
        let streams = Rc::new(Self { revocations, waiting: RefCell::default(), sweep_at: Cell::new(SWEEP_AT) });
        tokio::task::spawn_local(listen(Rc::downgrade(&streams), ended));
        streams
    }

    /// Returns what resolves when the caller's session ends, or their account; at once if it has.
    pub fn watch(&self, caller: &Principal) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if self.waiting.borrow().len() >= self.sweep_at.get() {
            self.sweep();
            self.sweep_at.set(SWEEP_AT.max(2 * self.waiting.borrow().len()));
        }
        let mut waiting = self.waiting.borrow_mut();
        let (session, user) = (caller.session, &caller.user_id);
        let of_session = waiting.entry(session).or_insert_with(|| Waiting { user: user.clone(), senders: Vec::new() });
        of_session.senders.retain(|sender| !sender.is_closed());
        of_session.senders.push(sender);
        // Looked at after listening, so that an end in between is not missed.
        if self.revocations.is_ended(session, user) {
            waiting.remove(&session);
        }
        receiver
    }

    fn end(&self, session: SessionId) {
        self.waiting.borrow_mut().remove(&session);
    }

    fn end_all(&self, user: &UserId) {
        self.waiting.borrow_mut().retain(|_, of_session| of_session.user != *user);
    }

    fn sweep(&self) {
        self.waiting.borrow_mut().retain(|session, of_session| {
            of_session.senders.retain(|sender| !sender.is_closed());
            !of_session.senders.is_empty() && !self.revocations.is_ended(*session, &of_session.user)
        });
    }
}

async fn listen(streams: Weak<Streams>, mut ended: broadcast::Receiver<Ended>) {
    loop {
        let heard = ended.recv().await;
        let Some(streams) = streams.upgrade() else { return };
        match heard {
            Ok(Ended::Session(session)) => streams.end(session),
            Ok(Ended::User(user)) => streams.end_all(&user),
            // More ended at once than the feed holds: look at all of ours.
            Err(RecvError::Lagged(_)) => streams.sweep(),
            Err(RecvError::Closed) => return,
        }
    }
}
