//! Follows the bytes of an HTTP/1 connection through heads and bodies, and says how far they may be delivered.
//! Pure: it reads no socket and keeps no byte; the guard calls it with what has come.

use super::Unreadable;
use crate::http::wire::{ChunkScanner, Framing, Head, check_head, find_head_end};

/// Why a scan ended where it did.
#[derive(Debug)]
pub enum Halt {
    /// Every byte may be delivered.
    Nothing,
    /// The rest begins a head that hasn't ended.
    PartialHead,
    /// The request of this number asks for an upgrade; what follows it must wait.
    Upgrade { number: u64 },
    /// The request of this number can't be read; nothing may follow.
    Refused { number: u64, reason: Unreadable },
    /// A body broke its framing; nothing may follow.
    BrokenBody,
}

/// Where a connection stands.
#[derive(Debug)]
pub struct Scanner {
    part: Part,
    heads: u64,
    header_size: usize,
    asks_upgrade: bool,
}

#[derive(Debug)]
enum Part {
    Head,
    Length(u64),
    Chunked(ChunkScanner),
}

impl Scanner {
    pub fn new(header_size: usize) -> Self {
        Self { part: Part::Head, heads: 0, header_size, asks_upgrade: false }
    }

    /// Returns the number of the request that the next head begins.
    pub fn next_number(&self) -> u64 {
        self.heads + 1
    }

    pub fn is_in_body(&self) -> bool {
        !matches!(self.part, Part::Head)
    }

    /// Returns how many of `bytes` may be delivered, and why not more. The next call must begin with the first byte that was not.
    pub fn scan(&mut self, bytes: &[u8]) -> (usize, Halt) {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let step = match &mut self.part {
                Part::Head => self.scan_head(rest),
                Part::Length(left) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= length as u64;
                    let ends = *left == 0;
                    Ok((length, ends))
                }
                Part::Chunked(chunks) => match chunks.advance(rest) {
                    Ok(progress) => Ok((progress.consumed, progress.is_finished)),
                    Err(_) => Err(Halt::BrokenBody),
                },
            };
            match step {
                Err(halt) => return (at, halt),
                Ok((length, ends)) => {
                    at += length;
                    if ends {
                        self.part = Part::Head;
                        if std::mem::take(&mut self.asks_upgrade) {
                            return (at, Halt::Upgrade { number: self.heads });
                        }
                    }
                }
            }
        }
        (at, Halt::Nothing)
    }

    /// Returns the length of the head at the start of `rest`, and whether the request ends with it.
    fn scan_head(&mut self, rest: &[u8]) -> Result<(usize, bool), Halt> {
        let number = self.next_number();
        let end = find_head_end(rest);
        if end.unwrap_or(rest.len()) > self.header_size {
            return Err(Halt::Refused { number, reason: Unreadable::HeadTooLarge });
        }
        let Some(end) = end else { return Err(Halt::PartialHead) };
        let head: Head = match check_head(&rest[..end]) {
            Ok(head) => head,
            Err(violation) => return Err(Halt::Refused { number, reason: Unreadable::Malformed(violation) }),
        };
        self.heads = number;
        self.asks_upgrade = head.wants_upgrade;
        self.part = match head.framing {
            Framing::None | Framing::Length(0) => return Ok((end, true)),
            Framing::Length(length) => Part::Length(length),
            Framing::Chunked => Part::Chunked(ChunkScanner::default()),
        };
        Ok((end, false))
    }
}
