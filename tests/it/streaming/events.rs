//! Server-sent events.

use futures_util::StreamExt as _;
use reqwest::{Client, Method, Response, StatusCode};

use crate::harness::clients::{BOTH, h1};
use crate::harness::command::run;
use crate::harness::{Gateway, Person, WITHIN_A_SECOND, eventually, serve, soon};

async fn next_event(answer: &mut Response) -> Option<String> {
    let chunk = soon("an event", answer.chunk()).await.ok()??;
    Some(String::from_utf8(chunk.to_vec()).unwrap())
}

async fn open(gateway: &Gateway, client: &Client, person: &Person) -> Response {
    let answer = person.get(gateway, client, "/private/sse").await;
    assert_eq!(
        (answer.status(), &answer.headers()["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().unwrap())
    );
    answer
}

/// Fails unless the answer ends in time; whether cleanly or by a reset is the protocol's business.
async fn ends_within_a_second(answer: Response) {
    let mut rest = answer.bytes_stream();
    let ended = tokio::time::timeout(WITHIN_A_SECOND, async { while let Some(Ok(_)) = rest.next().await {} });
    assert!(ended.await.is_ok(), "the stream outlived its session");
}

#[tokio::test]
async fn each_event_arrives_before_the_next_is_sent() {
    let (gateway, upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    for protocol in BOTH {
        let mut answer = open(&gateway, &protocol.client(), &person).await;
        for number in 0..5 {
            upstream.send_event(&number.to_string());
            assert_eq!(next_event(&mut answer).await.as_deref(), Some(format!("data: {number}\n\n").as_str()));
        }
        drop(answer);
        eventually("the app is told that its listener is gone", || upstream.listeners() == 0).await;
    }
}

#[tokio::test]
async fn a_logout_closes_the_sessions_events_within_a_second_and_no_others() {
    let (gateway, upstream) = serve("").await;
    for (protocol, email) in BOTH.into_iter().zip(["one@example.com", "two@example.com"]) {
        let client = protocol.client();
        let leaving = Person::register(&gateway, &client, email).await;
        let staying = Person::log_in(&gateway, &client, email).await;
        let ending = open(&gateway, &client, &leaving).await;
        let mut lasting = open(&gateway, &client, &staying).await;
        let mut public = client.get(gateway.url("/sse")).send().await.unwrap();
        leaving.log_out(&gateway, &client).await;
        ends_within_a_second(ending).await;
        eventually("the app is told", || upstream.listeners() == 2).await;
        upstream.send_event("still here");
        for answer in [&mut lasting, &mut public] {
            assert_eq!(next_event(answer).await.as_deref(), Some("data: still here\n\n"), "{protocol:?}");
        }
        drop((lasting, public));
        eventually("nobody listens", || upstream.listeners() == 0).await;
    }
}

#[tokio::test]
async fn a_session_that_a_command_ends_loses_its_events_within_a_second() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    for (number, command) in [["session", "revoke", "--user"].as_slice(), &["user", "disable"]].into_iter().enumerate()
    {
        let email = format!("person{number}@example.com");
        let person = Person::register(&gateway, &client, &email).await;
        let answer = open(&gateway, &client, &person).await;
        run(&gateway, &[command, &[email.as_str()]].concat()).ok();
        ends_within_a_second(answer).await;
    }
}

#[tokio::test]
async fn a_changed_password_closes_the_events_of_other_sessions() {
    let (gateway, upstream) = serve("").await;
    let client = h1();
    let here = Person::register(&gateway, &client, "ada@example.com").await;
    let elsewhere = Person::log_in(&gateway, &client, "ada@example.com").await;
    let mut lasting = open(&gateway, &client, &here).await;
    let ending = open(&gateway, &client, &elsewhere).await;
    let body = serde_json::json!({"current_password": crate::harness::PASSWORD, "new_password": "another passphrase"});
    let answer = here.request(&gateway, &client, Method::POST, "/auth/password/change").json(&body).send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::NO_CONTENT);
    ends_within_a_second(ending).await;
    upstream.send_event("still here");
    assert!(next_event(&mut lasting).await.is_some());
}

#[tokio::test]
async fn a_stream_that_an_ended_session_opens_is_refused() {
    let (gateway, upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    person.log_out(&gateway, &client).await;
    assert_eq!(person.get(&gateway, &client, "/private/sse").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(upstream.count(), 0);
}
