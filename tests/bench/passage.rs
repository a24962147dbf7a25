//! A gateway between a client and an app, all but the app on one thread: whole requests for `hot_path`.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use http::HeaderValue;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use vestibule::auth::Authenticator;
use vestibule::gateway::forwarded::Origins;
use vestibule::gateway::rules::Rules;
use vestibule::gateway::streams::Streams;
use vestibule::gateway::{Gateway, Ingress, Trace};
use vestibule::http::body::{Body, ClientBody};
use vestibule::http::client::ClientAddr;
use vestibule::http::request::ClientRequest;
use vestibule::http::response::ClientResponse;
use vestibule::http::stream::Stream;
use vestibule::http::target::Target;
use vestibule::server::http2::Bounds;
use vestibule::server::pulse::Pulse;
use vestibule::server::{ConnectionInfo, Handler, Unreadable, http1, http2};
use vestibule::upstream::{Pools, ResponseBody};

use super::NOW;

const APP_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";

#[derive(Clone, Copy)]
pub enum Protocol {
    Http1,
    Http2,
}

/// A gateway between a client and an app on a thread of its own, which isn't counted.
struct Passage {
    runtime: Runtime,
    tasks: LocalSet,
    client: TcpStream,
    answer: Vec<u8>,
}

/// Returns what has one request go from a client to the app and its answer back.
pub fn send_one(
    protocol: Protocol,
    (authenticator, rules): (Authenticator, Rules),
    mut request: impl FnMut(u32) -> Vec<u8> + 'static,
) -> impl FnMut() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tasks = LocalSet::new();
    let inside = runtime.enter();
    let (client, server) = pair();
    drop(inside);
    tasks.spawn_local(serve(server, protocol, authenticator, rules));
    let mut passage = Passage { runtime, tasks, client, answer: Vec::with_capacity(1024) };
    let mut number = 0;
    move || {
        passage.send(&request(number));
        number += 1;
    }
}

/// Returns both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let client = std::net::TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
    let (server, _) = listener.accept().expect("a client");
    let [client, server] = [client, server].map(|stream| {
        stream.set_nonblocking(true).expect("a socket");
        TcpStream::from_std(stream).expect("a runtime")
    });
    (client, server)
}

impl Passage {
    fn send(&mut self, request: &[u8]) {
        let Self { runtime, tasks, client, answer } = self;
        answer.clear();
        tasks.block_on(runtime, async {
            client.write_all(request).await.expect("the gateway reads");
            while !answer.ends_with(b"hello") {
                assert!(client.read_buf(answer).await.expect("the gateway answers") > 0, "it closed the connection");
            }
        });
    }
}

async fn serve(stream: TcpStream, protocol: Protocol, authenticator: Authenticator, rules: Rules) {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 443));
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
    let info = Rc::new(ConnectionInfo { peer, local, is_tls: true, sni: None });
    let (handler, pulse) = (Rc::new(Passing::new(authenticator, rules)), Rc::new(Pulse::start(None)));
    let opened = (Stream::Tcp(stream), BytesMut::new());
    match protocol {
        Protocol::Http1 => http1::Connection::new(handler, info, opened, 16 * 1024, pulse).run().await,
        Protocol::Http2 => {
            let bounds = Bounds { header_size: 16 * 1024, stream_window: 256 * 1024, connection_window: 1024 * 1024 };
            http2::Connection::new(handler, info, opened, bounds, pulse).await;
        }
    }
}

/// Passes everything on.
struct Passing {
    gateway: Gateway,
    rules: Rules,
}

impl Passing {
    fn new(authenticator: Authenticator, rules: Rules) -> Self {
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for them")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let streams = Streams::new(Arc::clone(authenticator.revocations()));
        let (authenticator, pools) = (Arc::new(authenticator), Pools::new(Arc::new(tls)));
        Self { gateway: Gateway { authenticator, pools, streams, origins: Origins::default() }, rules }
    }
}

impl Handler for Passing {
    type Stream = ResponseBody;

    async fn handle(
        self: Rc<Self>,
        connection: Rc<ConnectionInfo>,
        request: Box<ClientRequest<ClientBody>>,
    ) -> ClientResponse<Body<ResponseBody>> {
        let ingress = Ingress {
            target: &Target::read(&request).expect("a plain target"),
            client: ClientAddr::read(connection.peer, &request.fields, &self.rules.trusted_proxies),
            is_tls: connection.is_tls,
            version: request.version,
            request_id: &HeaderValue::from_static("0123456789abcdef"),
            now: NOW,
        };
        let served = self.gateway.serve(&self.rules, ingress, request, &mut Trace::default()).await;
        served.unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    fn refuse(&self, _connection: &ConnectionInfo, reason: &Unreadable) -> ClientResponse<Body<ResponseBody>> {
        panic!("{reason}")
    }
}

/// Returns where an app listens that answers every request alike, until the process ends.
pub fn start_app() -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer_all(&stream.expect("a connection"));
        }
    });
    address
}

fn answer_all(mut stream: &std::net::TcpStream) {
    let mut bytes = [0; 4096];
    let mut filled = 0;
    while let Ok(length @ 1..) = stream.read(&mut bytes[filled..]) {
        filled += length;
        if bytes[..filled].ends_with(b"\r\n\r\n") {
            stream.write_all(APP_ANSWER).expect("the gateway reads");
            filled = 0;
        }
    }
}
