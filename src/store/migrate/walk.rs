//! Goes through one kind of record in two stores side by side, in the order of their ids. Holds a page of each and no more.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::{Kind, MigrateError, Record, Result};
use crate::clock::Timestamp;
use crate::store::{Pages, SharedStore, StoreError};

/// What one id comes to.
pub(super) enum Pair {
    Same(Record),
    /// Only in the source.
    Missing(Record),
    Differs {
        source: Record,
        target: Record,
    },
    /// Only in the target.
    Extra(Record),
}

pub(super) struct Walk<'a> {
    source: Cursor<'a>,
    target: Cursor<'a>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(kind: Kind, now: Timestamp, from: &'a SharedStore, to: &'a SharedStore) -> Self {
        Self { source: Cursor::new(kind, now, from), target: Cursor::new(kind, now, to) }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Pair>> {
        let source = self.source.peek().await.map_err(MigrateError::Source)?.map(Record::id);
        let target = self.target.peek().await.map_err(MigrateError::Target)?.map(Record::id);
        let order = match (source, target) {
            (Some(source), Some(target)) => source.cmp(&target),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return Ok(None),
        };
        Ok(match order {
            Ordering::Less => self.source.take().map(Pair::Missing),
            Ordering::Greater => self.target.take().map(Pair::Extra),
            Ordering::Equal => self.source.take().zip(self.target.take()).map(|(source, target)| {
                if source.fingerprint() == target.fingerprint() {
                    Pair::Same(source)
                } else {
                    Pair::Differs { source, target }
                }
            }),
        })
    }
}

struct Cursor<'a> {
    now: Timestamp,
    pages: Box<dyn Pages + 'a>,
    page: VecDeque<Record>,
    is_at_end: bool,
}

impl<'a> Cursor<'a> {
    fn new(kind: Kind, now: Timestamp, store: &'a SharedStore) -> Self {
        Self { now, pages: store.read_all(kind), page: VecDeque::new(), is_at_end: false }
    }

    async fn peek(&mut self) -> std::result::Result<Option<&Record>, StoreError> {
        while self.page.is_empty() && !self.is_at_end {
            let page = self.pages.next().await?;
            self.is_at_end = page.is_empty();
            self.page = page.into_iter().filter(|record| !record.is_dead(self.now)).collect();
        }
        Ok(self.page.front())
    }

    fn take(&mut self) -> Option<Record> {
        self.page.pop_front()
    }
}
