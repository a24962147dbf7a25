//! Which passwords are accepted: length in characters after NFC, not a common one, not the user's own names.
//! Judges only passwords that are being set; one that is already in use signs in whatever the rules say today.

use std::collections::HashSet;
use std::sync::LazyLock;

use zeroize::Zeroizing;

use crate::identity::text::{caseless, nfc};
use crate::secret::Secret;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub min_length: usize,
    pub max_length: usize,
    /// Whether the common list and the user's own names are refused.
    pub deny_common: bool,
}

/// Why a password is refused: stable code and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    #[error("the password has fewer than {0} characters")]
    TooShort(usize),
    #[error("the password has more than {0} characters")]
    TooLong(usize),
    #[error("the password is one of the most common ones")]
    TooCommon,
    #[error("the password is the user's own name or e-mail")]
    OwnName,
}

impl Weakness {
    /// Returns `password_too_short`, `password_too_long`, `password_too_common` or `password_is_own_name`.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort(_) => "password_too_short",
            Self::TooLong(_) => "password_too_long",
            Self::TooCommon => "password_too_common",
            Self::OwnName => "password_is_own_name",
        }
    }
}

/// What breaches have shown people to choose most, and the systematic families around it, of 8 characters and more.
static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| include_str!("common.txt").lines().collect());

impl Rules {
    /// Returns `Ok` if the password is acceptable; `own` are the user's e-mail, user name and names.
    pub fn judge(&self, password: &Secret<String>, own: &[&str]) -> Result<(), Weakness> {
        // Seen before anything is normalised: NFC composes four characters of four bytes into one at the most.
        if password.expose().len() / 16 > self.max_length {
            return Err(Weakness::TooLong(self.max_length));
        }
        let length = Zeroizing::new(nfc(password.expose())).chars().count();
        if length < self.min_length {
            return Err(Weakness::TooShort(self.min_length));
        }
        if length > self.max_length {
            return Err(Weakness::TooLong(self.max_length));
        }
        if !self.deny_common {
            return Ok(());
        }
        let folded = Zeroizing::new(caseless(password.expose()));
        if COMMON.contains(folded.as_str()) {
            return Err(Weakness::TooCommon);
        }
        let is_own = own.iter().flat_map(|name| [Some(*name), local_part(name)]).flatten();
        if is_own.map(|name| caseless(name.trim())).any(|name| name == *folded) {
            return Err(Weakness::OwnName);
        }
        Ok(())
    }
}

fn local_part(email: &str) -> Option<&str> {
    email.split_once('@').map(|(local, _)| local)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { min_length: 8, max_length: 256, deny_common: true };

    fn judge(password: &str, own: &[&str]) -> Result<(), Weakness> {
        RULES.judge(&Secret::new(password.to_owned()), own)
    }

    #[test]
    fn length_is_counted_in_characters_after_nfc() {
        assert_eq!(judge("kq7-zp1", &[]), Err(Weakness::TooShort(8)));
        assert_eq!(judge("kq7-zp1x", &[]), Ok(()));
        assert_eq!(judge(&"e\u{301}".repeat(7), &[]), Err(Weakness::TooShort(8)));
        assert_eq!(judge(&"名".repeat(8), &[]), Ok(()));
        assert_eq!(judge(&"e\u{301}".repeat(256), &[]), Ok(()));
        assert_eq!(judge(&"x".repeat(257), &[]), Err(Weakness::TooLong(256)));
        assert_eq!(judge(&"x".repeat(1_000_000), &[]), Err(Weakness::TooLong(256)));
    }

    #[test]
    fn common_passwords_are_refused_in_every_case_and_width() {
        let common = [
            "password",
            "Password1",
            "PASSWORD123",
            "12345678",
            "123456789",
            "qwertyuiop",
            "iloveyou",
            "sunshine1",
            "letmein1",
            "ｐａｓｓｗｏｒｄ",
            "aaaaaaaa",
            "1q2w3e4r",
            "p@ssw0rd",
            "admin123",
            "trustno1",
            "football",
        ];
        for password in common {
            assert_eq!(judge(password, &[]), Err(Weakness::TooCommon), "{password}");
        }
        assert_eq!(judge("correct horse battery", &[]), Ok(()));
    }

    #[test]
    fn the_users_own_names_are_refused_in_every_case() {
        let own = ["Ada.Lovelace@example.com", "countess_ada", "Ada", "Lovelace", "Ada Lovelace", "Straßenbahn"];
        for password in
            ["ada.lovelace@EXAMPLE.com", "ADA.LOVELACE", "Countess_Ada", "lovelace", "ada lovelace", "STRASSENBAHN"]
        {
            assert_eq!(judge(password, &own), Err(Weakness::OwnName), "{password}");
        }
        assert_eq!(judge("ada lovelace 1815", &own), Ok(()), "containing a name is not being one");
        assert_eq!(judge("example.com", &own), Ok(()));
    }

    #[test]
    fn without_the_common_rule_only_length_counts() {
        let rules = Rules { deny_common: false, ..RULES };
        assert_eq!(rules.judge(&Secret::new("password".into()), &["password"]), Ok(()));
        assert_eq!(rules.judge(&Secret::new("pass".into()), &[]), Err(Weakness::TooShort(8)));
    }

    #[test]
    fn the_list_is_long_sorted_folded_and_without_repetition() {
        let lines: Vec<&str> = include_str!("common.txt").lines().collect();
        assert!(lines.len() > 1000, "{}", lines.len());
        for pair in lines.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        for line in lines {
            assert!(line.len() >= 8 && caseless(line) == line, "{line:?}");
        }
    }

    #[test]
    fn every_weakness_has_its_code() {
        let codes =
            [Weakness::TooShort(1), Weakness::TooLong(1), Weakness::TooCommon, Weakness::OwnName].map(Weakness::code);
        assert_eq!(codes, ["password_too_short", "password_too_long", "password_too_common", "password_is_own_name"]);
    }
}
