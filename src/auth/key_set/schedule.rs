//! When a published key set is fetched again. Pure: it is told what happened and what time it is.

use std::time::Duration;

use crate::clock::Timestamp;

/// The longest that keys are used without asking for newer ones: how long a withdrawn key may count.
const LONGEST: Duration = Duration::from_mins(10);
const SHORTEST: Duration = Duration::from_mins(1);
/// Tokens that name unknown keys can't make us ask more often than this.
const BETWEEN_WANTED: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_mins(5);

/// What happened last.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// `None`: nothing has been tried.
    last: Option<Timestamp>,
    /// In a row.
    failures: u32,
    lifetime: Option<Duration>,
}

impl Schedule {
    /// Returns how long nothing is to be fetched; zero if it is time. `wanted`: a token has named an unknown key.
    pub fn wait(&self, wanted: bool, now: Timestamp) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let regular = self.pause();
        let pause = if wanted { regular.min(BETWEEN_WANTED) } else { regular };
        // A clock that was set back must not stop the refreshes.
        last.plus(pause).since(now).min(pause)
    }

    pub fn succeeded(&mut self, now: Timestamp, max_age: Option<Duration>) {
        (self.last, self.failures, self.lifetime) = (Some(now), 0, max_age);
    }

    pub fn failed(&mut self, now: Timestamp) {
        (self.last, self.failures) = (Some(now), self.failures.saturating_add(1));
    }

    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    fn pause(&self) -> Duration {
        match self.failures {
            0 => self.lifetime.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST),
            failures => FIRST_RETRY.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_RETRY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_000_000);

    fn at(secs: u64) -> Timestamp {
        START.plus(Duration::from_secs(secs))
    }

    #[test]
    fn the_first_fetch_is_due_at_once_and_the_next_after_the_providers_time_within_bounds() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.wait(false, START), Duration::ZERO);
        for (max_age, secs) in [(None, 600), (Some(0), 60), (Some(300), 300), (Some(86_400), 600)] {
            schedule.succeeded(START, max_age.map(Duration::from_secs));
            assert_eq!(schedule.wait(false, START), Duration::from_secs(secs), "{max_age:?}");
            assert_eq!(schedule.wait(false, at(secs)), Duration::ZERO, "{max_age:?}");
        }
    }

    #[test]
    fn unknown_keys_bring_the_next_fetch_forward_but_never_below_thirty_seconds() {
        let mut schedule = Schedule::default();
        schedule.succeeded(START, None);
        assert_eq!(schedule.wait(true, at(1)), Duration::from_secs(29));
        assert_eq!(schedule.wait(true, at(30)), Duration::ZERO);
        assert_eq!(schedule.wait(true, at(90)), Duration::ZERO);
    }

    #[test]
    fn failures_wait_longer_and_longer_up_to_five_minutes_and_are_forgotten_at_the_first_success() {
        let mut schedule = Schedule::default();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            schedule.failed(START);
            pauses.push(schedule.wait(false, START).as_secs());
        }
        assert_eq!(pauses[..5], [2, 4, 8, 16, 32]);
        assert_eq!(pauses[39], 300);
        assert_eq!(schedule.wait(true, START), Duration::from_secs(30));
        schedule.succeeded(START, None);
        assert!(!schedule.is_failing());
        assert_eq!(schedule.wait(false, START), LONGEST);
    }

    #[test]
    fn a_clock_that_was_set_back_delays_a_fetch_by_no_more_than_one_pause() {
        let mut schedule = Schedule::default();
        schedule.succeeded(at(1_000_000), None);
        assert_eq!(schedule.wait(false, START), LONGEST);
    }
}
