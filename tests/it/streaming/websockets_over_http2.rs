//! Each WebSocket is a stream of an HTTP/2 connection (RFC 8441), before an app that speaks HTTP/1.1.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::clients::h1;
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::websocket::Connection;
use crate::harness::{Gateway, HOST, Person, Raw, WITHIN_A_SECOND, eventually, serve, soon};

#[tokio::test]
async fn a_stream_echoes_and_the_app_is_asked_as_over_http_1() {
    let (gateway, upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    let mut connection = Connection::open(&gateway).await;
    let mut socket = connection.websocket("/private/ws?room=1", Some(&person.access)).await.unwrap();
    for text in ["one", "zwei", &"long ".repeat(50_000)] {
        assert_eq!(socket.echo(text).await, text);
    }
    let seen = upstream.only_request();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/private/ws?room=1"));
    assert_eq!(seen.header("x-user-id"), Some(person.id.as_str()));
    assert_eq!(seen.header("authorization"), None);
    assert_eq!((seen.header("upgrade"), seen.header("connection")), (Some("websocket"), Some("Upgrade")));
    assert_eq!((seen.header("host"), seen.header("via")), (Some(HOST), Some("2 vestibule")));
    let other = connection.websocket("/ws", None).await.unwrap();
    let keys: Vec<_> =
        upstream.requests().iter().map(|seen| seen.header("sec-websocket-key").unwrap().to_owned()).collect();
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
    socket.close().await;
    drop(other);
    eventually("the app's ends are closed", || upstream.open_connections() == 0).await;
}

#[tokio::test]
async fn the_gateway_says_that_it_takes_extended_connect() {
    let (gateway, _upstream) = serve("").await;
    let stream = Raw::tls_with(&gateway, HOST, &[b"h2"]).await.unwrap().stream;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    eventually("the server's settings", || client.is_extended_connect_protocol_enabled()).await;
}

#[tokio::test]
async fn it_is_decided_on_like_any_request() {
    let (gateway, upstream) = serve("").await;
    let mut connection = Connection::open(&gateway).await;
    for (path, bearer, status) in
        [("/private/ws", None, 401), ("/private/ws", Some("x.y.z"), 401), ("/auth/me", None, 405), ("/a%00", None, 400)]
    {
        let refused = connection.websocket(path, bearer).await.err().expect("nobody gets in");
        assert_eq!(refused.status(), status, "{path}");
    }
    let forward = connection.connect("websocket", "/auth/forward", &[("x-forwarded-uri", "/")]).await;
    assert!(forward.status().is_client_error(), "{forward:?}");
    assert_eq!(upstream.count(), 0);
    let mut socket = connection.websocket("/ws", None).await.unwrap();
    assert_eq!(socket.echo("public").await, "public");
}

#[tokio::test]
async fn no_other_protocol_gets_a_tunnel() {
    let (gateway, upstream) = serve("").await;
    let mut connection = Connection::open(&gateway).await;
    for protocol in ["connect-udp", "connect-ip", "webtransport", "WebSocket", "websocket2", "bytestream"] {
        let answer = connection.connect(protocol, "/ws", &[("sec-websocket-version", "13")]).await;
        assert_eq!(answer.status(), 501, "{protocol}");
    }
    let old = connection.connect("websocket", "/ws", &[("sec-websocket-version", "8")]).await;
    assert_eq!((old.status().as_u16(), &old.headers()["sec-websocket-version"]), (426, &"13".parse().unwrap()));
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_logout_closes_the_sessions_streams_within_a_second_and_not_their_connection() {
    let (gateway, upstream) = serve("").await;
    let client = h1();
    let leaving = Person::register(&gateway, &client, "ada@example.com").await;
    let staying = Person::log_in(&gateway, &client, "ada@example.com").await;
    let mut connection = Connection::open(&gateway).await;
    let mut ending = Vec::new();
    for _ in 0..3 {
        ending.push(connection.websocket("/private/ws", Some(&leaving.access)).await.unwrap());
    }
    let mut lasting = connection.websocket("/private/ws", Some(&staying.access)).await.unwrap();
    leaving.log_out(&gateway, &client).await;
    for socket in &mut ending {
        let ended = tokio::time::timeout(WITHIN_A_SECOND, socket.ended()).await;
        assert!(ended.is_ok(), "a WebSocket outlived its session");
    }
    assert_eq!(lasting.echo("still here").await, "still here");
    eventually("the app's ends are closed", || upstream.open_connections() <= 2).await;
}

#[tokio::test]
async fn more_than_any_window_goes_both_ways_at_once_and_a_slow_reader_stops_its_own_stream_alone() {
    let (gateway, _upstream) = serve("").await;
    let mut connection = Connection::open(&gateway).await;
    let mut stalled = connection.websocket("/ws", None).await.unwrap();
    let piece = vec![7_u8; 512 * 1024];
    let mut sent = 0;
    // Until the echo that nobody reads has filled every buffer on the way.
    while let Ok(sending) = tokio::time::timeout(WITHIN_A_SECOND, stalled.0.send(Message::binary(piece.clone()))).await
    {
        sending.unwrap();
        sent += 1;
        assert!(sent < 200, "100 MiB were taken in that nobody read");
    }
    let mut other = connection.websocket("/ws", None).await.unwrap();
    assert_eq!(other.echo("not held up").await, "not held up");
    let (mut sink, mut stream) = stalled.0.split();
    let flushing = tokio::spawn(async move { sink.flush().await });
    for _ in 0..=sent {
        let message = soon("an echo", stream.next()).await.unwrap().unwrap();
        assert!(message.is_binary() && message.len() == piece.len(), "{}", message.len());
    }
    soon("the rest to be sent", flushing).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_app_that_goes_away_closes_the_stream() {
    let (gateway, upstream) = serve("").await;
    let mut connection = Connection::open(&gateway).await;
    let mut socket = connection.websocket("/ws", None).await.unwrap();
    assert_eq!(socket.echo("hello").await, "hello");
    drop(upstream);
    soon("the end of the WebSocket", socket.ended()).await;
}

#[tokio::test]
async fn an_app_that_does_not_take_part_in_the_handshake_gets_no_tunnel() {
    for (answer, status) in [
        ("200 OK\r\ncontent-length: 5\r\n\r\nhello", 502),
        ("204 No Content\r\n\r\n", 502),
        ("101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 502),
        (
            "101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
            502,
        ),
        ("101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", 502),
        ("403 Forbidden\r\ncontent-length: 2\r\n\r\nno", 403),
        ("302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n", 302),
    ] {
        let app = Scripted::start(move |_, mut stream| async move {
            assert!(read_head(&mut stream).await.to_lowercase().contains("sec-websocket-key: "));
            stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await.unwrap();
            let _ = read_head(&mut stream).await;
        })
        .await;
        let route = format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"\n", app.url());
        let gateway = Gateway::start(&route).await;
        let refused = Connection::open(&gateway).await.websocket("/", None).await.err().expect(answer);
        assert_eq!(refused.status(), status, "{answer}");
    }
}
