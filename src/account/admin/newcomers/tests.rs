//! Who comes, who is here already, and who can't come.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::identity::profile::{UserField, Writer};
use crate::password::hash::{Check, Cost};
use crate::secret::Secret;
use crate::store::User;
use crate::store::sqlite::SqliteStore;
use crate::telemetry::audit::Audit;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const BCRYPT: &str = "$2b$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.";

fn hasher() -> Hasher {
    Hasher::new(Cost { memory_kib: 8, iterations: 1, parallelism: 1 })
}

fn store() -> SharedStore {
    Arc::new(SqliteStore::in_memory().unwrap())
}

fn person(name: &str) -> Newcomer {
    Newcomer {
        external_id: Some(format!("old-{name}")),
        email: Some(format!("{name}@example.com")),
        username: Some(name.to_owned()),
        password_hash: Some(BCRYPT.to_owned()),
        ..Newcomer::default()
    }
}

fn judge(person: Newcomer) -> std::result::Result<Admitted, Refusal> {
    let field = |kind| UserField { kind, required: true, writer: Writer::User, values: Vec::new(), max_length: 30 };
    let kinds = [("date_of_birth", Kind::Date), ("is_verified", Kind::Boolean), ("team", Kind::Text)];
    let fields = kinds.into_iter().map(|(name, kind)| (name.to_owned(), field(kind))).collect();
    person.judge(&Gate { hasher: &hasher(), fields: &fields }, NOW)
}

fn admitted(people: impl IntoIterator<Item = Newcomer>) -> Vec<Admitted> {
    people.into_iter().map(|person| judge(person).unwrap()).collect()
}

fn profile(object: &Value) -> ProfileFields {
    object.as_object().unwrap().clone()
}

async fn found(store: &SharedStore, external_id: &str) -> Option<User> {
    store.find_user(&UserKey::ExternalId(ExternalId::parse(external_id).unwrap())).await.unwrap()
}

fn refused(field: &str) -> impl Fn(&Outcome) -> bool + '_ {
    move |outcome| matches!(outcome, Outcome::Refused(refusal) if refusal.field == field)
}

#[tokio::test]
async fn people_come_as_the_other_system_knew_them() {
    let store = store();
    let admin = Admin::new(store.clone(), Audit::memory());
    let whole = Newcomer {
        first_name: Some(" Ada ".into()),
        phone: Some("+44 20".into()),
        roles: vec!["editor".into(), "editor".into(), "admin".into()],
        is_active: Some(false),
        email_verified: true,
        created_at: Some(Timestamp::from_secs(7)),
        profile: profile(&json!({"date_of_birth": "1815-12-10"})),
        ..person("ada")
    };
    let outcomes = admin.bring_over(admitted([whole]), &Mode::Write, NOW).await.unwrap();
    assert_eq!(outcomes, [Outcome::Added]);
    let ada = found(&store, "old-ada").await.unwrap();
    assert_eq!((ada.first_name.as_deref(), ada.phone.as_deref()), (Some("Ada"), Some("+44 20")));
    assert_eq!(ada.roles.iter().map(Role::as_str).collect::<Vec<_>>(), ["editor", "admin"]);
    assert_eq!((ada.is_active, ada.email_verified, ada.created_at), (false, true, Timestamp::from_secs(7)));
    assert_eq!((ada.password_hash.as_deref(), &ada.profile["date_of_birth"]), (Some(BCRYPT), &json!("1815-12-10")));
    let password = Secret::new(String::new());
    assert_eq!(hasher().check(&password, ada.password_hash.as_deref()), Check::Right { upgrade: true });
}

#[tokio::test]
async fn who_is_here_already_stays_as_they_are() {
    let store = store();
    let admin = Admin::new(store.clone(), Audit::memory());
    let nameless = Newcomer { external_id: None, ..person("eve") };
    let people = [person("ada"), nameless];
    admin.bring_over(admitted(people.clone()), &Mode::Write, NOW).await.unwrap();
    let before = store.list_users(None, 9).await.unwrap();
    let moved = Newcomer { email: Some("new@example.com".into()), full_name: Some("New".into()), ..person("ada") };
    let again = people.into_iter().chain([moved]);
    let outcomes = admin.bring_over(admitted(again), &Mode::Write, NOW).await.unwrap();
    assert_eq!(outcomes, [Outcome::Present, Outcome::Present, Outcome::Present]);
    assert_eq!(store.list_users(None, 9).await.unwrap(), before);
}

#[tokio::test]
async fn an_id_that_two_systems_gave_to_different_people_refuses_the_second() {
    let store = store();
    let admin = Admin::new(store.clone(), Audit::memory());
    let of_the_other = Newcomer { external_id: Some("old-ada".into()), password_hash: None, ..person("eve") };
    admin.bring_over(admitted([person("ada")]), &Mode::Write, NOW).await.unwrap();
    for mode in [Mode::Rehearse(self::store()), Mode::Write] {
        let outcomes = admin.bring_over(admitted([of_the_other.clone()]), &mode, NOW).await.unwrap();
        assert!(refused("external_id")(&outcomes[0]), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_name_that_somebody_else_has_refuses_one_and_the_rest_come() {
    let store = store();
    let admin = Admin::new(store.clone(), Audit::memory());
    let people = [
        person("ada"),
        Newcomer { email: Some("ADA@example.com".into()), ..person("eve") },
        Newcomer { username: Some("Ada".into()), ..person("bob") },
        person("zoe"),
    ];
    for mode in [Mode::Rehearse(self::store()), Mode::Write] {
        let outcomes = admin.bring_over(admitted(people.clone()), &mode, NOW).await.unwrap();
        assert_eq!((&outcomes[0], &outcomes[3]), (&Outcome::Added, &Outcome::Added));
        assert!(refused("email")(&outcomes[1]) && refused("username")(&outcomes[2]), "{outcomes:?}");
    }
    assert_eq!(store.list_users(None, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_rehearsal_writes_nothing_and_foretells_what_comes() {
    let store = store();
    let admin = Admin::new(store.clone(), Audit::memory());
    admin.bring_over(admitted([person("ada")]), &Mode::Write, NOW).await.unwrap();
    let people = [person("ada"), person("bob"), person("bob"), Newcomer { external_id: None, ..person("ada") }];
    let rehearsal = Mode::Rehearse(self::store());
    let foretold = admin.bring_over(admitted(people.clone()), &rehearsal, NOW).await.unwrap();
    assert_eq!(foretold, [Outcome::Present, Outcome::Added, Outcome::Present, Outcome::Present]);
    assert_eq!(store.list_users(None, 9).await.unwrap().len(), 1);
    assert_eq!(admin.bring_over(admitted(people), &Mode::Write, NOW).await.unwrap(), foretold);
}

#[tokio::test]
async fn an_id_from_here_comes_back_once() {
    let store = store();
    let admin = Admin::new(store.clone(), Audit::memory());
    let back = Newcomer { id: Some("01a1".into()), external_id: None, ..person("ada") };
    let renamed = Newcomer { email: Some("x@example.com".into()), username: None, ..back.clone() };
    let taken = Newcomer { id: Some("01a2".into()), ..back.clone() };
    let outcomes = admin.bring_over(admitted([back, renamed, taken]), &Mode::Write, NOW).await.unwrap();
    assert_eq!(outcomes[..2], [Outcome::Added, Outcome::Present]);
    assert!(refused("email")(&outcomes[2]), "{outcomes:?}");
    assert!(store.find_user(&UserKey::Id(UserId::parse("01a1").unwrap())).await.unwrap().is_some());
}

#[test]
fn each_fault_names_its_field_and_repeats_nothing() {
    let ada = || person("ada");
    let wrong = [
        ("email", Newcomer { email: Some("not-an-address".into()), ..ada() }),
        ("email", Newcomer { email: Some(" ".into()), username: None, ..ada() }),
        ("username", Newcomer { username: Some("a b".into()), ..ada() }),
        ("id", Newcomer { id: Some("a b".into()), ..ada() }),
        ("external_id", Newcomer { external_id: Some("é".into()), ..ada() }),
        ("password_hash", Newcomer { password_hash: Some("hunter2 hunter2".into()), ..ada() }),
        ("password_hash", Newcomer { password_hash: Some(BCRYPT[..50].into()), ..ada() }),
        ("full_name", Newcomer { full_name: Some("x".repeat(257)), ..ada() }),
        ("phone", Newcomer { phone: Some("1\u{7}2".into()), ..ada() }),
        ("profile.team", Newcomer { profile: profile(&json!({"team": 7})), ..ada() }),
        ("profile.shoe", Newcomer { profile: profile(&json!({"shoe": 7})), ..ada() }),
        ("roles", Newcomer { roles: vec!["a,b".into()], ..ada() }),
    ];
    for (field, newcomer) in wrong {
        let refusal = judge(newcomer).err().unwrap();
        assert_eq!(refusal.field, field, "{}", refusal.reason);
        assert!(!refusal.reason.contains("hunter2") && !refusal.reason.contains("not-an"), "{}", refusal.reason);
    }
}

#[test]
fn who_has_no_hash_or_an_unusable_one_by_intent_comes_without_a_password() {
    for hash in [None, Some(""), Some("!"), Some("!Zx81"), Some("  ")] {
        let newcomer = Newcomer { password_hash: hash.map(str::to_owned), ..person("ada") };
        let admitted = judge(newcomer).unwrap();
        assert_eq!((admitted.notation, admitted.user.password_hash), (None, None), "{hash:?}");
    }
}

#[test]
fn declared_fields_are_read_as_other_systems_write_them() {
    let written = [
        json!({"date_of_birth": "1815-12-10", "is_verified": true, "team": " a "}),
        json!({"date_of_birth": "1815-12-10T00:00:00Z", "is_verified": 1, "team": "a"}),
        json!({"date_of_birth": "1815-12-10 00:00:00", "is_verified": "true", "team": "a"}),
        json!({"date_of_birth": "1815-12-10", "is_verified": "t", "team": "a"}),
    ];
    for profile in written.iter().map(profile) {
        let admitted = judge(Newcomer { profile, ..person("ada") }).unwrap();
        let expected = json!({"date_of_birth": "1815-12-10", "is_verified": true, "team": "a"});
        assert_eq!(Value::from(admitted.user.profile), expected);
    }
    let empty = profile(&json!({"date_of_birth": "", "is_verified": null}));
    assert!(judge(Newcomer { profile: empty, ..person("ada") }).unwrap().user.profile.is_empty());
}
