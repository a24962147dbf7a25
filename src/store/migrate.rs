//! Moves everything from one store to another. What has to be copied is found by comparing, so a move that was cut off goes on
//! where it was, and one that was completed changes nothing. Never writes into a store that holds anything else, and says that
//! it is done only when both have been read again and are equal. Called by `cli`; nobody may serve from either meanwhile.

mod record;
#[cfg(test)]
mod tests;
mod walk;

use crate::clock::Timestamp;
use crate::secret::sha256;
use crate::store::{Batch, Counts, Kind, Record, SharedStore, StoreError};

use walk::{Pair, Walk};

/// How many records travel together.
const BATCH: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Whether what the target holds is part of the source.
    Look,
    Copy,
    /// Whether both are equal now.
    Compare,
}

/// How far it is. Told after every batch, and at the end of each kind.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub step: Step,
    pub kind: Kind,
    pub done: u64,
    pub total: u64,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What both hold now.
    pub counts: Counts,
    /// How many records were written; the others were there.
    pub copied: u64,
    /// SHA-256 over everything that both hold, but where they keep it.
    pub digest: [u8; 32],
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrateError {
    #[error("the source: {0}")]
    Source(StoreError),
    #[error("the target: {0}")]
    Target(StoreError),
    /// A wrong database, most likely: nobody moves nothing.
    #[error("the source holds nothing at all")]
    Empty,
    #[error("the target holds {} of its own, such as {id}; it must be empty, or hold what an earlier run has copied", kind.name())]
    Foreign { kind: Kind, id: String },
    #[error("the target has been served from since an earlier run: its {} have changed, such as {id}", kind.name())]
    Used { kind: Kind, id: String },
    #[error("the stores still differ in their {}, such as {id}: one of them was written to meanwhile", kind.name())]
    Unequal { kind: Kind, id: String },
}

type Result<T> = std::result::Result<T, MigrateError>;

/// Copies what `from` holds and `to` lacks, and returns what both hold then. Nothing is written unless all that `to` holds
/// comes from `from`. Sessions of which no token lives at `now` are nothing to either: a store may drop them at any moment.
pub async fn migrate(
    from: &SharedStore,
    to: &SharedStore,
    now: Timestamp,
    told: &mut dyn FnMut(Progress),
) -> Result<Moved> {
    let total = from.count().await.map_err(MigrateError::Source)?;
    if total == Counts::default() {
        return Err(MigrateError::Empty);
    }
    let mut migration = Migration { from, to, now, total, told };
    if to.count().await.map_err(MigrateError::Target)? != Counts::default() {
        migration.look().await?;
    }
    let copied = migration.copy().await?;
    let digest = migration.compare().await?;
    let counts = to.count().await.map_err(MigrateError::Target)?;
    Ok(Moved { counts, copied, digest })
}

struct Migration<'a> {
    from: &'a SharedStore,
    to: &'a SharedStore,
    now: Timestamp,
    total: Counts,
    told: &'a mut dyn FnMut(Progress),
}

impl<'a> Migration<'a> {
    fn walk(&self, kind: Kind) -> Walk<'a> {
        Walk::new(kind, self.now, self.from, self.to)
    }

    /// Refuses a target that holds what the source does not.
    async fn look(&mut self) -> Result<()> {
        for kind in Kind::ALL {
            let mut walk = self.walk(kind);
            let mut done = 0;
            while let Some(pair) = walk.next().await? {
                match pair {
                    Pair::Extra(record) => return Err(MigrateError::Foreign { kind, id: record.id() }),
                    Pair::Differs { source, target } if target.is_newer(&source) => {
                        return Err(MigrateError::Used { kind, id: target.id() });
                    }
                    Pair::Differs { .. } | Pair::Same(_) | Pair::Missing(_) => {
                        self.count_one(Step::Look, kind, &mut done);
                    }
                }
            }
            self.tell(Step::Look, kind, done);
        }
        Ok(())
    }

    /// Returns how many records were written.
    async fn copy(&mut self) -> Result<u64> {
        let mut copied = 0;
        for kind in Kind::ALL {
            let mut walk = self.walk(kind);
            let (mut waiting, mut done) = (Vec::new(), 0);
            while let Some(pair) = walk.next().await? {
                match pair {
                    Pair::Missing(record) | Pair::Differs { source: record, .. } => waiting.push(record),
                    Pair::Same(_) | Pair::Extra(_) => {}
                }
                if waiting.len() == BATCH {
                    copied += self.write(&mut waiting).await?;
                }
                self.count_one(Step::Copy, kind, &mut done);
            }
            copied += self.write(&mut waiting).await?;
            self.tell(Step::Copy, kind, done);
        }
        Ok(copied)
    }

    async fn write(&self, waiting: &mut Vec<Record>) -> Result<u64> {
        let mut batch = Batch::default();
        let count = waiting.len() as u64;
        for record in waiting.drain(..) {
            record.join(&mut batch);
        }
        // Those of one moment stand newest first in every list.
        batch.keys.sort_by_key(|key| key.created_at);
        self.to.import(batch).await.map_err(MigrateError::Target)?;
        Ok(count)
    }

    /// Returns the digest of what both hold, if it is the same.
    async fn compare(&mut self) -> Result<[u8; 32]> {
        let mut digest = [0; 32];
        for kind in Kind::ALL {
            let mut walk = self.walk(kind);
            let mut done = 0;
            while let Some(pair) = walk.next().await? {
                match pair {
                    Pair::Same(record) => digest = sha256(&[&digest, &record.fingerprint()]),
                    Pair::Missing(record) | Pair::Extra(record) | Pair::Differs { source: record, .. } => {
                        return Err(MigrateError::Unequal { kind, id: record.id() });
                    }
                }
                self.count_one(Step::Compare, kind, &mut done);
            }
            self.tell(Step::Compare, kind, done);
        }
        Ok(digest)
    }

    fn count_one(&mut self, step: Step, kind: Kind, done: &mut u64) {
        *done += 1;
        if done.is_multiple_of(BATCH as u64) {
            self.tell(step, kind, *done);
        }
    }

    fn tell(&mut self, step: Step, kind: Kind, done: u64) {
        (self.told)(Progress { step, kind, done, total: kind.of(&self.total).max(done) });
    }
}
