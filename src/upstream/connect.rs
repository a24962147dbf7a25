//! New connections to a server: TCP, and TLS where asked.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Address, Scheme};
use crate::http::stream::Stream;

/// Returns a new connection, or why there is none within `patience`.
pub(super) async fn connect(address: &Address, tls: &Arc<ClientConfig>, patience: Duration) -> io::Result<Stream> {
    timeout(patience, open(address, tls))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("not connected within {patience:?}"))))
}

async fn open(address: &Address, tls: &Arc<ClientConfig>) -> io::Result<Stream> {
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
    tcp.set_nodelay(true)?;
    match address.scheme {
        Scheme::Http => Ok(Stream::Tcp(tcp)),
        Scheme::Https => {
            let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await?;
            Ok(Stream::Tls(Box::new(stream.into())))
        }
    }
}
