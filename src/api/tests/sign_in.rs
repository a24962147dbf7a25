use serde_json::json;

use super::{Client, signed, user_id};
use crate::account::Registration;
use crate::account::fixture::{MINUTE, PASSWORD};
use crate::store::UserChange;

#[tokio::test]
async fn registering_answers_201_with_a_session_that_works() {
    let client = Client::new();
    let body = json!({"email": "Ada@Example.com ", "password": PASSWORD, "username": "ada", "phone": null});
    let answer = client.post("/auth/register", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let json = answer.json();
    let mut names: Vec<_> = json.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["access_token", "expires_in", "refresh_token", "token_type", "user_id"]);
    assert_eq!((&json["token_type"], &json["expires_in"]), (&json!("bearer"), &json!(900)));
    let me = client.get("/auth/me", &signed(&answer).access).await.json();
    assert_eq!(me["id"], json["user_id"]);
    assert_eq!((&me["email"], &me["username"]), (&json!("Ada@example.com"), &json!("ada")));
    assert_eq!((&me["roles"], &me["is_active"], &me["email_verified"]), (&json!([]), &json!(true), &json!(false)));
}

#[tokio::test]
async fn the_access_token_goes_by_its_configured_name() {
    let client = Client::with(|settings| settings.access_token_name = "token".into());
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let answer = client.post("/create", body).await;
    assert_eq!(answer.status, 201);
    assert_eq!(client.status_of(&answer.text_of("token")).await, 200);
    assert!(answer.json().get("access_token").is_none());
}

#[tokio::test]
async fn a_taken_name_is_a_conflict_in_whatever_spelling() {
    let client = Client::new();
    let body = json!({"email": "ada@example.com", "username": "ada", "password": PASSWORD});
    client.post("/auth/register", body).await;
    for (email, username, code) in
        [("ADA@EXAMPLE.COM", "other", "email_taken"), ("other@example.com", "\u{ff21}da", "username_taken")]
    {
        let body = json!({"email": email, "username": username, "password": PASSWORD});
        let answer = client.post("/auth/register", body).await;
        assert_eq!(answer.verdict(), (409, code.to_owned()));
    }
}

#[tokio::test]
async fn only_one_of_many_parallel_registrations_gets_the_address() {
    let client = Client::new();
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let answers = futures_util::future::join_all((0..16).map(|_| client.post("/auth/register", body.clone()))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 15, "{statuses:?}");
}

#[tokio::test]
async fn nobody_gives_themselves_a_role() {
    let client = Client::new();
    for field in ["roles", "is_admin", "email_verified", "id", "scope"] {
        let body = json!({"email": "eve@example.com", "password": PASSWORD, field: ["admin"]});
        let answer = client.post("/auth/register", body).await;
        assert_eq!(answer.verdict(), (400, "invalid_request".to_owned()), "{field}");
        assert_eq!(answer.json()["errors"][0]["field"], field);
    }
    let ignored = json!({"email": "eve@example.com", "password": PASSWORD, "is_active": ["admin"]});
    let eve = signed(&client.post("/auth/register", ignored).await);
    let answer = client.ask("PATCH", "/auth/me", Some(&eve.access), Some(json!({"roles": ["admin"]}))).await;
    assert_eq!(answer.verdict(), (400, "invalid_request".to_owned()));
    assert_eq!(client.get("/auth/me", &eve.access).await.json()["roles"], json!([]));
}

#[tokio::test]
async fn what_breaks_a_rule_is_422_and_says_which() {
    let client = Client::new();
    let cases = [
        (json!({"email": "no address", "password": PASSWORD}), "invalid_email"),
        (json!({"password": PASSWORD}), "required"),
        (json!({"email": "ada@example.com"}), "required"),
        (json!({"email": "ada@example.com", "password": "short"}), "password_too_short"),
        (json!({"email": "ada@example.com", "password": "x".repeat(257)}), "password_too_long"),
        (json!({"email": "ada@example.com", "password": "ada@example.com"}), "password_is_own_name"),
        (json!({"email": "ada@example.com", "password": PASSWORD, "username": "a b"}), "invalid_username"),
        (json!({"email": "ada@example.com", "password": PASSWORD, "phone": "1\u{0}"}), "invalid_characters"),
        (json!({"email": "nowhere", "password": "short"}), "validation_failed"),
    ];
    for (body, code) in cases {
        let answer = client.post("/auth/register", body).await;
        assert_eq!(answer.verdict(), (422, code.to_owned()), "{}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["status"], 422);
    }
}

#[tokio::test]
async fn closed_registration_is_403() {
    let client = Client::new();
    client.world.change_settings(|settings| settings.registration = Registration::Closed);
    let answer = client.post("/auth/register", json!({"email": "ada@example.com", "password": PASSWORD})).await;
    assert_eq!(answer.verdict(), (403, "registration_closed".to_owned()));
}

#[tokio::test]
async fn one_signs_in_by_address_or_by_name_in_any_spelling() {
    let client = Client::new();
    let body = json!({"email": "ada@example.com", "username": "Ada", "password": PASSWORD});
    let ada = signed(&client.post("/auth/register", body).await);
    for (field, name) in [("email", "ADA@example.COM"), ("username", "aDA"), ("username", " ada@example.com ")] {
        let answer = client.post("/auth/login", json!({field: name, "password": PASSWORD})).await;
        assert_eq!(answer.status, 200, "{field} {name}: {}", answer.text);
        assert_eq!(answer.text_of("user_id"), ada.user);
        assert_ne!(answer.text_of("refresh_token"), ada.refresh);
    }
    let both = json!({"email": "ada@example.com", "username": "Ada", "password": PASSWORD});
    assert_eq!(client.post("/auth/login", both).await.verdict(), (422, "ambiguous".to_owned()));
}

#[tokio::test]
async fn unknown_wrong_and_disabled_get_the_same_answer_to_the_byte() {
    let client = Client::new();
    client.register("ada@example.com").await;
    let eve = client.register("eve@example.com").await;
    let disabled = UserChange { is_active: Some(false), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&eve.user), disabled).await;
    let unknown = client.login("nobody@example.com", PASSWORD).await;
    assert_eq!(unknown.verdict(), (401, "invalid_credentials".to_owned()));
    assert_eq!(unknown.header("www-authenticate"), "Bearer");
    let wrong = client.login("ada@example.com", "wrong password").await;
    let disabled = client.login("eve@example.com", PASSWORD).await;
    let impossible = client.login("no address", PASSWORD).await;
    for other in [wrong, disabled, impossible] {
        assert_eq!((other.status, &other.headers, &other.text), (unknown.status, &unknown.headers, &unknown.text));
    }
}

#[tokio::test]
async fn a_thousand_parallel_sign_ins_never_swap_users() {
    let client = Client::new();
    let mut users = Vec::new();
    for number in 0..10 {
        users.push(client.register(&format!("user{number}@example.com")).await.user);
    }
    for _ in 0..10 {
        let login = async |number: usize| {
            let answer = client.login(&format!("user{number}@example.com"), PASSWORD).await;
            let signed = signed(&answer);
            assert_eq!(client.get("/auth/me", &signed.access).await.text_of("id"), users[number]);
        };
        futures_util::future::join_all((0..100).map(|call| login(call % 10))).await;
    }
}

#[tokio::test]
async fn leaving_ends_the_access_token_at_once() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    assert_eq!(client.status_of(&ada.access).await, 200);
    assert_eq!(client.ask("POST", "/auth/logout", Some(&ada.access), None).await.status, 204);
    assert_eq!(client.get("/auth/me", &ada.access).await.verdict(), (401, "invalid_token".to_owned()));
    assert_eq!(client.refresh(&ada.refresh).await.verdict(), (401, "invalid_token".to_owned()));
}

#[tokio::test]
async fn leaving_by_refresh_token_needs_no_live_access_token_and_succeeds_twice() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let body = json!({"refresh_token": ada.refresh});
    client.world.clock.advance(60 * MINUTE);
    for _ in 0..2 {
        let answer = client.ask("POST", "/auth/logout", Some(&ada.access), Some(body.clone())).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    assert_eq!(client.refresh(&ada.refresh).await.status, 401);
    let forged = client.post("/auth/logout", json!({"refresh_token": ada.access})).await;
    assert_eq!(forged.verdict(), (401, "invalid_token".to_owned()));
    assert_eq!(client.post("/auth/logout", json!({})).await.verdict().0, 401);
}

#[tokio::test]
async fn leaving_everywhere_ends_every_session_of_the_caller_and_nobody_elses() {
    let client = Client::new();
    let here = client.register("ada@example.com").await;
    let there = signed(&client.login("ada@example.com", PASSWORD).await);
    let eve = client.register("eve@example.com").await;
    assert_eq!(client.ask("POST", "/auth/logout/all", Some(&here.access), None).await.status, 204);
    assert_eq!((client.status_of(&here.access).await, client.status_of(&there.access).await), (401, 401));
    assert_eq!(client.refresh(&there.refresh).await.status, 401);
    assert_eq!(client.status_of(&eve.access).await, 200);
}
