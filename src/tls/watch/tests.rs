//! Files change under a running gateway.

use std::os::unix::fs::symlink;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::tls::testing::{curious_client, shake, shown, write_pair};
use crate::tls::{CertificateError, CertificateFiles, MinVersion, Resolver, load, server_config};

fn watch(files: &CertificateFiles) -> Watcher {
    Watcher::new([files.cert.clone(), files.key.clone()])
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_new_clients_and_drops_no_connection() {
    let home = tempfile::tempdir().unwrap();
    let (files, old) = write_pair(home.path(), "site", &["site.example"]);
    let mut watcher = watch(&files);
    let resolver = Resolver::new(load(std::slice::from_ref(&files)).unwrap());
    let server = Arc::new(server_config(Arc::clone(&resolver), MinVersion::Tls12));
    assert_eq!(shown(&server, "site.example").await, old);
    let client = Arc::new(curious_client(rustls::DEFAULT_VERSIONS));
    let mut open = shake(&server, &client, "site.example").await.unwrap();

    let (_, new) = write_pair(home.path(), "site", &["site.example", "second.example"]);
    assert!(watcher.has_changed());
    resolver.replace(load(&[files]).unwrap());
    assert_eq!(shown(&server, "site.example").await, new);
    assert!(resolver.serves("second.example"));
    open.write_u8(1).await.unwrap();
    open.flush().await.unwrap();
    let mut rest = Vec::new();
    open.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [1], "the old connection still carries data");
}

#[test]
fn a_chain_that_comes_before_its_key_is_bad_until_the_key_has_come() {
    let home = tempfile::tempdir().unwrap();
    let (files, _) = write_pair(home.path(), "site", &["old.example"]);
    let mut watcher = watch(&files);
    let (next, _) = write_pair(home.path(), "next", &["new.example"]);
    fs::rename(next.cert, &files.cert).unwrap();
    assert!(watcher.has_changed());
    assert!(matches!(load(std::slice::from_ref(&files)), Err(CertificateError::KeyMismatch { .. })));
    assert!(!watcher.has_changed(), "one fault is reported once");
    fs::rename(next.key, &files.key).unwrap();
    assert!(watcher.has_changed());
    assert!(load(&[files]).unwrap().covers("new.example"));
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
