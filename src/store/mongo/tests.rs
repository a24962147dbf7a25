//! Runs the contract against a database of its own, and tests what only this backend can show.

#[path = "../../../tests/it/harness/mongodb.rs"]
mod server;

use async_trait::async_trait;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};

use super::*;
use crate::identity::email::Email;
use crate::store::SharedStore;
use crate::store::contract::Home;
use crate::store::records::ProfileFields;
use server::Deployment;

/// A database that no other test uses.
pub(in crate::store) struct TestHome {
    deployment: &'static Deployment,
    database: String,
}

impl TestHome {
    /// Returns `None`, having said so, where there is no server.
    pub(in crate::store) fn new() -> Option<Self> {
        server::shared().map(|deployment| Self { deployment, database: Deployment::new_database() })
    }

    fn url(&self) -> String {
        self.deployment.url(&self.database)
    }

    fn store(&self) -> MongoStore {
        MongoStore::new(Secret::new(self.url()), "").unwrap()
    }

    /// Returns the database as a person sees it who looks by hand.
    async fn by_hand(&self) -> Database {
        mongodb::Client::with_uri_str(self.url()).await.unwrap().default_database().unwrap()
    }
}

#[async_trait]
impl Home for TestHome {
    async fn open(&self) -> SharedStore {
        // On a busy machine what races others can take longer than anybody would wait for.
        Arc::new(MongoStore { patience: TRANSFER, ..self.store() })
    }

    fn another(&self) -> Box<dyn Home> {
        Box::new(Self::new().unwrap())
    }
}

fn new_user(name: &str) -> NewUser {
    NewUser {
        id: UserId::random(),
        email: Some(Email::parse(&format!("{name}@example.com")).unwrap()),
        username: None,
        first_name: None,
        last_name: None,
        full_name: None,
        phone: None,
        profile: ProfileFields::new(),
        external_id: None,
        roles: Vec::new(),
        is_active: true,
        email_verified: false,
        password_hash: None,
        now: Timestamp::from_secs(1),
    }
}

#[tokio::test]
async fn a_person_who_looks_by_hand_finds_what_they_expect_and_what_they_add_stays() {
    let Some(home) = TestHome::new() else { return };
    let (store, by_hand) = (home.store(), home.by_hand().await);
    let ada = store.insert_user(new_user("ada"), None).await.unwrap();
    let users = by_hand.collection::<Document>("users");
    let id = doc! { "_id": ada.id.as_str() };
    users.update_one(id.clone(), doc! { "$set": { "shoe_size": 38 } }).await.unwrap();
    let change = UserChange { phone: Some(Some("1".into())), ..UserChange::default() };
    store.update_user(&ada.id, change, Timestamp::from_secs(2)).await.unwrap();
    let seen = users.find_one(id).await.unwrap().unwrap();
    assert_eq!((seen.get_str("email").unwrap(), seen.get_str("phone").unwrap()), ("ada@example.com", "1"));
    assert_eq!(seen.get_datetime("created_at").unwrap().timestamp_millis(), 1000);
    assert_eq!(seen.get("shoe_size"), Some(&Bson::Int32(38)));
    assert!(!seen.contains_key("username"), "what is not there has no field");
}

#[tokio::test]
async fn a_prefix_is_part_of_every_name() {
    let Some(home) = TestHome::new() else { return };
    let store = MongoStore::new(Secret::new(home.url()), "gate_").unwrap();
    store.insert_user(new_user("ada"), None).await.unwrap();
    let mut names: Vec<String> = home.by_hand().await.list_collection_names().await.unwrap();
    names.sort();
    assert_eq!(
        names,
        [
            "gate_api_keys",
            "gate_changes",
            "gate_counters",
            "gate_keys",
            "gate_mails",
            "gate_one_time_tokens",
            "gate_sessions",
            "gate_users"
        ]
    );
}

#[tokio::test]
async fn a_name_that_two_accounts_have_stops_registrations_and_nothing_else_until_it_is_repaired() {
    let Some(home) = TestHome::new() else { return };
    let users = home.by_hand().await.collection::<Document>("users");
    let ada = home.store().insert_user(new_user("ada"), None).await.unwrap();
    users.drop_index("email_key_1").await.unwrap();
    let mut copy = users.find_one(doc! {}).await.unwrap().unwrap();
    copy.insert("_id", "copy");
    users.insert_one(copy).await.unwrap();

    let store = home.store();
    let refused = store.insert_user(new_user("grace"), None).await.unwrap_err().to_string();
    for part in ["users.email_key", "copy", ada.id.as_str()] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(!refused.contains("example.com"), "{refused}");
    assert_eq!(store.find_user(&UserKey::Id(ada.id.clone())).await, Ok(Some(ada)));
    assert_eq!(store.ping().await, Ok(()));

    users.delete_one(doc! { "_id": "copy" }).await.unwrap();
    store.connection().await.unwrap().look_at_indexes().await.unwrap();
    store.insert_user(new_user("grace"), None).await.unwrap();
}

#[tokio::test]
async fn an_index_that_is_not_unique_is_named() {
    let Some(home) = TestHome::new() else { return };
    let users = home.by_hand().await.collection::<Document>("users");
    users.create_index(mongodb::IndexModel::builder().keys(doc! { "email_key": 1 }).build()).await.unwrap();
    let refused = home.store().insert_user(new_user("ada"), None).await.unwrap_err().to_string();
    assert!(refused.contains("no unique index on email_key"), "{refused}");
}

#[tokio::test]
async fn what_has_expired_goes_by_itself() {
    let Some(home) = TestHome::new() else { return };
    home.store().ping().await.unwrap();
    for (collection, field) in [("sessions", "forget_at"), ("one_time_tokens", "expires_at")] {
        let mut indexes = home.by_hand().await.collection::<Document>(collection).list_indexes().await.unwrap();
        let mut expiring = Vec::new();
        while indexes.advance().await.unwrap() {
            let index = indexes.deserialize_current().unwrap();
            expiring.extend(index.options.and_then(|options| options.expire_after).map(|_| index.keys));
        }
        assert_eq!(expiring, [doc! { field: 1 }], "{collection}");
    }
}

#[tokio::test]
async fn a_value_that_is_not_ours_is_damage_and_never_a_default() {
    let Some(home) = TestHome::new() else { return };
    let store = home.store();
    let ada = store.insert_user(new_user("ada"), None).await.unwrap();
    let users = home.by_hand().await.collection::<Document>("users");
    users.update_one(doc! {}, doc! { "$set": { "roles": ["admin", "a,b"] } }).await.unwrap();
    let damaged = store.find_user(&UserKey::Id(ada.id)).await.unwrap_err();
    assert_eq!(damaged, StoreError::Damaged("users.roles is not a list of roles".into()));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_within_five_seconds() {
    let url = "mongodb://someone:hunter2@127.0.0.1:1/vestibule?replicaSet=r";
    let store = MongoStore::new(Secret::new(url.into()), "").unwrap();
    let error = timeout(Duration::from_secs(5), store.last_change()).await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    store.close().await;
}

#[test]
fn a_url_that_is_none_is_refused_without_being_repeated() {
    for url in ["mongodb://", "mongodb://someone:hunter2@:1:2/", "sqlite:hunter2", "mongodb://a/?w=hunter2&ssl=hunter2"]
    {
        if let Err(error) = MongoStore::new(Secret::new(url.into()), "") {
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
    assert!(MongoStore::new(Secret::new("mongodb://".into()), "").is_err());
}

#[tokio::test]
async fn whoever_waits_is_woken_by_another_nodes_change() {
    let Some(home) = TestHome::new() else { return };
    let (here, elsewhere) = (home.store(), home.store());
    let ada = here.insert_user(new_user("ada"), None).await.unwrap();
    // Woken by the beginning of the stream, and from then on by changes.
    while !here.watch.is_live() {
        here.wait_for_change().await;
    }
    let seen = here.last_change().await.unwrap();
    let change = UserChange { phone: Some(Some("1".into())), ..UserChange::default() };
    elsewhere.update_user(&ada.id, change, Timestamp::from_secs(2)).await.unwrap();
    while here.changes_after(seen).await.unwrap().is_empty() {
        here.wait_for_change().await;
    }
    assert!(here.watch.is_live());
}
