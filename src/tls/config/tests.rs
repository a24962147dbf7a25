//! Real handshakes: what is agreed on, and what is refused.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, DEFAULT_VERSIONS, HandshakeKind, ProtocolVersion};

use super::*;
use crate::clock::Clock;
use crate::live::Live;
use crate::tls::testing::{curious_client, shake};
use crate::tls::{CertificateTable, SelfSigned};

/// Returns a server for this machine, and its certificate as a client would be told to trust it.
fn server(min_version: MinVersion) -> (Arc<ServerConfig>, String) {
    let made = SelfSigned::new(&[], Clock::system().now()).unwrap();
    let resolver = Resolver::new(Live::new(CertificateTable::new(vec![made.certificate]).unwrap()));
    (Arc::new(server_config(Arc::new(resolver), min_version).unwrap()), made.pem)
}

#[tokio::test]
async fn http2_is_agreed_on_before_http1() {
    let (server, _) = server(MinVersion::Tls12);
    for (offered, agreed) in [(vec!["http/1.1", "h2"], "h2"), (vec!["http/1.1"], "http/1.1")] {
        let mut client = curious_client(DEFAULT_VERSIONS);
        client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = shake(&server, &Arc::new(client), "localhost").await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(agreed.as_bytes()));
    }
}

#[tokio::test]
async fn an_older_version_than_the_oldest_wanted_is_refused() {
    let old = Arc::new(curious_client(&[&version::TLS12]));
    let (both, _) = server(MinVersion::Tls12);
    let stream = shake(&both, &old, "localhost").await.unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let (newest, _) = server(MinVersion::Tls13);
    assert!(shake(&newest, &old, "localhost").await.is_err());
    let new = Arc::new(curious_client(&[&version::TLS13]));
    assert!(shake(&newest, &new, "localhost").await.is_ok());
}

#[tokio::test]
async fn a_returning_client_resumes_its_session_and_may_send_no_early_data() {
    let (server, _) = server(MinVersion::Tls12);
    for versions in [[&version::TLS13], [&version::TLS12]] {
        let mut client = curious_client(&versions);
        client.enable_early_data = true;
        let client = Arc::new(client);
        let first = shake(&server, &client, "localhost").await.unwrap();
        assert_ne!(first.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
        let second = shake(&server, &client, "localhost").await.unwrap();
        assert_eq!(second.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed), "{versions:?}");
        let mut third = ClientConnection::new(client, ServerName::try_from("localhost").unwrap()).unwrap();
        assert!(third.early_data().is_none(), "the ticket allows early data");
    }
}

#[tokio::test]
async fn who_trusts_the_self_signed_certificate_reaches_this_machine_by_its_names_and_no_other() {
    let (server, pem) = server(MinVersion::Tls12);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let client = client_config_with(roots).unwrap();
    for name in ["localhost", "127.0.0.1", "::1"] {
        let stream = shake(&server, &client, name).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]), "{name}");
    }
    assert!(shake(&server, &client, "other.example").await.is_err());
}

#[tokio::test]
async fn a_certificate_that_no_root_vouches_for_is_refused() {
    let (server, _) = server(MinVersion::Tls12);
    assert!(shake(&server, &client_config().unwrap(), "localhost").await.is_err());
}

#[test]
fn every_suite_is_ephemeral_and_authenticated() {
    let names: Vec<String> = provider().cipher_suites.iter().map(|suite| format!("{:?}", suite.suite())).collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let ephemeral = name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_");
        let authenticated = name.contains("_GCM_") || name.contains("_POLY1305_");
        assert!(ephemeral && authenticated, "{name}");
    }
}
