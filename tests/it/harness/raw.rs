//! A client that sends exactly the bytes it is given, over TLS or in clear text, and reads what comes back.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::authority::Authority;
use super::gateway::{Gateway, HOST};
use super::soon;

/// One connection. It is a stream as well, for `h2::client::handshake` and the like.
pub enum Stream {
    Tls(Box<TlsStream<TcpStream>>),
    Clear(TcpStream),
}

pub struct Raw {
    pub stream: Stream,
    /// Read already, and not asked for yet.
    buffer: Vec<u8>,
}

/// A response as it stood on the wire.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// Status line and fields, with the empty line.
    pub head: String,
    /// In order; names as sent.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }
}

impl Raw {
    /// Connects with TLS, asking for HTTP/1.1.
    pub async fn tls(gateway: &Gateway) -> Self {
        Self::tls_with(gateway, HOST, &[b"http/1.1"]).await.unwrap()
    }

    /// Connects with TLS, naming `sni` and offering `protocols` by ALPN.
    pub async fn tls_with(gateway: &Gateway, sni: &str, protocols: &[&[u8]]) -> io::Result<Self> {
        let tcp = TcpStream::connect(gateway.address()).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(sni.to_owned()).unwrap();
        let stream = TlsConnector::from(Authority::shared().client_config(protocols)).connect(name, tcp).await?;
        Ok(Self { stream: Stream::Tls(Box::new(stream)), buffer: Vec::new() })
    }

    /// Returns a client on a connection that is open already.
    pub fn of(stream: Stream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub async fn clear(address: std::net::SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self { stream: Stream::Clear(tcp), buffer: Vec::new() }
    }

    /// Returns the certificate that the gateway showed.
    pub fn certificate(&self) -> CertificateDer<'static> {
        let Stream::Tls(stream) = &self.stream else { panic!("not TLS") };
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Sends `request`, its lines ended by `\n` here and by CRLF on the wire, and returns the response.
    pub async fn ask(&mut self, request: &str) -> Response {
        self.send(request.replace('\n', "\r\n")).await;
        self.response().await
    }

    /// Returns the next response that is final; interim ones are skipped.
    pub async fn response(&mut self) -> Response {
        loop {
            let head = self.head().await.expect("a response comes before the connection ends");
            if !(100..200).contains(&head.status) || head.status == 101 {
                return self.with_body(head).await;
            }
        }
    }

    /// Returns the next head, of an interim response too; `None` if the connection ends instead.
    pub async fn head(&mut self) -> Option<Response> {
        let end = loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if self.read_more().await == 0 {
                assert!(self.buffer.is_empty(), "half a head: {}", String::from_utf8_lossy(&self.buffer));
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer.drain(..end).collect::<Vec<u8>>()).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
        let headers = fields(head.split("\r\n").skip(1));
        Some(Response { status, head, headers, body: Vec::new(), trailers: Vec::new() })
    }

    /// Returns the response whose head has been read, its body by the framing that the head declares.
    pub async fn with_body(&mut self, mut response: Response) -> Response {
        if matches!(response.status, 101 | 204 | 304) {
            return response;
        }
        if response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            self.read_chunks(&mut response).await;
        } else if let Some(length) = response.header("content-length") {
            let length = length.parse().unwrap();
            response.body = self.exactly(length).await;
        } else {
            response.body = self.rest().await;
        }
        response
    }

    async fn read_chunks(&mut self, response: &mut Response) {
        loop {
            let line = self.line().await;
            let length = usize::from_str_radix(line.split(';').next().unwrap().trim(), 16).unwrap();
            if length == 0 {
                break;
            }
            response.body.extend(self.exactly(length).await);
            assert_eq!(self.line().await, "");
        }
        let mut lines = Vec::new();
        loop {
            match self.line().await {
                line if line.is_empty() => break,
                line => lines.push(line),
            }
        }
        response.trailers = fields(lines.iter().map(String::as_str));
    }

    pub async fn line(&mut self) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return String::from_utf8_lossy(&line[..at]).into_owned();
            }
            assert!(self.read_more().await > 0, "the connection ended within a line");
        }
    }

    pub async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.read_more().await > 0, "the connection ended within a body");
        }
        self.buffer.drain(..length).collect()
    }

    /// Returns everything up to the end of the connection; a reset is an end.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.read_more().await > 0 {}
        std::mem::take(&mut self.buffer)
    }

    /// Returns once the gateway has closed the connection; fails if it sends something first.
    pub async fn closed(&mut self) {
        let rest = self.rest().await;
        assert!(rest.is_empty(), "not closed, but: {}", String::from_utf8_lossy(&rest));
    }

    async fn read_more(&mut self) -> usize {
        let mut piece = vec![0; 16 * 1024];
        let read = soon("bytes from the gateway", self.stream.read(&mut piece)).await;
        // A connection that is torn down with bytes under way reads as reset; TLS without its closing words as an error.
        let count = read.unwrap_or(0);
        self.buffer.extend_from_slice(&piece[..count]);
        count
    }
}

fn fields<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<(String, String)> {
    let pairs = lines.filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
