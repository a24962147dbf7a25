//! argon2id (RFC 9106) in PHC string form, and whether a stored hash is due for an upgrade.
//! Slow by design: callers run it on the hashers. A check costs the same whether there is a user, a usable hash, or neither;
//! a hash of another cost or notation, brought along from elsewhere, costs what it costs until it is upgraded, and is refused
//! beyond a bound.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use super::foreign::{Foreign, Notation, Unusable};
use crate::identity::text::nfc;
use crate::secret::{Secret, equal, random_bytes};

const OUTPUT_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// What a stored hash may ask of us at most, unless the configuration asks for more: an imported one must not be able to
/// take all memory or run for minutes. The work, memory times passes, takes about 2 s; libsodium's costliest preset is this.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_WORK_KIB: u64 = 4 << 20;

/// argon2id's cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
}

/// What a check of a password against a stored hash says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Right; `upgrade` when the hash was made with another cost or algorithm than is configured.
    Right {
        upgrade: bool,
    },
    Wrong,
}

/// Makes and checks hashes at one configured cost.
#[derive(Debug)]
pub struct Hasher {
    cost: Cost,
    /// A hash of a password nobody knows, at the configured cost: checked in place of the hash that an unknown user lacks.
    decoy: Argon,
    /// Working memory of checks that are over, one per hasher that ever ran at once: allocating it anew costs as much as
    /// hashing in it. Not wiped, since that would cost a tenth of the hash: it tells no more than the stored hash does.
    spare: Mutex<Vec<Vec<Block>>>,
}

impl Hasher {
    /// Returns a hasher of that cost, raised to argon2's least where it lies below (one pass, one lane, 8 KiB a lane).
    pub fn new(cost: Cost) -> Self {
        let parallelism = cost.parallelism.clamp(Params::MIN_P_COST, Params::MAX_P_COST);
        let cost = Cost {
            memory_kib: cost.memory_kib.max(parallelism * 8),
            iterations: cost.iterations.max(Params::MIN_T_COST),
            parallelism,
        };
        // Random output stands for a password nobody knows: checking against it is a whole hash, and none can match.
        let decoy = Argon {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params: params(cost),
            salt: random_bytes::<SALT_BYTES>().to_vec(),
            output: random_bytes::<OUTPUT_BYTES>().to_vec(),
        };
        Self { cost, decoy, spare: Mutex::default() }
    }

    /// Returns the PHC string of `password` (taken after NFC) with a random salt.
    pub fn hash(&self, password: &Secret<String>) -> String {
        let salt = random_bytes::<SALT_BYTES>();
        let fresh = Argon { salt: salt.to_vec(), ..self.decoy.clone() };
        let password = Zeroizing::new(nfc(password.expose()));
        let output = self.compute(&fresh, &password).expect("a cost raised to argon2's least is one it takes");
        PasswordHash {
            algorithm: fresh.algorithm.ident(),
            version: Some(fresh.version.into()),
            params: ParamsString::try_from(&fresh.params).expect("three numbers fit a PHC string"),
            salt: Some(Salt::new(&salt).expect("16 bytes are a salt")),
            hash: Some(Output::new(&output).expect("32 bytes are an output")),
        }
        .to_string()
    }

    /// Returns whether `password` has that hash; with `None`, or a hash that can't be used, it does the same work and
    /// answers `Wrong`.
    pub fn check(&self, password: &Secret<String>, hash: Option<&str>) -> Check {
        let stored = hash.and_then(|hash| self.read(hash).ok());
        let is_right = spellings(password).iter().any(|spelling| match &stored {
            Some(Stored::Foreign(foreign)) => foreign.is_of(spelling.as_bytes()),
            Some(Stored::Argon(argon)) => self.matches(argon, spelling),
            None => self.matches(&self.decoy, spelling),
        });
        match stored {
            Some(Stored::Argon(argon)) if is_right => Check::Right { upgrade: argon.costs() != self.decoy.costs() },
            Some(Stored::Foreign(_)) if is_right => Check::Right { upgrade: true },
            Some(_) | None => Check::Wrong,
        }
    }

    /// Returns in which notation `hash` is, if a password could be held against it here.
    pub fn judge_stored(&self, hash: &str) -> Result<Notation, Unusable> {
        self.read(hash).map(|stored| match stored {
            Stored::Argon(_) => Notation::Argon2,
            Stored::Foreign(foreign) => foreign.notation(),
        })
    }

    fn read(&self, hash: &str) -> Result<Stored, Unusable> {
        // Django writes its own name for the algorithm before the string of the library.
        let text = hash.strip_prefix("argon2").unwrap_or(hash);
        if !text.starts_with("$argon2") {
            return Foreign::read(hash).map(Stored::Foreign);
        }
        let argon = Argon::parse(text).ok_or(Unusable::Damaged(Notation::Argon2))?;
        let work = |memory_kib: u32, iterations: u32| u64::from(memory_kib) * u64::from(iterations);
        let params = &argon.params;
        let is_affordable = params.m_cost() <= self.cost.memory_kib.max(MAX_MEMORY_KIB)
            && work(params.m_cost(), params.t_cost())
                <= work(self.cost.memory_kib, self.cost.iterations).max(MAX_WORK_KIB);
        if is_affordable { Ok(Stored::Argon(argon)) } else { Err(Unusable::TooCostly(Notation::Argon2)) }
    }

    fn matches(&self, argon: &Argon, spelling: &str) -> bool {
        self.compute(argon, spelling).is_some_and(|output| equal(&output, &argon.output))
    }

    fn compute(&self, stored: &Argon, password: &str) -> Option<Zeroizing<Vec<u8>>> {
        let argon2 = Argon2::new(stored.algorithm, stored.version, stored.params.clone());
        let mut output = Zeroizing::new(vec![0; stored.output.len()]);
        let mut memory = self.spare().pop().unwrap_or_default();
        let configured = self.decoy.params.block_count();
        memory.resize(configured.max(stored.params.block_count()), Block::new());
        let done = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            &stored.salt,
            &mut output,
            memory.as_mut_slice(),
        );
        // What a costlier stored hash needed beyond the configured size is not kept.
        memory.truncate(configured);
        memory.shrink_to_fit();
        self.spare().push(memory);
        done.ok().map(|()| output)
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        // A list of buffers is never half changed.
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what is hashed when somebody types `password`: its NFC, and what was typed where that differs, because others
/// hashed without composing first.
fn spellings(password: &Secret<String>) -> Vec<Zeroizing<String>> {
    let composed = nfc(password.expose());
    let typed = Some(password.expose()).filter(|typed| **typed != composed).cloned();
    [Some(composed), typed].into_iter().flatten().map(Zeroizing::new).collect()
}

/// A hash as it is stored, ready to hold a password against.
enum Stored {
    Argon(Argon),
    Foreign(Foreign),
}

/// An argon2 hash, read from its PHC string.
#[derive(Clone, Debug)]
struct Argon {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Argon {
    fn parse(text: &str) -> Option<Self> {
        let phc = PasswordHash::new(text).ok()?;
        // A string without a version is older than versions (argon2's reference implementation, `decode_string`).
        let version = phc.version.unwrap_or(Version::V0x10.into());
        Some(Self {
            algorithm: Algorithm::new(phc.algorithm.as_str()).ok()?,
            version: Version::try_from(version).ok()?,
            params: Params::try_from(&phc).ok()?,
            salt: phc.salt?.to_vec(),
            output: phc.hash?.as_bytes().to_vec(),
        })
    }

    /// Returns what must equal the configuration's for a hash to stay.
    fn costs(&self) -> (Algorithm, Version, &Params, usize) {
        (self.algorithm, self.version, &self.params, self.salt.len())
    }
}

fn params(cost: Cost) -> Params {
    Params::new(cost.memory_kib, cost.iterations, cost.parallelism, Some(OUTPUT_BYTES))
        .expect("a cost raised to argon2's least is one it takes")
}

#[cfg(test)]
mod tests;
