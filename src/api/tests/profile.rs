//! The fields that a configuration declares, in registrations and in one's own record.

use serde_json::{Value, json};

use super::{Answer, Client, signed};
use crate::account::fixture::PASSWORD;
use crate::identity::profile::{Kind, UserField, Writer};

/// Returns a gateway whose users have a birthday, which they must give, a count, and a mark that operators set.
fn client() -> Client {
    let client = Client::new();
    let field = |kind, required, writer| UserField { kind, required, writer, values: Vec::new(), max_length: 256 };
    client.world.change_settings(|settings| {
        let fields = &mut settings.user_fields;
        fields.insert("date_of_birth".into(), field(Kind::Date, true, Writer::User));
        fields.insert("children".into(), field(Kind::Integer, false, Writer::User));
        fields.insert("is_verified".into(), field(Kind::Boolean, false, Writer::Operator));
    });
    client
}

async fn register(client: &Client, profile: Value) -> Answer {
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "profile": profile});
    client.post("/auth/register", body).await
}

/// Returns field and code of every fault.
fn faults(answer: &Answer) -> Vec<(String, String)> {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    errors.iter().map(|error| (text(error, "field"), text(error, "code"))).collect()
}

#[tokio::test]
async fn declared_fields_are_registered_shown_changed_and_cleared() {
    let client = client();
    let answer = register(&client, json!({"date_of_birth": " 1815-12-10 ", "children": 3})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let ada = signed(&answer);
    let me = client.get("/auth/me", &ada.access).await.json();
    assert_eq!(me["profile"], json!({"date_of_birth": "1815-12-10", "children": 3}));
    let change = json!({"profile": {"children": null}, "first_name": "Ada"});
    let me = client.ask("PATCH", "/auth/me", Some(&ada.access), Some(change)).await.json();
    assert_eq!((&me["profile"], &me["first_name"]), (&json!({"date_of_birth": "1815-12-10"}), &json!("Ada")));
}

#[tokio::test]
async fn every_field_that_does_not_fit_is_named() {
    let client = client();
    let wrong = json!({"children": "three", "is_verified": true, "role": "admin"});
    let answer = register(&client, wrong).await;
    assert_eq!(answer.verdict(), (422, "validation_failed".to_owned()));
    let expected = [
        ("profile.children", "wrong_type"),
        ("profile.is_verified", "read_only"),
        ("profile.role", "unknown_field"),
        ("profile.date_of_birth", "required"),
    ];
    assert_eq!(faults(&answer), expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
    assert_eq!(register(&client, json!("text")).await.verdict(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_required_field_can_not_be_cleared_nor_an_operators_written() {
    let client = client();
    let ada = signed(&register(&client, json!({"date_of_birth": "1815-12-10"})).await);
    for (change, code) in [(json!({"date_of_birth": " "}), "required"), (json!({"is_verified": null}), "read_only")] {
        let answer = client.ask("PATCH", "/auth/me", Some(&ada.access), Some(json!({"profile": change}))).await;
        assert_eq!(answer.verdict(), (422, code.to_owned()));
    }
    let flood: serde_json::Map<String, Value> = (0..999).map(|number| (format!("f{number}"), json!(0))).collect();
    let answer = client.ask("PATCH", "/auth/me", Some(&ada.access), Some(json!({"profile": flood}))).await;
    assert_eq!(faults(&answer).len(), 16);
}
