use http::Method;
use serde_json::{Value, json};

use super::Client;
use crate::api::routes::{Needs, Operation, Resource, resources};

fn path_of(resource: &Resource) -> String {
    format!("/auth{}", resource.path.split('{').next().unwrap()) + if resource.path.ends_with('}') { "7" } else { "" }
}

/// Which operations do without a bearer is written down here a second time, so that a new one can't slip in unguarded.
#[tokio::test]
async fn every_route_answers_401_without_a_bearer_but_those_that_are_for_everybody() {
    let for_everybody = [
        Operation::Register,
        Operation::Login,
        Operation::Refresh,
        Operation::ForgotPassword,
        Operation::ResetPassword,
        Operation::VerifyEmail,
        Operation::IssueToken,
        Operation::Revoke,
        Operation::KeySet,
        Operation::Metadata,
        Operation::Description,
    ];
    let client = Client::new();
    let mut guarded = 0;
    for resource in resources() {
        for (method, operation, _) in resource.operations {
            if for_everybody.contains(operation) {
                continue;
            }
            let path = path_of(resource);
            let answer = client.ask(method.as_str(), &path, None, None).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{method} {path}");
            let forged = client.ask(method.as_str(), &path, Some("a.b.c"), None).await;
            assert_eq!(forged.verdict(), (401, "invalid_token".to_owned()), "{method} {path}");
            guarded += 1;
        }
    }
    assert_eq!(guarded, 15);
}

#[tokio::test]
async fn every_answer_forbids_storing_unless_it_is_the_same_for_everybody() {
    let client = Client::new();
    let methods =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    for resource in resources() {
        for method in &methods {
            let answer = client.ask(method.as_str(), &path_of(resource), None, None).await;
            let is_public = ["jwks", "metadata", "openapi"].contains(&resource.name) && answer.status == 200;
            let expected = if is_public { "public, max-age=300" } else { "no-store" };
            assert_eq!(answer.header("cache-control"), expected, "{method} {}", resource.path);
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            let is_there = resource
                .operations
                .iter()
                .any(|(there, ..)| there == method || (*there == Method::GET && *method == Method::HEAD));
            assert_eq!(answer.status != 405, is_there, "{method} {}", resource.path);
            assert_eq!(answer.header("allow"), if is_there { String::new() } else { resource.allow() });
        }
    }
}

#[tokio::test]
async fn a_path_below_the_prefix_that_is_no_endpoint_is_404() {
    let client = Client::new();
    for path in ["/auth", "/auth/", "/auth/nothing", "/auth/me/x", "/auth/LOGIN", "/auth/sessions/1/2"] {
        let answer = client.ask("GET", path, None, None).await;
        assert_eq!(answer.verdict(), (404, "not_found".to_owned()), "{path}");
        assert!(client.api.owns(path));
    }
}

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    for path in ["/auth/me", "/auth/openapi.json", "/.well-known/jwks.json", "/auth/nothing"] {
        let get = client.get(path, &ada.access).await;
        let head = client.ask("HEAD", path, Some(&ada.access), None).await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("content-length"), get.text.len().to_string());
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}

#[tokio::test]
async fn the_description_has_every_route_and_no_other() {
    let client = Client::new();
    let document = client.ask("GET", "/auth/openapi.json", None, None).await.json();
    let paths = document["paths"].as_object().unwrap();
    let mut described = 0;
    for resource in resources() {
        let item = &paths[&format!("/auth{}", resource.path)];
        for (method, operation, needs) in resource.operations {
            let words = &item[method.as_str().to_ascii_lowercase()];
            assert_eq!(words["operationId"], format!("{operation:?}"));
            assert_eq!(words.get("security").is_some(), *needs != Needs::Nothing);
            described += 1;
        }
    }
    // The gateway answers this one itself; it is described with the others.
    assert!(paths["/auth/forward"]["get"].is_object());
    let below = || paths.iter().filter(|(path, _)| path.starts_with("/auth/")).map(|(_, item)| item);
    let methods = below().flat_map(|item| item.as_object().unwrap().keys()).filter(|key| *key != "parameters");
    assert_eq!(methods.count(), described + 1);
    assert_eq!(below().count(), resources().count() + 1);
    // Beside them, the second path that the tests' configuration gives to one.
    assert_eq!(paths.len(), resources().count() + 2);
    assert_eq!(paths["/create"]["post"]["summary"], paths["/auth/register"]["post"]["summary"]);
    assert!(paths["/create"]["post"].get("operationId").is_none(), "an id names one operation");
}

#[tokio::test]
async fn every_schema_that_the_description_names_is_in_it() {
    let client = Client::new();
    let document = client.ask("GET", "/auth/openapi.json", None, None).await.json();
    let mut named = Vec::new();
    collect_references(&document, &mut named);
    assert!(named.len() > 20);
    for reference in named {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect_references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" => into.push(text.clone()),
                    other => collect_references(other, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_described_answers_have_the_members_that_are_sent() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let document = client.ask("GET", "/auth/openapi.json", None, None).await.json();
    let described = |schema: &str| -> Vec<String> {
        document["components"]["schemas"][schema]["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let sent = |value: Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(described("Profile"), sent(client.get("/auth/me", &ada.access).await.json()));
    assert_eq!(described("Grant"), sent(client.refresh(&ada.refresh).await.json()));
    let problem = client.post("/auth/login", json!({})).await.json();
    assert_eq!(described("Problem"), sent(problem));
}
