//! Follows a chunked body (RFC 9112 7.1) as its bytes pass, to the end of its trailer section.

use super::{Violation, is_token_byte, is_value_byte};

/// Chunk extensions mean nothing to us (RFC 9112 7.1.1); all of a body's together may not exceed this.
const EXTENSIONS: usize = 16 * 1024;
const TRAILERS: usize = 8 * 1024;
const SIZE_DIGITS: u8 = 16;

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many of the bytes belong to this body; those after them begin the next request.
    pub consumed: usize,
    /// Whether the body, its trailer section included, is complete.
    pub is_finished: bool,
}

/// The place in one chunked body.
#[derive(Debug)]
pub struct ChunkScanner {
    state: State,
    /// Bytes of extensions, then of trailers, seen so far.
    extensions: usize,
    trailers: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size {
        value: u64,
        digits: u8,
    },
    Extension {
        size: u64,
        place: Place,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// At the start of a trailer field, or of the empty line.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Finished,
}

/// Where an extension stands in `*( ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
#[derive(Clone, Copy, Debug)]
enum Place {
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Value,
    Quoted,
    Escaped,
    Unquoted,
    AfterValue,
}

impl Default for ChunkScanner {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkScanner {
    pub fn new() -> Self {
        Self { state: State::Size { value: 0, digits: 0 }, extensions: 0, trailers: 0 }
    }

    /// Returns how much of the next `bytes` is this body's; how they are cut into pieces makes no difference.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Progress, Violation> {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::Finished => break,
                State::Data { left } => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                    let left = left - here as u64;
                    self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                    at += here;
                }
                state => {
                    self.state = self.step(state, bytes[at])?;
                    at += 1;
                }
            }
        }
        Ok(Progress { consumed: at, is_finished: matches!(self.state, State::Finished) })
    }

    fn step(&mut self, state: State, byte: u8) -> Result<State, Violation> {
        match (state, byte) {
            (State::Size { value, digits }, _) => step_size(value, digits, byte),
            (State::Extension { size, place: Place::Name | Place::Value | Place::Unquoted }, b'\r') => {
                Ok(State::SizeLf { size })
            }
            (State::Extension { size, place }, _) => {
                self.extensions += 1;
                match step_extension(place, byte) {
                    Some(place) if self.extensions <= EXTENSIONS => Ok(State::Extension { size, place }),
                    _ => Err(Violation::MalformedChunk),
                }
            }
            (State::SizeLf { size: 0 }, b'\n') => Ok(State::TrailerStart),
            (State::SizeLf { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { value: 0, digits: 0 }),
            (State::TrailerStart, b'\r') => Ok(State::LastLf),
            (State::LastLf, b'\n') => Ok(State::Finished),
            (State::TrailerStart | State::TrailerName | State::TrailerValue | State::TrailerLf, _) => {
                self.trailers += 1;
                if self.trailers > TRAILERS { Err(Violation::TrailersTooLarge) } else { step_trailer(state, byte) }
            }
            _ => Err(Violation::MalformedChunk),
        }
    }
}

/// A size is hexadecimal digits, at once followed by the line's end or a `;`.
fn step_size(value: u64, digits: u8, byte: u8) -> Result<State, Violation> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\r' if digits > 0 => return Ok(State::SizeLf { size: value }),
        b';' if digits > 0 => return Ok(State::Extension { size: value, place: Place::BeforeName }),
        _ => return Err(Violation::MalformedChunk),
    };
    if digits == SIZE_DIGITS {
        return Err(Violation::MalformedChunk);
    }
    Ok(State::Size { value: value << 4 | u64::from(digit), digits: digits + 1 })
}

/// Returns the next place; nothing where another parser could see the line's end or another chunk.
fn step_extension(place: Place, byte: u8) -> Option<Place> {
    let is_white = matches!(byte, b' ' | b'\t');
    Some(match (place, byte) {
        (Place::BeforeName | Place::AfterName | Place::BeforeValue | Place::AfterValue, _) if is_white => place,
        (Place::BeforeName | Place::Name, _) if is_token_byte(byte) => Place::Name,
        (Place::Name, _) if is_white => Place::AfterName,
        (Place::Name | Place::AfterName, b'=') => Place::BeforeValue,
        (Place::Name | Place::AfterName | Place::Value | Place::Unquoted | Place::AfterValue, b';') => {
            Place::BeforeName
        }
        (Place::BeforeValue, b'"') => Place::Quoted,
        (Place::BeforeValue | Place::Value, _) if is_token_byte(byte) => Place::Value,
        (Place::Value | Place::Unquoted, _) if is_white => Place::AfterValue,
        (Place::Quoted, b'"') => Place::Unquoted,
        (Place::Quoted, b'\\') => Place::Escaped,
        (Place::Quoted | Place::Escaped, _) if is_value_byte(byte) => Place::Quoted,
        _ => return None,
    })
}

fn step_trailer(state: State, byte: u8) -> Result<State, Violation> {
    match (state, byte) {
        (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => Ok(State::TrailerName),
        (State::TrailerName, b':') => Ok(State::TrailerValue),
        (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
        (State::TrailerValue, _) if is_value_byte(byte) => Ok(State::TrailerValue),
        (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
        _ => Err(Violation::MalformedField),
    }
}
