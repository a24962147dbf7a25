//! Takes one accepted socket from its first byte to its end: TLS handshake under a deadline, HTTP/2 or HTTP/1.1 by ALPN
//! or by what the first bytes say, and the limits of both. Nothing here looks at what a request asks for.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::drive::{Drain, Driver};
use super::http2::{Bounds, PREFACE};
use super::lease::{Counters, Lease};
use super::pulse::{Limits, Pulse};
use super::{ConnectionInfo, Handler, Settings, http1, http2};
use crate::http::stream::Stream;

/// How much is read at most to tell the protocols apart; enough for most heads to be whole.
const FIRST_READ: usize = 4 * 1024;

/// How much of what was encrypted waits for a client that doesn't read: a piece of a body, so that it goes in one write.
const UNSENT: usize = 32 * 1024;

/// A socket that was accepted; one on its way to another worker belongs to no reactor.
pub struct Accepted<S = TcpStream> {
    pub stream: S,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub lease: Lease,
}

impl<S> Accepted<S> {
    pub fn try_map_stream<T>(self, map: impl FnOnce(S) -> io::Result<T>) -> io::Result<Accepted<T>> {
        let Self { stream, peer, local, lease } = self;
        Ok(Accepted { stream: map(stream)?, peer, local, lease })
    }
}

/// What all connections of one worker share.
pub struct Shared<H> {
    pub handler: Rc<H>,
    pub settings: Arc<Settings>,
    pub counters: Arc<Counters>,
    pub drain: Rc<Drain>,
}

/// Resolves when the connection has ended or was upgraded.
pub async fn serve<H: Handler>(shared: Rc<Shared<H>>, accepted: Accepted) {
    let Accepted { stream, peer, local, lease } = accepted;
    let mut info = ConnectionInfo { peer, local, is_tls: false, sni: None };
    let Some(tls) = &shared.settings.tls else {
        let Some((protocol, stream, first)) = in_time(&shared, sniff(stream)).await else { return };
        return serve_http(&shared, Opened { stream: Stream::Tcp(stream), first, info, lease }, protocol).await;
    };
    // Boxed like the connections below: a task has room for the largest of its states as long as it runs.
    let handshake = Box::pin(TlsAcceptor::from(tls.current()).accept(stream));
    let Some(mut stream) = in_time(&shared, handshake).await else {
        shared.counters.failed_handshakes.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let session = stream.get_mut().1;
    session.set_buffer_limit(Some(UNSENT));
    let protocol = if session.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
    info.is_tls = true;
    info.sni = session.server_name().map(str::to_owned);
    let stream = Stream::Tls(Box::new(stream.into()));
    serve_http(&shared, Opened { stream, first: BytesMut::new(), info, lease }, protocol).await;
}

/// Returns what `opening` gives, unless it fails, takes longer than a head may, or the server drains first.
async fn in_time<H, T>(shared: &Shared<H>, opening: impl Future<Output = io::Result<T>>) -> Option<T> {
    tokio::select! {
        opened = tokio::time::timeout(shared.settings.header_timeout, opening) => opened.ok()?.ok(),
        () = shared.drain.begins() => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Returns what the client speaks, and the bytes that were read to know it.
async fn sniff(mut stream: TcpStream) -> io::Result<(Protocol, TcpStream, BytesMut)> {
    let mut first = BytesMut::with_capacity(FIRST_READ);
    loop {
        let ended = stream.read_buf(&mut first).await? == 0;
        if first.starts_with(PREFACE) {
            return Ok((Protocol::Http2, stream, first));
        }
        if ended || !PREFACE.starts_with(&first) {
            return Ok((Protocol::Http1, stream, first));
        }
    }
}

/// A connection whose protocol is known.
struct Opened {
    stream: Stream,
    first: BytesMut,
    info: ConnectionInfo,
    lease: Lease,
}

async fn serve_http<H: Handler>(shared: &Shared<H>, opened: Opened, protocol: Protocol) {
    let Opened { stream, first, info, lease } = opened;
    let (handler, info) = (Rc::clone(&shared.handler), Rc::new(info));
    let pulse = Rc::new(Pulse::start(Some(lease)));
    let limits = Limits { header: shared.settings.header_timeout, idle: shared.settings.idle_timeout };
    let driver = Driver { pulse: Rc::clone(&pulse), limits, drain: Rc::clone(&shared.drain) };
    match protocol {
        Protocol::Http1 => {
            let header_size = shared.settings.header_size;
            let connection = http1::Connection::new(handler, info, (stream, first), header_size, pulse);
            driver.run(pin!(connection.run())).await;
        }
        Protocol::Http2 => {
            let bounds = Bounds {
                header_size: shared.settings.header_size,
                stream_window: shared.settings.h2_stream_window,
                connection_window: shared.settings.h2_connection_window,
            };
            let connection = http2::Connection::new(handler, info, (stream, first), bounds, pulse);
            driver.run(pin!(connection)).await;
        }
    }
}
