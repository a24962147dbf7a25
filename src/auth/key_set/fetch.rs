//! One GET over a connection of its own. The provider may be slow, huge or hostile: everything has a bound, and no redirect
//! is followed, because the configured URL alone is trusted.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::token::key_set_url::KeySetUrl;

/// For all of it: connecting, the request, and the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 1024 * 1024;
const MAX_HEAD: usize = 64 * 1024;

/// Fetches key sets.
#[derive(Debug)]
pub struct Fetcher {
    tls: Arc<ClientConfig>,
    patience: Duration,
}

pub(super) struct Fetched {
    pub body: Bytes,
    /// How long the provider lets it be kept.
    pub max_age: Option<Duration>,
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    #[error("no HTTP answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("answered {0}, expected 200")]
    Status(StatusCode),
    #[error("an answer of more than {MAX_BODY} bytes")]
    TooLarge,
    #[error("no complete answer within {0:?}")]
    TooSlow(Duration),
}

impl Fetcher {
    /// Returns a fetcher that trusts the certificates which `tls` trusts.
    pub fn new(tls: Arc<ClientConfig>) -> Self {
        Self { tls, patience: PATIENCE }
    }

    #[cfg(test)]
    pub(super) fn with_patience(tls: Arc<ClientConfig>, patience: Duration) -> Self {
        Self { tls, patience }
    }

    pub(super) async fn fetch(&self, url: &KeySetUrl) -> Result<Fetched, FetchError> {
        timeout(self.patience, self.open(url)).await.unwrap_or(Err(FetchError::TooSlow(self.patience)))
    }

    async fn open(&self, url: &KeySetUrl) -> Result<Fetched, FetchError> {
        let tcp = TcpStream::connect((url.host(), url.port())).await?;
        if !url.is_tls() {
            return exchange(tcp, url).await;
        }
        let name = ServerName::try_from(url.host().to_owned()).map_err(io::Error::other)?;
        exchange(TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await?, url).await
    }
}

async fn exchange<S>(stream: S, url: &KeySetUrl) -> Result<Fetched, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
    // Dropped with everything else when the time is over, which closes the connection.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request(url)).await?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let max_age = max_age(response.headers());
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(body_error)?;
    Ok(Fetched { body: body.to_bytes(), max_age })
}

fn request(url: &KeySetUrl) -> Request<Empty<Bytes>> {
    let built = Request::get(url.path_and_query())
        .header(HOST, url.authority())
        .header(USER_AGENT, concat!("vestibule/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(CONNECTION, "close");
    built.body(Empty::new()).expect("a parsed URL has a valid path and authority")
}

fn body_error(error: Box<dyn std::error::Error + Send + Sync>) -> FetchError {
    if error.is::<LengthLimitError>() {
        return FetchError::TooLarge;
    }
    match error.downcast::<hyper::Error>() {
        Ok(error) => FetchError::Http(*error),
        Err(other) => FetchError::Connect(io::Error::other(other)),
    }
}

/// Returns the `max-age` of RFC 9111 section 5.2.2.1; the schedule bounds it.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get_all(CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
    let mut named = directives.flat_map(|value| value.split(',')).filter_map(|one| one.trim().split_once('='));
    let (_, seconds) = named.find(|(name, _)| name.eq_ignore_ascii_case("max-age"))?;
    seconds.trim_matches('"').parse().ok().map(Duration::from_secs)
}
