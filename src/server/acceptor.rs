//! Accepts connections, on each worker for itself: the cap on connections, the wait when descriptors run out, and the choice of
//! the worker have one place here. It never gives up and never looks at a byte.
//! Over the cap nothing is served: each worker takes one more client, who waits there until another leaves, and the rest wait in
//! the kernel's queues.
//!
//! The kernel spreads connections over the workers' sockets by hash, evenly only when they are many, and a connection stays
//! where it is for life. So a worker that has clearly more than another hands on what it accepts. Measured on 2 cores, 1 KiB
//! answers in cleartext, CPU µs per request and p99 ms, medians of interleaved rounds of one program that could do each of them. The
//! machine was busy: differences of less than a third say nothing, so the gain that counts is in new connections.
//!
//! | | new connection each | 4 connections | 64 |
//! |---|--:|--:|--:|
//! | HAProxy | 80.9, 10.7 | 44.4, 1.5 | 28.6, 5.8 |
//! | one acceptor on a thread of its own, to the least busy worker | 121.6, 13.1 | 66.8, 1.7 | 37.9, 8.7 |
//! | one socket that all workers accept from, handing on | 94.2, 11.2 | 66.8, 1.9 | 41.0, 8.0 |
//! | a socket for each worker, handing on (this) | 86.9, 11.5 | 65.4, 1.5 | 37.8, 6.9 |
//!
//! A bare pass-through on hyper, where the runtime can be changed; 100 streams are on one HTTP/2 connection:
//!
//! | | new connection each | 4 connections | 64 | 100 streams |
//! |---|--:|--:|--:|--:|
//! | one acceptor on a thread of its own | 133.6, 15.5 | 43.0, 1.5 | 28.8, 6.0 | 24.5, 8.1 |
//! | a socket for each worker | 122.9, 19.6 | 36.6, 1.5 | 29.0, 7.2 | 23.8, 7.6 |
//! | a socket for each worker, handing on | 121.6, 17.0 | 45.1, 1.3 | 27.6, 6.6 | 26.7, 8.0 |
//! | one runtime of two threads | 130.8, 15.7 | 54.1, 1.8 | 26.9, 5.6 | 30.8, 8.6 |
//!
//! A shared runtime would let a second core help with many streams of one connection; it costs a quarter more for each, and did
//! not make the slowest of them faster.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::connection::Accepted;
use super::lease::{Counters, Lease};
use super::worker::Message;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A connection stays where it was accepted unless that worker has more than an eighth more of them than another: handing
/// one over wakes a thread.
const SLACK: usize = 8;

/// A worker as the acceptors see it.
pub struct Seat {
    pub inbox: UnboundedSender<Message>,
    pub load: Arc<AtomicUsize>,
}

impl Seat {
    /// Returns the seat of a worker, and the inbox that the worker reads.
    pub fn new() -> (Self, UnboundedReceiver<Message>) {
        let (inbox, messages) = unbounded_channel();
        (Self { inbox, load: Arc::default() }, messages)
    }
}

/// What the acceptors of one server share.
pub struct Crew {
    pub seats: Vec<Seat>,
    /// One for each connection that may be open.
    pub places: Arc<Semaphore>,
    pub counters: Arc<Counters>,
}

/// Accepts for ever; ends when its task is aborted.
pub struct Acceptor {
    listeners: Vec<Listening>,
    crew: Arc<Crew>,
    /// The seat of the worker that it runs on.
    own: usize,
    /// Where the next look at the listeners begins, so that a busy one can't starve the others.
    next_listener: usize,
}

impl Acceptor {
    /// Returns the acceptor of worker `own`; must be called inside the runtime that will run it.
    pub fn new(listeners: Vec<std::net::TcpListener>, crew: Arc<Crew>, own: usize) -> io::Result<Self> {
        let listeners = listeners.into_iter().map(Listening::new).collect::<io::Result<_>>()?;
        Ok(Self { listeners, crew, own, next_listener: 0 })
    }

    /// Calls `serve` with each connection that stays on this worker.
    pub async fn run(mut self, serve: impl Fn(Accepted)) {
        let mut shortage = Shortage::default();
        loop {
            match std::future::poll_fn(|context| self.poll_accept(context)).await {
                Ok((stream, peer, local)) => {
                    shortage.is_over();
                    let Ok(place) = Arc::clone(&self.crew.places).acquire_owned().await else { return };
                    let seat = self.choose();
                    let lease = Lease::take(place, &self.crew.seats[seat].load, &self.crew.counters);
                    let accepted = Accepted { stream, peer: unmapped(peer), local: unmapped(local), lease };
                    let here = if seat == self.own { Some(accepted) } else { self.hand_over(seat, accepted) };
                    here.map(&serve);
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    self.crew.counters.failed_accepts.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(shortage.pause(&error)).await;
                }
            }
        }
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr, SocketAddr)>> {
        for turn in 0..self.listeners.len() {
            let at = (self.next_listener + turn) % self.listeners.len();
            let listening = &self.listeners[at];
            if let Poll::Ready(accepted) = listening.socket.poll_accept(context) {
                self.next_listener = at + 1;
                let (stream, peer) = accepted?;
                let local = listening.local.map_or_else(|| stream.local_addr(), Ok)?;
                return Poll::Ready(Ok((stream, peer, local)));
            }
        }
        Poll::Pending
    }

    /// Gives a connection to another worker, whose reactor will know it instead of this one's; returns it if that worker has ended.
    fn hand_over(&self, seat: usize, accepted: Accepted) -> Option<Accepted> {
        let handed = accepted.try_map_stream(TcpStream::into_std).ok()?;
        let seat = &self.crew.seats[seat];
        let Err(SendError(Message::Serve(back))) = seat.inbox.send(Message::Serve(handed)) else { return None };
        tracing::error!("a worker has ended; the others serve its clients");
        // Who has none would be given every one.
        seat.load.store(usize::MAX / 2, Ordering::Relaxed);
        back.try_map_stream(TcpStream::from_std).ok()
    }

    /// Returns this worker's seat, unless another has clearly fewer connections.
    fn choose(&self) -> usize {
        let load = |seat: usize| self.crew.seats[seat].load.load(Ordering::Relaxed);
        let idlest = (0..self.crew.seats.len()).min_by_key(|seat| load(*seat)).unwrap_or(self.own);
        let least = load(idlest);
        if load(self.own) <= least + least / SLACK { self.own } else { idlest }
    }
}

/// A listening socket on one worker.
struct Listening {
    socket: TcpListener,
    /// Where every connection of it arrives; none where it takes whatever address the machine has.
    local: Option<SocketAddr>,
}

impl Listening {
    fn new(socket: std::net::TcpListener) -> io::Result<Self> {
        let local = Some(socket.local_addr()?).filter(|local| !local.ip().is_unspecified());
        Ok(Self { socket: TcpListener::from_std(socket)?, local })
    }
}

/// An IPv4 client on an IPv6 listener is an IPv4 client: limits and trusted networks are written that way.
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether accepting the next connection may succeed at once: accept(2) also reports errors of the connection it took.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
    ) || error.raw_os_error() == Some(libc::EPROTO)
}

/// A time in which nothing can be accepted, usually because descriptors or memory ran out; logged once, however long.
#[derive(Default)]
struct Shortage {
    pause: Option<Duration>,
}

impl Shortage {
    /// Returns how long to wait: 50 ms at first, then twice as long each time, up to a second.
    fn pause(&mut self, error: &io::Error) -> Duration {
        let pause = match self.pause {
            None => {
                tracing::error!(%error, "can't accept connections; trying again until it works");
                FIRST_PAUSE
            }
            Some(last) => (last * 2).min(LONGEST_PAUSE),
        };
        self.pause = Some(pause);
        pause
    }

    fn is_over(&mut self) {
        if self.pause.take().is_some() {
            tracing::warn!("connections are accepted again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_descriptors_waits_longer_each_time_but_never_more_than_a_second() {
        let error = io::Error::from_raw_os_error(libc::EMFILE);
        let mut shortage = Shortage::default();
        let pauses: Vec<u128> = (0..7).map(|_| shortage.pause(&error).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
        shortage.is_over();
        assert_eq!(shortage.pause(&error), FIRST_PAUSE);
    }

    #[test]
    fn only_errors_of_a_single_connection_are_passed_over_at_once() {
        for shortage in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EINVAL] {
            assert!(!concerns_one_connection(&io::Error::from_raw_os_error(shortage)), "{shortage}");
        }
        for passing in [libc::ECONNABORTED, libc::EPROTO, libc::EINTR, libc::EPERM] {
            assert!(concerns_one_connection(&io::Error::from_raw_os_error(passing)), "{passing}");
        }
    }
}
