//! `[mail]`: what it needs, what it refuses, and that its server's password is never shown.

use super::{accept, refuse};
use crate::mail::Security;

const PUBLIC_URL: &str = "[server]\npublic_url = \"https://app.example.com\"\n";
const FROM: &str = "from = \"Gate <gate@example.com>\"\n";

#[test]
fn a_server_a_sender_and_a_public_url_are_all_that_mail_needs() {
    let settings = accept(&format!("{PUBLIC_URL}[mail]\n{FROM}smtp = \"smtps://u:p@mail.example.com\""));
    let server = settings.mail.smtp.expect("a server");
    assert_eq!((server.security, server.port), (Security::Wrapped, 465));
    assert_eq!(settings.warnings, Vec::<String>::new());
    assert!(accept("[mail]\nsmtp = \"\"").mail.smtp.is_none());
}

#[test]
fn what_mail_lacks_is_told_with_the_way_out() {
    let problems = refuse("[mail]\nsmtp = \"smtps://mail.example.com\"");
    let text = problems.iter().map(ToString::to_string).collect::<String>();
    assert_eq!(problems.len(), 2, "{text}");
    assert!(text.contains("add from = ") && text.contains("set server.public_url = "), "{text}");
    let problems = refuse(&format!("{PUBLIC_URL}[mail]\nsmtp = \"smtps://mail.example.com\"\nfrom = \"nobody\""));
    assert_eq!(problems.len(), 1, "{problems:#?}");
}

#[test]
fn links_are_paths_of_the_public_url_with_one_token() {
    for wrong in ["https://evil.example/{token}", "/reset", "//evil.example/{token}", "/a{token}{token}"] {
        let problems = refuse(&format!("[mail]\nreset_link = \"{wrong}\""));
        assert_eq!(problems.len(), 1, "{wrong}: {problems:#?}");
    }
    for (key, value) in [("reset_ttl", "25h"), ("reset_ttl", "0s"), ("verify_ttl", "31d")] {
        assert_eq!(refuse(&format!("[mail]\n{key} = \"{value}\"")).len(), 1, "{key} {value}");
    }
}

#[test]
fn clear_text_to_another_machine_is_warned_of() {
    let warnings = |smtp: &str| accept(&format!("{PUBLIC_URL}[mail]\n{FROM}smtp = \"{smtp}\"")).warnings;
    assert!(warnings("smtp://mail.example.com")[0].contains("in clear text"));
    assert_eq!(warnings("smtp://127.0.0.1:25"), Vec::<String>::new());
    assert_eq!(warnings("smtp://mail.example.com?tls=required"), Vec::<String>::new());
}

#[test]
fn no_problem_shows_the_servers_password() {
    for wrong in [
        "http://u:hunter2@mail.example.com",
        "smtps:/u:hunter2#mail",
        "u:hunter2",
        "smtps://u:hunter2@",
        "smtp://u:hunter2@a?tls=no",
    ] {
        for key in ["smtp", "stmp", "smpt"] {
            for problem in refuse(&format!("{PUBLIC_URL}[mail]\n{FROM}{key} = \"{wrong}\"")) {
                assert!(!format!("{problem}{problem:?}").contains("hunter2"), "{key} {wrong}\n{problem}");
            }
        }
    }
    let settings = accept(&format!("{PUBLIC_URL}[mail]\n{FROM}smtp = \"smtps://u:hunter2@mail.example.com\""));
    assert!(!format!("{settings:?}").contains("hunter2"));
}
