//! The shared store: a MongoDB replica set that several gateways use at once. This file bounds every intent in time and
//! number and hands it to the room's other files, one per collection. Nothing here waits for the server at start: a store that
//! can't be reached answers `Unavailable`, and by itself serves again when it is back.

mod api_keys;
mod changes;
mod connection;
mod failure;
mod indexes;
mod keys;
mod mails;
mod one_time;
mod primary;
mod profile;
mod reading;
mod sessions;
mod transaction;
mod transfer;
mod users;
mod values;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mongodb::options::ConnectionString;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{
    ApiKey, Batch, Change, ClaimedMail, Counts, KeyEnd, Kind, MailClaim, MailEnd, NewApiKey, NewMail, NewSession,
    NewUser, OneTime, PATIENCE, Pages, PasswordChange, RefreshRequest, Result, Rotation, Session, Store, StoreError,
    TRANSFER, User, UserChange, UserKey,
};
use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::secret::Secret;
use crate::token::key::KeyRecord;
use connection::{Connection, PLACES};
use failure::{Failure, NO_PRIMARY, Outcome, is_without_primary};
use transaction::{in_transaction, in_turn};
use watch::Watch;

/// How often what moves a store is tried again, and how long after a failure: longer than elections take.
const TRIES: u32 = 30;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// How often the indexes are looked at.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// The URL is not one that the driver can use.
#[derive(Debug, thiserror::Error)]
#[error("store.url is not a MongoDB URL that can be used; expected mongodb://HOST,HOST/DATABASE?replicaSet=NAME")]
pub struct UrlError;

/// The store in a MongoDB deployment.
pub struct MongoStore {
    url: Secret<String>,
    prefix: String,
    patience: Duration,
    connection: OnceCell<Arc<Connection>>,
    places: Semaphore,
    watch: Arc<Watch>,
    /// What goes on beside intents; ends with the store.
    tasks: std::sync::Mutex<JoinSet<()>>,
}

impl MongoStore {
    /// Returns the store at `url`, whose collections are named with `prefix`. Asks nobody anything yet.
    pub fn new(url: Secret<String>, prefix: &str) -> std::result::Result<Self, UrlError> {
        // What the driver says of it may repeat a part of it.
        ConnectionString::parse(url.expose()).map_err(|_why| UrlError)?;
        Ok(Self {
            url,
            prefix: prefix.to_owned(),
            patience: PATIENCE,
            connection: OnceCell::new(),
            places: Semaphore::new(PLACES as usize),
            watch: Arc::default(),
            tasks: std::sync::Mutex::default(),
        })
    }

    /// Returns what `intent` comes to at the deployment once that is found fit for us, within [`PATIENCE`].
    async fn run<'a, T, F>(&'a self, intent: impl FnOnce(&'a Connection) -> F + Send) -> Result<T>
    where
        F: Future<Output = Outcome<T>> + Send,
    {
        self.run_within(self.patience, intent).await
    }

    async fn run_within<'a, T, F>(
        &'a self,
        patience: Duration,
        intent: impl FnOnce(&'a Connection) -> F + Send,
    ) -> Result<T>
    where
        F: Future<Output = Outcome<T>> + Send,
    {
        let bounded = async {
            // Closed with the store.
            let Ok(_place) = self.places.acquire().await else {
                return Err(StoreError::Unavailable("it has been closed".into()).into());
            };
            let on = self.connection().await?;
            if on.primary.is_away() {
                return Err(StoreError::Unavailable(NO_PRIMARY.into()).into());
            }
            let outcome = match on.prepare().await {
                Ok(()) => intent(on).await,
                Err(failure) => Err(failure),
            };
            if let Err(Failure::Driver(error)) = &outcome
                && is_without_primary(error)
            {
                on.primary.not_found();
            }
            outcome
        };
        match timeout(patience, bounded).await {
            Ok(outcome) => outcome.map_err(StoreError::from),
            Err(_late) => Err(StoreError::Unavailable(format!("MongoDB gave no answer within {patience:?}"))),
        }
    }

    /// Returns whether something that may be done twice is to be tried again, after a while: nobody waits at an endpoint for what
    /// moves a store, and an election or a busy server shall not end it. A deployment that never answered is not waited for.
    async fn is_worth_another_try(&self, failure: &StoreError, tries: &mut u32) -> bool {
        let was_there = self.connection.get().is_some_and(|on| on.is_prepared());
        let may_pass = matches!(failure, StoreError::Unavailable(_)) && was_there && *tries < TRIES;
        if may_pass {
            *tries += 1;
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        may_pass
    }

    async fn connection(&self) -> Outcome<&Connection> {
        let connection = self.connection.get_or_try_init(|| async {
            let connection = Arc::new(Connection::open(&self.url, &self.prefix).await?);
            let mut tasks = self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            tasks.spawn(watch::follow(Arc::clone(&connection), Arc::clone(&self.watch)));
            tasks.spawn(look_at_indexes(Arc::clone(&connection)));
            Outcome::Ok(connection)
        });
        Ok(connection.await?)
    }
}

async fn look_at_indexes(on: Arc<Connection>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if on.is_prepared()
            && let Err(failure) = on.look_at_indexes().await
        {
            tracing::debug!(error = %StoreError::from(failure), "the indexes could not be looked at");
        }
    }
}

/// Whether a change gives an account a name.
fn gives_a_name(change: &UserChange) -> bool {
    let (email, username) = (matches!(change.email, Some(Some(_))), matches!(change.username, Some(Some(_))));
    email || username || matches!(change.external_id, Some(Some(_)))
}

#[async_trait]
impl Store for MongoStore {
    async fn insert_user(&self, user: NewUser, session: Option<NewSession>) -> Result<User> {
        self.run(|on| async {
            on.names_are_safe()?;
            users::insert(on, &user, session.as_ref()).await
        })
        .await
    }

    async fn find_user(&self, key: &UserKey) -> Result<Option<User>> {
        self.run(|on| users::find(on, key)).await
    }

    async fn list_users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<User>> {
        self.run(|on| users::list(on, after, limit)).await
    }

    async fn update_user(&self, id: &UserId, change: UserChange, now: Timestamp) -> Result<User> {
        self.run(|on| async {
            if gives_a_name(&change) {
                on.names_are_safe()?;
            }
            let _turn = on.turn.lock().await;
            users::update(on, id, &change, now).await
        })
        .await
    }

    async fn delete_user(&self, id: &UserId, now: Timestamp) -> Result<()> {
        self.run(|on| in_turn!(on, work => users::delete(work, id, now))).await
    }

    async fn change_password(&self, id: &UserId, change: PasswordChange, now: Timestamp) -> Result<()> {
        self.run(|on| in_turn!(on, work => users::change_password(work, id, &change, now))).await
    }

    async fn upgrade_hash(&self, id: &UserId, expected: &str, hash: &str) -> Result<()> {
        self.run(|on| users::upgrade_hash(on, id, expected, hash)).await
    }

    async fn insert_session(&self, session: NewSession) -> Result<()> {
        self.run(|on| async { in_transaction!(on, work => sessions::insert(work, &session)) }).await
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<Session>> {
        self.run(|on| sessions::find(on, id)).await
    }

    async fn list_sessions(&self, user: Option<&UserId>, now: Timestamp) -> Result<Vec<Session>> {
        self.run(|on| sessions::list(on, user, now)).await
    }

    async fn rotate_refresh(&self, request: RefreshRequest) -> Result<Rotation> {
        self.run(|on| sessions::rotate(on, &request)).await
    }

    async fn end_session(&self, id: SessionId, now: Timestamp) -> Result<bool> {
        self.run(|on| sessions::end(on, id, now)).await
    }

    async fn end_sessions(&self, user: &UserId, keep: Option<SessionId>, now: Timestamp) -> Result<Vec<SessionId>> {
        self.run(|on| sessions::end_all(on, user, keep, now)).await
    }

    async fn insert_api_key(&self, new: NewApiKey) -> Result<()> {
        self.run(|on| async { in_transaction!(on, work => api_keys::insert(work, &new)) }).await
    }

    async fn find_api_key(&self, hash: [u8; 32]) -> Result<Option<(ApiKey, User)>> {
        self.run(|on| api_keys::find(on, hash)).await
    }

    async fn list_api_keys(&self, user: Option<&UserId>) -> Result<Vec<ApiKey>> {
        self.run(|on| api_keys::list(on, user)).await
    }

    async fn delete_api_key(&self, user: &UserId, id: SessionId, end: KeyEnd) -> Result<bool> {
        self.run(|on| in_turn!(on, work => api_keys::delete(work, user, id, end))).await
    }

    async fn touch_api_keys(&self, used: Vec<(SessionId, Timestamp)>) -> Result<()> {
        self.run(|on| api_keys::touch(on, &used)).await
    }

    async fn enqueue_mail(&self, new: NewMail) -> Result<()> {
        self.run(|on| mails::enqueue(on, &new)).await
    }

    async fn claim_mail(&self, claim: MailClaim) -> Result<Option<ClaimedMail>> {
        self.run(|on| async move { in_transaction!(on, work => mails::claim(work, &claim)) }).await
    }

    async fn finish_mail(&self, claim: [u8; 32], end: MailEnd) -> Result<()> {
        self.run(|on| mails::finish(on, claim, end)).await
    }

    async fn waiting_mails(&self) -> Result<u64> {
        self.run(mails::waiting).await
    }

    async fn find_one_time(&self, token: OneTime) -> Result<Option<User>> {
        self.run(|on| one_time::find(on, &token)).await
    }

    async fn reset_password(&self, token: OneTime, hash: &str, keys_until: Timestamp) -> Result<User> {
        self.run(|on| in_turn!(on, work => one_time::reset_password(work, &token, hash, keys_until))).await
    }

    async fn verify_email(&self, token: OneTime) -> Result<User> {
        self.run(|on| in_turn!(on, work => one_time::verify_email(work, &token))).await
    }

    async fn ensure_key(&self, key: KeyRecord) -> Result<Vec<KeyRecord>> {
        self.run(|on| async {
            let known = keys::list(on).await?;
            if known.iter().any(|known| known.algorithm == key.algorithm && known.retired_at.is_none()) {
                return Ok(known);
            }
            let _turn = on.turn.lock().await;
            in_transaction!(on, work => keys::ensure(work, &key))?;
            keys::list(on).await
        })
        .await
    }

    async fn rotate_key(&self, key: KeyRecord, replaces: Option<&str>) -> Result<bool> {
        self.run(|on| in_turn!(on, work => keys::rotate(work, &key, replaces))).await
    }

    async fn seal_keys(&self, sealed: Vec<KeyRecord>) -> Result<()> {
        self.run(|on| keys::seal(on, &sealed)).await
    }

    async fn list_keys(&self) -> Result<Vec<KeyRecord>> {
        self.run(keys::list).await
    }

    async fn changes_after(&self, seq: i64) -> Result<Vec<Change>> {
        self.run(|on| changes::after(on, seq)).await
    }

    async fn last_change(&self) -> Result<i64> {
        self.run(changes::last).await
    }

    async fn wait_for_change(&self) {
        self.watch.wait().await;
    }

    async fn prune(&self, now: Timestamp, keep_after: Timestamp) -> Result<()> {
        self.run(|on| async move {
            sessions::prune(on, now).await?;
            one_time::prune(on, now).await?;
            if keys::any_to_prune(on, keep_after).await? {
                let _turn = on.turn.lock().await;
                in_transaction!(on, work => keys::prune(work, now, keep_after))?;
            }
            changes::prune(on, now, keep_after).await
        })
        .await
    }

    fn read_all(&self, kind: Kind) -> Box<dyn Pages + '_> {
        Box::new(reading::Reading::new(self, kind))
    }

    async fn count(&self) -> Result<Counts> {
        let mut tries = 0;
        loop {
            match self.run_within(TRANSFER, transfer::count).await {
                Err(failure) if self.is_worth_another_try(&failure, &mut tries).await => {}
                outcome => return outcome,
            }
        }
    }

    async fn import(&self, batch: Batch) -> Result<()> {
        let mut tries = 0;
        loop {
            let imported = self.run_within(TRANSFER, |on| async {
                on.names_are_safe()?;
                transfer::import(on, &batch).await
            });
            match imported.await {
                Err(failure) if self.is_worth_another_try(&failure, &mut tries).await => {}
                outcome => return outcome,
            }
        }
    }

    async fn ping(&self) -> Result<()> {
        // A write, so that a primary without its majority is noticed.
        self.run(|on| async {
            let seen = mongodb::bson::doc! { "$currentDate": { "asked_at": true } };
            on.counters.update_one(mongodb::bson::doc! { "_id": "ping" }, seen).upsert(true).await?;
            Ok(())
        })
        .await
    }

    async fn close(&self) {
        self.places.close();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
        if let Some(connection) = self.connection.get() {
            connection.client.clone().shutdown().immediate(true).await;
        }
    }
}

#[cfg(test)]
pub(in crate::store) mod tests;
