//! What is read as a request, and what becomes of the rest.

use super::*;

#[tokio::test]
async fn a_bad_request_among_pipelined_ones_is_answered_in_its_turn_and_ends_the_connection() {
    let (server, _) = start(settings());
    let bytes = format!("{}GET /b HTTP/1.1\r\nhost : a\r\n\r\n{}", get("/a"), get("/c"));
    let answers = talk(&server, bytes.as_bytes()).await;
    assert_eq!(statuses(&answers), ["200", "400"], "{answers}");
    assert!(answers.contains("/a:") && answers.contains("application/problem+json"), "{answers}");
}

#[tokio::test]
async fn the_bad_request_waits_for_the_answer_to_the_one_before() {
    let (server, signals) = start(settings());
    let mut stream = connect(&server).await;
    stream.write_all(format!("{}bad\r\n\r\n", get("/wait")).as_bytes()).await.unwrap();
    soon(signals.entered.notified()).await;
    signals.release.notify_one();
    assert_eq!(statuses(&read_to_end(&mut stream).await), ["200", "400"]);
}

#[tokio::test]
async fn requests_may_come_byte_by_byte() {
    let (server, _) = start(settings());
    let mut stream = connect(&server).await;
    stream.set_nodelay(true).unwrap();
    let post = "POST /p HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let bytes = format!("{}{post}{}", get("/a"), last_get("/z"));
    for byte in bytes.as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let answers = read_to_end(&mut stream).await;
    assert_eq!(statuses(&answers), ["200"; 3], "{answers}");
    assert!(answers.contains("/a:") && answers.contains("/p:abc") && answers.contains("/z:"), "{answers}");
}

#[tokio::test]
async fn how_requests_are_cut_into_pieces_makes_no_difference() {
    let (server, _) = start(settings());
    let chunks = "3;a=\"b\"\r\nabc\r\n0\r\nx: y\r\n\r\n";
    let stream = [
        get("/a"),
        "POST /b HTTP/1.1\r\nhost: a.test\r\ncontent-length: 5\r\n\r\nhello\r\n".to_owned(),
        format!("POST /c HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"),
        get("/d"),
        "GET /e HTTP/1.1\r\nhost : a\r\n\r\n".to_owned(),
        get("/f"),
    ]
    .concat();
    let expected = talk(&server, stream.as_bytes()).await;
    assert_eq!(statuses(&expected), ["200", "200", "200", "200", "400"], "{expected}");
    for part in ["/a:", "/b:hello", "/c:abc", "/d:"] {
        assert!(expected.contains(part), "{part}: {expected}");
    }
    for length in [1, 7, 16, 33, 71] {
        let mut client = connect(&server).await;
        client.set_nodelay(true).unwrap();
        for piece in stream.as_bytes().chunks(length) {
            // What follows the bad request may find the connection closed.
            let _ = client.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let answers = read_to_end(&mut client).await;
        assert_eq!(statuses(&answers), statuses(&expected), "{length}: {answers}");
        assert!(answers.contains("/b:hello") && answers.contains("/c:abc"), "{length}: {answers}");
    }
}

#[tokio::test]
async fn a_body_that_a_handler_kept_gets_nothing_of_the_next_request() {
    let (server, _) = start(settings());
    let mut client = connect(&server).await;
    let head = "POST /keep HTTP/1.1\r\nhost: a.test\r\ncontent-length: 5\r\n\r\n";
    client.write_all(format!("{head}first").as_bytes()).await.unwrap();
    read_until(&mut client, "kept").await;
    let next = "POST /kept HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\ncontent-length: 6\r\n\r\nsecond";
    // What was not read when its answer had gone out ended the connection, or is lost.
    let _ = client.write_all(next.as_bytes()).await;
    let answers = read_to_end(&mut client).await;
    assert!(!answers.contains("second|"), "{answers}");
}

#[tokio::test]
async fn whoever_waits_for_100_is_told_to_go_on_only_where_the_body_is_wanted() {
    let (server, _) = start(settings());
    let head = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: a.test\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
    };
    let mut client = connect(&server).await;
    client.write_all(head("/read").as_bytes()).await.unwrap();
    assert_eq!(read_until(&mut client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"ok").await.unwrap();
    read_until(&mut client, "/read:ok").await;
    client.write_all(head("/ignore").as_bytes()).await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_passed_over_if_it_is_here() {
    let (server, _) = start(settings());
    let post = "POST /ignore HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let answers = talk(&server, format!("{post}{}", last_get("/next")).as_bytes()).await;
    assert_eq!(statuses(&answers), ["200", "200"], "{answers}");
}

#[tokio::test]
async fn heads_that_two_parsers_could_frame_two_ways_are_refused() {
    let (server, _) = start(settings());
    let table = [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked, chunked",
        "content-length: +4",
        "content-length: 4\r\ncontent-length: 5",
        "content-length : 4",
        "x: y\n content-length: 4",
        "host: b.test",
    ];
    for fields in table {
        let smuggled = get("/smuggled");
        let bytes = format!("POST /a HTTP/1.1\r\nhost: a.test\r\n{fields}\r\n\r\n0\r\n\r\n{smuggled}");
        let answers = talk(&server, bytes.as_bytes()).await;
        assert_eq!(statuses(&answers), ["400"], "{fields}: {answers}");
    }
}

#[tokio::test]
async fn a_chunk_that_breaks_its_framing_fails_the_body_and_ends_the_connection() {
    let (server, _) = start(settings());
    let head = "POST /a HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n";
    let answers = talk(&server, format!("{head}zz\r\nabc\r\n0\r\n\r\n{}", get("/b")).as_bytes()).await;
    assert_eq!(statuses(&answers), ["400"], "{answers}");
}

#[tokio::test]
async fn a_head_longer_than_allowed_is_431_whether_it_ends_or_not() {
    let (server, _) = start(settings());
    let filler = "x".repeat(17 * 1024);
    for end in ["", "\r\n\r\n"] {
        let answers = talk(&server, format!("GET / HTTP/1.1\r\nhost: a.test\r\nx: {filler}{end}").as_bytes()).await;
        assert_eq!(statuses(&answers), ["431"], "{answers}");
    }
}

#[tokio::test]
async fn a_long_head_within_the_limit_is_served() {
    let (server, _) = start(settings());
    let filler = "x".repeat(15 * 1024);
    let head = format!("GET /a HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\nx: {filler}\r\n\r\n");
    assert_eq!(statuses(&talk(&server, head.as_bytes()).await), ["200"]);
}

#[tokio::test]
async fn after_an_unread_body_the_next_request_is_read_rightly_or_the_connection_closes() {
    let (server, _) = start(settings());
    let body = get("/inside-the-body");
    let post = format!("POST /ignore HTTP/1.1\r\nhost: a.test\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let answers = talk(&server, format!("{post}{}", last_get("/next")).as_bytes()).await;
    assert!(!answers.contains("inside"), "{answers}");
    assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
}

#[tokio::test]
async fn an_early_answer_arrives_although_the_client_is_still_sending() {
    let (server, _) = start(settings());
    let mut stream = connect(&server).await;
    // More than the buffers of both sockets hold.
    let body = vec![0; 24 * 1024 * 1024];
    let head = format!("POST /ignore HTTP/1.1\r\nhost: a.test\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    soon(stream.write_all(&body)).await.expect("no reset while the client sends");
    assert_eq!(statuses(&read_to_end(&mut stream).await), ["200"]);
}

#[tokio::test]
async fn an_answer_that_does_not_wait_for_the_body_says_that_the_connection_closes() {
    let (server, _) = start(settings());
    let mut stream = connect(&server).await;
    stream.write_all(b"POST /ignore HTTP/1.1\r\nhost: a.test\r\ncontent-length: 10\r\n\r\nhello").await.unwrap();
    let answer = read_until(&mut stream, "ignored").await;
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    stream.write_all(format!("world{}", get("/next")).as_bytes()).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn an_answer_that_is_cut_never_looks_whole() {
    let (server, _) = start(settings());
    let answer = talk(&server, get("/cut").as_bytes()).await;
    assert!(answer.ends_with("3\r\nabc\r\n"), "no last chunk: {answer}");
    // HTTP/1.0 knows no chunks: its client reads to the end, which must not be one.
    let mut old = connect(&server).await;
    old.write_all(b"GET /cut HTTP/1.0\r\nhost: a.test\r\n\r\n").await.unwrap();
    let read = soon(old.read_to_end(&mut Vec::new())).await;
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

fn upgrade_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
}

#[tokio::test]
async fn bytes_behind_an_upgrade_belong_to_the_other_protocol_once_it_is_accepted() {
    let (server, _) = start(settings());
    let mut stream = connect(&server).await;
    stream.write_all(format!("{}not\r\n\r\nhttp", upgrade_request("/upgrade")).as_bytes()).await.unwrap();
    let answers = read_until(&mut stream, "not\r\n\r\nhttp").await;
    assert!(answers.starts_with("HTTP/1.1 101"), "{answers}");
    stream.write_all(b" and more").await.unwrap();
    read_until(&mut stream, " and more").await;
}

#[tokio::test]
async fn a_switch_counts_whatever_was_to_become_of_the_connection() {
    let (server, _) = start(settings());
    let mut stream = connect(&server).await;
    let request = upgrade_request("/upgrade").replace("connection: upgrade", "connection: upgrade, close");
    stream.write_all(format!("{request}behind").as_bytes()).await.unwrap();
    assert!(read_until(&mut stream, "behind").await.starts_with("HTTP/1.1 101"));
}

#[tokio::test]
async fn a_request_with_a_body_is_no_request_to_upgrade() {
    let (server, _) = start(settings());
    let request = upgrade_request("/upgrade").replace("upgrade: echo", "upgrade: echo\r\ncontent-length: 3");
    let answers = talk(&server, format!("{request}abc{}", last_get("/next")).as_bytes()).await;
    assert_eq!(statuses(&answers), ["500", "200"], "{answers}");
}

#[tokio::test]
async fn bytes_behind_a_declined_upgrade_are_the_next_request_and_checked_as_such() {
    let (server, signals) = start(settings());
    let mut stream = connect(&server).await;
    let bytes = format!("{}{}bad\r\n\r\n", upgrade_request("/decline"), get("/next"));
    stream.write_all(bytes.as_bytes()).await.unwrap();
    soon(signals.entered.notified()).await;
    signals.release.notify_one();
    let answers = read_to_end(&mut stream).await;
    assert_eq!(statuses(&answers), ["200", "200", "400"], "{answers}");
    assert!(answers.contains("declined") && answers.contains("/next:"), "{answers}");
}

#[tokio::test]
async fn an_upgrade_that_the_request_did_not_ask_for_is_never_answered() {
    let (server, _) = start(settings());
    // `Upgrade` without its name in `Connection` is no request to upgrade (RFC 9110 section 7.8).
    let bytes = format!("GET /upgrade HTTP/1.1\r\nhost: a.test\r\nupgrade: echo\r\n\r\n{}", last_get("/next"));
    assert_eq!(statuses(&talk(&server, bytes.as_bytes()).await), ["500", "200"]);
}

#[tokio::test]
async fn a_panic_in_the_handler_is_500_and_the_connection_goes_on() {
    let (server, _) = start(settings());
    let answers = talk(&server, format!("{}{}", get("/panic"), last_get("/next")).as_bytes()).await;
    assert_eq!(statuses(&answers), ["500", "200"], "{answers}");
}
