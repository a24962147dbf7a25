//! What one connection is doing, and since when: the facts from which its deadlines follow.
//! Whoever reads and writes the connection notes it on the way past, without a timer per request; the connection's one timer reads it.
//! All of them are on the connection's thread.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::lease::Lease;
use crate::clock::Clock;

/// How long a closed connection's unread bytes are thrown away, so that a reset doesn't overtake the answer (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(2);

/// How many bytes an HTTP/2 connection reads before the others of its worker have their turn: thousands of tiny frames fit in.
const TURN_BYTES: usize = 16 * 1024;

/// How long a connection may stay in one state.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub header: Duration,
    pub idle: Duration,
}

/// What the connection's timer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing can be due before this time.
    Wait(Duration),
    /// A head has begun and hasn't ended in time: answer 408.
    RefuseHead,
    /// Requests have been under way for a while: see how they are.
    Tend,
    /// No request for too long: say goodbye.
    Finish,
    /// The peer takes part no more: let go without a word.
    Drop,
}

/// One connection's times, as milliseconds since it was accepted; zero is "not so".
#[derive(Debug)]
pub struct Pulse {
    accepted: Instant,
    requests: Cell<u64>,
    in_flight: Cell<u64>,
    idle_since: Cell<u64>,
    head_since: Cell<u64>,
    blocked_since: Cell<u64>,
    lingers_since: Cell<u64>,
    tended_at: Cell<u64>,
    look: Cell<bool>,
    /// How many bytes are left of this turn.
    turn: Cell<usize>,
    _lease: Option<Lease>,
}

impl Pulse {
    pub fn start(lease: Option<Lease>) -> Self {
        Self {
            accepted: Clock::monotonic(),
            requests: Cell::new(0),
            in_flight: Cell::new(0),
            idle_since: Cell::new(0),
            head_since: Cell::new(0),
            blocked_since: Cell::new(0),
            lingers_since: Cell::new(0),
            tended_at: Cell::new(0),
            look: Cell::new(true),
            turn: Cell::new(TURN_BYTES),
            _lease: lease,
        }
    }

    /// Returns the time since the connection was accepted, in whole milliseconds and never zero.
    pub fn now(&self) -> Duration {
        let millis = u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(millis.max(1))
    }

    /// Counts a request that goes to the handler; it is in flight until the result is dropped.
    pub fn begin_request(self: &Rc<Self>) -> Flight {
        self.requests.set(self.requests.get() + 1);
        self.in_flight.set(self.in_flight.get() + 1);
        Flight(Rc::clone(self))
    }

    pub fn head_is_partial(&self) {
        self.begin(&self.head_since);
    }

    pub fn head_is_complete(&self) {
        end(&self.head_since);
    }

    pub fn write_is_blocked(&self) {
        self.begin(&self.blocked_since);
    }

    pub fn write_goes_on(&self) {
        end(&self.blocked_since);
    }

    pub fn lingers(&self) {
        self.begin(&self.lingers_since);
    }

    /// Begins a turn: the connection is about to be driven.
    pub fn begin_turn(&self) {
        self.turn.set(TURN_BYTES);
    }

    /// Takes bytes that were read off this turn.
    pub fn take_from_turn(&self, bytes: usize) {
        self.turn.set(self.turn.get().saturating_sub(bytes));
    }

    pub fn turn_is_over(&self) -> bool {
        self.turn.get() == 0
    }

    /// Whether something happened that may bring a deadline nearer than the timer is set for; asks only once.
    pub fn take_look(&self) -> bool {
        self.look.replace(false)
    }

    /// Returns what is due at `now`.
    pub fn next(&self, now: Duration, limits: Limits) -> Next {
        if let Some(since) = read(&self.lingers_since) {
            return due(now, since + LINGER, Next::Drop);
        }
        if let Some(since) = read(&self.blocked_since) {
            return due(now, since + limits.idle, Next::Drop);
        }
        let head_since = read(&self.head_since);
        if self.in_flight.get() > 0 {
            return self.next_of_busy(now, limits);
        }
        let idle_since = read(&self.idle_since).unwrap_or_default();
        match head_since {
            // Bytes of the next request may have come while this one was being answered; its time begins after that.
            Some(since) if self.has_served() => due(now, since.max(idle_since) + limits.header, Next::RefuseHead),
            Some(_) => due(now, limits.header, Next::RefuseHead),
            None if self.has_served() => due(now, idle_since + limits.idle, Next::Finish),
            None => due(now, limits.header, Next::Drop),
        }
    }

    fn next_of_busy(&self, now: Duration, limits: Limits) -> Next {
        // On HTTP/2 another head may come while requests are under way.
        let head_due = read(&self.head_since).map(|since| since + limits.header);
        if head_due.is_some_and(|due| due <= now) {
            return Next::RefuseHead;
        }
        let tend_at = read(&self.tended_at).unwrap_or_default() + limits.idle / 2;
        if tend_at <= now {
            self.tended_at.set(millis(now));
            return Next::Tend;
        }
        Next::Wait(head_due.unwrap_or(tend_at).min(tend_at))
    }

    fn has_served(&self) -> bool {
        self.requests.get() > 0
    }

    fn begin(&self, since: &Cell<u64>) {
        if since.get() == 0 {
            since.set(millis(self.now()));
            self.look.set(true);
        }
    }
}

/// One request on its way: from the call of the handler until its answer has gone, or nobody waits for it.
#[derive(Debug)]
pub struct Flight(Rc<Pulse>);

impl Drop for Flight {
    fn drop(&mut self) {
        let left = self.0.in_flight.get() - 1;
        self.0.in_flight.set(left);
        if left == 0 {
            self.0.idle_since.set(millis(self.0.now()));
        }
    }
}

fn due(now: Duration, deadline: Duration, then: Next) -> Next {
    if deadline <= now { then } else { Next::Wait(deadline) }
}

fn end(since: &Cell<u64>) {
    if since.get() != 0 {
        since.set(0);
    }
}

fn read(since: &Cell<u64>) -> Option<Duration> {
    let millis = since.get();
    (millis != 0).then(|| Duration::from_millis(millis))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { header: Duration::from_secs(10), idle: Duration::from_secs(75) };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_connection_that_never_asks_is_let_go_after_the_header_timeout() {
        let pulse = Pulse::start(None);
        assert_eq!(pulse.next(secs(9), LIMITS), Next::Wait(secs(10)));
        assert_eq!(pulse.next(secs(10), LIMITS), Next::Drop);
    }

    #[test]
    fn a_head_that_has_begun_is_refused_after_the_header_timeout() {
        let pulse = Pulse::start(None);
        pulse.head_is_partial();
        assert_eq!(pulse.next(secs(11), LIMITS), Next::RefuseHead);
        pulse.head_is_complete();
        assert_eq!(pulse.next(secs(11), LIMITS), Next::Drop);
    }

    #[test]
    fn a_request_in_flight_outlives_every_deadline_but_those_of_a_blocked_write_and_of_another_head() {
        let pulse = Rc::new(Pulse::start(None));
        let flight = pulse.begin_request();
        assert_eq!(pulse.next(secs(1000), LIMITS), Next::Tend);
        assert_eq!(pulse.next(secs(1000), LIMITS), Next::Wait(secs(1000) + LIMITS.idle / 2));
        pulse.head_is_partial();
        assert_eq!(pulse.next(secs(1001), LIMITS), Next::RefuseHead, "another one that does not end");
        pulse.head_is_complete();
        pulse.write_is_blocked();
        assert_eq!(pulse.next(secs(1000), LIMITS), Next::Drop);
        drop(flight);
    }

    #[test]
    fn an_answered_connection_may_idle_for_the_idle_timeout() {
        let pulse = Rc::new(Pulse::start(None));
        drop(pulse.begin_request());
        assert!(matches!(pulse.next(secs(74), LIMITS), Next::Wait(_)));
        assert_eq!(pulse.next(secs(76), LIMITS), Next::Finish);
    }
}
