//! The refresh state machine, rule by rule, and random presents held against what must never happen.

use proptest::prelude::*;

use super::*;

const BEGUN: Timestamp = Timestamp::from_millis(1_700_000_000_400);
const POLICY: RefreshPolicy = RefreshPolicy {
    ttl: Duration::from_secs(100),
    session_max: Duration::from_secs(250),
    rotate: true,
    grace: Duration::from_secs(10),
};

fn at(secs: u64) -> Timestamp {
    BEGUN.plus(Duration::from_secs(secs))
}

fn begun(jti: &str) -> RefreshState {
    RefreshState { current: hash(jti), previous: None, rotated_at: BEGUN, expires_at: BEGUN.plus(POLICY.ttl) }
}

fn rotated(state: &RefreshState, jti: &str, now: Timestamp) -> RefreshState {
    match judge(state, BEGUN, jti, &POLICY, now) {
        Verdict::Rotate(next) => next,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_current_token_is_spent_and_its_successor_takes_over() {
    let next = rotated(&begun("one"), "one", at(20));
    let wanted = RefreshState {
        current: hash(&successor_jti("one")),
        previous: Some(hash("one")),
        rotated_at: at(20),
        expires_at: at(120),
    };
    assert_eq!(next, wanted);
}

#[test]
fn a_session_never_lasts_beyond_its_maximum() {
    let mut state = begun("one");
    let mut jti = "one".to_owned();
    for secs in [90, 180, 240] {
        state = rotated(&state, &jti, at(secs));
        jti = successor_jti(&jti);
        assert!(state.expires_at <= at(250));
    }
    assert_eq!(state.expires_at, at(250));
    assert_eq!(judge(&state, BEGUN, &jti, &POLICY, at(250)), Verdict::Expired);
    let shorter = RefreshPolicy { session_max: Duration::from_secs(200), ..POLICY };
    assert_eq!(judge(&state, BEGUN, &jti, &shorter, at(240)), Verdict::Expired, "a shorter maximum holds at once");
}

#[test]
fn the_token_just_spent_is_answered_once_more_within_the_grace_and_is_an_alarm_after_it() {
    let state = rotated(&begun("one"), "one", at(20));
    assert_eq!(judge(&state, BEGUN, "one", &POLICY, at(20)), Verdict::Repeat);
    assert_eq!(judge(&state, BEGUN, "one", &POLICY, Timestamp::from_millis(at(30).as_millis() - 1)), Verdict::Repeat);
    assert_eq!(judge(&state, BEGUN, "one", &POLICY, at(30)), Verdict::Reused);
}

#[test]
fn a_grace_below_a_second_is_kept_to_the_millisecond() {
    let policy = RefreshPolicy { grace: Duration::from_millis(300), ..POLICY };
    let state = rotated(&begun("one"), "one", at(20));
    assert_eq!(judge(&state, BEGUN, "one", &policy, at(20).plus(Duration::from_millis(299))), Verdict::Repeat);
    assert_eq!(judge(&state, BEGUN, "one", &policy, at(20).plus(Duration::from_millis(300))), Verdict::Reused);
}

#[test]
fn without_a_grace_a_spent_token_is_always_an_alarm() {
    let policy = RefreshPolicy { grace: Duration::ZERO, ..POLICY };
    let state = rotated(&begun("one"), "one", at(20));
    for now in [at(19), at(20), at(21)] {
        assert_eq!(judge(&state, BEGUN, "one", &policy, now), Verdict::Reused);
    }
}

#[test]
fn once_its_successor_was_used_a_spent_token_is_an_alarm_even_within_the_grace() {
    let state = rotated(&begun("one"), "one", at(20));
    let state = rotated(&state, &successor_jti("one"), at(21));
    assert_eq!(judge(&state, BEGUN, "one", &POLICY, at(22)), Verdict::Reused);
}

#[test]
fn a_token_the_session_never_had_is_an_alarm() {
    assert_eq!(judge(&begun("one"), BEGUN, "two", &POLICY, at(1)), Verdict::Reused);
}

#[test]
fn an_expired_session_takes_no_token_not_even_a_good_one() {
    for jti in ["one", "two"] {
        assert_eq!(judge(&begun("one"), BEGUN, jti, &POLICY, at(100)), Verdict::Expired);
    }
}

#[test]
fn without_rotation_the_token_stays_and_its_time_is_extended() {
    let policy = RefreshPolicy { rotate: false, ..POLICY };
    let kept = RefreshState { expires_at: at(150), ..begun("one") };
    assert_eq!(judge(&begun("one"), BEGUN, "one", &policy, at(50)), Verdict::Keep(kept));
    assert_eq!(judge(&begun("one"), BEGUN, "two", &policy, at(50)), Verdict::Reused);
}

#[test]
fn a_successor_is_a_function_of_its_predecessor_and_a_first_token_is_random() {
    assert_eq!(successor_jti("one"), successor_jti("one"));
    assert_ne!(successor_jti("one"), successor_jti("two"));
    assert_ne!(first_jti(), first_jti());
    assert_eq!((first_jti().len(), successor_jti("one").len()), (22, 22));
}

proptest! {
    /// Presents tokens of the chain at random, `which` counting from its first, after waits in milliseconds.
    #[test]
    fn there_is_one_live_token_at_a_time_and_a_replay_outside_the_window_always_ends_the_session(
        presents in prop::collection::vec((0_usize..6, 0_u64..15_000), 1..40),
    ) {
        let mut chain = vec![first_jti()];
        let mut state = begun(&chain[0]);
        let mut now = BEGUN;
        for (which, wait) in presents {
            now = now.plus(Duration::from_millis(wait));
            let newest = chain.len() - 1;
            let which = which.min(newest);
            let in_window = which + 1 == newest && now.since(state.rotated_at) < POLICY.grace;
            match judge(&state, BEGUN, &chain[which], &POLICY, now) {
                Verdict::Rotate(next) => {
                    prop_assert_eq!(which, newest, "only the newest token is spent");
                    chain.push(successor_jti(&chain[which]));
                    prop_assert_eq!(next.current, hash(&chain[newest + 1]));
                    prop_assert!(next.expires_at <= BEGUN.plus(POLICY.session_max));
                    state = next;
                }
                Verdict::Repeat => {
                    prop_assert!(in_window);
                    prop_assert_eq!(hash(&successor_jti(&chain[which])), state.current, "the same successor again");
                }
                Verdict::Reused => {
                    prop_assert!(which < newest && !in_window);
                    break;
                }
                Verdict::Expired => {
                    prop_assert!(state.expires_at <= now || BEGUN.plus(POLICY.session_max) <= now);
                    break;
                }
                Verdict::Keep(_) => prop_assert!(false, "tokens rotate"),
            }
        }
    }
}
