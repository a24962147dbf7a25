//! The driver's client with the options that the store's promises rest on, whatever the URL says: the primary alone, majority
//! and journaled writes, one retry of each read and write, few connections, short waits. The URL decides the rest: hosts, TLS,
//! who signs in. It holds a password and is shown nowhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use mongodb::event::EventHandler;
use mongodb::options::{
    Acknowledgment, ClientOptions, ConnectionString, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Collection};
use tokio::sync::OnceCell;

use super::failure::Outcome;
use super::indexes;
use super::primary::Primary;
use crate::secret::Secret;
use crate::store::{Kind, StoreError};

/// How long a primary is looked for. With the rest of an intent it must stay below [`super::PATIENCE`].
pub(super) const SELECTION: Duration = Duration::from_millis(2500);
const CONNECT: Duration = Duration::from_secs(2);
/// How often the driver asks each node how it is: a node that fell silent is known within this and [`CONNECT`].
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long the server waits for a majority before it says that there is none.
const MAJORITY: Duration = Duration::from_millis(3500);

/// How many intents may be under way at once, and with one for the change stream the connections to a node.
pub(super) const PLACES: u32 = 32;

const DEFAULT_DATABASE: &str = "vestibule";

/// A deployment and the collections in it that are ours. Made without asking the server anything.
pub(super) struct Connection {
    pub client: Client,
    pub primary: Arc<Primary>,
    pub users: Collection<Document>,
    pub sessions: Collection<Document>,
    pub api_keys: Collection<Document>,
    pub keys: Collection<Document>,
    pub mails: Collection<Document>,
    pub one_time_tokens: Collection<Document>,
    pub changes: Collection<Document>,
    pub counters: Collection<Document>,
    /// Held by whoever takes a number for a change: within one process they wait here rather than meet on the server, where
    /// all but one would begin anew.
    pub turn: tokio::sync::Mutex<()>,
    prepared: OnceCell<()>,
    /// Why no account may be made: a name could be given twice.
    unsafe_names: Mutex<Option<String>>,
}

pub(super) fn write_concern() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(MAJORITY).build()
}

impl Connection {
    /// Returns the client for `url`; looks up the hosts of a `mongodb+srv` URL. Must be called on a runtime.
    pub(super) async fn open(url: &Secret<String>, prefix: &str) -> Outcome<Self> {
        let parsed = ConnectionString::parse(url.expose())?;
        let mut options = ClientOptions::parse(parsed).await?;
        harden(&mut options);
        let primary = Arc::new(Primary::default());
        let hears = Arc::clone(&primary);
        options.sdam_event_handler = Some(EventHandler::callback(move |event| hears.heard(&event)));
        let database = options.default_database.clone().unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
        let client = Client::with_options(options)?;
        let database = client.database(&database);
        let collection = |name: &str| database.collection(&format!("{prefix}{name}"));
        Ok(Self {
            users: collection("users"),
            sessions: collection("sessions"),
            api_keys: collection("api_keys"),
            keys: collection("keys"),
            mails: collection("mails"),
            one_time_tokens: collection("one_time_tokens"),
            changes: collection("changes"),
            counters: collection("counters"),
            turn: tokio::sync::Mutex::default(),
            prepared: OnceCell::new(),
            unsafe_names: Mutex::default(),
            primary,
            client,
        })
    }

    pub(super) fn collection(&self, kind: Kind) -> &Collection<Document> {
        match kind {
            Kind::Users => &self.users,
            Kind::Sessions => &self.sessions,
            Kind::ApiKeys => &self.api_keys,
            Kind::OneTimeTokens => &self.one_time_tokens,
            Kind::Mails => &self.mails,
            Kind::Keys => &self.keys,
            Kind::Changes => &self.changes,
        }
    }

    /// Returns once the deployment has been found fit and has its indexes; asks it the first time only.
    pub(super) async fn prepare(&self) -> Outcome<()> {
        self.prepared
            .get_or_try_init(|| async {
                self.must_be_a_replica_set().await?;
                self.look_at_indexes().await?;
                Outcome::Ok(())
            })
            .await?;
        Ok(())
    }

    pub(super) fn is_prepared(&self) -> bool {
        self.prepared.initialized()
    }

    /// Makes the indexes that are missing, and remembers whether names are safe.
    pub(super) async fn look_at_indexes(&self) -> Outcome<()> {
        let found = indexes::ensure(self).await?;
        let mut unsafe_names = self.unsafe_names.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*unsafe_names, &found) {
            (before, Some(problem)) if before.as_ref() != Some(problem) => {
                tracing::error!(problem, "no account is made until this is repaired");
            }
            (Some(_), None) => tracing::info!("the indexes on names are whole again"),
            (Some(_) | None, _) => {}
        }
        *unsafe_names = found;
        Ok(())
    }

    /// Fails, with the name of the problem, while the same name could be given twice.
    pub(super) fn names_are_safe(&self) -> Result<(), StoreError> {
        let problem = self.unsafe_names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        problem.map_or(Ok(()), |problem| Err(StoreError::Damaged(problem)))
    }

    /// One server by itself has neither transactions nor change streams.
    async fn must_be_a_replica_set(&self) -> Outcome<()> {
        let hello = self.client.database("admin").run_command(doc! { "hello": 1 }).await?;
        let is_set = hello.get_str("setName").is_ok();
        let is_sharded = hello.get("msg") == Some(&Bson::String("isdbgrid".into()));
        if is_set || is_sharded {
            return Ok(());
        }
        let problem = "the MongoDB of store.url is a single server, and transactions need a replica set: start it with \
                       --replSet and run rs.initiate() once";
        Err(StoreError::Damaged(problem.into()).into())
    }
}

fn harden(options: &mut ClientOptions) {
    options.app_name.get_or_insert_with(|| "vestibule".to_owned());
    let (shortest, longest) = (Duration::from_secs(2), Duration::from_secs(5));
    options.server_selection_timeout =
        Some(options.server_selection_timeout.unwrap_or(SELECTION).clamp(shortest, longest));
    options.connect_timeout.get_or_insert(CONNECT);
    options.heartbeat_freq.get_or_insert(HEARTBEAT);
    options.max_pool_size.get_or_insert(PLACES + 2);
    options.retry_reads = Some(true);
    options.retry_writes = Some(true);
    options.read_concern = Some(ReadConcern::majority());
    options.write_concern = Some(write_concern());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_promises_rest_on_is_not_the_urls_to_choose() {
        let url = "mongodb://a,b/?replicaSet=r&w=1&journal=false&retryWrites=false&readPreference=secondary\
                   &readConcernLevel=local&serverSelectionTimeoutMS=60000";
        let mut options = ClientOptions::parse(url).await.unwrap();
        harden(&mut options);
        assert_eq!(options.write_concern, Some(write_concern()));
        assert_eq!(options.read_concern, Some(ReadConcern::majority()));
        assert_eq!((options.retry_writes, options.retry_reads), (Some(true), Some(true)));
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        assert_eq!(options.selection_criteria, Some(primary));
        assert_eq!(options.server_selection_timeout, Some(Duration::from_secs(5)));
    }
}
