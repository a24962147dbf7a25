//! Passwords from people and scripts: asked for twice without an echo, or the first line of stdin. Never from an argument,
//! which every process on the machine can read.

use std::io::{self, BufRead};

use zeroize::Zeroizing;

use super::command::PasswordArgs;
use super::failure::{Failure, Result};
use crate::secret::Secret;

/// Longer than any password that the rules can allow.
const LONGEST_LINE: u64 = 16 * 1024;

/// Returns the new password of `name`.
pub fn read_new(arguments: PasswordArgs, name: &str) -> Result<Secret<String>> {
    if arguments.password_stdin {
        return read_line(io::stdin().lock());
    }
    let first = ask(&format!("New password for {name}: "))?;
    let second = ask("The same again: ")?;
    if !crate::secret::equal(first.expose().as_bytes(), second.expose().as_bytes()) {
        return Err(Failure::other("the passwords differ; nothing was changed"));
    }
    Ok(first)
}

/// Returns the first line of stdin: a secret that is no password.
pub fn read_first_line() -> Result<Secret<String>> {
    read_line(io::stdin().lock())
}

fn ask(prompt: &str) -> Result<Secret<String>> {
    rpassword::prompt_password(prompt).map(Secret::new).map_err(|_| {
        Failure::usage("there is no terminal to ask for a password; give it on stdin with --password-stdin")
    })
}

/// Returns the first line without its end; other white space belongs to the password.
fn read_line(input: impl BufRead) -> Result<Secret<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    input.take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Err(Failure::usage("stdin holds no password in its first line"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::usage("the password on stdin is not UTF-8"))?;
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(input: &str) -> Option<String> {
        read_line(input.as_bytes()).ok().map(|password| password.expose().clone())
    }

    #[test]
    fn the_password_is_the_first_line_without_its_end() {
        assert_eq!(line_of("hunter2 is weak\nsecond line\n").as_deref(), Some("hunter2 is weak"));
        assert_eq!(line_of("typed on windows\r\n").as_deref(), Some("typed on windows"));
        assert_eq!(line_of("no end").as_deref(), Some("no end"));
    }

    #[test]
    fn white_space_belongs_to_the_password() {
        assert_eq!(line_of("  padded\t \n").as_deref(), Some("  padded\t "));
    }

    #[test]
    fn an_empty_line_is_no_password() {
        assert_eq!(line_of(""), None);
        assert_eq!(line_of("\nsecond\n"), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(read_line(&b"\xff\xfe\n"[..]).unwrap_err().code, 64);
    }
}
