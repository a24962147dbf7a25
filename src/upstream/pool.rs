//! One worker's open connections to servers, kept between requests. Thread-local: no lock, no sharing.
//! A connection comes back only after a whole response to a wholly sent request; anything else closes it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use rustls::ClientConfig;

use super::Address;
use super::conversation::is_quiet;
use super::deadlines::Deadlines;
use crate::clock::Clock;
use crate::http::stream::Stream;

/// Servers commonly close idle connections after 5 s (Node) to 75 s (nginx); whoever closes first is not in doubt about it.
const IDLE_MAX: Duration = Duration::from_secs(55);
/// Beyond this many idle connections to one server from one worker, the next one is closed instead of kept.
const IDLE_COUNT: usize = 512;

/// One worker's connections to every server.
pub struct Pools {
    by_address: RefCell<HashMap<Address, Rc<Pool>, RandomState>>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) deadlines: Rc<Deadlines>,
}

/// One worker's idle connections to one server, the most recently used last.
#[derive(Default)]
pub(super) struct Pool {
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    stream: Stream,
    since: Instant,
}

impl Pools {
    /// Returns empty pools whose `https` connections are made with `tls`; must be called on a worker, where it reaps idle ones.
    pub fn new(tls: Arc<ClientConfig>) -> Rc<Self> {
        let pools = Rc::new(Self { by_address: RefCell::default(), tls, deadlines: Deadlines::new() });
        tokio::task::spawn_local(reap(Rc::downgrade(&pools)));
        pools
    }

    pub(super) fn of(&self, address: &Address) -> Rc<Pool> {
        if let Some(pool) = self.by_address.borrow().get(address) {
            return Rc::clone(pool);
        }
        Rc::clone(self.by_address.borrow_mut().entry(address.clone()).or_default())
    }
}

impl Pool {
    /// Returns the idle connection used last that is still open.
    pub(super) fn take(&self) -> Option<Stream> {
        let mut idle = self.idle.borrow_mut();
        std::iter::from_fn(|| idle.pop()).find_map(|mut idle| is_quiet(&mut idle.stream).then_some(idle.stream))
    }

    /// Puts a connection back, unless there are enough.
    pub(super) fn put(&self, stream: Stream) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_COUNT {
            idle.push(Idle { stream, since: Clock::monotonic() });
        }
    }
}

/// Closes connections that have been idle for long or that their server has closed, and forgets servers without any.
async fn reap(pools: Weak<Pools>) {
    let mut tick = tokio::time::interval(IDLE_MAX / 4);
    loop {
        tick.tick().await;
        let Some(pools) = pools.upgrade() else { return };
        let now = Clock::monotonic();
        pools.by_address.borrow_mut().retain(|_, pool| {
            pool.idle.borrow_mut().retain_mut(|idle| now - idle.since < IDLE_MAX && is_quiet(&mut idle.stream));
            Rc::strong_count(pool) > 1 || Rc::weak_count(pool) > 0 || !pool.idle.borrow().is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn however_many_connections_a_server_has_closed_none_of_them_is_taken_for_an_open_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pool = Pool::default();
        // More than the runtime lets a task do in one turn.
        for _ in 0..300 {
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            drop(listener.accept().await.unwrap());
            stream.readable().await.unwrap();
            pool.put(Stream::Tcp(stream));
        }
        assert!(pool.take().is_none());
    }
}
