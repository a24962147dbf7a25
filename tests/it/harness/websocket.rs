//! A WebSocket through the gateway, over TLS: on a connection of its own, or one of several streams of an HTTP/2 connection.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::gateway::{Gateway, HOST};
use super::raw::{Raw, Stream};
use super::soon;

pub struct Socket<S = Stream>(pub WebSocketStream<S>);

impl Socket {
    /// Returns an open WebSocket, or how the gateway refused it.
    pub async fn open(gateway: &Gateway, path: &str, bearer: Option<&str>) -> Result<Self, Box<Error>> {
        let stream = Raw::tls(gateway).await.stream;
        let url = format!("wss://{HOST}:{}{path}", gateway.address().port());
        let mut request = url.into_client_request().unwrap();
        if let Some(token) = bearer {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let opened = soon("a WebSocket", tokio_tungstenite::client_async(request, stream)).await;
        opened.map(|(socket, _)| Self(socket)).map_err(Box::new)
    }
}

/// An HTTP/2 connection whose streams may each be a WebSocket (RFC 8441).
pub struct Connection(SendRequest<Empty<Bytes>>);

impl Connection {
    pub async fn open(gateway: &Gateway) -> Self {
        let stream = Raw::tls_with(gateway, HOST, &[b"h2"]).await.unwrap().stream;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Returns the answer to a CONNECT that asks for `protocol`.
    pub async fn connect(&mut self, protocol: &'static str, path: &str, fields: &[(&str, &str)]) -> Response<Incoming> {
        let url = format!("https://{HOST}{path}");
        let mut request = Request::builder().method(Method::CONNECT).uri(url);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.extension(hyper::ext::Protocol::from_static(protocol)).body(Empty::new()).unwrap();
        soon("an answer to CONNECT", self.0.send_request(request)).await.unwrap()
    }

    /// Returns an open WebSocket, or how the gateway refused it.
    pub async fn websocket(
        &mut self,
        path: &str,
        bearer: Option<&str>,
    ) -> Result<Socket<TokioIo<Upgraded>>, Response<Incoming>> {
        let token = bearer.map(|token| format!("Bearer {token}"));
        let mut fields = vec![("sec-websocket-version", "13")];
        fields.extend(token.as_deref().map(|token| ("authorization", token)));
        let answer = self.connect("websocket", path, &fields).await;
        if answer.status() != 200 {
            return Err(answer);
        }
        let stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
        Ok(Socket(WebSocketStream::from_raw_socket(stream, Role::Client, None).await))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Returns the echo of `text`.
    pub async fn echo(&mut self, text: &str) -> String {
        self.0.send(Message::text(text)).await.unwrap();
        let message = soon("an echo", self.0.next()).await.unwrap().unwrap();
        message.into_text().unwrap().to_string()
    }

    /// Returns once the other side has ended the connection, politely or not; what comes before is dropped.
    pub async fn ended(&mut self) {
        while let Some(Ok(message)) = self.0.next().await {
            if message.is_close() {
                return;
            }
        }
    }

    pub async fn close(mut self) {
        self.0.close(None).await.unwrap();
        soon("the end of the WebSocket", self.ended()).await;
    }
}
