//! The tokens that a thread has seen more than once of late, with what is known of them: comparing one with what stands here costs
//! less than the digest by which all threads know it. Decides nothing: whoever asks judges what is found as if it were their own.

use std::sync::Arc;

use crate::secret::equal;

/// Two tokens that share a place take turns.
const PLACES: usize = 64;
/// A longer token is never kept.
const LONGEST: usize = 2048;

/// Of one thread, which may ask several caches.
pub(super) struct Recent<T>(Vec<Place<T>>);

/// Which cache is asked, and the set of keys that verified what it knows.
pub(super) type Asked = (u64, u64);

struct Place<T> {
    /// The end of the token that was here last. The token itself is kept when it comes again: one that comes once should cost no copy.
    end: [u8; 8],
    kept: Option<Kept<T>>,
}

struct Kept<T> {
    asked: Asked,
    token: Box<str>,
    known: Arc<T>,
}

impl<T> Recent<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn find(&self, asked: Asked, token: &str) -> Option<Arc<T>> {
        let end = token.as_bytes().last_chunk()?;
        let place = self.0.get(place_of(*end)).filter(|place| place.end == *end)?;
        let kept = place.kept.as_ref().filter(|kept| kept.asked == asked)?;
        equal(kept.token.as_bytes(), token.as_bytes()).then(|| Arc::clone(&kept.known))
    }

    /// Keeps what is known of a token if it has been here before.
    pub(super) fn keep(&mut self, asked: Asked, token: &str, known: &Arc<T>) {
        let Some(end) = token.as_bytes().last_chunk() else { return };
        if self.0.is_empty() {
            self.0.resize_with(PLACES, || Place { end: [0; 8], kept: None });
        }
        let place = &mut self.0[place_of(*end)];
        let is_again = place.end == *end && token.len() <= LONGEST;
        place.end = *end;
        place.kept = is_again.then(|| Kept { asked, token: token.into(), known: Arc::clone(known) });
    }
}

/// The end is a part of the signature, and as good as random.
fn place_of(end: [u8; 8]) -> usize {
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let spread = u64::from_be_bytes(end).wrapping_mul(SPREAD).to_be_bytes();
    usize::from(spread[0]) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked = (1, 1);

    fn kept(token: &str) -> Recent<u32> {
        let mut recent = Recent::new();
        for _ in 0..2 {
            recent.keep(ASKED, token, &Arc::new(7));
        }
        recent
    }

    #[test]
    fn a_token_that_came_twice_is_known_by_all_of_its_bytes() {
        let recent = kept("head.claims.signature");
        assert_eq!(recent.find(ASKED, "head.claims.signature").as_deref(), Some(&7));
        for other in ["Head.claims.signature", "ead.claims.signature", "head.claims.signaturE", "ignature", "e", ""] {
            assert!(recent.find(ASKED, other).is_none(), "{other}");
        }
    }

    #[test]
    fn another_cache_and_another_set_of_keys_know_nothing_of_it() {
        let recent = kept("head.claims.signature");
        assert!(recent.find((2, 1), "head.claims.signature").is_none());
        assert!(recent.find((1, 2), "head.claims.signature").is_none());
    }

    #[test]
    fn what_came_once_or_is_very_long_or_was_followed_by_another_is_not_kept() {
        let mut recent = Recent::new();
        recent.keep(ASKED, "head.claims.signature", &Arc::new(7));
        assert!(recent.find(ASKED, "head.claims.signature").is_none());
        let long = "x".repeat(LONGEST + 1);
        assert!(kept(&long).find(ASKED, &long).is_none());
        let mut recent = kept("head.claims.signature");
        recent.keep(ASKED, "head.other.signature", &Arc::new(8));
        assert!(recent.find(ASKED, "head.claims.signature").is_none());
    }
}
