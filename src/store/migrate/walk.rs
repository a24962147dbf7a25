//! Goes through one kind of record in two stores side by side, in the order of their ids. Holds a page of each and no more,
//! but of signing keys and of changes, which every store prunes.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::record::Record;
use super::{Kind, MigrateError, Result};
use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::store::{SharedStore, StoreError};

const PAGE: usize = 1000;

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
    kind: Kind,
    now: Timestamp,
    store: &'a SharedStore,
    page: VecDeque<Record>,
    is_at_end: bool,
    last_user: Option<UserId>,
    last_session: Option<SessionId>,
}

impl<'a> Cursor<'a> {
    fn new(kind: Kind, now: Timestamp, store: &'a SharedStore) -> Self {
        Self { kind, now, store, page: VecDeque::new(), is_at_end: false, last_user: None, last_session: None }
    }

    async fn peek(&mut self) -> std::result::Result<Option<&Record>, StoreError> {
        while self.page.is_empty() && !self.is_at_end {
            let page = self.read_page().await?;
            match page.last() {
                Some(Record::User(user)) => self.last_user = Some(user.id.clone()),
                Some(Record::Session(session)) => self.last_session = Some(session.id),
                Some(Record::ApiKey(key)) => self.last_session = Some(key.0.id),
                Some(Record::Key(_) | Record::Change(_)) | None => self.is_at_end = true,
            }
            self.page = page.into_iter().filter(|record| !record.is_dead(self.now)).collect();
        }
        Ok(self.page.front())
    }

    fn take(&mut self) -> Option<Record> {
        self.page.pop_front()
    }

    async fn read_page(&self) -> std::result::Result<Vec<Record>, StoreError> {
        let store = self.store;
        Ok(match self.kind {
            Kind::Users => {
                let users = store.list_users(self.last_user.as_ref(), PAGE).await?;
                users.into_iter().map(|user| Record::User(Box::new(user))).collect()
            }
            Kind::Sessions => {
                let sessions = store.sessions_after(self.last_session, PAGE).await?;
                sessions.into_iter().map(|session| Record::Session(Box::new(session))).collect()
            }
            Kind::ApiKeys => {
                let keys = store.api_keys_after(self.last_session, PAGE).await?;
                keys.into_iter().map(|key| Record::ApiKey(Box::new(key))).collect()
            }
            Kind::Keys => {
                let mut keys = store.list_keys().await?;
                keys.sort_by(|one, next| one.kid.cmp(&next.kid));
                keys.into_iter().map(|key| Record::Key(Box::new(key))).collect()
            }
            Kind::Changes => store.changes_after(0).await?.into_iter().map(Record::Change).collect(),
        })
    }
}
