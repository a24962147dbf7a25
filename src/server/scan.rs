//! Follows the bytes of an HTTP/1 connection through heads and bodies, and says how far they may be delivered.
//! Pure: it reads no socket and keeps no byte; the guard calls it with what has come.

use super::Unreadable;
use super::frames::Goodbye;
use crate::http::wire::{ChunkScanner, Framing, Violation, blame_oversize, check_head, find_head_end};

/// Why a scan ended where it did.
#[derive(Clone, Copy, Debug)]
pub enum Halt {
    /// Nothing is wrong and no head is incomplete: the bytes are at their end, or only empty lines are left.
    Nothing,
    /// The rest begins a head that hasn't ended.
    PartialHead,
    /// The request of this number asks for an upgrade; what follows it must wait.
    Upgrade { number: u64 },
    /// The request of this number can't be read; nothing may follow.
    Refused { number: u64, reason: Unreadable },
    /// A body broke its framing; nothing may follow.
    BrokenBody,
    /// The connection speaks another protocol, which has no use for an answer in ours.
    NotHttp,
    /// A frame of HTTP/2 breaks the protocol; nothing may follow, and this is said to the client.
    BrokenFrame(Goodbye),
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
        // Where in `bytes` the head of the body begins that is being read, if it is there.
        let mut head_at = None;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let step = match &mut self.part {
                Part::Head => {
                    head_at = Some(at);
                    self.scan_head(rest)
                }
                Part::Length(left) => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= length as u64;
                    let ends = *left == 0;
                    Ok((length, ends))
                }
                Part::Chunked(chunks) => match chunks.advance(rest) {
                    Ok(progress) => Ok((progress.consumed, progress.is_finished)),
                    Err(violation) => Err(self.refuse_body(violation, head_at.is_some())),
                },
            };
            match step {
                Err(halt @ Halt::Refused { .. }) => return (head_at.unwrap_or(at), halt),
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

    /// Returns what becomes of a request whose body breaks its framing: nothing of it goes on where its head has not yet.
    fn refuse_body(&self, violation: Violation, holds_head: bool) -> Halt {
        if !holds_head {
            return Halt::BrokenBody;
        }
        Halt::Refused { number: self.heads, reason: Unreadable::Malformed(violation) }
    }

    /// Returns the length of the head at the start of `rest`, and whether the request ends with it.
    fn scan_head(&mut self, rest: &[u8]) -> Result<(usize, bool), Halt> {
        let number = self.next_number();
        let refused = |violation| Halt::Refused { number, reason: Unreadable::Malformed(violation) };
        let end = find_head_end(rest);
        if end.unwrap_or(rest.len()) > self.header_size {
            return Err(refused(blame_oversize(rest, self.header_size)));
        }
        let Some(end) = end else {
            // Some clients end a body with an empty line (RFC 9112 section 2.2): that begins no request yet.
            let has_begun = rest.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
            return Err(if has_begun { Halt::PartialHead } else { Halt::Nothing });
        };
        let head = check_head(&rest[..end]).map_err(|violation| match violation {
            Violation::NotHttp if number == 1 => Halt::NotHttp,
            _ => refused(violation),
        })?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n\
        POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello\r\n\
        POST /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
        GET /d HTTP/1.1\r\nhost: a\r\n\r\n\
        GET /e HTTP/1.1\r\nhost : a\r\n\r\nGET /f HTTP/1.1\r\nhost: a\r\n\r\n";

    /// Returns how many bytes are delivered when the stream comes in pieces of these lengths, and the number that is refused.
    fn deliver(pieces: &[usize]) -> (usize, Option<u64>) {
        let mut scanner = Scanner::new(1024);
        let (mut delivered, mut came) = (0, 0);
        for length in pieces.iter().copied().chain([STREAM.len()]) {
            came = (came + length).min(STREAM.len());
            let (valid, halt) = scanner.scan(&STREAM[delivered..came]);
            delivered += valid;
            if let Halt::Refused { number, .. } = halt {
                return (delivered, Some(number));
            }
        }
        (delivered, None)
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_into_pieces_makes_no_difference(pieces in prop::collection::vec(1usize..60, 0..40)) {
            let bad = STREAM.windows(6).position(|window| window == b"GET /e").unwrap();
            prop_assert_eq!(deliver(&pieces), (bad, Some(5)));
        }
    }

    #[test]
    fn nothing_behind_a_request_to_upgrade_is_delivered_with_it() {
        let head = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\ncontent-length: 2\r\n\r\nok";
        let mut scanner = Scanner::new(1024);
        let (valid, halt) = scanner.scan(&[head.as_slice(), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"].concat());
        assert_eq!(valid, head.len());
        assert!(matches!(halt, Halt::Upgrade { number: 1 }), "{halt:?}");
    }

    #[test]
    fn a_request_whose_body_breaks_is_refused_whole_while_its_head_is_here() {
        let request = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n-1\r\n";
        let stream = [b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".as_slice(), request].concat();
        let first = stream.len() - request.len();
        let (valid, halt) = Scanner::new(1024).scan(&stream);
        assert_eq!(valid, first);
        assert!(matches!(halt, Halt::Refused { number: 2, .. }), "{halt:?}");
        let mut scanner = Scanner::new(1024);
        let (valid, _) = scanner.scan(&stream[..stream.len() - 4]);
        assert_eq!(valid, stream.len() - 4);
        let (valid, halt) = scanner.scan(&stream[stream.len() - 4..]);
        assert!(valid == 0 && matches!(halt, Halt::BrokenBody), "{valid} {halt:?}");
    }

    #[test]
    fn an_empty_line_after_a_body_begins_no_head() {
        let mut scanner = Scanner::new(1024);
        assert!(matches!(scanner.scan(b"\r\n"), (0, Halt::Nothing)));
        assert!(matches!(scanner.scan(b"\r\nG"), (0, Halt::PartialHead)));
    }
}
