//! Which protocol a connection speaks, and what the handler is told about it.

use std::sync::Arc;

use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::live::Live;

thread_local! {
    static CERTIFICATE: rcgen::CertifiedKey<rcgen::KeyPair> =
        rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("the name is valid");
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

pub fn tls_config() -> Live<ServerConfig> {
    let (chain, key) = CERTIFICATE.with(|made| {
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        (vec![made.cert.der().clone()], key)
    });
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Live::new(config)
}

pub async fn tls_client(server: &Server, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
    tls_over(connect(server).await, alpn).await
}

pub async fn tls_over(stream: TcpStream, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    CERTIFICATE.with(|made| roots.add(made.cert.der().clone())).unwrap();
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("a.test").unwrap();
    soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

type Http2<S> = http2::Connection<TokioIo<S>, Empty<Bytes>, TokioExecutor>;

pub async fn http2_client<S>(stream: S) -> (http2::SendRequest<Empty<Bytes>>, Http2<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    soon(builder.timer(TokioTimer::new()).handshake(TokioIo::new(stream))).await.unwrap()
}

pub fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://a.test{path}")).header("host", "a.test").body(Empty::new()).unwrap()
}

async fn body_of(answer: Response<Incoming>) -> String {
    String::from_utf8(soon(answer.into_body().collect()).await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn alpn_chooses_http2_and_the_handler_is_told_of_tls() {
    let (server, _) = start(Settings { tls: Some(tls_config()), ..settings() });
    let (mut sender, connection) = http2_client(tls_client(&server, &[b"h2", b"http/1.1"]).await).await;
    let driving = tokio::spawn(connection);
    let answer = soon(sender.send_request(request("/about"))).await.unwrap();
    assert_eq!(body_of(answer).await, "tls=true sni=Some(\"a.test\") HTTP/2.0");
    let panicked = soon(sender.send_request(request("/panic"))).await.unwrap();
    assert_eq!(panicked.status(), StatusCode::INTERNAL_SERVER_ERROR);
    drop(panicked);
    drop(sender);
    soon(driving).await.unwrap().unwrap();
}

#[tokio::test]
async fn without_alpn_a_tls_connection_speaks_http1() {
    let (server, _) = start(Settings { tls: Some(tls_config()), ..settings() });
    let stream = TokioIo::new(tls_client(&server, &[]).await);
    let (mut sender, connection) = soon(http1::handshake(stream)).await.unwrap();
    tokio::spawn(connection);
    let answer = soon(sender.send_request(request("/about"))).await.unwrap();
    assert_eq!(body_of(answer).await, "tls=true sni=Some(\"a.test\") HTTP/1.1");
}

#[tokio::test]
async fn cleartext_speaks_http2_with_prior_knowledge_and_http1_otherwise() {
    let (server, _) = start(settings());
    let (mut sender, connection) = http2_client(connect(&server).await).await;
    tokio::spawn(connection);
    let answer = soon(sender.send_request(request("/about"))).await.unwrap();
    assert_eq!(body_of(answer).await, "tls=false sni=None HTTP/2.0");
    // `P` begins the preface of HTTP/2 as well.
    let post = "POST /about HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
    assert!(talk(&server, post.as_bytes()).await.ends_with("tls=false sni=None HTTP/1.1"));
}

#[tokio::test]
async fn a_drain_lets_http2_streams_end_and_then_closes() {
    let (server, signals) = start(settings());
    let (mut sender, connection) = http2_client(connect(&server).await).await;
    let driving = tokio::spawn(connection);
    let answer = tokio::spawn(sender.send_request(request("/wait")));
    soon(signals.entered.notified()).await;
    let draining = tokio::spawn(server.drain(PATIENCE));
    signals.release.notify_one();
    assert_eq!(body_of(soon(answer).await.unwrap().unwrap()).await, "waited");
    assert_eq!(soon(draining).await.unwrap(), 0);
    soon(driving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_its_stream_and_not_the_connection() {
    let (server, _) = start(settings());
    let (mut sender, connection) = http2_client(connect(&server).await).await;
    tokio::spawn(connection);
    for path in ["/cut", "/cut-by-panic"] {
        let answer = soon(sender.send_request(request(path))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(soon(answer.into_body().collect()).await.is_err(), "{path}");
    }
    assert_eq!(
        body_of(soon(sender.send_request(request("/about"))).await.unwrap()).await,
        "tls=false sni=None HTTP/2.0"
    );
}
