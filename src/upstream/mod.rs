//! The apps behind: which server of an upstream takes a request, connections to it, and the way there and back.
//! Everything is streamed. A request gets here only with a [`Permit`](crate::policy::Permit); this room decides nothing about callers.

mod balance;
mod body;
mod connect;
mod conversation;
mod deadlines;
mod head;
mod pool;
mod request;
mod send;
mod tunnel;
mod upgraded;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use balance::Balance;
pub use body::{BodyError, BytesIn, RequestBody, ResponseBody};
pub use pool::Pools;
pub use send::{Exchange, forward};
pub use tunnel::{Tunnel, tunnel};
pub use upgraded::Upgraded;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    pub scheme: Scheme,
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
}

/// How long an upstream may take, and how often a request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub connect: Duration,
    /// From the last byte of the request to the response head.
    pub response: Duration,
    /// Between two pieces of a body or of an upgraded connection.
    pub idle: Duration,
    /// How many more times, for what provably never reached a server, or is idempotent and has no body.
    pub retries: u32,
}

/// An app behind the gateway; shared by all workers.
#[derive(Debug)]
pub struct Upstream {
    pub name: String,
    pub patience: Patience,
    balance: Balance,
    servers: Vec<Arc<Server>>,
    turn: AtomicUsize,
}

/// One server of an upstream.
#[derive(Debug)]
struct Server {
    address: Address,
    in_flight: AtomicUsize,
}

impl Upstream {
    /// Returns the upstream; `addresses` has at least one.
    pub fn new(name: String, addresses: Vec<Address>, balance: Balance, patience: Patience) -> Self {
        let server = |address| Arc::new(Server { address, in_flight: AtomicUsize::new(0) });
        Self {
            name,
            patience,
            balance,
            servers: addresses.into_iter().map(server).collect(),
            turn: AtomicUsize::new(0),
        }
    }

    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.servers.iter().map(|server| &server.address)
    }
}

/// One request under way to a server; counted for as long as this lives.
#[derive(Debug)]
struct InFlight(Arc<Server>);

impl InFlight {
    fn begin(server: &Arc<Server>) -> Self {
        server.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(server))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why there is no response from an upstream.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("{address} can't be reached: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("no response from {address} within {waited:?}")]
    Late { address: String, waited: Duration },
    #[error("{address} broke off or sent no valid response: {reason}")]
    Broken { address: String, reason: String },
    /// The client's own body ended early, broke the framing, or came too slowly: the upstream is not to blame.
    #[error("the request's body {0}")]
    ClientBody(BodyError),
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(out, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}
