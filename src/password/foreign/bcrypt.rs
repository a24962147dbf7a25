//! bcrypt: `$2b$12$…`, as the libraries write it, and Django's `bcrypt$…` and `bcrypt_sha256$…` around that. 2a, 2b and 2y are one
//! algorithm to every library of the last ten years; 2x, which has a known flaw, is not taken.
//! bcrypt looks at the first 72 bytes of a password and no further: what follows was never part of the hash.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::GeneralPurpose;
use zeroize::Zeroizing;

use super::{LENIENT, Notation, Unusable};
use crate::secret::equal;

/// About 2 s.
const MAX_COST: u32 = 15;
const MIN_COST: u32 = 4;
const MAX_PASSWORD_BYTES: usize = 72;
/// Of base64, for a salt of 16 bytes.
const SALT_CHARACTERS: usize = 22;
/// Of the 24 bytes that come out the last is dropped, since the first implementation did so.
const OUTPUT_BYTES: usize = 23;

#[derive(Clone, Debug)]
pub struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    output: [u8; OUTPUT_BYTES],
    input: Input,
}

/// What of a password is hashed.
#[derive(Clone, Copy, Debug)]
enum Input {
    Password,
    /// Its SHA-256 in hexadecimal, by which Django escapes the 72 bytes.
    Digest,
}

impl Bcrypt {
    /// Returns `None` for what isn't bcrypt at all.
    pub fn read(text: &str) -> Option<Result<Self, Unusable>> {
        let (input, text) = if let Some(text) = text.strip_prefix("bcrypt_sha256$") {
            (Input::Digest, text)
        } else {
            (Input::Password, text.strip_prefix("bcrypt$").unwrap_or(text))
        };
        let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
        Some(Self::parse(rest, input))
    }

    fn parse(text: &str, input: Input) -> Result<Self, Unusable> {
        let damaged = Unusable::Damaged(Notation::Bcrypt);
        let (cost, rest) = text.split_once('$').ok_or(damaged)?;
        let cost = cost.parse().ok().filter(|cost| (MIN_COST..32).contains(cost)).ok_or(damaged)?;
        let (salt, output) = rest.split_at_checked(SALT_CHARACTERS).ok_or(damaged)?;
        let base64 = GeneralPurpose::new(&alphabet::BCRYPT, LENIENT);
        let salt = base64.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(damaged)?;
        let output = base64.decode(output).ok().and_then(|output| output.try_into().ok()).ok_or(damaged)?;
        if cost > MAX_COST {
            return Err(Unusable::TooCostly(Notation::Bcrypt));
        }
        Ok(Self { cost, salt, output, input })
    }

    pub fn is_of(&self, password: &[u8]) -> bool {
        let mut input = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        match self.input {
            Input::Password => input.extend_from_slice(password),
            Input::Digest => {
                input.extend_from_slice(hexadecimal(digest::digest(&digest::SHA256, password).as_ref()).as_bytes());
            }
        }
        // The NUL that ends a string in C belongs to what is hashed, if it still fits.
        input.push(0);
        input.truncate(MAX_PASSWORD_BYTES);
        let output = ::bcrypt::bcrypt(self.cost, self.salt, &input);
        equal(&output[..OUTPUT_BYTES], &self.output)
    }
}

fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes every write");
    }
    text
}
