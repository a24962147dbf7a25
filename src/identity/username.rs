//! User names in their one canonical form: what is stored, and the key that uniqueness, login and limits share.

use super::text::{caseless, is_word_character, nfc};

const MAX_CHARACTERS: usize = 64;
/// What no spelling of a name of [`MAX_CHARACTERS`] can sensibly exceed: not worth normalising.
const MAX_TYPED_BYTES: usize = 4 * 4 * MAX_CHARACTERS;

/// A user name that passed the rules: 1 to 64 characters after NFC, letters, marks, digits, `-`, `_`, `.`, and never an `@`,
/// so that no user name can be read as an e-mail address. One of them is a letter or digit, so that none is `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username {
    name: String,
    key: String,
}

/// The text is no user name that we take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name has 1 to 64 letters, digits, `-`, `_` or `.`")]
pub struct InvalidUsername;

impl Username {
    /// Returns the name that `typed` spells; white space at the ends is no part of it.
    pub fn parse(typed: &str) -> Result<Self, InvalidUsername> {
        let typed = typed.trim();
        if typed.len() > MAX_TYPED_BYTES {
            return Err(InvalidUsername);
        }
        let name = nfc(typed);
        let key = caseless(&name);
        // The key is held to the same rules: a letter may fold into text with a space.
        let fits = name.chars().count() <= MAX_CHARACTERS && is_name(&name) && is_name(&key);
        if fits { Ok(Self { name, key }) } else { Err(InvalidUsername) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns NFKC and case fold of the name.
    pub fn key(&self) -> &str {
        &self.key
    }
}

fn is_name(text: &str) -> bool {
    text.chars().all(|character| "-_.".contains(character) || is_word_character(character))
        && text.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(typed: &str) -> Option<String> {
        Username::parse(typed).ok().map(|name| name.key)
    }

    #[test]
    fn spellings_of_one_name_have_one_key_and_keep_their_case() {
        for typed in ["admin", "Admin", "ADMIN", "admin ", "\u{3000}admin", "ａｄｍｉｎ", "ＡＤＭＩＮ"] {
            assert_eq!(key(typed).as_deref(), Some("admin"), "{typed}");
        }
        assert_eq!(Username::parse(" Ada.L-1_x ").unwrap().name(), "Ada.L-1_x");
        assert_eq!(Username::parse("e\u{301}va").unwrap().name(), "éva");
    }

    #[test]
    fn anything_but_letters_marks_digits_and_three_signs_is_refused() {
        let table = [
            "",
            " ",
            "a b",
            "a@b",
            "a＠b",
            "a/b",
            "a\\b",
            "a,b",
            "a:b",
            "a\0b",
            "a\nb",
            "a%b",
            "<b>",
            "a\u{200b}b",
            "a\u{ad}b",
            "\u{3164}",
            "\u{fe0f}a",
            "a\u{202e}b",
            "😀",
            "½",
            "\u{fdfa}",
            ".",
            "..",
            "-",
            "_._",
        ];
        for typed in table {
            assert_eq!(key(typed), None, "{typed:?}");
        }
    }

    #[test]
    fn a_name_has_at_most_64_characters_whatever_their_bytes() {
        assert!(key(&"名".repeat(64)).is_some());
        assert!(key(&"名".repeat(65)).is_none());
        assert!(key(&"a".repeat(65)).is_none());
        assert!(key(&"e\u{301}".repeat(64)).is_some(), "counted after NFC");
        assert!(key(&"a".repeat(100_000)).is_none());
    }

    proptest! {
        #[test]
        fn the_stored_name_parses_to_itself_and_its_key_is_stable(typed in r"[ \p{L}\p{M}\p{Nd}._-]{1,12}") {
            if let Ok(name) = Username::parse(&typed) {
                prop_assert_eq!(&Username::parse(name.name()).unwrap(), &name);
                prop_assert_eq!(caseless(name.key()), name.key());
                prop_assert!(!name.key().contains('@'));
            }
        }

        #[test]
        fn case_never_makes_another_account(typed in "[a-z0-9._-]{1,12}") {
            prop_assert_eq!(key(&typed.to_uppercase()), key(&typed));
        }
    }
}
