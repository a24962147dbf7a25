//! What the app answers. The path's end decides, so that every route can have each of them:
//!
//! | end of path | answer |
//! |---|---|
//! | `/sse` | an event stream; tests send the events |
//! | `/ws` | a WebSocket that echoes |
//! | `/slow` | as usual, once released; `/never` never |
//! | `/big?bytes=N` | N bytes of [`pattern`], streamed |
//! | `/echo` | the request's body, as it comes |
//! | `/early` | 200 without a look at the body; `/stall` reads it only once released |
//! | `/trailers` | a body and the trailer `x-checksum` |
//! | `/status/NNN` | that status, without a body |
//! | `/set?name=value&…` | 200 with these headers |
//! | `/close` | none: the connection breaks |
//! | else | 200 and the request as JSON: [`Seen`] |

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_lc_rs::digest::{Context as Digest, SHA256};
use bytes::Bytes;
use futures_util::{SinkExt as _, Stream, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::upstream::{Seen, State};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, Error>>;

/// Returns `length` bytes that repeat in no short period, from `offset` of an endless sequence.
pub fn pattern(offset: u64, length: usize) -> Bytes {
    (offset..offset + length as u64).map(|place| (place % 251) as u8).collect::<Vec<u8>>().into()
}

pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).expect("half a byte");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Returns the SHA-256 of bytes that come in pieces, with their number.
#[derive(Clone)]
pub struct Sum {
    digest: Digest,
    pub length: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self { digest: Digest::new(&SHA256), length: 0 }
    }
}

impl Sum {
    pub fn add(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
    }

    pub fn hex(self) -> String {
        hex(self.digest.finish().as_ref())
    }

    /// Returns the sum of the first `length` bytes of [`pattern`].
    pub fn of_pattern(length: u64) -> String {
        let mut sum = Self::default();
        while sum.length < length {
            let piece = (length - sum.length).min(64 * 1024) as usize;
            let bytes = pattern(sum.length, piece);
            sum.add(&bytes);
        }
        sum.hex()
    }
}

pub async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Answer, Error> {
    state.begun.fetch_add(1, Ordering::SeqCst);
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (rest, last) = path.rsplit_once('/').unwrap_or(("", &path));
    match last {
        "ws" => return web_socket(&state, request),
        "echo" => return Ok(plain(request.into_body().map_err(Error::from).boxed_unsync())),
        "early" => return Ok(plain(text("early"))),
        "slow" | "stall" => wait_for_release(&state).await,
        "never" => std::future::pending().await,
        _ => {}
    }
    let seen = read(&state, request).await?;
    let mut answer = match last {
        "sse" => events(&state),
        "big" => plain(big(number_in(&query, "bytes"))),
        "trailers" => with_trailers(),
        "close" => return Err("broken on purpose".into()),
        "set" => plain(text("set")),
        _ => {
            let mut answer = plain(text(&serde_json::to_string(&seen).unwrap()));
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
    };
    if rest.ends_with("/status") {
        *answer.status_mut() = StatusCode::from_bytes(last.as_bytes()).unwrap();
        *answer.body_mut() = empty();
    }
    if last == "set" {
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            answer.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
    }
    state.requests.lock().unwrap().push(seen);
    Ok(answer)
}

async fn wait_for_release(state: &State) {
    state.released.subscribe().wait_for(|released| *released).await.unwrap();
}

/// Returns the request, once its body has come.
async fn read(state: &State, request: Request<Incoming>) -> Result<Seen, Error> {
    let (head, mut body) = request.into_parts();
    let mut sum = Sum::default();
    let mut trailers = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        if let Some(data) = frame.data_ref() {
            sum.add(data);
            state.body_bytes.fetch_add(data.len(), Ordering::SeqCst);
        }
        trailers.extend(frame.trailers_ref().map(pairs).unwrap_or_default());
    }
    Ok(Seen {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: pairs(&head.headers),
        body_length: sum.length,
        body_sha256: sum.hex(),
        trailers,
    })
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

fn plain(body: UnsyncBoxBody<Bytes, Error>) -> Answer {
    Response::new(body)
}

fn text(text: &str) -> UnsyncBoxBody<Bytes, Error> {
    Full::new(Bytes::from(text.to_owned())).map_err(infallible).boxed_unsync()
}

fn empty() -> UnsyncBoxBody<Bytes, Error> {
    Empty::new().map_err(infallible).boxed_unsync()
}

fn infallible(never: Infallible) -> Error {
    match never {}
}

fn streamed(frames: impl Stream<Item = Frame<Bytes>> + Send + 'static) -> UnsyncBoxBody<Bytes, Error> {
    StreamBody::new(frames.map(Ok::<_, Error>)).boxed_unsync()
}

fn big(length: u64) -> UnsyncBoxBody<Bytes, Error> {
    streamed(stream::unfold(0, move |sent| async move {
        let piece = (length - sent).min(64 * 1024) as usize;
        (piece > 0).then(|| (Frame::data(pattern(sent, piece)), sent + piece as u64))
    }))
}

fn number_in(query: &str, name: &str) -> u64 {
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.and_then(|value| value.parse().ok()).expect("the query has the number")
}

fn with_trailers() -> Answer {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("c0ffee"));
    trailers.insert("x-user-id", HeaderValue::from_static("forged"));
    let frames = vec![Frame::data(Bytes::from_static(b"body")), Frame::trailers(trailers)];
    let mut answer = plain(streamed(stream::iter(frames)));
    answer.headers_mut().insert(header::TRAILER, HeaderValue::from_static("x-checksum, x-user-id"));
    answer
}

fn events(state: &State) -> Answer {
    let receiver = state.events.subscribe();
    let mut answer = plain(streamed(stream::unfold(receiver, |mut receiver| async {
        let event = receiver.recv().await.ok()?;
        Some((Frame::data(Bytes::from(format!("data: {event}\n\n"))), receiver))
    })));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer
}

fn web_socket(state: &Arc<State>, mut request: Request<Incoming>) -> Result<Answer, Error> {
    let seen = Seen {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        headers: pairs(request.headers()),
        body_length: 0,
        body_sha256: String::new(),
        trailers: Vec::new(),
    };
    state.requests.lock().unwrap().push(seen);
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY) else {
        let mut answer = plain(empty());
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(answer);
    };
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            let echoes = message.is_text() || message.is_binary();
            if echoes && socket.send(message).await.is_err() {
                return;
            }
        }
    });
    let mut answer = plain(empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&accept)?);
    Ok(answer)
}
