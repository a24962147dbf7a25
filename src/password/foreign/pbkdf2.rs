//! PBKDF2 (RFC 8018) with HMAC: passlib's `$pbkdf2-sha256$29000$SALT$OUTPUT`, whose `$pbkdf2$` means SHA-1, and Django's
//! `pbkdf2_sha256$1000000$SALT$OUTPUT`, whose salt is text.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;

use super::{Notation, Unusable, base64};

/// About 2 s with SHA-256. Django's default was 1,000,000 in 2025 and grows by a fifth a year.
const MAX_ITERATIONS: u32 = 5_000_000;

#[derive(Clone, Debug)]
pub struct Pbkdf2 {
    digest: Digest,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Clone, Copy)]
enum Style {
    Passlib,
    Django,
}

const PREFIXES: [(&str, Style, Digest); 6] = [
    ("$pbkdf2$", Style::Passlib, Digest::Sha1),
    ("$pbkdf2-sha256$", Style::Passlib, Digest::Sha256),
    ("$pbkdf2-sha512$", Style::Passlib, Digest::Sha512),
    ("pbkdf2_sha1$", Style::Django, Digest::Sha1),
    ("pbkdf2_sha256$", Style::Django, Digest::Sha256),
    ("pbkdf2_sha512$", Style::Django, Digest::Sha512),
];

impl Digest {
    fn algorithm(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    fn output_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl Pbkdf2 {
    /// Returns `None` for what isn't PBKDF2 at all.
    pub fn read(text: &str) -> Option<Result<Self, Unusable>> {
        let (rest, style, digest) =
            PREFIXES.iter().find_map(|(prefix, style, digest)| Some((text.strip_prefix(prefix)?, *style, *digest)))?;
        Some(match Self::parse(rest, style, digest) {
            None => Err(Unusable::Damaged(Notation::Pbkdf2)),
            Some(hash) if hash.iterations.get() > MAX_ITERATIONS => Err(Unusable::TooCostly(Notation::Pbkdf2)),
            Some(hash) => Ok(hash),
        })
    }

    fn parse(text: &str, style: Style, digest: Digest) -> Option<Self> {
        let mut parts = text.split('$');
        let (iterations, salt, output) = (parts.next()?.parse().ok()?, parts.next()?, base64(parts.next()?)?);
        let salt = match style {
            Style::Passlib => base64(salt)?,
            Style::Django => salt.as_bytes().to_vec(),
        };
        // Another length would take another number of rounds for each iteration, and no library writes it.
        let is_whole = output.len() == digest.output_bytes() && parts.next().is_none();
        is_whole.then_some(Self { digest, iterations, salt, output })
    }

    pub fn is_of(&self, password: &[u8]) -> bool {
        pbkdf2::verify(self.digest.algorithm(), self.iterations, &self.salt, password, &self.output).is_ok()
    }
}
