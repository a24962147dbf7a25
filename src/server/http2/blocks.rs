//! Field blocks, whole or in pieces: the requests and the trailers that they are (RFC 9113 sections 4.3 and 8.1).

use http::Method;

use super::frame::{CONTINUATION, Code, END_HEADERS, END_STREAM, HAS_PRIORITY, Head, LONGEST, number};
use super::head::{self, Asked};
use super::leave::Stage;
use super::mux::{Mux, STREAMS};
use super::stream::Stream;
use crate::http::request::ClientRequest;
use crate::http::wire::Violation;

/// How many frames a block may go on in.
const CONTINUATIONS: usize = 64;

/// A request that begins.
pub struct Begun {
    pub stream: u32,
    pub request: Result<ClientRequest<()>, Violation>,
}

/// A field block of which more is to come.
pub(super) struct Block {
    opens: Opening,
    bytes: Vec<u8>,
    frames: usize,
}

/// What a HEADERS frame says beside its block.
#[derive(Clone, Copy)]
struct Opening {
    stream: u32,
    ends: bool,
    depends_on_itself: bool,
}

impl Mux {
    pub(super) fn take_headers(&mut self, head: Head, payload: &[u8]) -> Result<Option<Begun>, Code> {
        let stream = head.stream;
        if stream <= self.history.latest() {
            if self.is_over(stream) {
                return Err(Code::StreamClosed);
            }
            // Section 5.1.1: it was passed over, or is long gone.
            if self.find(stream).is_none() && !self.history.is_given_up(stream) {
                return Err(Code::Protocol);
            }
        }
        let mut fragment = head.without_padding(payload)?;
        let mut opens = Opening { stream, ends: head.has(END_STREAM), depends_on_itself: false };
        if head.has(HAS_PRIORITY) {
            let (priority, rest) = fragment.split_first_chunk::<5>().ok_or(Code::FrameSize)?;
            opens.depends_on_itself = number(priority) & 0x7FFF_FFFF == stream;
            fragment = rest;
        }
        if head.has(END_HEADERS) {
            return self.end_block(opens, fragment);
        }
        self.block = Some(Block { opens, bytes: fragment.to_vec(), frames: 0 });
        Ok(None)
    }

    pub(super) fn continue_block(
        &mut self,
        mut block: Block,
        head: Head,
        payload: &[u8],
    ) -> Result<Option<Begun>, Code> {
        if head.kind != CONTINUATION || head.stream != block.opens.stream {
            return Err(Code::Protocol);
        }
        block.bytes.extend_from_slice(payload);
        block.frames += 1;
        // It must be decoded whole, or the table is lost; what is far too long is not worth it.
        if block.frames > CONTINUATIONS || block.bytes.len() > self.bounds.header_size.max(LONGEST) * 4 {
            return Err(Code::EnhanceYourCalm);
        }
        if head.has(END_HEADERS) {
            return self.end_block(block.opens, &block.bytes);
        }
        self.block = Some(block);
        Ok(None)
    }

    fn end_block(&mut self, opens: Opening, block: &[u8]) -> Result<Option<Begun>, Code> {
        if opens.stream > self.history.latest() {
            return self.begin(opens, block);
        }
        let trailers = head::read_trailers(&mut self.decoder, block, self.bounds.header_size)?;
        let Some(stream) = self.find(opens.stream) else { return Ok(None) };
        let is_short = stream.left.is_some_and(|left| left > 0);
        match trailers {
            Ok(trailers) if opens.ends && !opens.depends_on_itself && !is_short => {
                stream.trailers = (!trailers.is_empty() && !stream.is_unread).then_some(trailers);
                stream.has_ended = true;
                stream.reader.wake();
                self.history.end(opens.stream);
            }
            // Section 8.1.1: malformed.
            Ok(_) | Err(_) => self.reset(opens.stream, Code::Protocol)?,
        }
        Ok(None)
    }

    fn begin(&mut self, opens: Opening, block: &[u8]) -> Result<Option<Begun>, Code> {
        let Opening { stream: id, ends, depends_on_itself } = opens;
        self.history.open(id);
        if ends {
            self.history.end(id);
        }
        let asked = head::read_request(&mut self.decoder, block, self.bounds.header_size)?;
        if matches!(self.stage, Stage::Last(_)) {
            self.history.give_up(id);
            return Ok(None);
        }
        let is_full = self.streams.len() >= STREAMS as usize;
        let refusal = if is_full { Some(Code::Refused) } else { depends_on_itself.then_some(Code::Protocol) };
        if let Some(code) = refusal {
            self.reset(id, code)?;
            return Ok(None);
        }
        let mut stream = Box::new(Stream::new(id, self.bounds.stream_window, self.first_credit));
        stream.has_ended = ends;
        let request = match asked {
            // Section 8.1.1: the length is that of the data.
            Ok(Asked { length: Some(1..), .. }) if ends => Err(Violation::InvalidContentLength),
            Ok(Asked { request, length, expects_continue }) => {
                // What comes on a tunnel is not the request's.
                stream.left = length.filter(|_| request.method != Method::CONNECT);
                stream.awaits_continue = expects_continue && !ends;
                Ok(request)
            }
            Err(violation) => Err(violation),
        };
        stream.is_unread = request.is_err();
        self.streams.push(stream);
        Ok(Some(Begun { stream: id, request }))
    }
}
