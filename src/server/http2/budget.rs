//! How often a client may do what costs us more than it: a number at once, and more with time, as nghttp2 allows resets.

use std::time::Instant;

use super::frame::Code;
use crate::clock::Clock;

/// How often at once, and how much more with time.
const AT_ONCE: u32 = 1000;
const A_SECOND: u32 = 33;

#[derive(Debug)]
pub struct Budget {
    left: u32,
    refilled: Instant,
    clock: fn() -> Instant,
}

impl Budget {
    pub fn new() -> Self {
        Self::with_clock(Clock::monotonic)
    }

    fn with_clock(clock: fn() -> Instant) -> Self {
        Self { left: AT_ONCE, refilled: clock(), clock }
    }

    /// Spends one. The clock is asked only for the first, and when those at hand are used up.
    pub fn spend(&mut self) -> Result<(), Code> {
        if self.left == AT_ONCE {
            self.refilled = (self.clock)();
        }
        if self.left == 0 {
            let now = (self.clock)();
            let earned = now.duration_since(self.refilled).as_millis() * u128::from(A_SECOND) / 1000;
            self.left = u32::try_from(earned).unwrap_or(AT_ONCE).min(AT_ONCE);
            if self.left > 0 {
                self.refilled = now;
            }
        }
        self.left = self.left.checked_sub(1).ok_or(Code::EnhanceYourCalm)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    thread_local! {
        static NOW: Cell<Instant> = Cell::new(Instant::now());
    }

    #[test]
    fn what_is_spent_comes_back_with_time() {
        let mut budget = Budget::with_clock(|| NOW.get());
        for _ in 0..AT_ONCE {
            assert_eq!(budget.spend(), Ok(()));
        }
        assert_eq!(budget.spend(), Err(Code::EnhanceYourCalm));
        NOW.set(NOW.get() + Duration::from_secs(2));
        for _ in 0..2 * A_SECOND {
            assert_eq!(budget.spend(), Ok(()));
        }
        assert_eq!(budget.spend(), Err(Code::EnhanceYourCalm));
        NOW.set(NOW.get() + Duration::from_hours(1));
        for _ in 0..AT_ONCE {
            assert_eq!(budget.spend(), Ok(()));
        }
        assert_eq!(budget.spend(), Err(Code::EnhanceYourCalm));
    }
}
