//! Sends bytes as they are: HTTP libraries refuse to send what a gateway must be able to receive. One connection for each
//! probe, five seconds at most, and no more of an answer than it takes to judge it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::answer::Answer;

const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server may take to close after an answer that ends a connection.
const CLOSING: Duration = Duration::from_secs(2);
const LONGEST_ANSWER: usize = 512 * 1024;

/// Where the gateway listens.
pub struct Wire {
    /// An IPv6 address without its brackets.
    pub host: String,
    pub port: u16,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ClientConfig>>,
}

/// What became of a request.
#[derive(Debug)]
pub enum Reply {
    Answer(Answer),
    /// The connection ended without a response.
    Closed,
    /// Neither an answer nor an end within the time.
    Silence,
}

/// When enough has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The response is there; one to HEAD has no body.
    Answered,
    AnsweredHead,
    /// The server closed, or won't.
    Closed,
}

impl Wire {
    /// Returns what `request` is answered; an error only if there is nobody to send it to.
    pub async fn send(&self, request: &[u8], until: Until) -> io::Result<Reply> {
        let late = || io::Error::new(io::ErrorKind::TimedOut, "not connected within 5 seconds");
        let tcp =
            timeout(PATIENCE, TcpStream::connect((self.host.as_str(), self.port))).await.map_err(|_| late())??;
        tcp.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(exchange(tcp, request, until).await) };
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp);
        let stream = timeout(PATIENCE, stream).await.map_err(|_| late())??;
        Ok(exchange(stream, request, until).await)
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8], until: Until) -> Reply {
    let mut bytes = Vec::new();
    let mut is_closed = false;
    let is_head = until == Until::AnsweredHead;
    let talk = async {
        // A server may refuse before it has read everything, and then its answer is what counts.
        let _ = stream.write_all(request).await;
        let _ = stream.flush().await;
        let mut part = vec![0; 16 * 1024];
        loop {
            let answer = Answer::read(&bytes, is_head, false);
            let is_whole = answer.as_ref().is_some_and(|(_, is_whole)| *is_whole);
            // Who answers with success won't close, and needn't be waited for to be wrong.
            if is_whole && (until != Until::Closed || answer.is_some_and(|(answer, _)| answer.is_success())) {
                return;
            }
            let patience = if is_whole { CLOSING } else { PATIENCE };
            match timeout(patience, stream.read(&mut part)).await {
                Err(_) => return,
                // A connection that is reset, or ended without TLS's goodbye, is closed as well.
                Ok(Err(_) | Ok(0)) => break,
                Ok(Ok(length)) => bytes.extend_from_slice(&part[..length]),
            }
            if bytes.len() > LONGEST_ANSWER {
                return;
            }
        }
        is_closed = true;
    };
    let _ = timeout(PATIENCE, talk).await;
    match Answer::read(&bytes, is_head, is_closed) {
        Some((answer, _)) => Reply::Answer(answer),
        None if is_closed => Reply::Closed,
        None => Reply::Silence,
    }
}
