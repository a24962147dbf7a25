use serde_json::json;

use super::{Client, Mail};

const PATHS: [&str; 4] =
    ["/auth/password/forgot", "/auth/password/reset", "/auth/email/verify", "/auth/email/verify/send"];

#[tokio::test]
async fn while_mail_is_off_its_endpoints_are_not_there() {
    let client = Client::with(|settings| settings.mail = Mail::Off);
    let ada = client.register("ada@example.com").await;
    let document = client.ask("GET", "/auth/openapi.json", None, None).await.json();
    for path in PATHS {
        for method in ["POST", "GET"] {
            let answer = client.ask(method, path, Some(&ada.access), Some(json!({}))).await;
            assert_eq!(answer.verdict(), (404, "not_found".to_owned()), "{method} {path}");
        }
        assert!(document["paths"].get(path).is_none(), "{path} is described");
    }
}

#[tokio::test]
async fn known_and_unknown_addresses_get_the_same_202() {
    let client = Client::new();
    client.register("ada@example.com").await;
    let mut answers = Vec::new();
    for email in ["ada@example.com", "nobody@example.com"] {
        answers.push(client.post("/auth/password/forgot", json!({"email": email})).await);
    }
    assert_eq!((answers[0].status, answers[0].text.as_str()), (202, ""));
    assert_eq!((answers[0].status, &answers[0].headers), (answers[1].status, &answers[1].headers));
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_a_fault_of_its_field() {
    let client = Client::new();
    for (path, body, field, code) in [
        ("/auth/password/forgot", json!({}), "email", "required"),
        ("/auth/password/forgot", json!({"email": "ada"}), "email", "invalid_email"),
        ("/auth/password/reset", json!({"token": "x"}), "new_password", "required"),
        ("/auth/password/reset", json!({"new_password": "a good long password"}), "token", "required"),
        (
            "/auth/password/reset",
            json!({"token": "x", "new_password": "a good long password"}),
            "token",
            "invalid_token",
        ),
        ("/auth/email/verify", json!({}), "token", "required"),
        ("/auth/email/verify", json!({"token": "x"}), "token", "invalid_token"),
    ] {
        let answer = client.post(path, body).await;
        let error = &answer.json()["errors"][0];
        assert_eq!((answer.status, &error["field"], &error["code"]), (422, &json!(field), &json!(code)), "{path}");
    }
    let unknown =
        client.post("/auth/password/forgot", json!({"email": "a@b.example", "url": "https://evil.example"})).await;
    assert_eq!(unknown.status, 400);
}

#[tokio::test]
async fn a_mail_to_verify_is_for_who_is_signed_in_and_has_an_address() {
    let client = Client::new();
    assert_eq!(client.post("/auth/email/verify/send", json!({})).await.status, 401);
    let ada = client.register("ada@example.com").await;
    assert_eq!(client.ask("POST", "/auth/email/verify/send", Some(&ada.access), None).await.status, 202);
    client.world.change_settings(|settings| settings.required_fields.clear());
    let named = client.post("/auth/register", json!({"username": "grace", "password": "a good long password"})).await;
    let answer = client.ask("POST", "/auth/email/verify/send", Some(&named.text_of("access_token")), None).await;
    assert_eq!((answer.status, &answer.json()["errors"][0]["field"]), (422, &json!("email")));
}
