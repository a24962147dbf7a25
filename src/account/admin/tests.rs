use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::auth::Trust;
use crate::identity::Role;
use crate::password::hash::{Check, Cost, Hasher};
use crate::password::rules::Rules;
use crate::secret::Secret;
use crate::store::SharedStore;
use crate::store::sqlite::SqliteStore;
use crate::token::claims::{Expected, verify_access, verify_refresh};
use crate::token::key::{Algorithm, Key, KeySet};
use crate::token::refresh;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// An operator at a real store in memory.
struct Desk {
    admin: Admin,
    store: SharedStore,
    audit: Audit,
    passwords: Passwords,
}

impl Desk {
    fn new() -> Self {
        let store: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
        let audit = Audit::memory();
        let cost = Cost { memory_kib: 8, iterations: 1, parallelism: 1 };
        Self {
            admin: Admin::new(Arc::clone(&store), audit.clone()),
            store,
            audit,
            passwords: Passwords {
                hasher: Hasher::new(cost),
                rules: Rules { min_length: 8, max_length: 256, deny_common: true },
            },
        }
    }

    async fn add(&self, profile: Profile) -> Result<User> {
        self.admin.add_user(&profile, Some(&secret("a quiet evening")), &self.passwords, NOW).await
    }

    fn events(&self) -> Vec<String> {
        let event = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].clone();
        self.audit.collected().iter().map(|line| event(line).as_str().unwrap().to_owned()).collect()
    }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn ada() -> Profile {
    Profile {
        email: Some("Ada@Example.com".into()),
        username: Some("ada".into()),
        roles: Some(vec!["editor".into(), "admin".into(), "editor".into()]),
        ..Profile::default()
    }
}

fn trust() -> Trust {
    let keys = || {
        let record = Key::generate(Algorithm::EdDsa, None, NOW).unwrap();
        KeySet::new(vec![Key::open(&record, None).unwrap()]).unwrap()
    };
    let expected = Expected { issuer: "vestibule".into(), audience: Vec::new(), leeway: Duration::ZERO };
    Trust { access: keys(), refresh: keys(), expected }
}

const TTL: Duration = Duration::from_mins(15);

async fn issue(desk: &Desk, user: &User, trust: &Trust) -> Result<IssuedTokens> {
    let issue = Issue { trust, access_ttl: TTL, refresh_ttl: TTL * 4, scopes: Vec::new() };
    desk.admin.issue_tokens(user, &issue, NOW).await
}

#[tokio::test]
async fn a_user_is_found_by_address_name_and_id_however_spelt() {
    let desk = Desk::new();
    let user = desk.add(ada()).await.unwrap();
    for who in ["ada@EXAMPLE.com", "ADA", " ada ", user.id.as_str(), &format!("id:{}", user.id)] {
        assert_eq!(desk.admin.find_user(who).await.unwrap().id, user.id, "{who}");
    }
    for who in ["", "ada@example.org", "id:ada", "\u{1b}[2J"] {
        assert!(matches!(desk.admin.find_user(who).await, Err(AdminError::NoSuchUser(_))), "{who:?}");
    }
}

#[tokio::test]
async fn a_name_that_copies_anothers_id_is_never_taken_for_them() {
    let desk = Desk::new();
    let victim = desk.add(ada()).await.unwrap();
    let copy = Profile { username: Some(victim.id.to_string()), ..Profile::default() };
    let copy = desk.add(copy).await.unwrap();
    let found = desk.admin.find_user(victim.id.as_str()).await;
    assert!(matches!(found, Err(AdminError::Ambiguous { .. })));
    assert_eq!(desk.admin.find_user(&format!("id:{}", copy.id)).await.unwrap().id, copy.id);
    assert_eq!(desk.admin.find_user(&format!("id:{}", victim.id)).await.unwrap().id, victim.id);
}

#[tokio::test]
async fn a_new_user_has_each_role_once_and_a_hash_of_the_password() {
    let desk = Desk::new();
    let user = desk.add(ada()).await.unwrap();
    assert_eq!(user.roles, ["editor", "admin"].map(|name| Role::parse(name).unwrap()));
    let check = desk.passwords.hasher.check(&secret("a quiet evening"), user.password_hash.as_deref());
    assert_eq!(check, Check::Right { upgrade: false });
    assert_eq!(desk.events(), ["user.registered"]);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_by_name_and_leaves_no_user() {
    let desk = Desk::new();
    let refused = async |profile| desk.add(profile).await.unwrap_err().to_string();
    assert!(refused(Profile::default()).await.contains("e-mail address or a user name"));
    assert!(refused(Profile { email: Some("ada".into()), ..ada() }).await.starts_with("`ada` is not an e-mail"));
    assert!(refused(Profile { username: Some("a@b".into()), ..ada() }).await.starts_with("`a@b` is not a user name"));
    assert!(refused(Profile { roles: Some(vec!["a,b".into()]), ..ada() }).await.starts_with("`a,b` is not a role"));
    assert!(refused(Profile { full_name: Some("a\nb".into()), ..ada() }).await.starts_with("full name: "));
    let own_name = Profile { full_name: Some("a quiet evening".into()), ..ada() };
    assert!(matches!(desk.add(own_name).await, Err(AdminError::WeakPassword(Weakness::OwnName))));
    assert_eq!(desk.admin.next_users(None).await.unwrap(), []);
}

#[tokio::test]
async fn an_address_or_name_that_is_taken_is_refused() {
    let desk = Desk::new();
    desk.add(ada()).await.unwrap();
    let again = Profile { username: None, ..ada() };
    assert!(matches!(desk.add(again).await, Err(AdminError::Store(StoreError::EmailTaken))));
    let again = Profile { email: None, ..ada() };
    assert!(matches!(desk.add(again).await, Err(AdminError::Store(StoreError::UsernameTaken))));
}

#[tokio::test]
async fn setting_changes_what_was_said_clears_what_was_empty_and_leaves_the_rest() {
    let desk = Desk::new();
    let user = desk.add(Profile { phone: Some("+49 30 1".into()), ..ada() }).await.unwrap();
    let change = Profile { phone: Some(String::new()), roles: Some(vec!["reader".into()]), ..Profile::default() };
    let user = desk.admin.set_user(&user, &change, NOW).await.unwrap();
    assert_eq!(user.phone, None);
    assert_eq!(user.roles, [Role::parse("reader").unwrap()]);
    assert_eq!(user.username.as_deref(), Some("ada"));
    let nameless = Profile { email: Some(String::new()), username: Some(" ".into()), ..Profile::default() };
    assert!(matches!(desk.admin.set_user(&user, &nameless, NOW).await, Err(AdminError::Nameless)));
}

#[tokio::test]
async fn disabling_ends_sessions_and_issues_no_token_until_enabled() {
    let (desk, trust) = (Desk::new(), trust());
    let user = desk.add(ada()).await.unwrap();
    issue(&desk, &user, &trust).await.unwrap();
    let user = desk.admin.disable_user(&user, NOW).await.unwrap();
    assert_eq!(desk.admin.list_sessions(Some(&user), NOW).await.unwrap(), []);
    assert!(matches!(issue(&desk, &user, &trust).await, Err(AdminError::Disabled(_))));
    let user = desk.admin.enable_user(&user, NOW).await.unwrap();
    assert!(issue(&desk, &user, &trust).await.is_ok());
}

#[tokio::test]
async fn a_new_password_opens_the_account_and_ends_its_sessions() {
    let (desk, trust) = (Desk::new(), trust());
    let user = desk.add(ada()).await.unwrap();
    issue(&desk, &user, &trust).await.unwrap();
    let password = secret("another evening");
    desk.admin.set_password(&user, &password, &desk.passwords, NOW).await.unwrap();
    let user = desk.admin.find_user("ada").await.unwrap();
    assert!(matches!(desk.passwords.hasher.check(&password, user.password_hash.as_deref()), Check::Right { .. }));
    assert_eq!(desk.admin.list_sessions(Some(&user), NOW).await.unwrap(), []);
    let short = desk.admin.set_password(&user, &secret("short"), &desk.passwords, NOW).await;
    assert!(matches!(short, Err(AdminError::WeakPassword(Weakness::TooShort(8)))));
}

#[tokio::test]
async fn issued_tokens_verify_and_belong_to_a_live_session() {
    let (desk, trust) = (Desk::new(), trust());
    let user = desk.add(ada()).await.unwrap();
    let tokens = issue(&desk, &user, &trust).await.unwrap();
    let access = verify_access(&trust.access, &trust.expected, tokens.access_token.expose(), NOW).unwrap();
    assert_eq!(access.principal().user_id, user.id);
    assert_eq!(access.principal().roles, user.roles);
    assert_eq!((access.principal().session, access.expires_at()), (tokens.session, NOW.plus(TTL)));
    let refresh = verify_refresh(&trust.refresh, &trust.expected, tokens.refresh_token.expose(), NOW).unwrap();
    let session = desk.store.find_session(tokens.session).await.unwrap().unwrap();
    assert_eq!(refresh::hash(refresh.jti()), session.refresh.current);
    assert_eq!(session.access_expires_at, tokens.access_expires_at);
}

#[tokio::test]
async fn sessions_end_one_by_one_or_all_of_a_user() {
    let (desk, trust) = (Desk::new(), trust());
    let user = desk.add(ada()).await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(issue(&desk, &user, &trust).await.unwrap().session);
    }
    desk.admin.revoke_session(sessions[0], NOW).await.unwrap();
    assert!(matches!(desk.admin.revoke_session(sessions[0], NOW).await, Err(AdminError::NoSuchSession(_))));
    assert_eq!(desk.admin.revoke_sessions(&user, NOW).await.unwrap().len(), 2);
    assert_eq!(desk.admin.list_sessions(None, NOW).await.unwrap(), []);
    assert_eq!(desk.events().iter().filter(|event| *event == "session.ended").count(), 3);
}

#[tokio::test]
async fn a_rotated_key_signs_and_the_old_one_is_retired() {
    let desk = Desk::new();
    let rotate = |algorithm, now| desk.admin.rotate_key(algorithm, None, Duration::from_secs(5), now);
    let old = rotate(Algorithm::EdDsa, NOW).await.unwrap();
    let new = rotate(Algorithm::EdDsa, NOW.plus(TTL)).await.unwrap();
    let keys = desk.admin.list_keys().await.unwrap();
    let turns: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.signs_from, key.retired_at)).collect();
    let (first, second) = (NOW.plus(Duration::from_secs(5)), NOW.plus(TTL + Duration::from_secs(5)));
    assert_eq!(turns, [(new.kid.as_str(), second, None), (old.kid.as_str(), first, Some(second))]);
    let shared = rotate(Algorithm::Hs256, NOW).await;
    assert!(matches!(shared, Err(AdminError::SharedSecret("HS256"))));
}

#[tokio::test]
async fn a_deleted_user_is_gone_with_their_sessions() {
    let (desk, trust) = (Desk::new(), trust());
    let user = desk.add(ada()).await.unwrap();
    issue(&desk, &user, &trust).await.unwrap();
    desk.admin.delete_user(&user, NOW).await.unwrap();
    assert!(matches!(desk.admin.find_user("ada").await, Err(AdminError::NoSuchUser(_))));
    assert_eq!(desk.admin.list_sessions(None, NOW).await.unwrap(), []);
}

#[tokio::test]
async fn users_come_in_pages_until_there_are_none() {
    let desk = Desk::new();
    for name in ["a1", "a2", "a3"] {
        desk.add(Profile { username: Some(name.to_owned()), ..Profile::default() }).await.unwrap();
    }
    let users = desk.admin.next_users(None).await.unwrap();
    assert_eq!(users.len(), 3);
    assert_eq!(desk.admin.next_users(Some(&users[1].id)).await.unwrap(), users[2..]);
    assert_eq!(desk.admin.next_users(Some(&users[2].id)).await.unwrap(), []);
}
