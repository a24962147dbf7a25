//! HTTP/2 frames as nobody's library writes them: for paths that no client would send, and for floods.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::gateway::{Gateway, HOST};
use crate::harness::raw::{Raw, Stream};
use crate::harness::soon;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A frame of the gateway's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// One HTTP/2 connection, its preface sent.
pub struct Frames(Stream);

impl Frames {
    pub async fn open(gateway: &Gateway) -> Self {
        let stream = Raw::tls_with(gateway, HOST, &[b"h2"]).await.unwrap().stream;
        let mut frames = Self(stream);
        frames.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        assert!(frames.send(SETTINGS, 0, 0, &[]).await);
        frames
    }

    /// Returns whether the connection still took the frame.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let bytes = encode(kind, flags, stream, payload);
        let sent = tokio::time::timeout(crate::harness::PATIENCE, self.0.write_all(&bytes)).await;
        sent.is_ok_and(|sent| sent.is_ok()) && self.0.flush().await.is_ok()
    }

    /// Returns the next frame; `None` once the connection has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        soon("a frame", self.0.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        soon("a frame's payload", self.0.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Returns the next frame of a stream or about the whole connection that says how a request fared.
    pub async fn verdict(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if matches!(frame.kind, HEADERS | RST_STREAM | GOAWAY) {
                return Some(frame);
            }
        }
    }
}

pub fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Returns fields as literals that nobody's table remembers (RFC 7541 section 6.2.2).
pub fn fields(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        text(&mut block, name.as_bytes());
        text(&mut block, value);
    }
    block
}

fn text(block: &mut Vec<u8>, bytes: &[u8]) {
    let length = bytes.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        let rest = length - 127;
        assert!(rest < 128 * 128);
        let digit = |value: usize| u8::try_from(value).unwrap();
        block.extend([127, digit(rest % 128) | 0x80, digit(rest / 128)]);
    }
    block.extend(bytes);
}

/// Returns the fields of a GET.
pub fn get(path: &[u8]) -> Vec<u8> {
    fields(&[(":method", b"GET"), (":scheme", b"https"), (":authority", HOST.as_bytes()), (":path", path)])
}
