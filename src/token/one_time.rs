//! One-time tokens: what a link in a mail carries. Only their digest is kept; whose they are and until when is the store's to know.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::{Secret, random_bytes, sha256};

/// Returns a new token of 256 random bits, in characters that a URL takes as they are.
pub fn new() -> Secret<String> {
    Secret::new(URL_SAFE_NO_PAD.encode(random_bytes::<32>()))
}

/// Returns what the store finds a token by.
pub fn digest(token: &str) -> [u8; 32] {
    sha256(&[b"one-time token", token.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_new_each_time_and_needs_no_escape_in_a_url() {
        let (one, other) = (new(), new());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), 43);
        assert!(one.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }
}
