//! The two values by which a WebSocket handshake over HTTP/1.1 shows that both sides mean it (RFC 6455 section 4). They keep
//! nobody out: whoever reads the one can make the other.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::secret::random_bytes;

/// The only version there is; others were drafts.
pub const VERSION: &str = "13";

/// Returns a fresh value for `Sec-WebSocket-Key`.
pub fn fresh_key() -> String {
    STANDARD.encode(random_bytes::<16>())
}

/// Returns the `Sec-WebSocket-Accept` that answers `key`. SHA-1 is what the RFC says, and protects nothing here.
pub fn accept_of(key: &str) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), GUID].concat());
    STANDARD.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_own_example_comes_out() {
        assert_eq!(accept_of("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_sixteen_bytes_and_never_the_same() {
        assert_eq!(STANDARD.decode(fresh_key()).unwrap().len(), 16);
        assert_ne!(fresh_key(), fresh_key());
    }
}
