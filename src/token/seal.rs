//! Private keys at rest: AES-256-GCM under a key that HKDF-SHA256 derives from `auth.key_encryption_secret`.
//! A sealed key is bound to its `kid` and algorithm, so that the store can't pass one key off as another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use crate::secret::{Secret, random_bytes};

const PURPOSE: &[u8] = b"vestibule signing key, AES-256-GCM, 1";

/// What a sealed key is bound to.
#[derive(Clone, Copy)]
pub(super) struct Label<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: &'a str,
}

impl Label<'_> {
    /// Returns the associated data; no algorithm's name holds a line end, so no two labels share one.
    fn associated_data(self) -> Aad<String> {
        Aad::from(format!("{}\n{}", self.algorithm.name(), self.kid))
    }
}

/// Returns nonce, ciphertext and tag. The nonce is random: a `key_encryption_secret` seals a handful of keys in its life.
pub(super) fn seal(secret: &Secret<Vec<u8>>, label: Label<'_>, plain: &[u8]) -> Vec<u8> {
    let nonce = random_bytes::<NONCE_LEN>();
    let mut body = plain.to_vec();
    derive(secret)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), label.associated_data(), &mut body)
        .expect("a private key is far below the length AES-GCM can take");
    [nonce.as_slice(), &body].concat()
}

/// Returns what was sealed; `None` if the secret or the label is another one, or a byte was changed.
pub(super) fn unseal(secret: &Secret<Vec<u8>>, label: Label<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut body = Zeroizing::new(body.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = derive(secret).open_in_place(nonce, label.associated_data(), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

fn derive(secret: &Secret<Vec<u8>>) -> LessSafeKey {
    let pseudorandom = Salt::new(HKDF_SHA256, b"").extract(secret.expose());
    let material = pseudorandom.expand(&[PURPOSE], &AES_256_GCM).expect("HKDF-SHA256 gives up to 8160 bytes");
    LessSafeKey::new(UnboundKey::from(material))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Label<'_> = Label { algorithm: Algorithm::EdDsa, kid: "a" };

    fn secret(text: &str) -> Secret<Vec<u8>> {
        Secret::new(text.as_bytes().to_vec())
    }

    #[test]
    fn what_was_sealed_comes_back_under_the_same_secret_and_label_only() {
        let sealed = seal(&secret("one"), LABEL, b"private");
        assert_eq!(unseal(&secret("one"), LABEL, &sealed).as_deref(), Some(&b"private".to_vec()));
        assert_eq!(unseal(&secret("two"), LABEL, &sealed), None);
        assert_eq!(unseal(&secret("one"), Label { kid: "b", ..LABEL }, &sealed), None);
        assert_eq!(unseal(&secret("one"), Label { algorithm: Algorithm::Es256, ..LABEL }, &sealed), None);
    }

    #[test]
    fn a_sealed_key_with_any_byte_changed_or_missing_does_not_open() {
        let sealed = seal(&secret("one"), LABEL, b"private");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(unseal(&secret("one"), LABEL, &changed), None, "byte {place}");
            assert_eq!(unseal(&secret("one"), LABEL, &sealed[..place]), None, "cut at {place}");
        }
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        assert_ne!(seal(&secret("one"), LABEL, b"private"), seal(&secret("one"), LABEL, b"private"));
    }
}
