//! How a client's latest streams ended: what may still come on a stream that is gone depends on who ended it (RFC 9113 section 5.1).

/// Of so many of the latest streams it is remembered how they ended.
pub const REMEMBERED: u32 = u128::BITS;

/// A bit of each set stands for a stream, the lowest for the latest.
#[derive(Debug, Default)]
pub struct History {
    latest: u32,
    /// Those on which the client has said all.
    over: u128,
    /// Those that we ended before.
    dropped: u128,
}

impl History {
    /// Returns the latest stream that the client opened.
    pub fn latest(&self) -> u32 {
        self.latest
    }

    /// Opens a stream after all others; those that it passes over can't be opened any more.
    pub fn open(&mut self, stream: u32) {
        let newer = stream.saturating_sub(self.latest).div_ceil(2);
        self.over = self.over.checked_shl(newer).unwrap_or(0);
        self.dropped = self.dropped.checked_shl(newer).unwrap_or(0);
        self.latest = stream;
    }

    /// The client has said all on a stream.
    pub fn end(&mut self, stream: u32) {
        self.over |= self.bit(stream);
    }

    /// We end a stream; what comes on it meanwhile is no fault.
    pub fn give_up(&mut self, stream: u32) {
        self.dropped |= self.bit(stream) & !self.over;
    }

    /// Whether nothing may come on a stream any more.
    pub fn is_over(&self, stream: u32) -> bool {
        self.over & self.bit(stream) != 0
    }

    pub fn is_given_up(&self, stream: u32) -> bool {
        self.dropped & self.bit(stream) != 0
    }

    /// Returns the bit that stands for a stream; none for one that is not remembered, and none that was not opened.
    fn bit(&self, stream: u32) -> u128 {
        let older = self.latest.checked_sub(stream).map(|distance| distance / 2);
        older.filter(|older| *older < REMEMBERED).map_or(0, |older| 1 << older)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_streams_are_remembered_by_who_ended_them() {
        let mut history = History::default();
        history.open(1);
        history.open(3);
        history.end(1);
        history.give_up(3);
        history.give_up(1);
        assert!(history.is_over(1) && !history.is_given_up(1));
        assert!(history.is_given_up(3) && !history.is_over(3));
        history.open(3 + 2 * (REMEMBERED - 1));
        assert!(history.is_given_up(3) && !history.is_over(1), "the latest of them, and not one more");
        history.open(3 + 2 * REMEMBERED);
        assert!(!history.is_given_up(3) && !history.is_over(5), "5 was passed over");
        history.open(0x7FFF_FFFF);
        assert!(!history.is_over(0x7FFF_FFFF) && !history.is_over(0x7FFF_FFFD));
    }
}
