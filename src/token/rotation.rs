//! Which of our keys signs, when the next one takes its turn, and whether it is time to make one. A key is published before it
//! signs and verifies after it has; every gateway on one store reads the same turns out of it. Called by `app` and `account`.

use std::time::Duration;

use super::key::{Algorithm, KeyRecord};
use crate::clock::Timestamp;

/// How often keys change, and how long a new one is published before it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub every: Duration,
    pub ahead: Duration,
}

/// Returns the key of `records` that signs at `now`, of `algorithm` if one has come to its turn. While the first of another
/// algorithm waits for its turn, what signed before goes on. One that waits alone signs: a clock may be behind the one that made it.
pub fn signing(records: &[KeyRecord], algorithm: Algorithm, now: Timestamp) -> Option<&KeyRecord> {
    let ours = |record: &&KeyRecord| record.algorithm == algorithm;
    let newest_of = |chosen: &dyn Fn(&&KeyRecord) -> bool| {
        let on_turn = records.iter().filter(|record| is_on_turn(record, now)).filter(|record| chosen(record));
        // Of equals the first, which is the newest in the store's order.
        on_turn.rev().max_by_key(|record| record.signs_from)
    };
    if let Some(key) = newest_of(&ours) {
        return Some(key);
    }
    let will_sign =
        |record: &&KeyRecord| record.signs_from > now && record.retired_at.is_none_or(|end| end > record.signs_from);
    let first = records.iter().filter(ours).filter(will_sign).min_by_key(|record| record.signs_from)?;
    newest_of(&|_| true).or(Some(first))
}

fn is_on_turn(record: &KeyRecord, now: Timestamp) -> bool {
    record.signs_from <= now && record.retired_at.is_none_or(|retired| retired > now)
}

/// Returns when a key next takes its turn or ends it.
pub fn next_turn(records: &[KeyRecord], now: Timestamp) -> Option<Timestamp> {
    let turns = records.iter().flat_map(|record| [Some(record.signs_from), record.retired_at]);
    turns.flatten().filter(|turn| *turn > now).min()
}

/// Returns the newest key of `algorithm` and when the one after it has to be published, so that it may sign when this one has
/// signed for `schedule.every`.
pub fn successor_due(
    records: &[KeyRecord],
    algorithm: Algorithm,
    schedule: Schedule,
) -> Option<(&KeyRecord, Timestamp)> {
    let newest = records.iter().find(|record| record.algorithm == algorithm && record.retired_at.is_none())?;
    Some((newest, newest.signs_from.plus(schedule.every).minus(schedule.ahead)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn key(kid: &str, signs_from: i64, retired_at: Option<i64>) -> KeyRecord {
        KeyRecord {
            kid: kid.into(),
            algorithm: Algorithm::EdDsa,
            private: Secret::new(Vec::new()),
            sealed: false,
            created_at: at(0),
            signs_from: at(signs_from),
            retired_at: retired_at.map(at),
        }
    }

    fn other(record: KeyRecord) -> KeyRecord {
        KeyRecord { algorithm: Algorithm::Es256, ..record }
    }

    fn signer(records: &[KeyRecord], now: i64) -> Option<&str> {
        signing(records, Algorithm::EdDsa, at(now)).map(|record| record.kid.as_str())
    }

    #[test]
    fn a_published_key_signs_from_its_turn_on_and_the_old_one_until_then() {
        let keys = [key("new", 100, None), key("old", 0, Some(100))];
        assert_eq!([99, 100, 101].map(|now| signer(&keys, now)), [Some("old"), Some("new"), Some("new")]);
        assert_eq!([0, 99, 100].map(|now| next_turn(&keys, at(now))), [Some(at(100)), Some(at(100)), None]);
    }

    #[test]
    fn a_key_that_was_retired_before_its_turn_never_signs() {
        let keys = [key("third", 50, None), key("second", 100, Some(50)), key("first", 0, Some(50))];
        assert_eq!([49, 50, 150].map(|now| signer(&keys, now)), [Some("first"), Some("third"), Some("third")]);
    }

    #[test]
    fn another_algorithm_takes_over_when_its_first_key_has_been_published() {
        let keys = [key("new", 100, None), other(key("old", 0, None))];
        assert_eq!([99, 100].map(|now| signer(&keys, now)), [Some("old"), Some("new")]);
        assert_eq!(signer(&[other(key("old", 0, None))], 5), None, "there is no key of the algorithm to wait for");
    }

    #[test]
    fn a_clock_behind_the_one_that_made_the_first_key_signs_with_it() {
        assert_eq!(signer(&[key("only", 100, None)], 40), Some("only"));
        assert_eq!(signer(&[key("second", 200, None), key("only", 100, Some(200))], 150), Some("only"));
    }

    #[test]
    fn of_two_keys_of_one_moment_the_newer_signs() {
        assert_eq!(signer(&[key("newer", 0, None), key("older", 0, None)], 5), Some("newer"));
    }

    #[test]
    fn a_key_is_published_early_enough_to_sign_when_its_predecessor_has_signed_long_enough() {
        let schedule = Schedule { every: Duration::from_secs(1000), ahead: Duration::from_secs(100) };
        let due = |keys: &[KeyRecord]| {
            successor_due(keys, Algorithm::EdDsa, schedule).map(|(key, due)| (key.kid.clone(), due.as_secs()))
        };
        assert_eq!(due(&[key("old", 0, None), other(key("other", -5000, None))]), Some(("old".to_owned(), 900)));
        assert_eq!(due(&[key("new", 1000, None), key("old", 0, Some(1000))]), Some(("new".to_owned(), 1900)));
        assert_eq!(due(&[]), None);
    }
}
