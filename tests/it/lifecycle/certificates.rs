//! Certificates: chosen by name, renewed without a dropped connection.

use crate::harness::gateway::NAMES;
use crate::harness::{Authority, Gateway, HOST, Raw, Upstream, eventually_within, serve};

#[tokio::test]
async fn replaced_files_are_shown_to_new_connections_and_old_ones_live_on() {
    let (gateway, _upstream) = serve("").await;
    let mut before = Raw::tls(&gateway).await;
    assert_eq!(before.certificate(), gateway.certificate);
    let (_, renewed) = Authority::shared().issue(gateway.folder.path(), "gateway", &NAMES);
    eventually_within(crate::harness::PATIENCE, "the new certificate is shown", || async {
        Raw::tls(&gateway).await.certificate() == renewed
    })
    .await;
    assert_eq!(before.ask("GET / HTTP/1.1\nHost: gateway.test\n\n").await.status, 200);
}

#[tokio::test]
async fn broken_files_leave_the_old_certificate_in_use() {
    let (gateway, _upstream) = serve("").await;
    std::fs::write(&gateway.certificate_files().cert, "no certificate").unwrap();
    gateway.stderr().line("the refusal", |line| line.contains("refused")).await;
    assert_eq!(Raw::tls(&gateway).await.certificate(), gateway.certificate);
}

#[tokio::test]
async fn the_certificate_is_the_one_for_the_name_that_the_client_asks_for() {
    let upstream = Upstream::start().await;
    let folder = tempfile::tempdir().unwrap();
    let issue = |stem: &str, names: &[&str]| Authority::shared().issue(folder.path(), stem, names);
    let (first, first_shown) = issue("first", &[HOST]);
    let (second, second_shown) = issue("second", &["*.example.com"]);
    let (third, third_shown) = issue("third", &["app.example.com"]);
    let certificate = |files: &crate::harness::authority::Files| {
        format!("[[tls.certificate]]\ncert = \"{}\"\nkey = \"{}\"\n", files.cert.display(), files.key.display())
    };
    let gateway = Gateway::start(&format!(
        "[tls]\nmode = \"files\"\n{}{}{}[[route]]\npath = \"/\"\nupstream = \"{}\"",
        certificate(&first),
        certificate(&second),
        certificate(&third),
        upstream.url()
    ))
    .await;
    for (name, expected) in [
        (HOST, &first_shown),
        ("x.example.com", &second_shown),
        ("app.example.com", &third_shown),
        ("X.Example.COM", &second_shown),
    ] {
        let shown = Raw::tls_with(&gateway, name, &[b"http/1.1"]).await.unwrap().certificate();
        assert_eq!(shown, *expected, "{name}");
    }
}

#[tokio::test]
async fn alpn_decides_the_protocol_and_none_is_http1() {
    let (gateway, _upstream) = serve("").await;
    for (offered, expected) in
        [(&[&b"h2"[..], b"http/1.1"][..], Some(&b"h2"[..])), (&[b"http/1.1"], Some(b"http/1.1")), (&[], None)]
    {
        let raw = Raw::tls_with(&gateway, HOST, offered).await.unwrap();
        let crate::harness::raw::Stream::Tls(stream) = &raw.stream else { panic!("not TLS") };
        assert_eq!(stream.get_ref().1.alpn_protocol(), expected);
    }
    let mut raw = Raw::tls_with(&gateway, HOST, &[]).await.unwrap();
    assert_eq!(raw.ask("GET / HTTP/1.1\nHost: gateway.test\n\n").await.status, 200);
    let unknown = Raw::tls_with(&gateway, HOST, &[b"spdy/3"]).await;
    assert!(unknown.is_err(), "RFC 7301 section 3.2: nothing in common is a fatal alert");
}
