//! Bodies, their absence, and what stands behind them.

use http_body_util::BodyExt as _;
use reqwest::{Method, StatusCode};
use tokio::io::AsyncWriteExt as _;

use crate::harness::clients::{BOTH, h1};
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::upstream_answers::Sum;
use crate::harness::{Gateway, HOST, Raw, serve};

#[tokio::test]
async fn head_has_the_length_of_get_and_no_body() {
    let (gateway, upstream) = serve("").await;
    for protocol in BOTH {
        let answer = protocol.client().head(gateway.url("/big?bytes=0")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.bytes().await.unwrap().is_empty());
        let answer = protocol.client().head(gateway.url("/plain")).send().await.unwrap();
        let length: u64 = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        assert!(length > 0, "the length that GET would have");
        assert_eq!(upstream.last_request().method, "HEAD");
    }
    let mut raw = Raw::tls(&gateway).await;
    raw.send(b"HEAD /plain HTTP/1.1\r\nHost: gateway.test\r\n\r\n").await;
    assert_eq!(raw.head().await.unwrap().status, 200);
    // If a body had followed, this would not be a head.
    assert_eq!(raw.ask("GET / HTTP/1.1\nHost: gateway.test\n\n").await.status, 200);
}

#[tokio::test]
async fn a_refusal_of_head_has_no_body_either() {
    let (gateway, _upstream) = serve("").await;
    for path in ["/private", "/a%2fb", "/auth/me", "/auth/none"] {
        for protocol in BOTH {
            let url = gateway.url(path);
            let head = protocol.client().head(&url).send().await.unwrap();
            assert!(head.status().is_client_error(), "{path}");
            let length: usize = head.headers()["content-length"].to_str().unwrap().parse().unwrap();
            // A client of HTTP/2 must refuse an answer to HEAD that has a body (RFC 9113 section 8.1.1).
            assert!(head.bytes().await.unwrap().is_empty(), "{path} over {protocol:?}");
            let whole = protocol.client().get(&url).send().await.unwrap().bytes().await.unwrap();
            assert_eq!(length, whole.len(), "{path} over {protocol:?}");
        }
    }
}

#[tokio::test]
async fn answers_that_have_no_body_have_no_framing_either_and_the_connection_goes_on() {
    let (gateway, _upstream) = serve("").await;
    let mut raw = Raw::tls(&gateway).await;
    for status in [204, 304] {
        let answer = raw.ask(&format!("GET /status/{status} HTTP/1.1\nHost: gateway.test\n\n")).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("transfer-encoding"), None, "{}", answer.head);
        assert!(answer.header("content-length").is_none_or(|length| status == 304 && length == "0"), "{}", answer.head);
    }
    for status in [201, 302, 404, 418, 500, 503] {
        let answer = raw.ask(&format!("GET /status/{status} HTTP/1.1\nHost: gateway.test\n\n")).await;
        assert_eq!((answer.status, answer.body.len()), (status, 0), "the app's own status passes");
    }
}

#[tokio::test]
async fn the_length_that_an_app_gives_an_answer_of_status_204_goes_no_further() {
    let app = Scripted::start(|_, mut stream| async move {
        while !read_head(&mut stream).await.is_empty() {
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n").await;
        }
    })
    .await;
    let gateway =
        Gateway::start(&format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"", app.url())).await;
    for protocol in BOTH {
        for method in [Method::GET, Method::HEAD] {
            let answer = protocol.client().request(method.clone(), gateway.url("/")).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NO_CONTENT);
            // RFC 9110 section 8.6.
            assert_eq!(answer.headers().get("content-length"), None, "{method} over {protocol:?}");
        }
    }
}

#[tokio::test]
async fn every_method_and_body_reaches_the_app_as_it_was() {
    let (gateway, upstream) = serve("").await;
    for protocol in BOTH {
        let client = protocol.client();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = client.request(method.clone(), gateway.url("/")).body("some bytes").send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{method}");
            let seen = upstream.last_request();
            assert_eq!((seen.method.as_str(), seen.body_length), (method.as_str(), 10));
            let mut sum = Sum::default();
            sum.add(b"some bytes");
            assert_eq!(seen.body_sha256, sum.hex());
        }
    }
}

#[tokio::test]
async fn repeated_headers_stay_apart_and_cookies_of_http2_are_joined() {
    let (gateway, upstream) = serve("").await;
    let answer = h1().get(gateway.url("/set?set-cookie=a%3d1&set-cookie=b%3d2")).send().await.unwrap();
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
    h1().get(gateway.url("/")).header("accept", "a").header("accept", "b").send().await.unwrap();
    assert_eq!(upstream.last_request().all("accept"), ["a", "b"]);
    BOTH[1].client().get(gateway.url("/")).header("cookie", "a=1").header("cookie", "b=2").send().await.unwrap();
    assert_eq!(upstream.last_request().header("cookie"), Some("a=1; b=2"), "RFC 9113 section 8.2.3");
}

#[tokio::test]
async fn trailers_of_a_response_get_through_and_forged_identity_in_them_does_not() {
    let (gateway, _upstream) = serve("").await;
    let mut raw = Raw::tls(&gateway).await;
    let answer = raw.ask("GET /trailers HTTP/1.1\nHost: gateway.test\nTE: trailers\nConnection: TE\n\n").await;
    assert_eq!(answer.text(), "body");
    assert_eq!(answer.trailers.first(), Some(&("x-checksum".to_owned(), "c0ffee".to_owned())));

    let trailers = over_h2(&gateway, "/trailers", None).await;
    assert_eq!(trailers["x-checksum"], "c0ffee");
}

#[tokio::test]
async fn trailers_of_a_request_get_through_and_identity_in_them_does_not() {
    let (gateway, upstream) = serve("").await;
    let mut raw = Raw::tls(&gateway).await;
    let request = "POST /x HTTP/1.1\nHost: gateway.test\nTransfer-Encoding: chunked\nTrailer: X-Sum, X-User-Id\n\n\
                   4\nbody\n0\nX-Sum: 1\nX-User-Id: forged\nX_Sum: 2\n\n";
    assert_eq!(raw.ask(request).await.status, 200);
    let seen = upstream.only_request();
    assert_eq!(seen.body_length, 4);
    assert_eq!(seen.trailers, [("x-sum".to_owned(), "1".to_owned())]);

    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "3".parse().unwrap());
    trailers.insert("x-user-roles", "root".parse().unwrap());
    over_h2(&gateway, "/x", Some(trailers.clone())).await;
    let seen = upstream.last_request();
    assert_eq!(seen.body_length, 4, "a body without a declared length");
    assert_eq!(seen.trailers, [("x-sum".to_owned(), "3".to_owned())], "{seen:?}");
    // Over HTTP/2 they may follow a body of declared length too.
    for name in ["x-user-roles", "x-api-key", "authorization"] {
        trailers.insert(name, "root".parse().unwrap());
    }
    over_h2_with(&gateway, "/x", &[("content-length", "4"), ("trailer", "x-sum")], Some(trailers)).await;
    let seen = upstream.last_request();
    assert_eq!((seen.body_length, &seen.trailers[..]), (4, &[("x-sum".to_owned(), "3".to_owned())][..]), "{seen:?}");
}

#[tokio::test]
async fn a_get_whose_body_has_no_declared_length_brings_it_to_the_app() {
    let (gateway, upstream) = serve("").await;
    let mut raw = Raw::tls(&gateway).await;
    let request = "GET /x HTTP/1.1\nHost: gateway.test\nTransfer-Encoding: chunked\n\n4\nbody\n0\n\n";
    assert_eq!(raw.ask(request).await.status, 200);
    assert_eq!(upstream.only_request().body_length, 4);
}

/// Sends a POST with a body and `trailers` over HTTP/2; returns the response's trailers.
async fn over_h2(gateway: &Gateway, path: &str, trailers: Option<http::HeaderMap>) -> http::HeaderMap {
    over_h2_with(gateway, path, &[], trailers).await
}

async fn over_h2_with(
    gateway: &Gateway,
    path: &str,
    fields: &[(&str, &str)],
    trailers: Option<http::HeaderMap>,
) -> http::HeaderMap {
    use http_body_util::StreamBody;
    use hyper::body::{Bytes, Frame};
    let stream = Raw::tls_with(gateway, HOST, &[b"h2"]).await.unwrap().stream;
    let executor = hyper_util::rt::TokioExecutor::new();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let mut frames = vec![Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(b"body")))];
    frames.extend(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
    let mut request = http::Request::post(gateway.url(path)).header("te", "trailers");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(StreamBody::new(futures_util::stream::iter(frames))).unwrap();
    let response = crate::harness::soon("a response", sender.send_request(request)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let collected = crate::harness::soon("a body", response.into_body().collect()).await.unwrap();
    collected.trailers().cloned().unwrap_or_default()
}

#[tokio::test]
async fn an_app_that_answers_early_is_heard_while_the_upload_still_runs() {
    let (gateway, _upstream) = serve("").await;
    let mut raw = Raw::tls(&gateway).await;
    raw.send(b"POST /early HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 100000000\r\n\r\nbeginning").await;
    let answer = raw.response().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "early"));
}

#[tokio::test]
async fn responses_that_only_announce_another_are_passed_over_and_the_connection_goes_on() {
    let app = Scripted::start(|_, mut stream| async move {
        while read_head(&mut stream).await.starts_with("GET") {
            for part in [
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n",
                "\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
                "llo",
            ] {
                stream.write_all(part.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let gateway =
        Gateway::start(&format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"", app.url())).await;
    for protocol in BOTH {
        for _ in 0..2 {
            let answer = protocol.client().get(gateway.url("/")).send().await.unwrap();
            assert_eq!((answer.status(), answer.headers().get("link")), (StatusCode::OK, None));
            assert_eq!(answer.text().await.unwrap(), "hello");
        }
    }
    assert!(app.connections() <= 2, "one for each worker at most: {}", app.connections());
}

#[tokio::test]
async fn a_post_without_a_body_says_so_to_the_app() {
    let (gateway, upstream) = serve("").await;
    for protocol in BOTH {
        protocol.client().post(gateway.url("/")).send().await.unwrap();
        assert_eq!(upstream.last_request().header("content-length"), Some("0"), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_request_of_http_1_0_is_answered_in_its_own_way_and_the_app_sees_http_1_1() {
    let (gateway, upstream) = serve("").await;
    let mut raw = Raw::tls(&gateway).await;
    raw.send(b"GET /big?bytes=100000 HTTP/1.0\r\nHost: gateway.test\r\n\r\n").await;
    let head = raw.head().await.unwrap();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None), "HTTP/1.0 knows no chunks");
    assert_eq!(raw.with_body(head).await.body.len(), 100_000);
    let line = String::from_utf8_lossy(&upstream.bytes()).lines().next().unwrap().to_owned();
    assert_eq!(line, "GET /big?bytes=100000 HTTP/1.1");
}
