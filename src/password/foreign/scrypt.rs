//! scrypt (RFC 7914): `$scrypt$ln=16,r=8,p=1$SALT$OUTPUT` of the PHC string format and passlib, and Django's
//! `scrypt$16384$SALT$8$5$OUTPUT`, whose salt is text and whose first number is N itself.

use super::{Notation, Unusable, base64};
use crate::secret::equal;

/// Of one hash, N times r times 128 bytes. OWASP's choice takes 128 MiB.
const MAX_MEMORY: u64 = 256 << 20;
/// Memory times p: about 3 s.
const MAX_WORK: u64 = 1 << 30;
/// What the libraries write is 32 or 64.
const OUTPUT_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

#[derive(Clone, Debug)]
pub struct Scrypt {
    log_n: u8,
    r: u32,
    p: u32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Scrypt {
    /// Returns `None` for what isn't scrypt at all.
    pub fn read(text: &str) -> Option<Result<Self, Unusable>> {
        let parsed = if let Some(rest) = text.strip_prefix("$scrypt$") {
            Self::parse_phc(rest)
        } else {
            Self::parse_django(text.strip_prefix("scrypt$")?)
        };
        let usable = |hash: &Self| OUTPUT_BYTES.contains(&hash.output.len()) && hash.params().is_some();
        Some(match parsed {
            Some(hash) if hash.is_too_costly() => Err(Unusable::TooCostly(Notation::Scrypt)),
            Some(hash) if usable(&hash) => Ok(hash),
            Some(_) | None => Err(Unusable::Damaged(Notation::Scrypt)),
        })
    }

    fn parse_phc(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        let (params, salt, output) = (parts.next()?, base64(parts.next()?)?, base64(parts.next()?)?);
        let (log_n, params) = params.strip_prefix("ln=")?.split_once(",r=")?;
        let (r, p) = params.split_once(",p=")?;
        let hash = Self { log_n: log_n.parse().ok()?, r: r.parse().ok()?, p: p.parse().ok()?, salt, output };
        parts.next().is_none().then_some(hash)
    }

    fn parse_django(text: &str) -> Option<Self> {
        let mut parts = text.split('$');
        let n = parts.next()?.parse().ok().filter(|n: &u64| n.is_power_of_two())?;
        let salt = parts.next()?.as_bytes().to_vec();
        let (r, p) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let hash = Self { log_n: u8::try_from(n.ilog2()).ok()?, r, p, salt, output: base64(parts.next()?)? };
        parts.next().is_none().then_some(hash)
    }

    fn is_too_costly(&self) -> bool {
        let n = 1_u64.checked_shl(self.log_n.into());
        let memory = n.and_then(|n| n.checked_mul(u64::from(self.r))).and_then(|blocks| blocks.checked_mul(128));
        let work = memory.and_then(|memory| memory.checked_mul(u64::from(self.p)));
        memory.is_none_or(|memory| memory > MAX_MEMORY) || work.is_none_or(|work| work > MAX_WORK)
    }

    fn params(&self) -> Option<::scrypt::Params> {
        ::scrypt::Params::new(self.log_n, self.r, self.p).ok()
    }

    pub fn is_of(&self, password: &[u8]) -> bool {
        let mut output = vec![0; self.output.len()];
        let done =
            self.params().is_some_and(|params| ::scrypt::scrypt(password, &self.salt, &params, &mut output).is_ok());
        done && equal(&output, &self.output)
    }
}
