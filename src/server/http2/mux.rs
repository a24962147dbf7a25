//! The streams of one connection: takes the client's frames as they come, and makes those that go back (RFC 9113). Whatever breaks a
//! rule ends its stream or the connection with the code that the RFC names; what a client may have wait here is bounded, and how often
//! it may make us work in vain. It reads no socket and calls no handler; `wire` shares it between a connection and its streams.

use std::collections::VecDeque;

use super::blocks::{Begun, Block};
use super::budget::Budget;
use super::frame::{
    self, ACK, CONTINUATION, Code, DATA, END_STREAM, FIRST_WINDOW, GOAWAY, HEAD_LENGTH, HEADERS, Head, LARGEST_WINDOW,
    PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, number,
};
use super::history::{History, REMEMBERED};
use super::leave::{Life, Stage};
use super::send::queue;
use super::stream::Stream;
use crate::http::hpack::Decoder;

/// How a client begins (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many streams a client may have open at once.
pub const STREAMS: u32 = REMEMBERED;

/// How much of a table a client may have us keep for its fields: what every decoder has (RFC 7541 section 4.2).
const TABLE_SIZE: usize = 4096;

/// What a client may do.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many octets the fields of a message may count for.
    pub header_size: usize,
    /// How much may wait here of one stream, and of all.
    pub stream_window: u32,
    pub connection_window: u32,
}

pub struct Mux {
    /// Frames that are to be written.
    pub out: Vec<u8>,
    /// In the order of their numbers.
    #[expect(clippy::vec_box, reason = "they leave from the middle, and are large")]
    pub(super) streams: Vec<Box<Stream>>,
    /// Those with something to send, in the order of their turns.
    pub(super) ready: VecDeque<u32>,
    /// How much the client lets us send on all streams, and on a new one.
    pub(super) credit: i64,
    pub(super) first_credit: i64,
    pub(super) bounds: Bounds,
    /// How much more the client may send on all streams, and how much was taken that it has not been told of.
    room: u32,
    taken: u32,
    pub(super) decoder: Decoder,
    pub(super) block: Option<Block>,
    pub(super) history: History,
    pub(super) budget: Budget,
    awaited: Awaited,
    pub(super) stage: Stage,
    /// Whether the client knows that our encoder has no table.
    pub(super) has_said_no_table: bool,
    pub(super) life: Life,
}

/// What a client has to say next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Preface,
    Settings,
    Anything,
}

impl Mux {
    /// Returns the state before the client's preface, our own settings on their way.
    pub fn new(bounds: Bounds) -> Self {
        // Until a client has read otherwise it takes the windows for what they are without a word.
        let stream_window = bounds.stream_window.max(FIRST_WINDOW);
        let connection_window = bounds.connection_window.max(FIRST_WINDOW);
        let bounds = Bounds { stream_window, connection_window, ..bounds };
        let mut out = Vec::with_capacity(128);
        let header_size = u32::try_from(bounds.header_size).unwrap_or(u32::MAX);
        frame::append_settings(STREAMS, bounds.stream_window, header_size, &mut out);
        let room = bounds.connection_window;
        if room > FIRST_WINDOW {
            frame::append_number(WINDOW_UPDATE, 0, room - FIRST_WINDOW, &mut out);
        }
        Self {
            out,
            streams: Vec::new(),
            ready: VecDeque::new(),
            credit: FIRST_WINDOW.into(),
            first_credit: FIRST_WINDOW.into(),
            bounds,
            room,
            taken: 0,
            decoder: Decoder::new(TABLE_SIZE),
            block: None,
            history: History::default(),
            budget: Budget::new(),
            awaited: Awaited::Preface,
            stage: Stage::Open,
            has_said_no_table: false,
            life: Life::Heard,
        }
    }

    /// Takes whole frames from the start of `bytes`, up to one that begins a request; returns how many bytes they were.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(usize, Option<Begun>), Code> {
        self.life = Life::Heard;
        let mut at = 0;
        if self.awaited == Awaited::Preface {
            let here = bytes.len().min(PREFACE.len());
            if bytes[..here] != PREFACE[..here] {
                return Err(Code::Protocol);
            }
            if here < PREFACE.len() {
                return Ok((0, None));
            }
            self.awaited = Awaited::Settings;
            at = here;
        }
        loop {
            let Some((head, rest)) = bytes[at..].split_first_chunk() else { return Ok((at, None)) };
            let head = Head::read(*head);
            head.check_length()?;
            let Some(payload) = rest.get(..head.length) else { return Ok((at, None)) };
            at += HEAD_LENGTH + head.length;
            if let Some(begun) = self.take_frame(head, payload)? {
                return Ok((at, Some(begun)));
            }
        }
    }

    /// Whether a request has begun of which more is to come; `rest` is what was not taken.
    pub fn is_within_head(&self, rest: &[u8]) -> bool {
        let is_head = || rest.get(3).is_none_or(|kind| matches!(*kind, HEADERS | CONTINUATION));
        self.block.is_some() || !rest.is_empty() && is_head()
    }

    fn take_frame(&mut self, head: Head, payload: &[u8]) -> Result<Option<Begun>, Code> {
        if self.awaited == Awaited::Settings && (head.kind != SETTINGS || head.has(ACK)) {
            return Err(Code::Protocol);
        }
        self.awaited = Awaited::Anything;
        if let Some(block) = self.block.take() {
            return self.continue_block(block, head, payload);
        }
        let is_of_connection = matches!(head.kind, SETTINGS | PING | GOAWAY);
        let is_of_stream = matches!(head.kind, DATA | HEADERS | PRIORITY | RST_STREAM);
        if is_of_connection && head.stream != 0 || is_of_stream && head.stream == 0 {
            return Err(Code::Protocol);
        }
        if is_of_stream && head.kind != PRIORITY && head.stream.is_multiple_of(2) {
            return Err(Code::Protocol);
        }
        match head.kind {
            DATA => self.take_data(head, payload)?,
            HEADERS => return self.take_headers(head, payload),
            PRIORITY if number(payload) & 0x7FFF_FFFF == head.stream => return Err(Code::Protocol),
            RST_STREAM => self.take_reset(head.stream)?,
            SETTINGS => self.take_settings(head, payload)?,
            PING => self.take_ping(head.has(ACK), payload),
            WINDOW_UPDATE => self.take_window(head.stream, number(payload))?,
            // Section 8.4: a client can't push.
            PUSH_PROMISE | CONTINUATION => return Err(Code::Protocol),
            // Priorities are a hint that nobody uses, who leaves will close, and of other types we know nothing (section 5.5).
            _ => {}
        }
        Ok(None)
    }

    fn take_data(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        if head.stream > self.history.latest() {
            return Err(Code::Protocol);
        }
        if self.is_over(head.stream) {
            return Err(Code::StreamClosed);
        }
        let data = head.without_padding(payload)?;
        // Payloads are shorter than that.
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.room = self.room.checked_sub(length).ok_or(Code::FlowControl)?;
        let ends = head.has(END_STREAM);
        if data.is_empty() && !ends {
            self.budget.spend()?;
        }
        if ends {
            self.history.end(head.stream);
        }
        let Some(stream) = self.find(head.stream) else {
            // We ended it, and the client had not heard so yet.
            self.give_back(length);
            return Ok(());
        };
        stream.has_ended = ends;
        let is_in_room = stream.room.checked_sub(length).map(|room| stream.room = room).is_some();
        let is_right = stream.has_right_length(data.len());
        if !is_in_room || !is_right {
            self.give_back(length);
            return self.reset(head.stream, if is_in_room { Code::Protocol } else { Code::FlowControl });
        }
        stream.awaits_continue = false;
        if stream.is_unread {
            self.give_back(length);
            return Ok(());
        }
        if !data.is_empty() {
            stream.arrived.push(data);
        }
        if !data.is_empty() || ends {
            stream.reader.wake();
        }
        let padding = length - u32::try_from(data.len()).unwrap_or(length);
        if padding > 0 {
            self.give_back_on(head.stream, padding);
        }
        Ok(())
    }

    fn take_reset(&mut self, id: u32) -> Result<(), Code> {
        if id > self.history.latest() {
            return Err(Code::Protocol);
        }
        self.history.end(id);
        self.remove(id);
        self.budget.spend()
    }

    fn take_settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Code> {
        if head.has(ACK) {
            return Ok(());
        }
        self.budget.spend()?;
        if let Some(initial) = frame::read_settings(payload)? {
            let change = initial - std::mem::replace(&mut self.first_credit, initial);
            for stream in &mut self.streams {
                stream.credit += change;
                if stream.credit > LARGEST_WINDOW {
                    return Err(Code::FlowControl);
                }
                queue(&mut self.ready, stream);
            }
        }
        frame::append_head(0, SETTINGS, ACK, 0, &mut self.out);
        Ok(())
    }

    fn take_window(&mut self, id: u32, growth: u32) -> Result<(), Code> {
        let growth = i64::from(growth & 0x7FFF_FFFF);
        if id > self.history.latest() {
            return Err(Code::Protocol);
        }
        if id == 0 {
            self.credit += growth;
            return match growth {
                0 => Err(Code::Protocol),
                _ if self.credit > LARGEST_WINDOW => Err(Code::FlowControl),
                _ => Ok(()),
            };
        }
        let Some(at) = self.place(id) else { return Ok(()) };
        let stream = &mut self.streams[at];
        stream.credit += growth;
        if growth == 0 {
            return self.reset(id, Code::Protocol);
        }
        if stream.credit > LARGEST_WINDOW {
            return self.reset(id, Code::FlowControl);
        }
        queue(&mut self.ready, stream);
        Ok(())
    }

    /// Lets the client send as much again on all streams.
    pub(super) fn give_back(&mut self, length: u32) {
        self.taken += length;
        if self.taken >= self.bounds.connection_window / 2 {
            self.room += self.taken;
            frame::append_number(WINDOW_UPDATE, 0, std::mem::take(&mut self.taken), &mut self.out);
        }
    }

    /// Lets the client send as much again on a stream.
    pub(super) fn give_back_on(&mut self, id: u32, length: u32) {
        let most = self.bounds.stream_window;
        if let Some(at) = self.place(id) {
            let stream = &mut self.streams[at];
            stream.taken += length;
            if stream.taken >= most / 2 && !stream.has_ended {
                stream.room += stream.taken;
                frame::append_number(WINDOW_UPDATE, id, std::mem::take(&mut stream.taken), &mut self.out);
            }
        }
        self.give_back(length);
    }

    /// Ends a stream because of what its client did.
    pub(super) fn reset(&mut self, id: u32, code: Code) -> Result<(), Code> {
        self.drop_stream(id, code);
        // Whoever has us end stream after stream has had the work of each done in vain (CVE-2025-8671).
        self.budget.spend()
    }

    /// Ends a stream that is not finished.
    pub(super) fn drop_stream(&mut self, id: u32, code: Code) {
        frame::append_number(RST_STREAM, id, code as u32, &mut self.out);
        self.history.give_up(id);
        self.remove(id);
    }

    /// Takes a stream out; whoever waits for it learns so.
    pub(super) fn remove(&mut self, id: u32) {
        let Some(at) = self.place(id) else { return };
        let mut stream = self.streams.remove(at);
        stream.wake_all();
        if stream.is_queued {
            self.ready.retain(|other| *other != id);
        }
        let unread = u32::try_from(stream.arrived.len()).unwrap_or(u32::MAX);
        self.give_back(unread);
    }

    /// Whether the client has said all on a stream.
    pub(super) fn is_over(&self, id: u32) -> bool {
        self.place(id).map_or_else(|| self.history.is_over(id), |at| self.streams[at].has_ended)
    }

    pub(super) fn find(&mut self, id: u32) -> Option<&mut Stream> {
        self.place(id).map(|at| &mut *self.streams[at])
    }

    pub(super) fn place(&self, id: u32) -> Option<usize> {
        self.streams.binary_search_by_key(&id, |stream| stream.id).ok()
    }
}
