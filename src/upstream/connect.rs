//! New connections to a server: TCP, TLS where asked, and the HTTP/1.1 handshake that hyper drives on this worker.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Address, RequestBody, Scheme};

/// How much of a response is held while its client reads nothing, and the longest response head.
const BUFFER: usize = 32 * 1024;

/// Returns the way to send requests over a new connection, or why there is none within `patience`.
pub(super) async fn connect(
    address: &Address,
    tls: &Arc<ClientConfig>,
    patience: Duration,
) -> io::Result<SendRequest<RequestBody>> {
    timeout(patience, open(address, tls))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("not connected within {patience:?}"))))
}

async fn open(address: &Address, tls: &Arc<ClientConfig>) -> io::Result<SendRequest<RequestBody>> {
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
    tcp.set_nodelay(true)?;
    match address.scheme {
        Scheme::Http => speak(tcp).await,
        Scheme::Https => {
            let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
            speak(TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await?).await
        }
    }
}

async fn speak<S>(stream: S) -> io::Result<SendRequest<RequestBody>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(io::Error::other)?;
    // Its errors reach whoever waits for a response on it; an idle one may simply end.
    tokio::task::spawn_local(async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}
