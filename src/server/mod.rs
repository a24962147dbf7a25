//! From listening sockets to requests: accepting, TLS, HTTP/1.1, HTTP/2, deadlines, draining. It knows no route and no user: what a request gets is the [`Handler`]'s to say.
//! Called by `app`, which makes the handlers; the ops and redirect listeners run on the same machinery.

mod acceptor;
mod answer;
mod connection;
mod cross_origin;
pub mod dispatch;
mod drive;
pub mod http1;
pub mod http2;
mod lease;
mod listen;
pub mod ops;
pub mod pulse;
pub mod redirect;
mod service;
pub mod visit;
mod worker;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::Semaphore;

use acceptor::{Crew, Seat};
pub use lease::Counters;
pub use listen::BindError;
use worker::{Message, Post};

use crate::http::body::{Body, ClientBody};
use crate::http::problem::Problem;
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;
use crate::http::wire::Violation;
use crate::live::Live;

/// Answers requests. Each worker has one of its own, made on its thread, so it needs no lock.
pub trait Handler: 'static {
    /// A body that isn't ours: an upstream's.
    type Stream: http_body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + 'static;

    /// Returns the answer to one request, on either protocol; boxed, because it goes through many hands. A panic while it is polled answers 500 and
    /// is logged; a client that goes away drops it.
    fn handle(
        self: Rc<Self>,
        connection: Rc<ConnectionInfo>,
        request: Box<ClientRequest<ClientBody>>,
    ) -> impl Future<Output = ClientResponse<Body<Self::Stream>>>;

    /// Returns the answer to what could not be read as a request; the connection, or the HTTP/2 stream, ends with it. See
    /// [`Unreadable::problem`].
    fn refuse(&self, connection: &ConnectionInfo, reason: &Unreadable) -> ClientResponse<Body<Self::Stream>>;
}

/// The connection a request came on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The other end; an IPv4 address is never written as IPv6.
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub is_tls: bool,
    /// The host name that the TLS client asked for.
    pub sni: Option<String>,
}

/// Why what came is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("{0}")]
    Malformed(Violation),
    /// On HTTP/2, where only the stream ends.
    #[error("{0}")]
    MalformedStream(Violation),
    #[error("the head did not come in time")]
    HeadTooSlow,
}

impl Unreadable {
    /// Returns the answer's document: the violation's status and code, or 408.
    pub fn problem(&self) -> Problem {
        let (status, code) = match self {
            Self::Malformed(violation) | Self::MalformedStream(violation) => (violation.status(), violation.code()),
            Self::HeadTooSlow => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
        };
        Problem::new(status, code, self.to_string())
    }
}

/// How a server listens and what it bears.
pub struct Settings {
    /// What its threads are called: `worker` makes `worker-0` and so on.
    pub name: &'static str,
    pub listeners: Vec<SocketAddr>,
    /// At least one thread is started.
    pub workers: usize,
    /// None: cleartext. Read anew for each connection.
    pub tls: Option<Live<rustls::ServerConfig>>,
    /// The longest request head, in bytes.
    pub header_size: usize,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    /// How many connections may be open at once; more wait in the kernel's queue.
    pub connections: usize,
    /// Bytes a client may send ahead on one HTTP/2 stream, and on all of a connection.
    pub h2_stream_window: u32,
    pub h2_connection_window: u32,
}

/// A server could not be started: exit code 71.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("can't start the serving threads: {0}")]
    Threads(#[from] io::Error),
}

/// A running server. Dropping it drops its connections; [`Server::drain`] lets them end first.
pub struct Server {
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
    crew: Arc<Crew>,
    connections: u32,
}

impl Server {
    /// Returns a server that accepts already; `make_handler` is called once on each worker's thread.
    pub fn start<H: Handler>(
        settings: Settings,
        make_handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let count = settings.workers.max(1);
        let listeners = listen::bind_all(&settings.listeners, count)?;
        let addresses = listeners[0].iter().map(std::net::TcpListener::local_addr).collect::<io::Result<_>>()?;
        let connections = u32::try_from(settings.connections).unwrap_or(u32::MAX).max(1);
        let (seats, inboxes): (Vec<Seat>, Vec<_>) = (0..count).map(|_| Seat::new()).unzip();
        let crew = Arc::new(Crew {
            seats,
            places: Arc::new(Semaphore::new(connections as usize)),
            counters: Arc::new(Counters::default()),
        });
        let (settings, make_handler) = (Arc::new(settings), Arc::new(make_handler));
        // Dropping it stops the workers that run already, if another can't be started.
        let mut server = Self { addresses, threads: Vec::with_capacity(count), crew, connections };
        for (number, (messages, listeners)) in inboxes.into_iter().zip(listeners).enumerate() {
            let post = Post { number, messages, listeners, crew: Arc::clone(&server.crew) };
            let make_handler = Arc::clone(&make_handler);
            server.threads.push(worker::start(post, &settings, move || make_handler())?);
        }
        Ok(server)
    }

    /// Returns the addresses it listens on, in the order of the settings, with the ports that were given for port 0.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub fn counters(&self) -> &Arc<Counters> {
        &self.crew.counters
    }

    /// Returns how many connections had to be cut off. Accepts no more, lets requests in flight end, closes idle connections at
    /// once, and after `limit` drops what is left, upgraded connections included. Dropping the future drops everything at once.
    pub async fn drain(mut self, limit: Duration) -> usize {
        self.tell(|| Message::Drain);
        let all_ended = tokio::time::timeout(limit, self.crew.places.acquire_many(self.connections)).await;
        let cut_off = if all_ended.is_ok() { 0 } else { self.crew.counters.open() };
        drop(all_ended);
        self.tell(|| Message::Stop);
        let threads = std::mem::take(&mut self.threads);
        let join_all = || threads.into_iter().filter_map(|thread| thread.join().err()).count();
        if tokio::task::spawn_blocking(join_all).await.unwrap_or_default() > 0 {
            tracing::error!("a worker ended by a panic");
        }
        cut_off
    }

    fn tell(&self, message: impl Fn() -> Message) {
        for seat in &self.crew.seats {
            // A worker that has ended needs no telling.
            let _ = seat.inbox.send(message());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tell(|| Message::Stop);
    }
}

/// The settings of a listener beside the main one: one thread, cleartext, and little of everything.
fn side_settings(address: SocketAddr) -> Settings {
    Settings {
        name: "side",
        listeners: vec![address],
        workers: 1,
        tls: None,
        header_size: 16 * 1024,
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(30),
        connections: 1000,
        h2_stream_window: 64 * 1024,
        h2_connection_window: 64 * 1024,
    }
}
