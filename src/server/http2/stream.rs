//! One stream: what has come on it and was not taken, and what is to go out on it.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::super::pulse::Flight;
use super::frame::Code;

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any of them may go with any other")]
pub struct Stream {
    pub id: u32,
    /// From the client: what nobody has taken yet.
    pub arrived: Arrived,
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

/// What has come of a body, in pieces that are taken one by one: who takes a little holds no more of it than that.
#[derive(Debug, Default)]
pub struct Arrived {
    pieces: VecDeque<BytesMut>,
    length: usize,
}

/// How long a piece grows while nobody takes it.
const PIECE: usize = 16 * 1024;

impl Arrived {
    /// Returns how many bytes wait.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn push(&mut self, data: &[u8]) {
        self.length += data.len();
        match self.pieces.back_mut() {
            Some(last) if last.len() + data.len() <= PIECE => last.extend_from_slice(data),
            _ => self.pieces.push_back(BytesMut::from(data)),
        }
    }

    /// Returns the first piece, or `most` bytes of it.
    pub fn take(&mut self, most: usize) -> Bytes {
        let Some(mut first) = self.pieces.pop_front() else { return Bytes::new() };
        let taken = first.split_to(first.len().min(most)).freeze();
        self.length -= taken.len();
        if !first.is_empty() {
            self.pieces.push_front(first);
        }
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
        taken
    }
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
            arrived: Arrived::default(),
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

    /// Takes note of data; returns whether it is as long as the head says, so far and at its end.
    pub fn has_right_length(&mut self, length: usize) -> bool {
        let Some(left) = &mut self.left else { return true };
        let Some(rest) = left.checked_sub(length as u64) else { return false };
        *left = rest;
        rest == 0 || !self.has_ended
    }

    pub fn wake_all(&mut self) {
        self.task.wake();
        self.reader.wake();
        self.writer.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_a_little_of_a_body_holds_no_more_of_it() {
        let mut arrived = Arrived::default();
        for _ in 0..40_000 {
            arrived.push(b"x");
        }
        arrived.push(&[b'y'; 10_000]);
        assert_eq!((arrived.len(), arrived.take(10).len(), arrived.take(usize::MAX).len()), (50_000, 10, 16_374));
        assert_eq!((arrived.take(usize::MAX).len(), arrived.take(usize::MAX).len()), (16_384, 7_232));
        assert_eq!((arrived.take(usize::MAX).len(), arrived.is_empty()), (10_000, true));
    }
}
