//! Drives one connection to its end, with one timer that is set anew only when it fires or when the
//! connection got stuck; and says goodbye when the server drains. Called by `connection` for both protocols.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use super::pulse::{Limits, Next, Pulse};
use crate::clock::Clock;

/// A connection that can be asked to end after the requests in flight.
pub trait Farewell: Future {
    fn say_farewell(self: Pin<&mut Self>);

    /// Has the head that has begun be refused, because it takes too long; returns whether that will be answered, which is so once.
    fn refuse_late_head(self: Pin<&mut Self>) -> bool;

    /// Looks after what is under way, every half idle time; returns whether the connection is to live on.
    fn tend(self: Pin<&mut Self>) -> bool;
}

/// One worker's sign that the server drains.
#[derive(Debug, Default)]
pub struct Drain {
    begun: Cell<bool>,
    wake: Notify,
}

impl Drain {
    pub fn begin(&self) {
        self.begun.set(true);
        self.wake.notify_waiters();
    }

    pub fn has_begun(&self) -> bool {
        self.begun.get()
    }

    /// Resolves when the drain begins.
    pub async fn begins(&self) {
        let woken = self.wake.notified();
        if !self.has_begun() {
            woken.await;
        }
    }
}

/// What a connection is driven by.
pub struct Driver {
    pub pulse: Rc<Pulse>,
    pub limits: Limits,
    pub drain: Rc<Drain>,
}

impl Driver {
    /// Resolves when the connection has ended, by itself or by a deadline; its socket closes when it is dropped.
    pub async fn run<C: Farewell>(&self, mut connection: Pin<&mut C>) {
        let mut timer = pin!(sleep(self.limits.header));
        let mut draining = pin!(self.drain.begins());
        let mut farewell = Saying::NotYet;
        let mut is_registered = false;
        poll_fn(|context| {
            // Polled once, to be woken; after that the flag says the same for less.
            if !is_registered {
                is_registered = true;
                let _ = draining.as_mut().poll(context);
            }
            if self.drain.has_begun() && farewell == Saying::NotYet {
                farewell = Saying::Said;
                connection.as_mut().say_farewell();
            }
            self.poll(context, connection.as_mut(), timer.as_mut(), &mut farewell)
        })
        .await;
    }

    fn poll<C: Farewell>(
        &self,
        context: &mut Context<'_>,
        mut connection: Pin<&mut C>,
        mut timer: Pin<&mut Sleep>,
        farewell: &mut Saying,
    ) -> Poll<()> {
        self.pulse.begin_turn();
        loop {
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if !self.pulse.take_look() && !timer.is_elapsed() {
                return Poll::Pending;
            }
            let now = self.pulse.now();
            let until = match self.pulse.next(now, self.limits) {
                Next::Wait(until) => until,
                Next::RefuseHead if connection.as_mut().refuse_late_head() => continue,
                Next::Finish if *farewell == Saying::NotYet => {
                    *farewell = Saying::Said;
                    connection.as_mut().say_farewell();
                    continue;
                }
                Next::Tend if connection.as_mut().tend() => continue,
                Next::RefuseHead | Next::Finish | Next::Tend | Next::Drop => return Poll::Ready(()),
            };
            timer.as_mut().reset(tokio::time::Instant::from_std(Clock::monotonic()) + until.saturating_sub(now));
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Saying {
    NotYet,
    Said,
}
