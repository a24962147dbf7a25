//! Judges the frames that an HTTP/2 client sends, by their headers and as they pass: where one breaks a rule for which the HTTP
//! library would name another error code than RFC 9113 does, or none, the connection ends with that code in its GOAWAY; so does
//! that of a client which takes back request after request. What the library judges rightly is left to it. It reads no socket and
//! keeps no byte; called by the guard.

use std::time::Instant;

use super::field_block::{self, Names};
use crate::clock::Clock;

/// What a client says first (RFC 9113 section 3.4).
const PREFACE_LENGTH: usize = 24;
const HEAD_LENGTH: usize = 9;

/// The longest frame that we take; the library refuses a longer one as it should.
const LONGEST: usize = 16_384;

/// How many of the latest streams are remembered: as many as may be open at once.
const REMEMBERED: u32 = u128::BITS;

/// How many requests a client may take back at once, and how many more with time, as nghttp2 allows. The library bounds those that
/// it has not handed on yet; each of the others has been asked of an app for nothing (CVE-2023-44487).
const RESETS: u32 = 1000;
const RESETS_A_SECOND: u32 = 33;

/// Frame types and flags (RFC 9113 section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const HAS_PRIORITY: u8 = 0x20;

const INITIAL_WINDOW_SIZE: u16 = 4;
const LARGEST_WINDOW: u32 = 0x7FFF_FFFF;

/// Why a connection ends (RFC 9113 section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Protocol = 1,
    FlowControl = 3,
    StreamClosed = 5,
    FrameSize = 6,
    Compression = 9,
    EnhanceYourCalm = 11,
}

/// A GOAWAY frame.
pub type Goodbye = [u8; HEAD_LENGTH + 8];

/// Where one connection stands.
#[derive(Debug)]
pub struct Frames {
    /// How many bytes are to come of what has been judged: the preface, then a frame.
    passing: usize,
    /// Whether a field block has begun that goes on in CONTINUATION frames.
    is_in_block: bool,
    /// The latest stream that the client opened; a bit of the two below stands for a stream, the lowest for this one.
    latest: u32,
    ended: u128,
    reset: u128,
    /// How many more resets there may be, as it was then.
    resets_left: u32,
    refilled: Instant,
    clock: fn() -> Instant,
}

enum Verdict {
    Pass,
    /// The frame must be here whole before it can be judged.
    Wait,
}

#[derive(Clone, Copy)]
struct Head {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frames {
    /// Returns the state before the preface.
    pub fn new() -> Self {
        Self::with_clock(Clock::monotonic)
    }

    fn with_clock(clock: fn() -> Instant) -> Self {
        Self {
            passing: PREFACE_LENGTH,
            is_in_block: false,
            latest: 0,
            ended: 0,
            reset: 0,
            resets_left: RESETS,
            refilled: clock(),
            clock,
        }
    }

    /// Returns how many of `bytes` may be delivered, and what ends the connection after them, if anything does. The next call must
    /// begin with the first byte that was not delivered.
    pub fn scan(&mut self, bytes: &[u8]) -> (usize, Option<Goodbye>) {
        let mut at = 0;
        loop {
            let passed = self.passing.min(bytes.len() - at);
            self.passing -= passed;
            at += passed;
            // No part of a frame is delivered before it is judged: the library would say nothing of what breaks off within one.
            let Some((head, after)) = bytes[at..].split_first_chunk() else { return (at, None) };
            let head = Head::read(*head);
            match self.judge(head, after) {
                Ok(Verdict::Pass) => self.passing = HEAD_LENGTH + head.length,
                Ok(Verdict::Wait) => return (at, None),
                Err(code) => return (at, Some(self.goodbye(code))),
            }
        }
    }

    fn judge(&mut self, head: Head, after: &[u8]) -> Result<Verdict, Code> {
        if self.is_in_block {
            // Section 6.10: whatever else comes now is a protocol error before all, as the library says.
            self.is_in_block = head.kind != CONTINUATION || !head.has(END_HEADERS);
            return Ok(Verdict::Pass);
        }
        if head.length > LONGEST {
            return Ok(Verdict::Pass);
        }
        check_length(head)?;
        match head.kind {
            // Data that follows a reset is the library's: it resets the stream anew, and the connection lives on.
            DATA if self.is_among(self.ended, head.stream) => return Err(Code::StreamClosed),
            DATA => self.note_end(head),
            HEADERS => return self.judge_headers(head, after),
            RST_STREAM => {
                self.reset |= self.bit(head.stream);
                self.spend_reset()?;
            }
            SETTINGS => {
                let Some(payload) = after.get(..head.length) else { return Ok(Verdict::Wait) };
                check_settings(payload)?;
            }
            // The library hangs up at it where no stream is open, whatever its code says and whatever else is on its way (section 7):
            // it learns of a client that leaves with what follows, be it the end.
            GOAWAY if head.stream == 0 && after.len() <= head.length => return Ok(Verdict::Wait),
            // Section 8.4: a client can't push. The library would wait for a field block to end before it says so.
            PUSH_PROMISE => return Err(Code::Protocol),
            _ => {}
        }
        Ok(Verdict::Pass)
    }

    /// A request's head, or its trailers.
    fn judge_headers(&mut self, head: Head, after: &[u8]) -> Result<Verdict, Code> {
        let opens = head.stream > self.latest;
        if !opens && self.is_among(self.ended | self.reset, head.stream) {
            return Err(Code::StreamClosed);
        }
        // A block in several frames is left to the library.
        if head.has(END_HEADERS) {
            let Some(payload) = after.get(..head.length) else { return Ok(Verdict::Wait) };
            let names = head.fragment(payload).map(field_block::walk).transpose();
            let names = names.map_err(|field_block::Undecodable| Code::Compression)?;
            // Sections 8.1 and 8.3.1: trailers have none, and a path has no fragment. The library would drop either, and take the
            // request for well-formed.
            if names == Some(Names::Fragment) || !opens && names == Some(Names::Pseudo) {
                return Err(Code::Protocol);
            }
        }
        if opens {
            self.open(head.stream);
        }
        self.is_in_block = !head.has(END_HEADERS);
        self.note_end(head);
        Ok(Verdict::Pass)
    }

    /// Counts a reset. The clock is asked only when those at hand are used up.
    fn spend_reset(&mut self) -> Result<(), Code> {
        if self.resets_left == 0 {
            let now = (self.clock)();
            let earned = now.duration_since(self.refilled).as_millis() * u128::from(RESETS_A_SECOND) / 1000;
            self.resets_left = u32::try_from(earned).unwrap_or(RESETS).min(RESETS);
            self.refilled = now;
        }
        self.resets_left = self.resets_left.checked_sub(1).ok_or(Code::EnhanceYourCalm)?;
        Ok(())
    }

    fn open(&mut self, stream: u32) {
        let newer = (stream - self.latest).div_ceil(2);
        self.ended = self.ended.checked_shl(newer).unwrap_or(0);
        self.reset = self.reset.checked_shl(newer).unwrap_or(0);
        self.latest = stream;
    }

    fn note_end(&mut self, head: Head) {
        if head.has(END_STREAM) {
            self.ended |= self.bit(head.stream);
        }
    }

    fn is_among(&self, streams: u128, stream: u32) -> bool {
        streams & self.bit(stream) != 0
    }

    /// Returns the bit that stands for a stream; none for one that is not remembered, and none that was not opened.
    fn bit(&self, stream: u32) -> u128 {
        let older = self.latest.checked_sub(stream).map(|distance| distance / 2);
        older.filter(|older| *older < REMEMBERED).map_or(0, |older| 1 << older)
    }

    fn goodbye(&self, code: Code) -> Goodbye {
        let mut frame = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, code as u8];
        frame[HEAD_LENGTH..HEAD_LENGTH + 4].copy_from_slice(&self.latest.to_be_bytes());
        frame
    }
}

impl Head {
    fn read(bytes: [u8; HEAD_LENGTH]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = bytes;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        Self { length, kind, flags, stream: u32::from_be_bytes(stream) & 0x7FFF_FFFF }
    }

    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Returns how many octets a HEADERS frame has before its field block.
    fn lead(self) -> usize {
        usize::from(self.has(PADDED)) + if self.has(HAS_PRIORITY) { 5 } else { 0 }
    }

    /// Returns the field block of a HEADERS frame, if its padding leaves one.
    fn fragment(self, payload: &[u8]) -> Option<&[u8]> {
        let padding = if self.has(PADDED) { usize::from(*payload.first()?) } else { 0 };
        payload.get(self.lead()..payload.len().checked_sub(padding)?)
    }
}

/// Sections 4.2 and 6.1 to 6.9: a frame has the length of its type, and room for what its flags promise.
fn check_length(head: Head) -> Result<(), Code> {
    let is_right = match head.kind {
        DATA => !head.has(PADDED) || head.length > 0,
        HEADERS => head.length >= head.lead(),
        PRIORITY => head.length == 5,
        RST_STREAM | WINDOW_UPDATE => head.length == 4,
        SETTINGS if head.has(ACK) => head.length == 0,
        SETTINGS => head.length.is_multiple_of(6),
        PING => head.length == 8,
        GOAWAY => head.length >= 8,
        _ => true,
    };
    if is_right { Ok(()) } else { Err(Code::FrameSize) }
}

/// Section 6.5.2.
fn check_settings(payload: &[u8]) -> Result<(), Code> {
    let (settings, _) = payload.as_chunks::<6>();
    let is_wrong = |[high, low, value @ ..]: &[u8; 6]| {
        u16::from_be_bytes([*high, *low]) == INITIAL_WINDOW_SIZE && u32::from_be_bytes(*value) > LARGEST_WINDOW
    };
    if settings.iter().any(is_wrong) { Err(Code::FlowControl) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
