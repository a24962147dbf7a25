//! Which certificate is shown to whom, and what is said of files that hold none.

use std::fs;

use super::*;
use crate::tls::testing::{shown, write_pair};
use crate::tls::{MinVersion, server_config};

fn certificate(folder: &std::path::Path, names: &[&str]) -> Certificate {
    Certificate::read(&write_pair(folder, names[0], names).0).unwrap()
}

#[tokio::test]
async fn a_client_is_shown_the_certificate_of_the_name_it_asks_for() {
    let home = tempfile::tempdir().unwrap();
    let (fallback, fallback_der) = write_pair(home.path(), "fallback", &["fallback.example"]);
    let (wild, wild_der) = write_pair(home.path(), "wild", &["*.example.com"]);
    let (exact, exact_der) = write_pair(home.path(), "exact", &["app.example.com", "example.com"]);
    let table = CertificateTable::read(&[fallback, wild, exact]).unwrap();
    let resolver = Arc::new(Resolver::new(Live::new(table)));
    let server = Arc::new(server_config(resolver, MinVersion::Tls12).unwrap());

    let expected = [
        ("app.example.com", &exact_der),
        ("APP.Example.COM", &exact_der),
        ("example.com", &exact_der),
        ("other.example.com", &wild_der),
        ("deep.other.example.com", &fallback_der),
        ("fallback.example", &fallback_der),
        ("stranger.test", &fallback_der),
        ("192.0.2.1", &fallback_der),
    ];
    for (name, der) in expected {
        assert_eq!(&shown(&server, name).await, der, "{name}");
    }
}

#[test]
fn of_two_certificates_for_one_name_the_first_is_shown() {
    let home = tempfile::tempdir().unwrap();
    let first = certificate(home.path(), &["same.example"]);
    let second = certificate(home.path(), &["same.example"]);
    let key = Arc::clone(&first.key);
    let table = CertificateTable::new(vec![first, second]).unwrap();
    assert!(Arc::ptr_eq(&table.choose(Some("same.example")), &key));
}

#[test]
fn a_wildcard_covers_one_label_and_not_its_parent() {
    let home = tempfile::tempdir().unwrap();
    let table = CertificateTable::new(vec![certificate(home.path(), &["*.example.com"])]).unwrap();
    assert!(table.covers("a.example.com"));
    for host in ["example.com", "a.b.example.com", "aexample.com", ".com", "com", "*"] {
        assert!(!table.covers(host), "{host}");
    }
    assert_eq!(table.names().collect::<Vec<_>>(), ["*.example.com"]);
}

#[test]
fn no_table_is_empty() {
    assert!(matches!(CertificateTable::read(&[]), Err(TlsError::NothingConfigured)));
}

#[test]
fn the_key_of_another_certificate_is_refused_and_both_files_are_named() {
    let home = tempfile::tempdir().unwrap();
    let (one, _) = write_pair(home.path(), "one", &["one.example"]);
    let (two, _) = write_pair(home.path(), "two", &["two.example"]);
    let error = Certificate::read(&CertificateFiles { cert: one.cert, key: two.key }).unwrap_err();
    assert!(matches!(error, TlsError::KeyMismatch { .. }), "{error}");
    assert!(error.to_string().contains("one.pem") && error.to_string().contains("two.key"), "{error}");
}

#[test]
fn a_chain_is_read_whole_and_in_order() {
    let home = tempfile::tempdir().unwrap();
    let (files, leaf) = write_pair(home.path(), "leaf", &["leaf.example"]);
    let (issuer, issuer_der) = write_pair(home.path(), "issuer", &["issuer.example"]);
    let both = fs::read_to_string(&files.cert).unwrap() + &fs::read_to_string(&issuer.cert).unwrap();
    fs::write(&files.cert, both).unwrap();
    let certificate = Certificate::read(&files).unwrap();
    assert_eq!(certificate.key.cert, [leaf, issuer_der]);
    assert_eq!(certificate.names, ["leaf.example"]);
}

#[test]
fn what_is_wrong_with_a_file_is_said_without_repeating_it() {
    let home = tempfile::tempdir().unwrap();
    let (good, _) = write_pair(home.path(), "good", &["good.example"]);
    let key = fs::read_to_string(&good.key).unwrap();
    let cut_off = key.lines().take(2).collect::<Vec<_>>().join("\n");
    let garbled = key.replace('M', "!");
    let cert = fs::read_to_string(&good.cert).unwrap();
    let cases = [
        (cert.as_str(), "", "holds no private key"),
        (cert.as_str(), cert.as_str(), "holds no private key"),
        (cert.as_str(), cut_off.as_str(), "without its END line"),
        (cert.as_str(), garbled.as_str(), "not base64"),
        (key.as_str(), key.as_str(), "holds no certificate"),
        ("", key.as_str(), "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key.as_str(), "invalid"),
        (cert.as_str(), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "can't be used"),
    ];
    let secret = key.lines().nth(1).unwrap();
    for (cert, key, expected) in cases {
        fs::write(&good.cert, cert).unwrap();
        fs::write(&good.key, key).unwrap();
        let text = Certificate::read(&good).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("good.pem") || text.contains("good.key"), "{text}");
        assert!(!text.contains(&secret[..16]), "{text}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let files = CertificateFiles { cert: "/nonexistent/chain.pem".into(), key: "/nonexistent/key.pem".into() };
    assert!(Certificate::read(&files).unwrap_err().to_string().starts_with("/nonexistent/chain.pem: "));
}
