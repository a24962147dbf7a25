//! Answers in the form that a configuration gives them: members, statuses, words, the envelope.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use super::Client;
use crate::account::fixture::PASSWORD;
use crate::api::{ApiSettings, RefreshPlaces};
use crate::http::answers::{Answer, ErrorWords, Shape, TokenErrors};

fn words(status: Option<u16>, message: &str) -> ErrorWords {
    let status = status.map(|status| StatusCode::from_u16(status).unwrap());
    ErrorWords { status, message: Some(message.to_owned()) }
}

fn answer(status: Option<u16>, fields: &[&str]) -> Answer {
    let status = status.map(|status| StatusCode::from_u16(status).unwrap());
    Answer { status, fields: Some(fields.iter().map(ToString::to_string).collect()), ..Answer::default() }
}

fn enveloped(settings: &mut ApiSettings) {
    let answers = &mut settings.answers;
    answers.shape = Shape::Envelope;
    answers.token_errors = TokenErrors::AsOthers;
    answers.of.insert("register".into(), answer(None, &["username"]));
    answers.of.insert("me".into(), answer(None, &["email", "username"]));
    answers.of.insert("token".into(), answer(Some(202), &["access_token", "refresh_token", "token_type"]));
    let errors = BTreeMap::from([("invalid_token".to_owned(), words(None, "Invalid refresh token."))]);
    let refresh = answer(Some(201), &["access_token", "refresh_token", "token_type"]);
    answers.of.insert("refresh".into(), Answer { errors, ..refresh });
    let valid = Answer { message: Some("Token is valid.".into()), ..Answer::default() };
    answers.of.insert("token_verify".into(), valid);
    answers.errors.insert("username_taken".into(), words(Some(400), "User already registered."));
    answers.errors.insert("invalid_credentials".into(), words(None, "Incorrect username or password."));
    answers.errors.insert("invalid_token".into(), words(None, "Not authenticated."));
    settings.refresh_from = RefreshPlaces { json: true, form: true, query: true };
    settings.default_grant = Some("password");
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

async fn registered(client: &Client) -> Value {
    let body = json!({"email": "ada@example.com", "username": "ada", "password": PASSWORD, "is_active": false});
    let answer = client.post("/auth/register", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

/// Returns the answer of the token endpoint to a right password.
async fn issued(client: &Client) -> Value {
    let form = format!("username=ada&password={}", PASSWORD.replace(' ', "+"));
    let answer = client.form("/auth/token", None, &form).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn an_envelope_holds_the_wanted_members_and_no_other() {
    let client = Client::with(enveloped);
    let expected = json!({
        "status": "success", "code": 201, "response": "201_CREATED", "data": {"username": "ada"}, "headers": null,
    });
    assert_eq!(registered(&client).await, expected);
    let tokens = issued(&client).await;
    assert_eq!(members(&tokens), ["access_token", "refresh_token", "token_type"]);
    let access = tokens["access_token"].as_str().unwrap();
    let me = client.get("/auth/me", access).await.json();
    assert_eq!(
        (&me["response"], &me["data"]),
        (&json!("200_OK"), &json!({"email": "ada@example.com", "username": "ada"}))
    );
    let verified = client.get(&format!("/auth/token/verify/{access}"), access).await.json();
    assert_eq!((&verified["message"], verified.get("data")), (&json!("Token is valid."), None));
    assert_eq!(client.ask("POST", "/auth/logout", Some(access), None).await.text, "", "204 has no body to wrap");
}

#[tokio::test]
async fn a_refusal_has_the_words_and_the_status_that_are_configured() {
    let client = Client::with(enveloped);
    registered(&client).await;
    let again = json!({"email": "other@example.com", "username": "ada", "password": PASSWORD});
    let taken = client.post("/auth/register", again).await;
    assert_eq!((taken.status, taken.text_of("message")), (400, "User already registered.".to_owned()));
    let wrong = client.form("/auth/token", None, "username=ada&password=wrong").await;
    assert_eq!((wrong.status, wrong.text_of("response")), (401, "401_UNAUTHORIZED".to_owned()));
    assert_eq!(wrong.text_of("message"), "Incorrect username or password.");
    assert_eq!(wrong.header("content-type"), "application/json");
    assert_eq!(
        (wrong.header("www-authenticate"), &wrong.json()["headers"]["WWW-Authenticate"]),
        ("Bearer", &json!("Bearer"))
    );
    let dead = client.get("/auth/me", "a.b.c").await;
    assert_eq!((dead.status, dead.text_of("message")), (401, "Not authenticated.".to_owned()));
    let dead = client.refresh("a.b.c").await;
    assert_eq!((dead.status, dead.text_of("message")), (401, "Invalid refresh token.".to_owned()));
}

#[tokio::test]
async fn an_envelope_names_every_field_that_is_wrong() {
    let client = Client::with(enveloped);
    let answer = client.post("/auth/register", json!({"email": "x", "password": "short"})).await;
    let message = answer.text_of("message");
    assert_eq!(answer.status, 422);
    assert!(message.contains("email: ") && message.contains("password: "), "{message}");
}

#[tokio::test]
async fn a_refresh_token_is_taken_from_each_configured_place_and_from_one_at_a_time() {
    let client = Client::with(enveloped);
    client.world.change_settings(|settings| settings.refresh.rotate = false);
    registered(&client).await;
    let token = issued(&client).await["refresh_token"].as_str().unwrap().to_owned();
    let query = format!("/auth/refresh?refresh_token={token}");
    let by_form = client.form("/auth/refresh", None, &format!("refresh_token={token}")).await;
    for answer in [client.refresh(&token).await, by_form, client.ask("POST", &query, None, None).await] {
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(members(&answer.json()), ["access_token", "refresh_token", "token_type"]);
    }
    let twice = client.ask("POST", &query, None, Some(json!({"refresh_token": token}))).await;
    assert_eq!(twice.status, 400, "{}", twice.text);
    assert_eq!(client.ask("POST", "/auth/refresh", None, None).await.status, 415);
}

#[tokio::test]
async fn by_default_a_refresh_token_is_read_from_json_alone() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let query = format!("/auth/refresh?refresh_token={}", ada.refresh);
    assert_eq!(client.ask("POST", &query, None, None).await.status, 415);
    assert_eq!(client.form("/auth/refresh", None, &format!("refresh_token={}", ada.refresh)).await.status, 415);
    assert_eq!(client.ask("POST", &query, None, Some(json!({}))).await.status, 422);
    assert_eq!(client.refresh(&ada.refresh).await.status, 200);
}

#[tokio::test]
async fn the_access_token_has_its_configured_name_everywhere_but_at_the_token_endpoint() {
    let client = Client::with(|settings| {
        settings.access_token_name = "token".into();
        settings.answers.of.insert("login".into(), answer(None, &["access_token"]));
    });
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    assert!(client.post("/auth/register", body.clone()).await.json()["token"].is_string());
    assert_eq!(members(&client.post("/auth/login", body).await.json()), ["token"]);
    let form = format!("grant_type=password&username=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
    assert!(client.form("/auth/token", None, &form).await.json()["access_token"].is_string());
}

#[tokio::test]
async fn the_description_says_what_is_configured() {
    let client = Client::with(enveloped);
    let document = client.ask("GET", "/auth/openapi.json", None, None).await.json();
    let token = &document["paths"]["/auth/token"]["post"]["responses"];
    let schema = &token["202"]["content"]["application/json"]["schema"]["properties"];
    assert_eq!(members(schema), ["access_token", "refresh_token", "token_type"]);
    let register = &document["paths"]["/auth/register"]["post"]["responses"]["201"]["content"]["application/json"];
    assert_eq!(members(&register["schema"]["properties"]["data"]["properties"]), ["username"]);
    let refresh = &document["paths"]["/auth/refresh"]["post"];
    assert_eq!(refresh["parameters"][0]["in"], "query");
    assert_eq!(members(&refresh["requestBody"]["content"]).len(), 2);
    assert!(document["components"]["schemas"]["Refusal"]["properties"]["message"].is_object());
}
