//! Accounts: made, found, changed, listed, deleted.

use std::collections::BTreeMap;

use serde_json::json;

use super::Home;
use super::fixtures::*;
use crate::identity::{Role, UserId};
use crate::store::{NewUser, StoreError, User, UserChange, UserKey};

pub(super) async fn a_user_is_found_by_each_of_their_names(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let keys = [
        UserKey::Id(ada.id.clone()),
        UserKey::Email(email("ADA@example.com")),
        UserKey::Username(username("Ada")),
        UserKey::ExternalId(external_id("old-ada")),
    ];
    for key in keys {
        assert_eq!(store.find_user(&key).await.unwrap().as_ref(), Some(&ada), "{key:?}");
    }
    // To the letter, unlike names that people type.
    assert_eq!(store.find_user(&UserKey::ExternalId(external_id("OLD-ADA"))).await, Ok(None));
    assert_eq!(ada.email.as_deref(), Some("ada@example.com"));
    assert_eq!((ada.created_at, ada.password_changed_at, ada.email_verified), (START, START, false));
}

pub(super) async fn a_field_that_is_not_mentioned_stays_and_an_empty_one_is_cleared(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let roles = vec![Role::parse("reader").unwrap()];
    let change = UserChange {
        first_name: Some(None),
        phone: Some(Some("+44 20".into())),
        username: Some(None),
        roles: Some(roles.clone()),
        ..UserChange::default()
    };
    let changed = store.update_user(&ada.id, change, at(5)).await.unwrap();
    let expected = User {
        first_name: None,
        phone: Some("+44 20".into()),
        username: None,
        roles,
        updated_at: at(5),
        ..ada.clone()
    };
    assert_eq!(changed, expected);
    assert_eq!(store.find_user(&UserKey::Id(ada.id)).await.unwrap(), Some(expected));
    assert_eq!(store.find_user(&UserKey::Username(username("ada"))).await.unwrap(), None);
}

pub(super) async fn a_new_address_is_an_unverified_one(home: &dyn Home) {
    let store = home.open().await;
    let brought_along = NewUser { email_verified: true, ..new_user("ada") };
    let ada = store.insert_user(brought_along, None).await.unwrap();
    assert!(ada.email_verified);
    assert_eq!(store.find_user(&UserKey::Id(ada.id.clone())).await.unwrap().as_ref(), Some(&ada));
    let change = UserChange { email: Some(Some(email("countess@example.com"))), ..UserChange::default() };
    let changed = store.update_user(&ada.id, change, at(1)).await.unwrap();
    assert_eq!((changed.email.as_deref(), changed.email_verified), (Some("countess@example.com"), false));
    assert_eq!(store.find_user(&UserKey::Email(email("ada@example.com"))).await.unwrap(), None);
    assert_eq!(store.find_user(&UserKey::Email(email("countess@example.com"))).await.unwrap(), Some(changed));
}

pub(super) async fn the_email_of_another_account_is_refused(home: &dyn Home) {
    let store = home.open().await;
    user(&store, "ada").await;
    let mut second = new_user("grace");
    second.email = Some(email("Ada@Example.com"));
    assert_eq!(store.insert_user(second, None).await, Err(StoreError::EmailTaken));
}

pub(super) async fn the_username_of_another_account_is_refused(home: &dyn Home) {
    let store = home.open().await;
    user(&store, "ada").await;
    let mut second = new_user("grace");
    second.username = Some(username("ADA"));
    assert_eq!(store.insert_user(second, None).await, Err(StoreError::UsernameTaken));
}

pub(super) async fn the_external_id_of_another_account_is_refused(home: &dyn Home) {
    let store = home.open().await;
    user(&store, "ada").await;
    let mut second = new_user("grace");
    second.external_id = Some(external_id("old-ada"));
    assert_eq!(store.insert_user(second, None).await, Err(StoreError::ExternalIdTaken));
    let grace = user(&store, "grace").await;
    let taken = UserChange { external_id: Some(Some(external_id("old-ada"))), ..UserChange::default() };
    assert_eq!(store.update_user(&grace.id, taken, at(1)).await, Err(StoreError::ExternalIdTaken));
    let freed = UserChange { external_id: Some(None), ..UserChange::default() };
    assert_eq!(store.update_user(&grace.id, freed, at(1)).await.unwrap().external_id, None);
    assert_eq!(store.find_user(&UserKey::ExternalId(external_id("old-grace"))).await, Ok(None));
}

pub(super) async fn a_profile_changes_field_by_field(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let change = UserChange {
        profile: BTreeMap::from([
            ("is_verified".to_owned(), None),
            ("never_there".to_owned(), None),
            ("height".to_owned(), Some(json!(1.65))),
            ("children".to_owned(), Some(json!(3))),
            ("motto".to_owned(), Some(json!("\u{1f9ee} \"so\" $x.y"))),
        ]),
        ..UserChange::default()
    };
    let changed = store.update_user(&ada.id, change.clone(), at(1)).await.unwrap();
    let expected = json!({
        "date_of_birth": "1815-12-10", "height": 1.65, "children": 3, "motto": "\u{1f9ee} \"so\" $x.y"
    });
    assert_eq!(changed.profile, profile(&expected));
    // A whole number comes back as one.
    let kept = store.find_user(&UserKey::Id(ada.id.clone())).await.unwrap().unwrap();
    assert_eq!((&kept.profile["children"], &kept), (&json!(3), &changed));
    assert_eq!(store.update_user(&ada.id, change, at(2)).await.unwrap().updated_at, at(1), "nothing was changed");
}

pub(super) async fn two_accounts_without_a_name_may_stand_side_by_side(home: &dyn Home) {
    let store = home.open().await;
    for name in ["ada", "grace"] {
        let mut new = new_user(name);
        new.username = None;
        new.external_id = None;
        store.insert_user(new, None).await.unwrap();
    }
    assert_eq!(store.list_users(None, 10).await.unwrap().len(), 2);
}

pub(super) async fn a_refused_update_changes_nothing(home: &dyn Home) {
    let store = home.open().await;
    user(&store, "ada").await;
    let grace = user(&store, "grace").await;
    let own = UserChange { email: Some(Some(email("grace@example.com"))), ..UserChange::default() };
    assert_eq!(store.update_user(&grace.id, own, at(1)).await, Ok(grace.clone()));
    let taken = UserChange {
        phone: Some(Some("1".into())),
        email: Some(Some(email("ada@example.com"))),
        ..UserChange::default()
    };
    assert_eq!(store.update_user(&grace.id, taken, at(1)).await, Err(StoreError::EmailTaken));
    let taken = UserChange { username: Some(Some(username("ada"))), ..UserChange::default() };
    assert_eq!(store.update_user(&grace.id, taken, at(1)).await, Err(StoreError::UsernameTaken));
    assert_eq!(store.find_user(&UserKey::Id(grace.id.clone())).await.unwrap(), Some(grace));
}

pub(super) async fn a_user_whose_first_session_fails_is_not_made(home: &dyn Home) {
    let store = home.open().await;
    let mut new = new_user("ada");
    new.is_active = false;
    let session = new_session(&new.id, "first", START);
    assert_eq!(store.insert_user(new.clone(), Some(session)).await, Err(StoreError::NotFound));
    assert_eq!(store.find_user(&UserKey::Id(new.id)).await.unwrap(), None);
}

pub(super) async fn a_row_imported_twice_is_refused_for_its_email(home: &dyn Home) {
    let store = home.open().await;
    let new = new_user("ada");
    store.insert_user(new.clone(), None).await.unwrap();
    assert_eq!(store.insert_user(new, None).await, Err(StoreError::EmailTaken));
}

pub(super) async fn users_are_listed_in_pages_by_id(home: &dyn Home) {
    let store = home.open().await;
    for number in 0..5 {
        user(&store, &format!("user{number}")).await;
    }
    let mut seen: Vec<UserId> = Vec::new();
    loop {
        let page = store.list_users(seen.last(), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        seen.extend(page.into_iter().map(|user| user.id));
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted(), "{seen:?}");
}

pub(super) async fn a_deleted_user_is_gone_with_every_session(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let session = session(&store, &ada.id, "first").await;
    store.delete_user(&ada.id, at(1)).await.unwrap();
    assert_eq!(store.find_user(&UserKey::Id(ada.id.clone())).await.unwrap(), None);
    assert_eq!(store.find_session(session).await.unwrap(), None);
    // The names are free again.
    user(&store, "ada").await;
}

pub(super) async fn what_is_unknown_is_not_found(home: &dyn Home) {
    let store = home.open().await;
    let nobody = UserId::random();
    assert_eq!(store.find_user(&UserKey::Id(nobody.clone())).await, Ok(None));
    assert_eq!(store.update_user(&nobody, UserChange::default(), at(1)).await, Err(StoreError::NotFound));
    assert_eq!(store.delete_user(&nobody, at(1)).await, Err(StoreError::NotFound));
    assert_eq!(store.insert_session(new_session(&nobody, "first", START)).await, Err(StoreError::NotFound));
    assert_eq!(store.end_sessions(&nobody, None, at(1)).await, Ok(Vec::new()));
}
