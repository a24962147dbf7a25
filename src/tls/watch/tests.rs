//! Files change under a running gateway.

use std::os::unix::fs::symlink;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::tls::testing::{curious_client, shake, shown, write_pair};
use crate::tls::{MinVersion, server_config};

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_new_clients_and_drops_no_connection() {
    let home = tempfile::tempdir().unwrap();
    let (files, old) = write_pair(home.path(), "site", &["site.example"]);
    let mut watch = CertificateWatch::open(vec![files]).unwrap();
    let server = Arc::new(server_config(watch.resolver(), MinVersion::Tls12).unwrap());
    assert_eq!(watch.poll().unwrap(), Reload::Unchanged);
    assert_eq!(shown(&server, "site.example").await, old);
    let client = Arc::new(curious_client(rustls::DEFAULT_VERSIONS));
    let mut open = shake(&server, &client, "site.example").await.unwrap();

    let (_, new) = write_pair(home.path(), "site", &["site.example", "second.example"]);
    assert_eq!(watch.poll().unwrap(), Reload::Replaced);
    assert_eq!(watch.poll().unwrap(), Reload::Unchanged);
    assert_eq!(shown(&server, "site.example").await, new);
    assert!(watch.table().current().covers("second.example"));
    open.write_u8(1).await.unwrap();
    open.flush().await.unwrap();
    let mut rest = Vec::new();
    open.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [1], "the old connection still carries data");
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_certificate_and_is_read_again_when_it_changes() {
    let home = tempfile::tempdir().unwrap();
    let (files, old) = write_pair(home.path(), "site", &["site.example"]);
    let mut watch = CertificateWatch::open(vec![files.clone()]).unwrap();
    let server = Arc::new(server_config(watch.resolver(), MinVersion::Tls12).unwrap());

    let (other, new) = write_pair(home.path(), "other", &["site.example"]);
    fs::rename(other.cert, &files.cert).unwrap();
    assert!(matches!(watch.poll(), Err(TlsError::KeyMismatch { .. })));
    assert_eq!(watch.poll().unwrap(), Reload::Unchanged, "one fault is reported once");
    assert_eq!(shown(&server, "site.example").await, old);
    fs::rename(other.key, &files.key).unwrap();
    assert_eq!(watch.poll().unwrap(), Reload::Replaced);
    assert_eq!(shown(&server, "site.example").await, new);
}

#[test]
fn a_watcher_sees_writing_removing_making_and_relinking() {
    let home = tempfile::tempdir().unwrap();
    let (file, link) = (home.path().join("file"), home.path().join("link"));
    fs::write(&file, "one").unwrap();
    let other = home.path().join("other");
    fs::write(&other, "two").unwrap();
    symlink(&file, &link).unwrap();
    let mut watcher = Watcher::new([link.clone()]);
    assert!(!watcher.has_changed());
    let steps: [(&str, &dyn Fn()); 4] = [
        ("written", &|| fs::write(&file, "longer").unwrap()),
        ("relinked", &|| {
            fs::remove_file(&link).unwrap();
            symlink(&other, &link).unwrap();
        }),
        ("removed", &|| fs::remove_file(&other).unwrap()),
        ("made", &|| fs::write(&other, "two").unwrap()),
    ];
    for (step, change) in steps {
        change();
        assert!(watcher.has_changed(), "{step}");
        assert!(!watcher.has_changed(), "{step}, told once");
    }
}

#[test]
fn files_that_are_bad_from_the_start_open_nothing() {
    let home = tempfile::tempdir().unwrap();
    let missing = CertificateFiles { cert: home.path().join("no.pem"), key: home.path().join("no.key") };
    assert!(matches!(CertificateWatch::open(vec![missing]), Err(TlsError::Unreadable { .. })));
}
