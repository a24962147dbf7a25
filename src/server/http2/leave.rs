//! How a connection ends, in good order or not, and how it is noticed that its client has vanished.

use super::frame::{self, ACK, Code, PING};
use super::mux::Mux;

/// By which the answers to our pings are known.
const ALIVE: [u8; 8] = *b"alive?--";
const LEAVING: [u8; 8] = *b"leaving-";

/// No stream has a higher number.
const HIGHEST_STREAM: u32 = 0x7FFF_FFFF;

/// How far the end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Open,
    /// We are leaving: once the client shows that it has read so, what it asks is heard no more (RFC 9113 section 6.8).
    Leaving,
    /// The connection ends with its last stream; this one was the last to be heard.
    Last(u32),
    /// It has ended, whatever still comes.
    Failed,
}

/// What is known of the client's life since it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Heard,
    Silent,
    /// It was asked for a sign.
    Asked,
}

impl Mux {
    /// Has the connection end after its streams.
    pub fn leave(&mut self) {
        if self.stage != Stage::Open {
            return;
        }
        if self.streams.is_empty() {
            return self.say_last();
        }
        self.stage = Stage::Leaving;
        frame::append_goaway(HIGHEST_STREAM, Code::None, &mut self.out);
        self.ping(LEAVING);
    }

    /// From here on nothing is heard of new streams.
    fn say_last(&mut self) {
        let last = self.history.latest();
        self.stage = Stage::Last(last);
        frame::append_goaway(last, Code::None, &mut self.out);
    }

    /// Ends the connection for what its client did.
    pub fn fail(&mut self, code: Code) {
        let last = if let Stage::Last(last) = self.stage { last } else { self.history.latest() };
        frame::append_goaway(last, code, &mut self.out);
        self.abandon();
    }

    /// Ends all streams without a word; whoever waits for them learns so.
    pub fn abandon(&mut self) {
        self.stage = Stage::Failed;
        for mut stream in self.streams.drain(..) {
            stream.wake_all();
        }
    }

    /// Whether nothing more is to come on the connection than what waits to be written.
    pub fn is_done(&self) -> bool {
        match self.stage {
            Stage::Open | Stage::Leaving => false,
            Stage::Last(_) => self.streams.is_empty(),
            Stage::Failed => true,
        }
    }

    /// Looks after a connection with requests under way; returns whether it is to live on. Called every half idle time: one that has
    /// been silent so long is asked for a sign of life, and has as long again to give one.
    pub fn tend(&mut self) -> bool {
        self.drop_stalled();
        self.life = match self.life {
            Life::Heard => Life::Silent,
            Life::Silent => {
                self.ping(ALIVE);
                Life::Asked
            }
            Life::Asked => return false,
        };
        true
    }

    fn ping(&mut self, payload: [u8; 8]) {
        frame::append_head(payload.len(), PING, 0, 0, &mut self.out);
        self.out.extend_from_slice(&payload);
    }

    pub(super) fn take_ping(&mut self, is_answer: bool, payload: &[u8]) {
        if !is_answer {
            frame::append_head(payload.len(), PING, ACK, 0, &mut self.out);
            self.out.extend_from_slice(payload);
        } else if self.stage == Stage::Leaving && payload == LEAVING {
            self.say_last();
        }
    }
}
