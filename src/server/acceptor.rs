//! The one task that accepts, over all listeners: the cap on connections, the wait when descriptors run out, and the choice
//! of the worker have one place here. It never gives up and never looks at a byte.
//! Over the cap nothing is accepted: a client waits in the kernel's queue until another one leaves, and is then served.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::Accepted;
use super::lease::{Counters, Lease};
use super::worker::Message;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A worker as the acceptor sees it.
pub struct Seat {
    pub inbox: UnboundedSender<Message>,
    pub load: Arc<AtomicUsize>,
}

/// Accepts for ever; ends when its task is aborted.
pub struct Acceptor {
    listeners: Vec<TcpListener>,
    seats: Vec<Seat>,
    places: Arc<Semaphore>,
    counters: Arc<Counters>,
    /// Where the next look at the listeners begins, so that a busy one can't starve the others.
    next_listener: usize,
    next_seat: usize,
}

impl Acceptor {
    /// Returns an acceptor; must be called on the runtime that will run it.
    pub fn new(
        listeners: Vec<std::net::TcpListener>,
        seats: Vec<Seat>,
        places: Arc<Semaphore>,
        counters: Arc<Counters>,
    ) -> io::Result<Self> {
        let listeners = listeners.into_iter().map(TcpListener::from_std).collect::<io::Result<_>>()?;
        Ok(Self { listeners, seats, places, counters, next_listener: 0, next_seat: 0 })
    }

    pub async fn run(mut self) {
        let mut shortage = Shortage::default();
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            let accepted = std::future::poll_fn(|context| self.poll_accept(context)).await;
            match accepted {
                Ok((stream, peer)) => {
                    shortage.is_over();
                    self.seat(stream, peer, place);
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    self.counters.failed_accepts.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(shortage.pause(&error)).await;
                }
            }
        }
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        for turn in 0..self.listeners.len() {
            let at = (self.next_listener + turn) % self.listeners.len();
            if let Poll::Ready(accepted) = self.listeners[at].poll_accept(context) {
                self.next_listener = at + 1;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// Gives a connection to the worker that has the fewest; among equals in turn.
    fn seat(&mut self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let count = self.seats.len();
        let in_turn = (0..count).map(|turn| &self.seats[(self.next_seat + turn) % count]);
        let Some(seat) = in_turn.min_by_key(|seat| seat.load.load(Ordering::Relaxed)) else { return };
        self.next_seat = (self.next_seat + 1) % count;
        // Small answers must not wait for the client's delayed acknowledgement; a socket that refuses this works still.
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        // Out of this runtime's reactor: the worker registers it with its own.
        let Ok(stream) = stream.into_std() else { return };
        let lease = Lease::take(place, &seat.load, &self.counters);
        let accepted = Accepted { stream, peer: unmapped(peer), local: unmapped(local), lease };
        if seat.inbox.send(Message::Serve(accepted)).is_err() {
            tracing::error!("a worker has ended; its connection is dropped");
        }
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
