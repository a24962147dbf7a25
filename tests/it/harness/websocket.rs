//! A WebSocket through the gateway, over TLS.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::gateway::{Gateway, HOST};
use super::raw::{Raw, Stream};
use super::soon;

pub struct Socket(WebSocketStream<Stream>);

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
