//! What is made from the definitions of the commands: help, completions, the manual.

use std::process::Command;

use crate::harness::command::run_in;

#[test]
fn completions_are_scripts_that_their_shell_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for shell in ["bash", "zsh", "fish"] {
        let script = run_in(folder.path(), &["completions", shell], "").ok();
        assert!(script.contains("vestibule") && script.contains("healthcheck"), "{shell}");
        let path = folder.path().join(shell);
        std::fs::write(&path, script).unwrap();
        if let Ok(output) = Command::new(shell).arg("-n").arg(&path).output() {
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
            tried += 1;
        }
    }
    assert!(tried >= 1, "bash is always there");
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let manual = run_in(folder.path(), &["man"], "").ok();
    for page in ["VESTIBULE", "VESTIBULE-SERVE", "VESTIBULE-USER-ADD", "VESTIBULE-TOKEN-ISSUE"] {
        let is_there =
            manual.lines().any(|line| line.starts_with(".TH") && line.to_uppercase().contains(&format!("{page} ")));
        assert!(is_there, "no page {page}");
    }
}

#[test]
fn help_and_version_are_there_and_nonsense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["serve", "--help"], &["user", "add", "--help"]] {
        let help = run_in(folder.path(), arguments, "").ok();
        assert!(help.contains("Usage:"), "{help}");
    }
    assert_eq!(run_in(folder.path(), &["--version"], "").ok().trim(), concat!("vestibule ", env!("CARGO_PKG_VERSION")));
    for arguments in [&["nonsense"][..], &["serve", "--nonsense"], &[]] {
        let done = run_in(folder.path(), arguments, "");
        assert_ne!(done.code, 0);
        assert!(!done.stderr.is_empty());
    }
}
