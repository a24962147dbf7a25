//! One worker's deadlines for answers, watched by one timer: most are met, so that setting and clearing one must cost next to
//! nothing. A timer of the runtime for each takes a lock and two walks through its wheel, a twentieth of a request's instructions.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use slab::Slab;
use tokio::sync::Notify;

use crate::clock::Clock;

/// What waits on one worker.
#[derive(Default)]
pub(super) struct Deadlines {
    waiting: RefCell<Slab<Waiting>>,
    /// When the watch looks next; never later than the nearest deadline, `None` while there was nothing to look at.
    next: Cell<Option<Instant>>,
    nearer: Notify,
}

struct Waiting {
    at: Instant,
    /// `None` once the deadline has passed.
    waker: Option<Waker>,
}

impl Deadlines {
    /// Returns an empty list; must be called on a worker, where a task watches it.
    pub(super) fn new() -> Rc<Self> {
        let deadlines = Rc::new(Self::default());
        tokio::task::spawn_local(watch(Rc::downgrade(&deadlines)));
        deadlines
    }

    /// Returns what `future` comes to, `None` if that takes until after `at`.
    pub(super) fn before<'a, F: Future>(&'a self, at: Instant, future: Pin<&'a mut F>) -> Before<'a, F> {
        Before { deadlines: self, at, key: None, future }
    }

    fn add(&self, at: Instant, waker: Waker) -> usize {
        if self.next.get().is_none_or(|next| at < next) {
            self.next.set(Some(at));
            self.nearer.notify_one();
        }
        self.waiting.borrow_mut().insert(Waiting { at, waker: Some(waker) })
    }

    /// Wakes whoever is late at `now`, and notes when to look again.
    fn look(&self, now: Instant) {
        let mut late = Vec::new();
        let mut next: Option<Instant> = None;
        for (_, waiting) in self.waiting.borrow_mut().iter_mut().filter(|(_, waiting)| waiting.waker.is_some()) {
            if waiting.at <= now {
                late.extend(waiting.waker.take());
            } else {
                next = Some(next.map_or(waiting.at, |next| next.min(waiting.at)));
            }
        }
        self.next.set(next);
        late.into_iter().for_each(Waker::wake);
    }
}

async fn watch(deadlines: Weak<Deadlines>) {
    loop {
        let Some(deadlines) = deadlines.upgrade() else { return };
        match deadlines.next.get() {
            None => deadlines.nearer.notified().await,
            Some(next) => {
                tokio::select! {
                    () = tokio::time::sleep_until(next.into()) => deadlines.look(Clock::monotonic()),
                    () = deadlines.nearer.notified() => {}
                }
            }
        }
    }
}

pub(super) struct Before<'a, F> {
    deadlines: &'a Deadlines,
    at: Instant,
    key: Option<usize>,
    future: Pin<&'a mut F>,
}

impl<F: Future> Future for Before<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        if let Poll::Ready(output) = self.future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        let Some(key) = self.key else {
            self.key = Some(self.deadlines.add(self.at, context.waker().clone()));
            return Poll::Pending;
        };
        match &mut self.deadlines.waiting.borrow_mut()[key].waker {
            None => Poll::Ready(None),
            Some(waker) => {
                waker.clone_from(context.waker());
                Poll::Pending
            }
        }
    }
}

impl<F> Drop for Before<'_, F> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.deadlines.waiting.borrow_mut().remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::time::Duration;

    use tokio::task::LocalSet;

    use super::*;

    async fn comes_in_time(deadlines: &Deadlines, wait: Duration, future: impl Future<Output = ()>) -> bool {
        deadlines.before(Clock::monotonic() + wait, pin!(future)).await.is_some()
    }

    #[tokio::test]
    async fn what_comes_is_returned_and_what_does_not_is_given_up() {
        let worker = LocalSet::new();
        let checks = worker.run_until(async {
            let deadlines = Deadlines::new();
            assert!(comes_in_time(&deadlines, Duration::from_mins(1), ready(())).await);
            assert!(!comes_in_time(&deadlines, Duration::from_millis(5), pending()).await);
            assert!(deadlines.waiting.borrow().is_empty());
        });
        checks.await;
    }

    #[tokio::test]
    async fn a_nearer_deadline_is_not_kept_waiting_by_a_farther_one() {
        let worker = LocalSet::new();
        let checks = worker.run_until(async {
            let deadlines = Deadlines::new();
            let far = comes_in_time(&deadlines, Duration::from_mins(10), pending());
            let near = comes_in_time(&deadlines, Duration::from_millis(5), pending());
            tokio::select! {
                _ = far => panic!("the farther deadline came first"),
                in_time = near => assert!(!in_time),
            }
        });
        checks.await;
    }
}
