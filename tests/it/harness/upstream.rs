//! An app behind the gateway: it remembers what reached it, byte by byte if need be, and answers as the path says.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, oneshot, watch};

use super::{eventually, upstream_answers};

/// A request as the app received it; this is also what `/` and other plain paths answer, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    pub method: String,
    /// The request line's target, untouched.
    pub target: String,
    /// In order, names in lower case, repeated ones kept.
    pub headers: Vec<(String, String)>,
    pub body_length: u64,
    pub body_sha256: String,
    pub trailers: Vec<(String, String)>,
}

impl Seen {
    /// Returns the only value of a header; fails if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} came {} times: {values:?}", values.len());
        values.first().copied()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// What the app knows and what tests tell it to do; shared by all its connections.
pub struct State {
    pub requests: Mutex<Vec<Seen>>,
    /// Requests whose head has come; those that never end are here only.
    pub begun: AtomicUsize,
    pub connections: AtomicUsize,
    pub open: AtomicUsize,
    pub bytes: Mutex<Vec<u8>>,
    /// Bytes of bodies read so far, of unfinished ones too.
    pub body_bytes: AtomicUsize,
    pub events: broadcast::Sender<String>,
    pub released: watch::Sender<bool>,
}

/// The running app; it stops when dropped.
pub struct Upstream {
    pub state: Arc<State>,
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Upstream {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    pub async fn start_at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            requests: Mutex::default(),
            begun: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            bytes: Mutex::default(),
            body_bytes: AtomicUsize::new(0),
            events: broadcast::Sender::new(1024),
            released: watch::Sender::new(false),
        });
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        // A thread of its own, so that a test that blocks does not stop the app.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { state, address, _stop: stop }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns every request whose body has come, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Returns the only request that came; fails if there was none or there were more.
    pub fn only_request(&self) -> Seen {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:#?}");
        requests[0].clone()
    }

    pub fn last_request(&self) -> Seen {
        self.requests().pop().expect("a request reached the app")
    }

    /// Returns how many requests have begun to come, whatever became of them.
    pub fn count(&self) -> usize {
        self.state.begun.load(Ordering::SeqCst)
    }

    /// Returns how many connections were ever made.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub fn open_connections(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// Returns all bytes that came, of all connections as they came.
    pub fn bytes(&self) -> Vec<u8> {
        self.state.bytes.lock().unwrap().clone()
    }

    pub fn body_bytes(&self) -> usize {
        self.state.body_bytes.load(Ordering::SeqCst)
    }

    /// Sends an event to every open `/sse`.
    pub fn send_event(&self, text: &str) {
        self.state.events.send(text.to_owned()).expect("somebody listens to events");
    }

    /// Returns how many `/sse` answers are open.
    pub fn listeners(&self) -> usize {
        self.state.events.receiver_count()
    }

    /// Lets `/slow` answer and `/stall` read, from now on.
    pub fn release(&self) {
        self.state.released.send_replace(true);
    }

    pub async fn wait_for_requests(&self, count: usize) {
        eventually(&format!("{count} requests at the app"), || self.count() >= count).await;
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.connections.fetch_add(1, Ordering::SeqCst);
        state.open.fetch_add(1, Ordering::SeqCst);
        let open = Open(Arc::clone(&state));
        let recorded = Recorded { stream, open };
        let shared = Arc::clone(&state);
        let service = service_fn(move |request| upstream_answers::answer(Arc::clone(&shared), request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(recorded), service).with_upgrades();
        tokio::spawn(async { drop(connection.await) });
    }
}

/// Counts a connection as open while it lives.
struct Open(Arc<State>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A stream that keeps a copy of what is read from it: the first mebibyte, which is heads and small bodies.
struct Recorded {
    stream: TcpStream,
    open: Open,
}

impl AsyncRead for Recorded {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        let mut bytes = this.open.0.bytes.lock().unwrap();
        if bytes.len() < 1024 * 1024 {
            bytes.extend_from_slice(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
