//! Refresh tokens presented in any order and at any time, held against a model that knows the whole chain.
//! There is never a second live successor, and a replay outside the grace always ends the session. The first seven bytes are the
//! policy, then each step is one that says what it is and two that say how much.

use std::time::Duration;

use vestibule::clock::Timestamp;
use vestibule::token::refresh::{RefreshPolicy, RefreshState, Verdict, hash, judge, successor_jti};

#[derive(Clone, Copy)]
struct Policy {
    ttl_secs: u16,
    session_max_secs: u16,
    grace_millis: u16,
    keeps: bool,
}

enum Step {
    /// A token of the chain, counted from the newest.
    Present(u8),
    /// The successor of the newest, made by somebody who knows how but was never given it.
    PresentUnissued,
    PresentForeign(u16),
    Wait(u16),
    /// Another node's clock is behind.
    GoBack(u8),
    Reload(Policy),
}

const BEGUN: Timestamp = Timestamp::from_millis(1_700_000_000_400);

struct Model {
    policy: RefreshPolicy,
    /// Every `jti` that was ever handed out, the newest last.
    chain: Vec<String>,
    state: RefreshState,
    now: Timestamp,
}

impl Step {
    fn of([kind, low, high]: [u8; 3]) -> Self {
        let much = u16::from_be_bytes([high, low]);
        match kind % 8 {
            0..=2 => Self::Present(low % 4),
            3 | 4 => Self::Wait(much),
            5 => Self::GoBack(low),
            6 => {
                Self::Reload(Policy { ttl_secs: much, session_max_secs: much, grace_millis: much, keeps: low % 2 == 0 })
            }
            _ if low < 128 => Self::PresentUnissued,
            _ => Self::PresentForeign(much),
        }
    }
}

impl Policy {
    fn of([ttl @ .., a, b, c, d, keeps]: [u8; 7]) -> Self {
        Self {
            ttl_secs: u16::from_be_bytes(ttl),
            session_max_secs: u16::from_be_bytes([a, b]),
            grace_millis: u16::from_be_bytes([c, d]),
            keeps: keeps % 2 == 0,
        }
    }

    fn read(self) -> RefreshPolicy {
        RefreshPolicy {
            ttl: Duration::from_secs(self.ttl_secs.into()),
            session_max: Duration::from_secs(self.session_max_secs.into()),
            rotate: !self.keeps,
            grace: Duration::from_millis(self.grace_millis.into()),
        }
    }
}

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    let (first, steps) = data.split_first_chunk()?;
    let policy = Policy::of(*first).read();
    let first = "first".to_owned();
    let expires_at = BEGUN.plus(policy.ttl.min(policy.session_max));
    let state = RefreshState { current: hash(&first), previous: None, rotated_at: BEGUN, expires_at };
    let mut model = Model { policy, chain: vec![first], state, now: BEGUN };
    for bytes in steps.chunks_exact(3).take(200) {
        let goes_on = match Step::of([bytes[0], bytes[1], bytes[2]]) {
            Step::Present(back) => model.present(model.chain.len().saturating_sub(1 + usize::from(back))),
            Step::PresentUnissued => model.refuse(&successor_jti(&model.chain[model.chain.len() - 1])),
            Step::PresentForeign(number) => model.refuse(&format!("foreign {number}")),
            Step::Wait(millis) => {
                model.now = model.now.plus(Duration::from_millis(millis.into()));
                true
            }
            Step::GoBack(millis) => {
                model.now = model.now.minus(Duration::from_millis(millis.into()));
                true
            }
            Step::Reload(policy) => {
                model.policy = policy.read();
                true
            }
        };
        if !goes_on {
            return Some(());
        }
        model.check_only_one_is_live();
    }
    Some(())
}

impl Model {
    fn judge(&self, jti: &str) -> Verdict {
        judge(&self.state, BEGUN, jti, &self.policy, self.now)
    }

    fn is_over(&self) -> bool {
        self.state.expires_at <= self.now || BEGUN.plus(self.policy.session_max) <= self.now
    }

    /// Returns whether the session goes on after the token at `which` was presented.
    fn present(&mut self, which: usize) -> bool {
        let jti = self.chain[which].clone();
        let newest = self.chain.len() - 1;
        let in_grace = which + 1 == newest && self.now.since(self.state.rotated_at) < self.policy.grace;
        match self.judge(&jti) {
            Verdict::Rotate(next) => {
                assert!(self.policy.rotate && which == newest && !self.is_over());
                let successor = successor_jti(&jti);
                assert!(!self.chain.contains(&successor), "a token came back");
                assert_eq!((next.current, next.previous), (hash(&successor), Some(hash(&jti))));
                assert_eq!(next.rotated_at, self.now);
                self.chain.push(successor);
                self.extend(next);
            }
            Verdict::Keep(next) => {
                assert!(!self.policy.rotate && which == newest && !self.is_over());
                assert_eq!((next.current, next.previous), (self.state.current, self.state.previous));
                self.extend(next);
            }
            Verdict::Repeat => {
                assert!(in_grace && !self.is_over());
                assert_eq!(hash(&successor_jti(&jti)), self.state.current, "a second successor");
            }
            Verdict::Reused => {
                assert!(which < newest && !in_grace && !self.is_over());
                return false;
            }
            Verdict::Expired => {
                assert!(self.is_over());
                return false;
            }
        }
        true
    }

    fn extend(&mut self, next: RefreshState) {
        assert!(next.expires_at <= BEGUN.plus(self.policy.session_max), "longer than a session may last");
        assert!(next.expires_at <= self.now.plus(self.policy.ttl), "longer than a token may live");
        self.state = next;
    }

    /// A token that was never handed out ends the session, whatever the time. Returns whether it goes on.
    fn refuse(&self, jti: &str) -> bool {
        let wanted = if self.is_over() { Verdict::Expired } else { Verdict::Reused };
        assert_eq!(self.judge(jti), wanted);
        false
    }

    fn check_only_one_is_live(&self) {
        let verdicts: Vec<Verdict> = self.chain.iter().map(|jti| self.judge(jti)).collect();
        let live = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Rotate(_) | Verdict::Keep(_))).count();
        assert_eq!(live, usize::from(!self.is_over()), "live tokens");
        assert!(verdicts.iter().filter(|verdict| **verdict == Verdict::Repeat).count() <= 1);
    }
}
