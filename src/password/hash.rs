//! argon2id (RFC 9106) in PHC string form, and whether a stored hash is due for an upgrade.
//! Slow by design: callers run it on the hashers. A check costs the same whether there is a user, a usable hash, or neither;
//! a hash of another cost, brought along from elsewhere, costs what it costs until it is upgraded.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use crate::identity::text::nfc;
use crate::secret::{Secret, equal, random_bytes};

const OUTPUT_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// What a stored hash may ask of us at most, unless the configuration asks for more: an imported one must not be able to
/// take all memory or run for minutes.
const MAX_STORED: Cost = Cost { memory_kib: 1 << 20, iterations: 64, parallelism: 64 };

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
    decoy: Stored,
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
        let decoy = Stored {
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
        let fresh = Stored { salt: salt.to_vec(), ..self.decoy.clone() };
        let output = self.compute(&fresh, password).expect("a cost raised to argon2's least is one it takes");
        PasswordHash {
            algorithm: fresh.algorithm.ident(),
            version: Some(fresh.version.into()),
            params: ParamsString::try_from(&fresh.params).expect("three numbers fit a PHC string"),
            salt: Some(Salt::new(&salt).expect("16 bytes are a salt")),
            hash: Some(Output::new(&output).expect("32 bytes are an output")),
        }
        .to_string()
    }

    /// Returns whether `password` has that hash; with `None`, or a hash that can't be read, it does the same work and
    /// answers `Wrong`.
    pub fn check(&self, password: &Secret<String>, hash: Option<&str>) -> Check {
        let stored = hash.and_then(|hash| self.read(hash));
        let judged = stored.as_ref().unwrap_or(&self.decoy);
        let is_right = self.compute(judged, password).is_some_and(|output| equal(&output, &judged.output));
        match stored {
            Some(stored) if is_right => Check::Right { upgrade: stored.costs() != self.decoy.costs() },
            Some(_) | None => Check::Wrong,
        }
    }

    fn read(&self, hash: &str) -> Option<Stored> {
        let stored = Stored::parse(hash)?;
        let params = &stored.params;
        let affordable = params.m_cost() <= self.cost.memory_kib.max(MAX_STORED.memory_kib)
            && params.t_cost() <= self.cost.iterations.max(MAX_STORED.iterations)
            && params.p_cost() <= self.cost.parallelism.max(MAX_STORED.parallelism);
        affordable.then_some(stored)
    }

    fn compute(&self, stored: &Stored, password: &Secret<String>) -> Option<Zeroizing<Vec<u8>>> {
        let password = Zeroizing::new(nfc(password.expose()));
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

/// A hash as it is stored, read from its PHC string.
#[derive(Clone, Debug)]
struct Stored {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Stored {
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
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1 };

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    const STAYS: Check = Check::Right { upgrade: false };

    #[test]
    fn a_password_has_its_own_hash_and_no_other() {
        let hasher = Hasher::new(CHEAP);
        let hash = hasher.hash(&secret("correct horse"));
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert_eq!(hasher.check(&secret("correct horse"), Some(&hash)), STAYS);
        for wrong in ["correct hors", "correct horse ", "Correct horse", "", "correct\0horse"] {
            assert_eq!(hasher.check(&secret(wrong), Some(&hash)), Check::Wrong, "{wrong:?}");
        }
    }

    #[test]
    fn the_same_password_hashes_to_another_string_each_time() {
        let hasher = Hasher::new(CHEAP);
        assert_ne!(hasher.hash(&secret("correct horse")), hasher.hash(&secret("correct horse")));
    }

    #[test]
    fn spellings_that_unicode_holds_equal_are_one_password_and_case_is_not_folded() {
        let hasher = Hasher::new(CHEAP);
        let hash = hasher.hash(&secret("cafe\u{301} noir"));
        assert_eq!(hasher.check(&secret("café noir"), Some(&hash)), STAYS);
        assert_eq!(hasher.check(&secret("cafe noir"), Some(&hash)), Check::Wrong);
        assert_eq!(hasher.check(&secret("CAFÉ NOIR"), Some(&hash)), Check::Wrong);
    }

    #[test]
    fn a_hash_of_the_reference_implementation_is_right() {
        // From test.c of github.com/P-H-C/phc-winner-argon2: t=2, m=2^8, p=1, "password", "somesalt".
        let hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(Hasher::new(CHEAP).check(&secret("password"), Some(hash)), Check::Right { upgrade: true });
        assert_eq!(Hasher::new(CHEAP).check(&secret("passwore"), Some(hash)), Check::Wrong);
    }

    #[test]
    fn a_hash_of_another_cost_or_algorithm_is_right_and_due_for_an_upgrade() {
        let password = secret("correct horse");
        let others = [
            Cost { memory_kib: 32, ..CHEAP },
            Cost { memory_kib: 128, ..CHEAP },
            Cost { iterations: 2, ..CHEAP },
            Cost { parallelism: 2, ..CHEAP },
        ];
        for cost in others {
            let hash = Hasher::new(cost).hash(&password);
            assert_eq!(Hasher::new(CHEAP).check(&password, Some(&hash)), Check::Right { upgrade: true }, "{cost:?}");
        }
        let others = [
            (Algorithm::Argon2i, Version::V0x13),
            (Algorithm::Argon2d, Version::V0x13),
            (Algorithm::Argon2id, Version::V0x10),
        ];
        for (algorithm, version) in others {
            use argon2::PasswordHasher;
            let hash = Argon2::new(algorithm, version, params(CHEAP))
                .hash_password_with_salt(b"correct horse", &[7; SALT_BYTES])
                .unwrap()
                .to_string();
            assert_eq!(Hasher::new(CHEAP).check(&password, Some(&hash)), Check::Right { upgrade: true }, "{hash}");
        }
    }

    #[test]
    fn no_hash_and_a_hash_that_cannot_be_read_are_wrong() {
        let hasher = Hasher::new(CHEAP);
        let good = hasher.hash(&secret("correct horse"));
        let cut = &good[..good.len() - 20];
        let huge = good.replace("m=64", "m=4294967295");
        let endless = good.replace("t=1", "t=4294967295");
        let unreadable =
            ["", "$", "x", "correct horse", "$argon2id$", "$2b$12$abc", "$argon2id$v=19$m=1,t=1,p=1$AAAAAAAAAAA$AAAA"];
        for hash in unreadable.into_iter().chain([cut, &huge, &endless]) {
            assert_eq!(hasher.check(&secret("correct horse"), Some(hash)), Check::Wrong, "{hash}");
        }
        assert_eq!(hasher.check(&secret("correct horse"), None), Check::Wrong);
    }

    #[test]
    fn an_impossible_cost_is_raised_to_the_least_possible_one() {
        let hasher = Hasher::new(Cost { memory_kib: 0, iterations: 0, parallelism: 0 });
        let hash = hasher.hash(&secret("correct horse"));
        assert!(hash.contains("$m=8,t=1,p=1$"), "{hash}");
        assert_eq!(hasher.check(&secret("correct horse"), Some(&hash)), STAYS);
    }

    #[test]
    fn memory_is_used_again_and_never_kept_above_the_configured_size() {
        let hasher = Hasher::new(CHEAP);
        let costlier = Hasher::new(Cost { memory_kib: 256, ..CHEAP }).hash(&secret("correct horse"));
        for hash in [None, Some(costlier.as_str())] {
            hasher.check(&secret("correct horse"), hash);
        }
        let sizes: Vec<usize> = hasher.spare().iter().map(Vec::capacity).collect();
        assert_eq!(sizes, [64]);
    }

    #[test]
    fn hashers_that_run_at_once_do_not_share_memory() {
        let hasher = Hasher::new(CHEAP);
        let hash = hasher.hash(&secret("correct horse"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert_eq!(hasher.check(&secret("correct horse"), Some(&hash)), STAYS);
                    }
                });
            }
        });
    }
}
