//! Upgraded connections over HTTP/1.1.

use crate::harness::clients::h1;
use crate::harness::command::run;
use crate::harness::websocket::Socket;
use crate::harness::{Gateway, Person, WITHIN_A_SECOND, eventually, serve, soon};

async fn open(gateway: &Gateway, person: &Person) -> Socket {
    Socket::open(gateway, "/private/ws", Some(&person.access)).await.unwrap()
}

#[tokio::test]
async fn a_websocket_echoes_and_the_app_knows_who_is_there() {
    let (gateway, upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    let mut socket = open(&gateway, &person).await;
    for text in ["one", "zwei", &"long ".repeat(50_000)] {
        assert_eq!(socket.echo(text).await, text);
    }
    let seen = upstream.only_request();
    assert_eq!(seen.header("x-user-id"), Some(person.id.as_str()));
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(seen.header("upgrade"), Some("websocket"));
    socket.close().await;
    eventually("the app's end is closed", || upstream.open_connections() == 0).await;
}

#[tokio::test]
async fn a_websocket_is_refused_like_any_request() {
    let (gateway, upstream) = serve("").await;
    let error = Socket::open(&gateway, "/private/ws", None).await.err().expect("nobody gets in");
    assert!(error.to_string().contains("401"), "{error}");
    assert_eq!(upstream.count(), 0);
    let mut socket = Socket::open(&gateway, "/ws", None).await.unwrap();
    assert_eq!(socket.echo("public").await, "public");
}

#[tokio::test]
async fn a_logout_closes_the_sessions_websockets_within_a_second_and_no_others() {
    let (gateway, upstream) = serve("").await;
    let client = h1();
    let leaving = Person::register(&gateway, &client, "ada@example.com").await;
    let staying = Person::log_in(&gateway, &client, "ada@example.com").await;
    // Several, so that each worker has some.
    let mut ending = Vec::new();
    for _ in 0..4 {
        ending.push(open(&gateway, &leaving).await);
    }
    let mut lasting = open(&gateway, &staying).await;
    leaving.log_out(&gateway, &client).await;
    for socket in &mut ending {
        let ended = tokio::time::timeout(WITHIN_A_SECOND, socket.ended()).await;
        assert!(ended.is_ok(), "a WebSocket outlived its session");
    }
    assert_eq!(lasting.echo("still here").await, "still here");
    eventually("the app's ends are closed", || upstream.open_connections() <= 2).await;
}

#[tokio::test]
async fn a_session_that_a_command_revokes_loses_its_websockets_within_a_second() {
    let (gateway, _upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    let mut socket = open(&gateway, &person).await;
    run(&gateway, &["session", "revoke", &person.session()]).ok();
    let ended = tokio::time::timeout(WITHIN_A_SECOND, socket.ended()).await;
    assert!(ended.is_ok(), "the WebSocket outlived its session");
}

#[tokio::test]
async fn an_app_that_goes_away_closes_the_websocket() {
    let (gateway, upstream) = serve("").await;
    let mut socket = Socket::open(&gateway, "/ws", None).await.unwrap();
    assert_eq!(socket.echo("hello").await, "hello");
    drop(upstream);
    soon("the end of the WebSocket", socket.ended()).await;
}
