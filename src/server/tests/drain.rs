//! Draining, and the cap on connections.

use super::*;

#[tokio::test]
async fn a_request_in_flight_is_answered_and_idle_connections_close_at_once() {
    let (server, signals) = start(Settings { idle_timeout: Duration::from_hours(1), ..settings() });
    let (mut idle, mut busy) = (connect(&server).await, connect(&server).await);
    idle.write_all(get("/a").as_bytes()).await.unwrap();
    read_until(&mut idle, "/a:").await;
    busy.write_all(get("/wait").as_bytes()).await.unwrap();
    soon(signals.entered.notified()).await;
    let draining = tokio::spawn(server.drain(PATIENCE));
    assert_eq!(read_to_end(&mut idle).await, "");
    signals.release.notify_one();
    let answer = read_to_end(&mut busy).await;
    assert_eq!(statuses(&answer), ["200"]);
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(soon(draining).await.unwrap(), 0);
}

#[tokio::test]
async fn nothing_is_accepted_once_the_drain_has_begun() {
    let (server, _) = start(settings());
    let address = server.local_addrs()[0];
    assert_eq!(soon(server.drain(PATIENCE)).await, 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_has_not_ended_by_the_deadline_is_cut_off_and_counted() {
    let (server, signals) = start(settings());
    let (mut busy, mut upgraded) = (connect(&server).await, connect(&server).await);
    busy.write_all(get("/wait").as_bytes()).await.unwrap();
    soon(signals.entered.notified()).await;
    upgraded
        .write_all(b"GET /upgrade HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello")
        .await
        .unwrap();
    read_until(&mut upgraded, "hello").await;
    assert_eq!(soon(server.drain(Duration::from_millis(50))).await, 2);
    let mut rest = Vec::new();
    assert!(soon(upgraded.read_to_end(&mut rest)).await.is_ok_and(|_| rest.is_empty()));
}

#[tokio::test]
async fn an_upgraded_connection_counts_as_open_until_it_ends() {
    let (server, _) = start(settings());
    let mut upgraded = connect(&server).await;
    upgraded
        .write_all(b"GET /upgrade HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhello")
        .await
        .unwrap();
    read_until(&mut upgraded, "hello").await;
    assert_eq!(server.counters().open(), 1);
    drop(upgraded);
    assert_eq!(soon(server.drain(PATIENCE)).await, 0);
}

#[tokio::test]
async fn a_dropped_drain_ends_everything_at_once() {
    let (server, signals) = start(settings());
    let mut busy = connect(&server).await;
    busy.write_all(get("/wait").as_bytes()).await.unwrap();
    soon(signals.entered.notified()).await;
    assert!(tokio::time::timeout(Duration::from_millis(1), server.drain(PATIENCE)).await.is_err());
    assert_eq!(read_to_end(&mut busy).await, "");
}

#[tokio::test]
async fn a_client_over_the_cap_is_served_when_another_leaves() {
    let (server, _) = start(Settings { connections: 1, ..settings() });
    let mut first = connect(&server).await;
    first.write_all(get("/a").as_bytes()).await.unwrap();
    read_until(&mut first, "/a:").await;
    let mut second = connect(&server).await;
    second.write_all(last_get("/b").as_bytes()).await.unwrap();
    first.write_all(get("/c").as_bytes()).await.unwrap();
    read_until(&mut first, "/c:").await;
    assert_eq!(server.counters().accepted(), 1);
    drop(first);
    assert_eq!(statuses(&read_to_end(&mut second).await), ["200"]);
}

#[tokio::test]
async fn connections_are_spread_evenly_over_the_workers() {
    let (server, _) = start(Settings { workers: 2, ..settings() });
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&server).await;
        stream.write_all(get("/a").as_bytes()).await.unwrap();
        read_until(&mut stream, "/a:").await;
        open.push(stream);
    }
    let loads: Vec<usize> =
        server.crew.seats.iter().map(|seat| seat.load.load(std::sync::atomic::Ordering::Relaxed)).collect();
    assert_eq!(loads, [2, 2]);
}
