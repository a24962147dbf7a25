//! Reads a body that comes in chunks (RFC 9112 section 7.1), piece by piece as it arrives.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::{find_head_end, read_fields, take_bytes};

/// The longest line with a chunk's size, its extensions included, which mean nothing to us; and the longest trailer section.
const SIZE_LINE: usize = 4 * 1024;
const TRAILERS: usize = 8 * 1024;
const TRAILER_FIELDS: usize = 64;
const SIZE_DIGITS: usize = 16;

/// A chunk shorter than this is put together with those after it, up to so many bytes.
const SMALL: usize = 512;
const GATHERED: usize = 8 * 1024;

/// The body does not follow the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk does not follow the grammar")]
pub struct BadChunk;

/// What comes next of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Data(Bytes),
    /// The end, with the trailer section, which is mostly empty.
    End(HeaderMap),
    /// More bytes are needed.
    Incomplete,
}

/// The place in one chunked body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunks {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

impl Chunks {
    /// Takes the next piece from the start of `bytes`; not to be called again after the end. Small chunks that are here together
    /// come as one piece: each would cost whoever sends it on a frame and a call of the system.
    pub fn take(&mut self, bytes: &mut BytesMut) -> Result<Piece, BadChunk> {
        loop {
            match self.pass(bytes)? {
                Passed::Incomplete => return Ok(Piece::Incomplete),
                Passed::Framing => {}
                Passed::Trailers => return take_trailers(bytes),
                Passed::Data(data) if data.len() < SMALL && !bytes.is_empty() => return self.gather(&data, bytes),
                Passed::Data(data) => return Ok(Piece::Data(data)),
            }
        }
    }

    fn gather(&mut self, first: &[u8], bytes: &mut BytesMut) -> Result<Piece, BadChunk> {
        let mut gathered = BytesMut::from(first);
        while gathered.len() < GATHERED {
            match self.pass(bytes)? {
                Passed::Incomplete | Passed::Trailers => break,
                Passed::Framing => {}
                Passed::Data(data) => gathered.extend_from_slice(&data),
            }
        }
        Ok(Piece::Data(gathered.freeze()))
    }

    /// Takes one step; the trailer section is left where it is.
    fn pass(&mut self, bytes: &mut BytesMut) -> Result<Passed, BadChunk> {
        match *self {
            Self::Size => {
                let Some(size) = take_size(bytes)? else { return Ok(Passed::Incomplete) };
                *self = if size == 0 { Self::Trailers } else { Self::Data(size) };
                Ok(Passed::Framing)
            }
            Self::Data(_) if bytes.is_empty() => Ok(Passed::Incomplete),
            Self::Data(left) => {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left - here as u64;
                *self = if left == 0 { Self::DataEnd } else { Self::Data(left) };
                Ok(Passed::Data(take_bytes(bytes, here)))
            }
            Self::DataEnd => match bytes[..] {
                [b'\r', b'\n', ..] => {
                    bytes.advance(2);
                    *self = Self::Size;
                    Ok(Passed::Framing)
                }
                [] | [b'\r'] => Ok(Passed::Incomplete),
                _ => Err(BadChunk),
            },
            Self::Trailers => Ok(Passed::Trailers),
        }
    }
}

/// What a step has taken.
enum Passed {
    Data(Bytes),
    /// What stands between data.
    Framing,
    /// Nothing: the trailer section comes.
    Trailers,
    /// Nothing: more bytes are needed.
    Incomplete,
}

/// Takes the line with a chunk's size; `None` while it isn't all there.
fn take_size(bytes: &mut BytesMut) -> Result<Option<u64>, BadChunk> {
    let Some(end) = memchr::memchr(b'\n', &bytes[..bytes.len().min(SIZE_LINE)]) else {
        return if bytes.len() < SIZE_LINE { Ok(None) } else { Err(BadChunk) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(BadChunk)?;
    let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
    // Some servers write sizes of one width, with spaces behind them.
    let size = size.trim_ascii_end();
    if size.is_empty() || size.len() > SIZE_DIGITS || line.contains(&b'\r') {
        return Err(BadChunk);
    }
    let mut value = 0;
    for byte in size {
        let digit = char::from(*byte).to_digit(16).ok_or(BadChunk)?;
        value = value << 4 | u64::from(digit);
    }
    bytes.advance(end + 1);
    Ok(Some(value))
}

fn take_trailers(bytes: &mut BytesMut) -> Result<Piece, BadChunk> {
    if bytes.starts_with(b"\r\n") {
        bytes.advance(2);
        return Ok(Piece::End(HeaderMap::new()));
    }
    let Some(end) = find_head_end(bytes) else {
        return if bytes.len() <= TRAILERS { Ok(Piece::Incomplete) } else { Err(BadChunk) };
    };
    let section = bytes.split_to(end).freeze();
    read_fields(&section, TRAILER_FIELDS).map(Piece::End).ok_or(BadChunk)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = b"5\r\nhello\r\n0006;a=\"b\"\r\n world\r\n1  \r\n!\r\n0\r\nX-Sum: 12\r\nx-sum: 13\r\n\r\nNEXT";

    /// The data, the trailers, and what is left.
    type Read = (Vec<u8>, Option<HeaderMap>, Vec<u8>);

    /// Returns what comes out when the body comes in pieces of these lengths.
    fn read(body: &[u8], pieces: &[usize]) -> Result<Read, BadChunk> {
        let (mut chunks, mut bytes, mut data, mut came) = (Chunks::default(), BytesMut::new(), Vec::new(), 0);
        for length in pieces.iter().copied().chain([body.len()]) {
            let until = (came + length).min(body.len());
            bytes.extend_from_slice(&body[came..until]);
            came = until;
            loop {
                match chunks.take(&mut bytes)? {
                    Piece::Data(piece) => data.extend_from_slice(&piece),
                    Piece::End(trailers) => {
                        bytes.extend_from_slice(&body[came..]);
                        return Ok((data, Some(trailers), bytes.to_vec()));
                    }
                    Piece::Incomplete => break,
                }
            }
        }
        Ok((data, None, bytes.to_vec()))
    }

    proptest! {
        #[test]
        fn how_a_body_is_cut_into_pieces_makes_no_difference(pieces in prop::collection::vec(1usize..20, 0..60)) {
            let (data, trailers, rest) = read(BODY, &pieces).unwrap();
            prop_assert_eq!(data, b"hello world!");
            prop_assert_eq!(trailers.unwrap().get_all("x-sum").iter().count(), 2);
            prop_assert_eq!(rest, b"NEXT");
        }
    }

    #[test]
    fn small_chunks_that_are_here_together_come_as_one_piece() {
        let mut bytes = BytesMut::from(&b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"[..]);
        let mut chunks = Chunks::default();
        assert_eq!(chunks.take(&mut bytes), Ok(Piece::Data(Bytes::from_static(b"abc"))));
        assert_eq!(chunks.take(&mut bytes), Ok(Piece::End(HeaderMap::new())));
        let large = [b"400\r\n", &[b'x'; 1024][..], b"\r\n1\r\ny\r\n"].concat();
        let (mut bytes, mut chunks) = (BytesMut::from(&large[..]), Chunks::default());
        assert_eq!(chunks.take(&mut bytes), Ok(Piece::Data(Bytes::from(vec![b'x'; 1024]))));
    }

    #[test]
    fn a_body_that_breaks_off_does_not_end() {
        for cut in 0..BODY.len() - 4 {
            assert!(matches!(read(&BODY[..cut], &[]), Ok((_, None, _))), "{cut}");
        }
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        let long = format!("1;{}\r\n", "a".repeat(SIZE_LINE));
        for body in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "0x1\r\na\r\n",
            "1\na\r\n",
            "1\r\nab\r\n",
            "11111111111111111\r\n",
            " 1\r\na",
            &long,
        ] {
            assert_eq!(read(body.as_bytes(), &[]), Err(BadChunk), "{body:.40}");
        }
        let trailers = format!("0\r\nX: {}", "a".repeat(TRAILERS + 1));
        assert_eq!(read(trailers.as_bytes(), &[]), Err(BadChunk));
    }
}
