use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;

use super::{Answer, Client};
use crate::account::fixture::PASSWORD;

async fn raw(client: &Client, content_type: &str, body: &str) -> Answer {
    let request = Request::post("/auth/login").header(CONTENT_TYPE, content_type);
    client.send(request.body(Bytes::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn query_objects_in_place_of_texts_are_400_and_open_nothing() {
    let client = Client::new();
    client.register("ada@example.com").await;
    for value in [json!({"$ne": ""}), json!({"$gt": ""}), json!([""]), json!(0), json!(true)] {
        for field in ["email", "username", "password"] {
            let mut body = json!({"email": "ada@example.com", "password": PASSWORD});
            if field == "username" {
                body.as_object_mut().unwrap().remove("email");
            }
            body[field] = value.clone();
            let answer = client.post("/auth/login", body).await;
            assert_eq!(answer.verdict(), (400, "invalid_request".to_owned()), "{field} {value}");
            assert_eq!(answer.json()["errors"][0]["field"], field);
            assert_eq!(answer.json()["errors"][0]["code"], "wrong_type");
        }
    }
}

#[tokio::test]
async fn a_member_given_twice_is_refused_even_with_equal_values() {
    let client = Client::new();
    client.register("ada@example.com").await;
    let body = format!(r#"{{"email":"ada@example.com","password":"{PASSWORD}","password":"{PASSWORD}"}}"#);
    let answer = raw(&client, "application/json", &body).await;
    assert_eq!(answer.verdict(), (400, "invalid_request".to_owned()));
    assert_eq!(answer.json()["errors"][0]["code"], "duplicate_field");
}

#[tokio::test]
async fn what_does_not_parse_is_400_and_what_is_no_json_is_415() {
    let client = Client::new();
    for body in ["", "{", "null", "{} {}", "{\"email\": 'x'}", "\"text\""] {
        let answer = raw(&client, "application/json", body).await;
        assert_eq!(answer.verdict(), (400, "invalid_request".to_owned()), "{body}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"] {
        let answer = raw(&client, content_type, "{}").await;
        assert_eq!(answer.verdict(), (415, "unsupported_media_type".to_owned()), "{content_type}");
    }
}

#[tokio::test]
async fn an_answer_never_repeats_what_was_sent_as_a_secret() {
    let client = Client::new();
    let bodies = [
        r#"{"email":"ada@example.com","password":"hunter2hunter2""#.to_owned(),
        r#"{"email":"ada@example.com","password":["hunter2hunter2"]}"#.to_owned(),
        r#""hunter2hunter2""#.to_owned(),
        r#"{"email":"ada@example.com","password":"hunter2hunter2"}"#.to_owned(),
    ];
    for body in bodies {
        let answer = raw(&client, "application/json", &body).await;
        assert!(answer.status >= 400 && !answer.text.contains("hunter2"), "{}", answer.text);
    }
}

#[tokio::test]
async fn no_credential_is_challenged_without_an_error_and_a_bad_one_with_it() {
    let client = Client::new();
    let bare = client.ask("GET", "/auth/me", None, None).await;
    assert_eq!((bare.status, bare.header("www-authenticate")), (401, "Bearer"));
    for bad in ["", "x", "a.b.c", "é"] {
        let request = Request::get("/auth/me").header(AUTHORIZATION, format!("Bearer {bad}").as_bytes());
        let answer = client.send(request.body(Bytes::new()).unwrap()).await;
        assert_eq!(answer.verdict(), (401, "invalid_token".to_owned()), "{bad}");
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    }
}

#[tokio::test]
async fn two_authorization_fields_are_400_even_if_both_are_good() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let bearer = format!("Bearer {}", ada.access);
    let request = Request::get("/auth/me").header(AUTHORIZATION, &bearer).header(AUTHORIZATION, &bearer);
    let answer = client.send(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(answer.verdict(), (400, "invalid_request".to_owned()));
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_request\"");
}
