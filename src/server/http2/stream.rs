//! One stream: what has come on it and was not taken, and what is to go out on it.

use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::super::pulse::Flight;
use super::frame::Code;

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any of them may go with any other")]
pub struct Stream {
    pub id: u32,
    /// From the client: what nobody has taken yet.
    pub arrived: BytesMut,
    pub trailers: Option<HeaderMap>,
    /// Whether the client has said all.
    pub has_ended: bool,
    /// What `Content-Length` says is still to come.
    pub left: Option<u64>,
    /// How much more the client may send.
    pub room: u32,
    /// How much was taken that the client has not been told of.
    pub taken: u32,
    /// Nobody will take what comes.
    pub is_unread: bool,
    pub awaits_continue: bool,
    /// To the client: how much it lets us send; below zero when it took some of that back (RFC 9113 section 6.9.2).
    pub credit: i64,
    pub piece: Bytes,
    pub ending: Ending,
    /// Whether the stream waits for its turn to send.
    pub is_queued: bool,
    /// Whoever answers is done: the stream goes once its ending has.
    pub is_released: bool,
    /// How often in a row it was looked at and had sent nothing of what waits.
    pub stalls: u8,
    pub task: Waiting,
    pub reader: Waiting,
    pub writer: Waiting,
    pub flight: Option<Flight>,
}

/// What follows the piece that is to go out.
#[derive(Debug)]
pub enum Ending {
    /// More.
    Open,
    EndStream,
    /// A field block.
    Trailers(Vec<u8>),
    /// The answer stays unfinished.
    Reset(Code),
    /// Nothing: all has been sent.
    Over,
}

/// Whoever waits for something.
#[derive(Debug, Default)]
pub struct Waiting(Option<Waker>);

impl Waiting {
    pub fn wait(&mut self, context: &Context<'_>) {
        match &mut self.0 {
            Some(waker) => waker.clone_from(context.waker()),
            None => self.0 = Some(context.waker().clone()),
        }
    }

    pub fn wake(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

impl Stream {
    pub fn new(id: u32, room: u32, credit: i64) -> Self {
        Self {
            id,
            arrived: BytesMut::new(),
            trailers: None,
            has_ended: false,
            left: None,
            room,
            taken: 0,
            is_unread: false,
            awaits_continue: false,
            credit,
            piece: Bytes::new(),
            ending: Ending::Open,
            is_queued: false,
            is_released: false,
            stalls: 0,
            task: Waiting::default(),
            reader: Waiting::default(),
            writer: Waiting::default(),
            flight: None,
        }
    }

    /// Whether something waits that the client would take.
    pub fn can_send(&self) -> bool {
        !self.piece.is_empty() && self.credit > 0
    }

    /// Whether the body's end has been taken.
    pub fn is_read(&self) -> bool {
        self.has_ended && self.arrived.is_empty() && self.trailers.is_none()
    }

    pub fn wake_all(&mut self) {
        self.task.wake();
        self.reader.wake();
        self.writer.wake();
    }
}
