//! Upgraded connections over HTTP/1.1.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::clients::h1;
use crate::harness::command::run;
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::websocket::Socket;
use crate::harness::{Gateway, Person, Raw, WITHIN_A_SECOND, eventually, serve, soon};

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

#[tokio::test]
async fn what_an_app_said_before_it_hung_up_reaches_a_client_that_goes_on_sending() {
    let app = Scripted::start(|_, mut stream| async move {
        let head = read_head(&mut stream).await;
        let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let switch = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(switch.as_bytes()).await.unwrap();
        stream.read_u8().await.unwrap();
        // What it has not read makes its end a reset, to which a write fails.
        stream.write_all(b"last words").await.unwrap();
    })
    .await;
    let route = format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"\n", app.url());
    let gateway = Gateway::start(&route).await;
    for _ in 0..20 {
        let mut raw = Raw::tls(&gateway).await;
        raw.send(
            b"GET / HTTP/1.1\r\nhost: gateway.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
              sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
        assert_eq!(raw.head().await.unwrap().status, 101);
        for _ in 0..50 {
            if raw.try_send(b"octets that nobody reads").await.is_err() {
                break;
            }
        }
        let rest = raw.rest().await;
        assert!(rest.starts_with(b"last words"), "{:?}", String::from_utf8_lossy(&rest));
    }
}
