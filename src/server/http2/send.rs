//! What goes out on the streams of a connection: each in its turn, a frame at a time, as far as the client's windows let it (RFC 9113
//! section 5.2). Heads go at once.

use std::collections::VecDeque;

use bytes::Bytes;

use super::frame::{self, Code, DATA, END_STREAM, LONGEST};
use super::mux::Mux;
use super::stream::{Ending, Stream};
use crate::http::hpack::{NO_TABLE, encode_status};

/// How much waits to be written at most before streams wait for their turn.
pub const FULL: usize = 32 * 1024;

/// How often in a row a stream may be found stalled. It is looked at every half idle time: it goes after one of them, or one and a half.
const STALLS: u8 = 3;

impl Mux {
    /// Sends a head; `ends` if no body follows.
    pub fn send_head(&mut self, id: u32, ends: bool, encode: impl FnOnce(&mut Vec<u8>)) {
        let Some(stream) = self.find(id) else { return };
        stream.awaits_continue = false;
        if ends {
            stream.ending = Ending::Over;
        }
        let says_no_table = !std::mem::replace(&mut self.has_said_no_table, true);
        frame::append_block(id, if ends { END_STREAM } else { 0 }, &mut self.out, |out| {
            if says_no_table {
                out.push(NO_TABLE);
            }
            encode(out);
        });
    }

    /// Says that a body may come, to a client that waits for it.
    pub(super) fn send_continue(&mut self, id: u32) {
        self.send_head(id, false, |out| encode_status(100, out));
    }

    /// Has a piece of a body go out when it can, the earlier one being gone, and `ending` after it.
    pub fn send(&mut self, id: u32, piece: Bytes, ending: Ending) {
        let Some(at) = self.place(id) else { return };
        let stream = &mut self.streams[at];
        stream.ending = ending;
        if piece.is_empty() {
            if matches!(stream.ending, Ending::EndStream) {
                frame::append_head(0, DATA, END_STREAM, id, &mut self.out);
            }
            return self.end_piece(at);
        }
        stream.piece = piece;
        queue(&mut self.ready, stream);
        self.fill();
    }

    /// Frames what waits, as long as there is room for it and the client takes it.
    pub fn fill(&mut self) {
        while self.out.len() < FULL && self.credit > 0 {
            let Some(id) = self.ready.pop_front() else { return };
            let Some(at) = self.place(id) else { continue };
            let stream = &mut self.streams[at];
            stream.is_queued = false;
            let allowed = usize::try_from(self.credit.min(stream.credit)).unwrap_or_default();
            let length = stream.piece.len().min(allowed).min(LONGEST);
            if length == 0 {
                continue;
            }
            let sent = i64::try_from(length).unwrap_or_default();
            self.credit -= sent;
            stream.credit -= sent;
            stream.stalls = 0;
            let is_last = length == stream.piece.len();
            let ends = is_last && matches!(stream.ending, Ending::EndStream);
            frame::append_head(length, DATA, if ends { END_STREAM } else { 0 }, id, &mut self.out);
            self.out.extend_from_slice(&stream.piece.split_to(length));
            if is_last {
                self.end_piece(at);
            } else {
                queue(&mut self.ready, stream);
            }
        }
    }

    /// A stream's piece has gone: sends what follows, or asks for more.
    fn end_piece(&mut self, at: usize) {
        let stream = &mut self.streams[at];
        stream.piece = Bytes::new();
        let id = stream.id;
        match std::mem::replace(&mut stream.ending, Ending::Over) {
            Ending::Open => {
                stream.ending = Ending::Open;
                stream.writer.wake();
            }
            Ending::EndStream | Ending::Over => {}
            Ending::Trailers(block) => {
                frame::append_block(id, END_STREAM, &mut self.out, |out| out.extend_from_slice(&block));
            }
            Ending::Reset(code) => return self.drop_stream(id, code),
        }
        if stream.is_released && matches!(stream.ending, Ending::Over) {
            self.finish(at);
        }
    }

    /// Whoever answers on a stream is done with it: it goes when all has been sent; what has no end is broken off with `code`.
    pub fn release(&mut self, id: u32, code: Code) {
        let Some(at) = self.place(id) else { return };
        let stream = &mut self.streams[at];
        stream.is_released = true;
        match stream.ending {
            Ending::Open => self.drop_stream(id, code),
            Ending::Over => self.finish(at),
            Ending::EndStream | Ending::Trailers(_) | Ending::Reset(_) => {}
        }
    }

    /// Lets go of a stream on which we have said all. A client that has not need not go on (section 8.1).
    fn finish(&mut self, at: usize) {
        let Stream { id, has_ended, .. } = *self.streams[at];
        if has_ended { self.remove(id) } else { self.drop_stream(id, Code::None) }
    }

    /// Ends the streams of whose data the client takes nothing, though it could have come.
    pub(super) fn drop_stalled(&mut self) {
        for stream in &mut self.streams {
            stream.stalls = if stream.piece.is_empty() { 0 } else { stream.stalls + 1 };
        }
        while let Some(stalled) = self.streams.iter().find(|stream| stream.stalls >= STALLS) {
            self.drop_stream(stalled.id, Code::Cancel);
        }
    }
}

/// Has a stream wait for its turn, if the client takes anything of it.
pub(super) fn queue(ready: &mut VecDeque<u32>, stream: &mut Stream) {
    if !stream.is_queued && stream.can_send() {
        stream.is_queued = true;
        ready.push_back(stream.id);
    }
}
