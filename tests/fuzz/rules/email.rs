//! What people type for an e-mail address and a user name: what is taken is stable, has one key, and hides nothing.

use vestibule::identity::email::Email;
use vestibule::identity::text::caseless;
use vestibule::identity::username::Username;

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    let typed = std::str::from_utf8(data).ok()?;
    email(typed);
    username(typed);
    Some(())
}

fn email(typed: &str) {
    let parsed = Email::parse(typed);
    let in_capitals = Email::parse(&format!("\u{3000}{}\t\r\n", typed.to_ascii_uppercase()));
    let Ok(email) = parsed else {
        assert!(in_capitals.is_err(), "taken in capitals only: {in_capitals:?}");
        return;
    };
    if typed.len() <= 1000 {
        assert_eq!(in_capitals.as_ref().map(Email::key), Ok(email.key()), "capitals make another account");
    }
    assert_eq!(Email::parse(email.address()).as_ref(), Ok(&email), "what is stored is another address");
    for text in [email.address(), email.key()] {
        assert_eq!(text.matches('@').count(), 1);
        assert!(!text.contains(|letter: char| letter.is_control() || letter.is_whitespace()), "{text:?}");
        assert!(!text.contains(['"', '(', ')', '<', '>', ',', ';', ':', '\\', '[', ']']), "{text:?}");
    }
    assert!(email.address().len() <= 254);
    let (local, domain) = email.key().split_once('@').expect("a key has an `@`");
    assert_eq!(caseless(local), local, "the key is not its own");
    assert!(email.address().ends_with(&format!("@{domain}")));
    assert!(domain.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte)));
    if let Ok(again) = Email::parse(email.key()) {
        assert_eq!(again.key(), email.key());
    }
}

fn username(typed: &str) {
    let Ok(name) = Username::parse(typed) else { return };
    assert_eq!(Username::parse(name.name()).as_ref(), Ok(&name), "what is stored is another name");
    // A capital may compose with fewer marks than its small letter, so a name just short enough may have no room for capitals.
    if typed.chars().count() <= 32 {
        assert_eq!(Username::parse(&typed.to_ascii_uppercase()).as_ref().map(Username::key), Ok(name.key()));
    }
    assert_eq!(caseless(name.key()), name.key(), "the key is not its own");
    assert!((1..=64).contains(&name.name().chars().count()));
    for text in [name.name(), name.key()] {
        assert!(!text.contains(|letter: char| letter.is_control() || letter.is_whitespace()), "{text:?}");
        assert!(!text.contains(['@', '/', '\\', ',', ';', ':', '%', '"', '<', '>']), "{text:?}");
        assert!(text != "." && text != "..");
    }
}
