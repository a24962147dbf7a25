//! Token buckets in a bounded table: a full table forgets the fullest bucket (the key nearest to innocence) first.
//! So a flood of made-up keys pushes out made-up keys: each has spent one token, and whoever hopes to have an empty bucket
//! forgotten must first empty as many others as the table holds.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

pub use super::rate::Rate;

use crate::clock::Timestamp;

/// The bucket is empty; it will have one token again after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    pub retry_after: Duration,
}

/// How many buckets that have filled up are forgotten on each turn; more than one, so that the table shrinks.
const SWEPT_PER_TAKE: usize = 2;

/// Buckets by key. Not shared: callers lock it.
#[derive(Debug)]
pub struct Buckets<K> {
    /// Nanoseconds in which one token flows back.
    interval: i64,
    /// Nanoseconds in which an empty bucket fills up.
    burst: i64,
    capacity: usize,
    /// A bucket is nothing but the moment at which it will be full: it lacks one token for every interval until then.
    by_key: HashMap<K, Bucket>,
    /// The same buckets, fullest first.
    by_fullness: BTreeMap<Bucket, K>,
    next_serial: u64,
}

/// Ordered by fullness; the serial number tells two apart that fill up at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Bucket {
    full_at: i64,
    serial: u64,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Returns an empty table of at most `capacity` keys, at least one.
    pub fn new(rate: Rate, capacity: usize) -> Self {
        let per = i64::try_from(rate.per.as_nanos()).unwrap_or(i64::MAX);
        let interval = per / i64::from(rate.count.max(1));
        Self {
            interval,
            burst: interval.saturating_mul(i64::from(rate.count)),
            capacity: capacity.max(1),
            by_key: HashMap::new(),
            by_fullness: BTreeMap::new(),
            next_serial: 0,
        }
    }

    /// Takes one token of `key`'s bucket.
    pub fn take(&mut self, key: &K, now: Timestamp) -> Result<(), Limited> {
        let now = nanos(now);
        let lacking = self.lacking_after_take(key, now)?;
        self.sweep(now);
        self.put(key, now.saturating_add(lacking));
        Ok(())
    }

    /// Returns whether [`Buckets::take`] would succeed, and takes nothing.
    pub fn peek(&self, key: &K, now: Timestamp) -> Result<(), Limited> {
        self.lacking_after_take(key, nanos(now)).map(|_| ())
    }

    /// Gives one token back: what was counted before it was known turned out innocent.
    pub fn give_back(&mut self, key: &K, now: Timestamp) {
        let now = nanos(now);
        let lacking = self.lacking(key, now).saturating_sub(self.interval);
        self.remove(key);
        if lacking > 0 {
            self.put(key, now.saturating_add(lacking));
        }
    }

    /// Returns how many keys are remembered.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Returns the nanoseconds until the bucket is full. Never more than an empty one takes, even after the clock was set back.
    fn lacking(&self, key: &K, now: i64) -> i64 {
        let full_at = self.by_key.get(key).map_or(now, |bucket| bucket.full_at);
        full_at.saturating_sub(now).clamp(0, self.burst)
    }

    fn lacking_after_take(&self, key: &K, now: i64) -> Result<i64, Limited> {
        let lacking = self.lacking(key, now).saturating_add(self.interval);
        let excess = u64::try_from(lacking.saturating_sub(self.burst)).unwrap_or(0);
        if excess > 0 { Err(Limited { retry_after: Duration::from_nanos(excess) }) } else { Ok(lacking) }
    }

    fn put(&mut self, key: &K, full_at: i64) {
        if !self.remove(key) && self.by_key.len() >= self.capacity {
            self.forget_fullest();
        }
        let bucket = Bucket { full_at, serial: self.next_serial };
        self.next_serial += 1;
        self.by_key.insert(key.clone(), bucket);
        self.by_fullness.insert(bucket, key.clone());
    }

    /// Returns whether there was one.
    fn remove(&mut self, key: &K) -> bool {
        let Some(bucket) = self.by_key.remove(key) else { return false };
        self.by_fullness.remove(&bucket);
        true
    }

    /// Forgets buckets that are full again: a key without a bucket has a full one.
    fn sweep(&mut self, now: i64) {
        for _ in 0..SWEPT_PER_TAKE {
            match self.by_fullness.first_key_value() {
                Some((fullest, _)) if fullest.full_at <= now => self.forget_fullest(),
                Some(_) | None => return,
            }
        }
    }

    fn forget_fullest(&mut self) {
        if let Some((_, key)) = self.by_fullness.pop_first() {
            self.by_key.remove(&key);
        }
    }
}

fn nanos(now: Timestamp) -> i64 {
    now.as_millis().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_700_000_000);
    const TEN_A_MINUTE: Rate = Rate { count: 10, per: Duration::from_mins(1) };

    fn after(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    fn empty(buckets: &mut Buckets<u32>, key: u32, now: Timestamp) {
        while buckets.take(&key, now).is_ok() {}
    }

    #[test]
    fn the_burst_is_the_count_and_a_token_flows_back_each_interval() {
        let mut buckets = Buckets::new(TEN_A_MINUTE, 8);
        for _ in 0..10 {
            assert_eq!(buckets.take(&1, START), Ok(()));
        }
        assert_eq!(buckets.take(&1, START), Err(Limited { retry_after: Duration::from_secs(6) }));
        assert_eq!(buckets.take(&1, after(5_999)), Err(Limited { retry_after: Duration::from_millis(1) }));
        assert_eq!(buckets.take(&1, after(6_000)), Ok(()));
        assert!(buckets.take(&1, after(6_000)).is_err());
        assert_eq!(buckets.take(&2, START), Ok(()), "another key has its own bucket");
    }

    #[test]
    fn a_refused_take_costs_nothing_and_a_peek_takes_nothing() {
        let mut buckets = Buckets::new(TEN_A_MINUTE, 8);
        empty(&mut buckets, 1, START);
        for _ in 0..100 {
            assert!(buckets.take(&1, after(5_999)).is_err());
        }
        for _ in 0..100 {
            assert_eq!(buckets.peek(&1, after(6_000)), Ok(()));
        }
        assert_eq!(buckets.take(&1, after(6_000)), Ok(()));
        assert!(buckets.peek(&1, after(6_000)).is_err());
    }

    #[test]
    fn a_token_given_back_can_be_taken_again_and_never_makes_more_than_a_full_bucket() {
        let mut buckets = Buckets::new(TEN_A_MINUTE, 8);
        empty(&mut buckets, 1, START);
        buckets.give_back(&1, START);
        assert_eq!(buckets.take(&1, START), Ok(()));
        assert!(buckets.take(&1, START).is_err());
        for _ in 0..30 {
            buckets.give_back(&2, START);
        }
        assert_eq!(buckets.len(), 1, "a full bucket is not remembered");
        assert_eq!((0..30).filter(|_| buckets.take(&2, START).is_ok()).count(), 10);
    }

    #[test]
    fn made_up_keys_never_push_out_an_emptied_bucket() {
        let mut buckets = Buckets::new(TEN_A_MINUTE, 100);
        empty(&mut buckets, 0, START);
        for key in 1..10_000 {
            assert_eq!(buckets.take(&key, after(u64::from(key) % 1_000)), Ok(()));
            assert!(buckets.len() <= 100);
        }
        assert!(buckets.take(&0, after(1_000)).is_err());
    }

    #[test]
    fn a_full_table_forgets_the_fullest_bucket() {
        let mut buckets = Buckets::new(TEN_A_MINUTE, 3);
        for (key, takes) in [(1, 5), (2, 2), (3, 4)] {
            for _ in 0..takes {
                buckets.take(&key, START).unwrap();
            }
        }
        buckets.take(&4, START).unwrap();
        assert_eq!((0..30).filter(|_| buckets.take(&1, START).is_ok()).count(), 5, "1 is remembered");
        assert_eq!((0..30).filter(|_| buckets.take(&3, START).is_ok()).count(), 6, "3 is remembered");
        assert_eq!((0..30).filter(|_| buckets.take(&2, START).is_ok()).count(), 10, "2 was forgotten");
    }

    #[test]
    fn buckets_that_are_full_again_are_swept_away() {
        let mut buckets = Buckets::new(TEN_A_MINUTE, 1_000);
        for key in 0..1_000 {
            buckets.take(&key, START).unwrap();
        }
        for turn in 0..1_000_u32 {
            buckets.take(&(2_000 + turn % 2), after(u64::from(turn) * 60_000)).unwrap();
        }
        assert!(buckets.len() <= 2, "{}", buckets.len());
    }

    #[test]
    fn a_clock_set_back_makes_nobody_wait_longer_than_an_empty_bucket_does() {
        let mut buckets = Buckets::new(TEN_A_MINUTE, 8);
        empty(&mut buckets, 1, after(86_400_000));
        assert_eq!(buckets.take(&1, START), Err(Limited { retry_after: Duration::from_secs(6) }));
    }

    #[test]
    fn odd_rates_and_times_are_judged_without_a_panic() {
        let never = Rate { count: 0, per: Duration::from_mins(1) };
        assert!(Buckets::new(never, 0).take(&1, START).is_err());
        for rate in [Rate { count: u32::MAX, per: Duration::ZERO }, Rate { count: 1, per: Duration::MAX }] {
            let mut buckets = Buckets::new(rate, 2);
            for now in [Timestamp::from_millis(i64::MIN), START, Timestamp::from_millis(i64::MAX)] {
                let _ = buckets.take(&1, now);
                let _ = buckets.peek(&1, now);
                buckets.give_back(&1, now);
            }
        }
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_the_burst_and_what_flowed_back(
            count in 1_u32..20,
            per_millis in 1_u64..5_000,
            takes in prop::collection::vec((0_u32..4, 0_u64..700), 1..200),
        ) {
            let rate = Rate { count, per: Duration::from_millis(per_millis) };
            let mut buckets = Buckets::new(rate, 8);
            let mut granted: HashMap<u32, Vec<u64>> = HashMap::new();
            let mut at = 0;
            for (key, wait) in takes {
                at += wait;
                let peeked = buckets.peek(&key, after(at));
                let taken = buckets.take(&key, after(at));
                prop_assert_eq!(peeked, taken);
                if taken.is_ok() {
                    granted.entry(key).or_default().push(at);
                }
            }
            for times in granted.values() {
                for (first, from) in times.iter().enumerate() {
                    for (last, until) in times.iter().enumerate().skip(first) {
                        // Within any span, at most the burst and what flows back in it (rounded up).
                        let most = u64::from(count) + ((until - from) * u64::from(count)).div_ceil(per_millis);
                        prop_assert!((last - first + 1) as u64 <= most, "{} in {} ms", last - first + 1, until - from);
                    }
                }
            }
        }

        #[test]
        fn a_retry_after_the_time_named_succeeds_and_one_before_it_fails(count in 1_u32..20, per_secs in 1_u64..100, spent in 0_u64..10_000) {
            let mut buckets = Buckets::new(Rate { count, per: Duration::from_secs(per_secs) }, 8);
            empty(&mut buckets, 1, START);
            let now = after(spent % (per_secs * 1_000 / u64::from(count)).max(1));
            if let Err(Limited { retry_after }) = buckets.peek(&1, now) {
                let millis = u64::try_from(retry_after.as_nanos().div_ceil(1_000_000)).unwrap();
                prop_assert!(buckets.peek(&1, now.plus(Duration::from_millis(millis))).is_ok());
                prop_assert!(buckets.peek(&1, now.plus(Duration::from_millis(millis - 1))).is_err());
            }
        }

        #[test]
        fn the_table_stays_within_its_capacity_and_both_views_agree(
            capacity in 1_usize..6,
            steps in prop::collection::vec((0_u32..12, 0_u64..3_000, any::<bool>()), 1..200),
        ) {
            let mut buckets = Buckets::new(Rate { count: 3, per: Duration::from_secs(3) }, capacity);
            let mut at = 0;
            for (key, wait, takes) in steps {
                at += wait;
                if takes { let _ = buckets.take(&key, after(at)); } else { buckets.give_back(&key, after(at)); }
                prop_assert!(buckets.len() <= capacity);
                prop_assert_eq!(buckets.by_key.len(), buckets.by_fullness.len());
                for (bucket, key) in &buckets.by_fullness {
                    prop_assert_eq!(buckets.by_key.get(key), Some(bucket));
                }
            }
        }
    }
}
