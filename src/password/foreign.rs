//! Password hashes that others made, to be verified and never to be made: bcrypt, PBKDF2 and scrypt, in the notations of passlib,
//! Django and the PHC string format. What one costs is bounded, so that no imported hash lets a sign-in run for minutes.
//! Called by `hash`, which upgrades them at the next sign-in.

mod bcrypt;
mod pbkdf2;
mod scrypt;

use std::fmt;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};

use bcrypt::Bcrypt;
use pbkdf2::Pbkdf2;
use scrypt::Scrypt;

/// No notation needs more; a longer text is something else.
const MAX_TEXT_BYTES: usize = 1024;

/// How a stored hash is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notation {
    Argon2,
    Bcrypt,
    Pbkdf2,
    Scrypt,
}

impl fmt::Display for Notation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Argon2 => "argon2",
            Self::Bcrypt => "bcrypt",
            Self::Pbkdf2 => "PBKDF2",
            Self::Scrypt => "scrypt",
        })
    }
}

/// Why no password can be held against a stored hash. The hash itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error(
        "found no password hash that is known here, expected argon2i, argon2id, bcrypt (2a, 2b, 2y), PBKDF2 or scrypt"
    )]
    Unknown,
    #[error("found {article} {0} hash that can't be read, as if cut off or changed", article = article(*.0))]
    Damaged(Notation),
    #[error("found {article} {0} hash that costs too much: one sign-in would run for many seconds", article = article(*.0))]
    TooCostly(Notation),
}

fn article(notation: Notation) -> &'static str {
    if notation == Notation::Argon2 { "an" } else { "a" }
}

/// A hash that somebody else's library made.
#[derive(Clone, Debug)]
pub enum Foreign {
    Bcrypt(Bcrypt),
    Pbkdf2(Pbkdf2),
    Scrypt(Scrypt),
}

impl Foreign {
    pub fn read(text: &str) -> Result<Self, Unusable> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(Unusable::Unknown);
        }
        if let Some(bcrypt) = Bcrypt::read(text) {
            return bcrypt.map(Self::Bcrypt);
        }
        if let Some(pbkdf2) = Pbkdf2::read(text) {
            return pbkdf2.map(Self::Pbkdf2);
        }
        Scrypt::read(text).unwrap_or(Err(Unusable::Unknown)).map(Self::Scrypt)
    }

    pub fn notation(&self) -> Notation {
        match self {
            Self::Bcrypt(_) => Notation::Bcrypt,
            Self::Pbkdf2(_) => Notation::Pbkdf2,
            Self::Scrypt(_) => Notation::Scrypt,
        }
    }

    /// Returns whether this is a hash of `password`.
    pub fn is_of(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt(hash) => hash.is_of(password),
            Self::Pbkdf2(hash) => hash.is_of(password),
            Self::Scrypt(hash) => hash.is_of(password),
        }
    }
}

/// As the libraries read base64: with or without padding, whatever the last bits that stand for nothing are.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// Returns the bytes that `text` spells in base64; passlib writes `.` for `+`.
fn base64(text: &str) -> Option<Vec<u8>> {
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT).decode(text.replace('.', "+")).ok()
}

#[cfg(test)]
mod tests;
