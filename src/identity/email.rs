//! E-mail addresses in their one canonical form: what is stored, and the key that uniqueness, login, limits and reset share.
//! Strict: what two mail systems could read as two addresses (quotes, comments, two `@`, address literals) is no address here.

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use super::text::{caseless, is_word_character, nfc};

/// RFC 5321 section 4.5.3.1.1.
const MAX_LOCAL_BYTES: usize = 64;
/// RFC 5321 section 4.5.3.1.3: a path of 256 octets, less its angle brackets.
const MAX_BYTES: usize = 254;
/// What no spelling of an address of [`MAX_BYTES`] can exceed: not worth normalising.
const MAX_TYPED_BYTES: usize = 8 * MAX_BYTES;

/// An address that passed the rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email {
    address: String,
    key: String,
}

/// The text is no e-mail address that we take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address of the form local@domain")]
pub struct InvalidEmail;

impl Email {
    /// Returns the address that `typed` spells. A domain of one label (`localhost`) is one: closed networks have them.
    pub fn parse(typed: &str) -> Result<Self, InvalidEmail> {
        let typed = typed.trim();
        if typed.len() > MAX_TYPED_BYTES {
            return Err(InvalidEmail);
        }
        let (local, domain) = typed.split_once('@').ok_or(InvalidEmail)?;
        let (local, domain) = (nfc(local), canonical_domain(domain).ok_or(InvalidEmail)?);
        // The key is held to the same rules: a letter may fold into text with a space, or into nothing that is a name.
        let folded = caseless(&local);
        if local.len() > MAX_LOCAL_BYTES || !is_local_part(&local) || !is_local_part(&folded) {
            return Err(InvalidEmail);
        }
        let email = Self { address: format!("{local}@{domain}"), key: format!("{folded}@{domain}") };
        if email.address.len() > MAX_BYTES { Err(InvalidEmail) } else { Ok(email) }
    }

    /// Returns the address as it is stored, shown and written to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns what makes two spellings one account: NFKC and case fold of the local part, and the domain in A-labels.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// Whether `text` is a dot-string of RFC 5321 section 4.1.2 over atext and, as in RFC 6531, letters, marks and digits of any script.
fn is_local_part(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

fn is_atom_character(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character);
    }
    is_word_character(character)
}

/// Returns the domain in lower-case A-labels without a final dot (UTS 46, non-transitional, with STD 3 rules).
fn canonical_domain(typed: &str) -> Option<String> {
    let ascii = Uts46::new()
        .to_ascii(typed.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::VerifyAllowRootDot)
        .ok()?;
    let domain = ascii.strip_suffix('.').unwrap_or(&ascii);
    let last_label = domain.rsplit('.').next()?;
    // No top-level domain is a number; what ends in one is an IPv4 address in some spelling (WHATWG URL, "ends in a number").
    let is_number = last_label.bytes().all(|byte| byte.is_ascii_digit());
    (!is_number).then(|| domain.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(typed: &str) -> Option<String> {
        Email::parse(typed).ok().map(|email| email.address)
    }

    fn key(typed: &str) -> Option<String> {
        Email::parse(typed).ok().map(|email| email.key)
    }

    #[test]
    fn the_address_keeps_the_case_of_the_local_part_and_has_a_canonical_domain() {
        let table = [
            ("Ada@Example.COM", "Ada@example.com"),
            (" \u{a0}\u{3000}ada@example.com\t\n", "ada@example.com"),
            ("ada@example.com.", "ada@example.com"),
            ("ada@example。com", "ada@example.com"),
            ("ada@ＥＸＡＭＰＬＥ.com", "ada@example.com"),
            ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
            ("ada@straße.example", "ada@xn--strae-oqa.example"),
            ("e\u{301}va@example.com", "éva@example.com"),
            ("ada@localhost", "ada@localhost"),
            ("a.b+c!#$%&'*-/=?^_`{|}~@a-b.example", "a.b+c!#$%&'*-/=?^_`{|}~@a-b.example"),
            ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
        ];
        for (typed, wanted) in table {
            assert_eq!(address(typed).as_deref(), Some(wanted), "{typed}");
        }
    }

    #[test]
    fn spellings_of_one_address_have_one_key() {
        for typed in
            ["ada@example.com", "ADA@EXAMPLE.COM", "ＡｄＡ@example.com.", " ada@Example.com ", "ªdª@example.com"]
        {
            assert_eq!(key(typed).as_deref(), Some("ada@example.com"), "{typed}");
        }
        assert_eq!(key("STRASSE@example.com"), key("straße@example.com"));
        assert_ne!(key("ada+x@example.com"), key("ada@example.com"));
        assert_ne!(key("a.da@example.com"), key("ada@example.com"));
    }

    #[test]
    fn what_is_no_dot_string_at_a_domain_is_refused() {
        let table = [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@@example.com",
            "a@good.com@evil.com",
            "a@good.com,b@evil.com",
            "a@evil.com\n@good.com",
            ".ada@example.com",
            "ada.@example.com",
            "a..b@example.com",
            "a b@example.com",
            "\"ada\"@example.com",
            "\"a@b\"@example.com",
            "ada(x)@example.com",
            "ada@example.com (x)",
            "<ada@example.com>",
            "Ada <ada@example.com>",
            "a\\b@example.com",
            "a,b@example.com",
            "a:b@example.com",
            "a;b@example.com",
            "a[b@example.com",
            "a\0b@example.com",
            "ada\r\nBcc:x@example.com",
            "ada@exam ple.com",
            "ada@example..com",
            "ada@.example.com",
            "ada@example.com..",
            "ada@.",
            "ada@-example.com",
            "ada@example-.com",
            "ada@exa_mple.com",
            "ada@example.com/x",
            "ada@example.com:25",
            "ada@example.com#x",
            "ada@exam%70le.com",
            "ada@xn--a.example",
        ];
        for typed in table {
            assert_eq!(address(typed), None, "{typed:?}");
        }
    }

    #[test]
    fn address_literals_are_refused_in_every_spelling() {
        let table =
            ["[127.0.0.1]", "127.0.0.1", "127.1", "[IPv6:::1]", "::1", "1", "example.1", "１２７.0.0.1", "127.0.0.1."];
        for domain in table {
            assert_eq!(address(&format!("ada@{domain}")), None, "{domain}");
        }
    }

    #[test]
    fn characters_that_hide_or_fold_into_another_address_are_refused() {
        // Zero width, direction, fillers, a full-width `@`, and a ligature that folds into words with spaces.
        let hidden = [
            "\u{200b}", "\u{200d}", "\u{feff}", "\u{202e}", "\u{ad}", "\u{3164}", "\u{fe0f}", "＠", "﹫", "\u{fdfa}",
            "．", "\u{2024}",
        ];
        for character in hidden {
            assert_eq!(address(&format!("a{character}da@example.com")), None, "{character:?}");
        }
        assert_eq!(address("ada@exa\u{200b}mple.com").as_deref(), Some("ada@example.com"), "UTS 46 drops it");
        assert_eq!(address("ada@good.com＠evil.com"), None);
    }

    #[test]
    fn lengths_are_counted_in_octets_of_the_canonical_form() {
        let domain = format!("{}.example", "d".repeat(60));
        assert!(address(&format!("{}@{domain}", "a".repeat(64))).is_some());
        assert!(address(&format!("{}@{domain}", "a".repeat(65))).is_none());
        assert!(address(&format!("{}@{domain}", "é".repeat(33))).is_none());
        let long =
            |last: usize| format!("a@{}", ["d".repeat(60), "d".repeat(60), "d".repeat(60), "d".repeat(last)].join("."));
        assert_eq!(address(&long(63)).map(|text| text.len()), Some(2 + 3 * 61 + 63));
        assert!(address(&format!("{}.eeee", long(63))).is_some());
        assert!(address(&format!("{}.eeeeeeeeee", long(63))).is_none());
        assert!(address(&format!("a@{}.example", "d".repeat(64))).is_none());
        assert!(address(&format!("{}@example.com", "a".repeat(100_000))).is_none());
    }

    proptest! {
        #[test]
        fn the_stored_address_parses_to_itself(typed in r"[ -~éßΣＡ名\p{L}\p{M}\p{Nd}.]{1,12}@[ -~ößＡ。\p{L}.-]{1,16}") {
            if let Ok(email) = Email::parse(&typed) {
                let again = Email::parse(email.address()).expect("a stored address is an address");
                prop_assert_eq!(&again, &email);
                let key = Email::parse(email.key());
                prop_assert!(key.is_err() || key.unwrap().key() == email.key());
                prop_assert_eq!(email.address().matches('@').count(), 1);
                prop_assert_eq!(email.key().matches('@').count(), 1);
            }
        }

        #[test]
        fn case_and_white_space_at_the_ends_never_make_another_account(local in "[a-z0-9+_.]{1,12}", domain in "[a-z]{1,8}[.][a-z]{2,6}") {
            let typed = format!("{local}@{domain}");
            prop_assert_eq!(key(&typed.to_uppercase()), key(&typed));
            prop_assert_eq!(key(&format!("\u{2003}{typed}\r\n")), key(&typed));
        }

        #[test]
        fn no_text_makes_parsing_panic(typed in ".{0,60}") {
            let _ = Email::parse(&typed);
        }
    }
}
