//! Frames (RFC 9113 sections 4 and 6): their heads as they are read and written, and the length that each type must have. Pure.

pub const HEAD_LENGTH: usize = 9;

/// The longest payload that either side may send: what everybody must take, and we offer no more.
pub const LONGEST: usize = 16_384;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 0x1;
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const HAS_PRIORITY: u8 = 0x20;

/// No window may grow beyond this.
pub const LARGEST_WINDOW: i64 = 0x7FFF_FFFF;
/// What both windows are until somebody says otherwise (section 6.9.2).
pub const FIRST_WINDOW: u32 = 65_535;

/// Why a stream or a connection ends (section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    None = 0,
    Protocol = 1,
    Internal = 2,
    FlowControl = 3,
    StreamClosed = 5,
    FrameSize = 6,
    Refused = 7,
    Cancel = 8,
    Compression = 9,
    EnhanceYourCalm = 11,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    /// 0 is the connection.
    pub stream: u32,
}

impl Head {
    pub fn read(bytes: [u8; HEAD_LENGTH]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = bytes;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        Self { length, kind, flags, stream: u32::from_be_bytes(stream) & 0x7FFF_FFFF }
    }

    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether the frame has the length of its type (sections 4.2 and 6.1 to 6.9).
    pub fn check_length(self) -> Result<(), Code> {
        let is_right = match self.kind {
            _ if self.length > LONGEST => false,
            PRIORITY => self.length == 5,
            RST_STREAM | WINDOW_UPDATE => self.length == 4,
            SETTINGS if self.has(ACK) => self.length == 0,
            SETTINGS => self.length.is_multiple_of(6),
            PING => self.length == 8,
            GOAWAY => self.length >= 8,
            _ => true,
        };
        if is_right { Ok(()) } else { Err(Code::FrameSize) }
    }

    /// Returns what a frame holds without its padding (section 6.1).
    pub fn without_padding(self, payload: &[u8]) -> Result<&[u8], Code> {
        if !self.has(PADDED) {
            return Ok(payload);
        }
        let (padding, rest) = payload.split_first().ok_or(Code::FrameSize)?;
        let length = rest.len().checked_sub(usize::from(*padding)).ok_or(Code::Protocol)?;
        Ok(&rest[..length])
    }
}

/// Appends a frame's head. What we send fits into a frame.
pub fn append_head(length: usize, kind: u8, flags: u8, stream: u32, out: &mut Vec<u8>) {
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&[length[1], length[2], length[3], kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
}

/// Appends a frame whose payload is one number: a window's growth, or the code of a reset.
pub fn append_number(kind: u8, stream: u32, number: u32, out: &mut Vec<u8>) {
    append_head(4, kind, 0, stream, out);
    out.extend_from_slice(&number.to_be_bytes());
}

/// Appends a GOAWAY: what `last` and the streams before it ask may have been done, what later ones ask has not (section 6.8).
pub fn append_goaway(last: u32, code: Code, out: &mut Vec<u8>) {
    append_head(8, GOAWAY, 0, 0, out);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&(code as u32).to_be_bytes());
}

/// Appends the field block that `encode` appends, in as many frames as it takes.
pub fn append_block(stream: u32, flags: u8, out: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    append_head(0, HEADERS, flags | END_HEADERS, stream, out);
    encode(out);
    let length = out.len() - start - HEAD_LENGTH;
    if length <= LONGEST {
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        out[start..start + 3].copy_from_slice(&length[1..]);
        return;
    }
    let block = out.split_off(start + HEAD_LENGTH);
    out.truncate(start);
    let mut pieces = block.chunks(LONGEST).peekable();
    let (mut kind, mut flags) = (HEADERS, flags);
    while let Some(piece) = pieces.next() {
        let ends = if pieces.peek().is_none() { END_HEADERS } else { 0 };
        append_head(piece.len(), kind, flags | ends, stream, out);
        out.extend_from_slice(piece);
        (kind, flags) = (CONTINUATION, 0);
    }
}

/// Returns the number that a payload begins with.
pub fn number(payload: &[u8]) -> u32 {
    payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Returns the window that a client's settings (section 6.5.2) give each stream, if they say so. The others don't concern us: longer frames
/// than everybody takes we don't send, our encoder has no table, and nothing is pushed.
pub fn read_settings(payload: &[u8]) -> Result<Option<i64>, Code> {
    let mut initial_window = None;
    let (settings, _) = payload.as_chunks::<6>();
    for [high, low, value @ ..] in settings {
        let value = u32::from_be_bytes(*value);
        match u16::from_be_bytes([*high, *low]) {
            ENABLE_PUSH if value > 1 => return Err(Code::Protocol),
            MAX_FRAME_SIZE if !(16_384..=0x00FF_FFFF).contains(&value) => return Err(Code::Protocol),
            INITIAL_WINDOW_SIZE if i64::from(value) > LARGEST_WINDOW => return Err(Code::FlowControl),
            INITIAL_WINDOW_SIZE => initial_window = Some(value.into()),
            _ => {}
        }
    }
    Ok(initial_window)
}

const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// Appends what we say of ourselves.
pub fn append_settings(streams: u32, window: u32, header_size: u32, out: &mut Vec<u8>) {
    let settings = [
        (MAX_CONCURRENT_STREAMS, streams),
        (INITIAL_WINDOW_SIZE, window),
        (MAX_HEADER_LIST_SIZE, header_size),
        (ENABLE_CONNECT_PROTOCOL, 1),
    ];
    append_head(settings.len() * 6, SETTINGS, 0, 0, out);
    for (name, value) in settings {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_fills_more_than_a_frame_goes_on_in_others() {
        let mut out = b"before".to_vec();
        append_block(1, END_STREAM, &mut out, |out| out.resize(out.len() + 40_000, 0x88));
        let mut rest = &out[6..];
        for (kind, flags, length) in [
            (HEADERS, END_STREAM, LONGEST),
            (CONTINUATION, 0, LONGEST),
            (CONTINUATION, END_HEADERS, 40_000 - 2 * LONGEST),
        ] {
            let (head, after) = rest.split_first_chunk().unwrap();
            let head = Head::read(*head);
            assert_eq!((head.kind, head.flags, head.stream, head.length), (kind, flags, 1, length));
            rest = &after[length..];
        }
        assert!(rest.is_empty());
    }
}
