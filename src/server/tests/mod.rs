//! The server over real sockets, with a handler that echoes. Clients write raw bytes, so that what they send is exact.

mod deadlines;
mod drain;
mod framing;
mod ops;
pub mod protocols;
mod shortage;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Collected};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::{ConnectionInfo, Handler, Server, Settings, Unreadable};
use crate::http::body::{Body, ClientBody};
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;

/// Longer than anything here takes; a test that gets this far has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
struct Signals {
    /// A request to `/wait` has reached the handler.
    entered: Arc<Notify>,
    /// Lets a request to `/wait` go on.
    release: Arc<Notify>,
}

struct Echo {
    signals: Signals,
    /// The body of a request that is over.
    kept: RefCell<Option<ClientBody>>,
}

type Answer = ClientResponse<Body<Cut>>;

/// A body that breaks off after three bytes, by an error or by a panic.
struct Cut {
    is_begun: bool,
    panics: bool,
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        assert!(!self.is_begun || !self.panics, "as asked");
        if std::mem::replace(&mut self.is_begun, true) {
            return Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())));
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"abc")))))
    }
}

impl Handler for Echo {
    type Stream = Cut;

    async fn handle(self: Rc<Self>, connection: Rc<ConnectionInfo>, request: Box<ClientRequest<ClientBody>>) -> Answer {
        match request.uri.path() {
            "/panic" => panic!("as asked"),
            "/ignore" => text("ignored"),
            "/about" => text(format!("tls={} sni={:?} {:?}", connection.is_tls, connection.sni, request.version)),
            "/large" => text(vec![b'x'; 32 * 1024 * 1024]),
            "/wait" => {
                self.signals.entered.notify_one();
                self.signals.release.notified().await;
                text("waited")
            }
            "/decline" => {
                self.signals.entered.notify_one();
                self.signals.release.notified().await;
                text("declined")
            }
            path @ ("/cut" | "/cut-by-panic") => {
                let panics = path != "/cut";
                ClientResponse::new(StatusCode::OK, Body::Stream(Cut { is_begun: false, panics }))
            }
            "/upgrade" => upgrade(*request),
            "/keep" => {
                *self.kept.borrow_mut() = Some(request.body);
                text("kept")
            }
            "/kept" => {
                let kept = self.kept.take().expect("something was kept").collect().await;
                let own = request.body.collect().await;
                let text_of = |body: Result<Collected<Bytes>, _>| body.map_or("broken".into(), Collected::to_bytes);
                text([&text_of(kept)[..], b"|", &text_of(own)[..]].concat())
            }
            _ => {
                let path = request.uri.path().to_owned();
                match request.body.collect().await {
                    Ok(body) => text([path.as_bytes(), b":", &body.to_bytes()].concat()),
                    Err(_) => status(StatusCode::BAD_REQUEST),
                }
            }
        }
    }

    fn refuse(&self, _connection: &ConnectionInfo, reason: &Unreadable) -> Answer {
        reason.problem().into_response().map(Body::from).into()
    }
}

/// Speaks the other protocol: sends back what comes.
fn upgrade(mut request: ClientRequest<ClientBody>) -> Answer {
    let offered = request.body.take_upgrade();
    tokio::task::spawn_local(async move {
        let Some(offered) = offered else { return };
        let Ok(upgraded) = offered.await else { return };
        let (mut reader, mut writer) = tokio::io::split(upgraded);
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let mut answer = status(StatusCode::SWITCHING_PROTOCOLS);
    answer.fields.append(CONNECTION, HeaderValue::from_static("upgrade"));
    answer.fields.append(UPGRADE, HeaderValue::from_static("echo"));
    answer
}

fn text(text: impl Into<Bytes>) -> Answer {
    ClientResponse::new(StatusCode::OK, Body::from(text.into()))
}

fn status(status: StatusCode) -> Answer {
    ClientResponse::new(status, Body::empty())
}

fn settings() -> Settings {
    Settings {
        name: "test",
        listeners: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        workers: 1,
        tls: None,
        header_size: 16 * 1024,
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(10),
        connections: 100,
        h2_stream_window: 64 * 1024,
        h2_connection_window: 128 * 1024,
    }
}

fn start(settings: Settings) -> (Server, Signals) {
    let signals = Signals::default();
    let handlers = signals.clone();
    let server = Server::start(settings, move || Echo { signals: handlers.clone(), kept: RefCell::default() })
        .expect("a port is free");
    (server, signals)
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.local_addrs()[0]).await.expect("the server listens")
}

/// Waits for `future`, which must not take long.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("this should not take so long")
}

/// Waits until `is_so`.
async fn until(is_so: impl Fn() -> bool) {
    soon(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Returns all that comes until the server closes.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    soon(stream.read_to_end(&mut all)).await.expect("closed without a reset");
    String::from_utf8(all).expect("answers are text")
}

/// Returns what comes until it contains `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).contains(end) {
        let read = soon(stream.read_buf(&mut all)).await.expect("the connection holds");
        assert!(read > 0, "closed before {end:?}: {}", String::from_utf8_lossy(&all));
    }
    String::from_utf8(all).expect("answers are text")
}

/// Returns everything the server says to `bytes` until it closes.
async fn talk(server: &Server, bytes: &[u8]) -> String {
    let mut stream = connect(server).await;
    stream.write_all(bytes).await.expect("the server reads");
    read_to_end(&mut stream).await
}

/// Returns the status codes in the order they came.
fn statuses(answers: &str) -> Vec<&str> {
    let starts = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]);
    // An answer's text may speak of HTTP/1.1 as well.
    starts.filter(|code| code.parse::<u16>().is_ok()).collect()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a.test\r\n\r\n")
}

fn last_get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n")
}
