//! API keys as text: `vk_`, random letters and digits, and a checksum over both, so that a typing error or another program's key
//! is told apart without asking the store. What is kept of one is its digest. Called by `account`, which makes them, and `auth`.

use crate::secret::{Secret, random_bytes, sha256};

pub const PREFIX: &str = "vk_";
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 32 letters of 62 are 190 bits.
const RANDOM: usize = 32;
const CHECKSUM: usize = 6;
const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;

/// Returns a new key; the only time it is known.
pub fn new() -> Secret<String> {
    let mut text = String::from(PREFIX);
    while text.len() < PREFIX.len() + RANDOM {
        // Bytes from 248 on are left out: they would make the first letters likelier than the others.
        let fair = random_bytes::<64>().into_iter().filter(|byte| *byte < 248);
        for byte in fair.take(PREFIX.len() + RANDOM - text.len()) {
            text.push(char::from(LETTERS[usize::from(byte % 62)]));
        }
    }
    let sum = checksum(&text);
    text.extend(sum.map(char::from));
    Secret::new(text)
}

/// Returns whether `text` is meant to be a key of ours, rightly spelt or not.
pub fn looks_like_one(text: &str) -> bool {
    text.len() == LENGTH
        && text.strip_prefix(PREFIX).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Returns whether `text` begins with what is meant to be a key of ours.
pub fn is_before(text: &str) -> bool {
    text.get(..LENGTH).is_some_and(looks_like_one)
}

/// Returns whether `text` is spelt like a key that we made.
pub fn is_one(text: &str) -> bool {
    looks_like_one(text) && {
        let (body, sum) = text.split_at(PREFIX.len() + RANDOM);
        sum.as_bytes() == checksum(body)
    }
}

/// Returns what the store knows a key by. Keys have more bits than the digest could lose, so it needs no salt and no cost.
pub fn digest(key: &str) -> [u8; 32] {
    sha256(&[b"vestibule api key", key.as_bytes()])
}

fn checksum(body: &str) -> [u8; CHECKSUM] {
    let sum = sha256(&[b"vestibule api key checksum", body.as_bytes()]);
    std::array::from_fn(|at| LETTERS[usize::from(sum[at] % 62)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_one_and_no_two_are_alike() {
        let (first, second) = (new(), new());
        for key in [&first, &second] {
            assert!(is_one(key.expose()) && key.expose().starts_with("vk_"));
            assert_eq!(key.expose().len(), 41);
        }
        assert_ne!(first.expose(), second.expose());
        assert_ne!(digest(first.expose()), digest(second.expose()));
    }

    #[test]
    fn one_wrong_letter_anywhere_is_noticed() {
        let key = new().expose().clone();
        for at in 0..key.len() {
            let mut wrong = key.clone().into_bytes();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_one(std::str::from_utf8(&wrong).unwrap()), "letter {at}");
        }
        for other in ["", "vk_", "vk_short", &key[1..], &format!("{key}x"), &key.replace('v', "\u{e9}")] {
            assert!(!is_one(other) && !looks_like_one(other), "{other}");
        }
    }
}
