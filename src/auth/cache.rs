//! The cache of verified access tokens, and before it what each thread has found there of late. It holds "signature and times are
//! good" and who it is, never a route's verdict.
//! Only tokens that verified get in, so garbage can't push anything out; what expired or was revoked is found out at the hit.

use std::cell::RefCell;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::sync::Cache;

use super::issuers::Issuers;
use super::revocation::Version;
use crate::clock::Timestamp;
use crate::identity::Caller;
use crate::live::Live;
use crate::secret::sha256;

/// SHA-256 over the id of our key set and the complete token. Which issuer's keys verified it stands in the entry, because
/// that is known only once the token was read.
pub(super) type TokenHash = [u8; 32];

/// A caller, and the version of their standing that the entry was made under.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub caller: Arc<Caller>,
    pub version: Version,
    pub source: Source,
    /// When the credential expires, or what was looked up about it must be looked up again.
    pub good_until: Timestamp,
}

/// What kind of credential it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// An access token of ours; the entry's key names the keys that verified it.
    Ours,
    /// A token that this set of an issuer's keys verified, for a user of its own.
    Issuer(u64),
    /// The same, for an account here.
    Account(u64),
    ApiKey,
}

#[derive(Clone, Debug)]
struct Entry {
    known: Arc<Known>,
    lifetime: Duration,
}

#[derive(Debug)]
pub(super) struct TokenCache {
    entries: Cache<TokenHash, Entry, BuildHasherDefault<DigestHasher>>,
    /// Tells this cache from others of the process.
    id: u64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How the cache has done since start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheCounts {
    pub hits: u64,
    pub misses: u64,
    pub entries: u64,
}

/// What a thread has found of late, each at the place of its key: the table that all threads share notes who looked for what, in words
/// that the threads fight over. Without this a protected request took some 3 % more CPU, in one interleaved run.
#[derive(Default)]
struct Recent(Vec<Option<(u64, TokenHash, Arc<Known>)>>);

/// Two keys that share a place take turns.
const PLACES: usize = 64;

thread_local! {
    static RECENT: RefCell<Recent> = const { RefCell::new(Recent(Vec::new())) };
}

impl Recent {
    fn find(&self, cache: u64, key: &TokenHash) -> Option<Arc<Known>> {
        let (of, same, known) = self.0.get(place_of(key))?.as_ref()?;
        (*of == cache && same == key).then(|| Arc::clone(known))
    }

    fn keep(&mut self, cache: u64, key: TokenHash, known: Arc<Known>) {
        if self.0.is_empty() {
            self.0.resize(PLACES, None);
        }
        self.0[place_of(&key)] = Some((cache, key, known));
    }
}

fn place_of(key: &TokenHash) -> usize {
    usize::from(key[31]) % PLACES
}

impl TokenCache {
    pub fn new(capacity: u64) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let id = COUNT.fetch_add(1, Ordering::Relaxed);
        let entries = Cache::builder()
            .max_capacity(capacity)
            .expire_after(AtExpiry)
            .build_with_hasher(BuildHasherDefault::default());
        Self { entries, id, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// Returns who it is, if the token is known, has not expired, nothing about its user has changed, and the keys that
    /// verified it are in force; else the key to insert it by.
    pub fn find(
        &self,
        key_set: u64,
        token: &str,
        now: Timestamp,
        issuers: &Live<Issuers>,
    ) -> Result<Arc<Known>, TokenHash> {
        let key = sha256(&[&key_set.to_be_bytes(), token.as_bytes()]);
        let recent = RECENT.with_borrow(|recent| recent.find(self.id, &key));
        if let Some(known) = recent.filter(|known| known.is_good(now, issuers)) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(known);
        }
        let Some(entry) = self.entries.get(&key).filter(|entry| entry.known.is_good(now, issuers)) else {
            self.misses.fetch_add(1, Ordering::Relaxed);
            return Err(key);
        };
        self.hits.fetch_add(1, Ordering::Relaxed);
        RECENT.with_borrow_mut(|recent| recent.keep(self.id, key, Arc::clone(&entry.known)));
        Ok(entry.known)
    }

    pub fn insert(&self, key: TokenHash, known: Known, now: Timestamp) {
        let lifetime = known.good_until.since(now);
        self.entries.insert(key, Entry { known: Arc::new(known), lifetime });
    }

    pub fn counts(&self) -> CacheCounts {
        CacheCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            entries: self.entries.entry_count(),
        }
    }
}

impl Known {
    /// A leeway for late tokens is the verifier's to grant; here `exp` is the end.
    fn is_good(&self, now: Timestamp, issuers: &Live<Issuers>) -> bool {
        let keys_are_in_force = match self.source {
            Source::Ours | Source::ApiKey => true,
            Source::Issuer(set) | Source::Account(set) => issuers.guard().are_in_force(set),
        };
        now < self.good_until && self.version.is_current() && keys_are_in_force
    }
}

/// Frees the memory of entries whose token has expired; whether one still counts is decided at the hit.
struct AtExpiry;

impl Expiry<TokenHash, Entry> for AtExpiry {
    fn expire_after_create(&self, _: &TokenHash, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.lifetime)
    }

    fn expire_after_update(&self, _: &TokenHash, entry: &Entry, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.lifetime)
    }
}

/// Takes eight bytes of a key that is a SHA-256 digest already. Who would craft colliding keys needs valid tokens for them.
#[derive(Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 = u64::from_be_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {
        // The length of the array, the same for every key.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
