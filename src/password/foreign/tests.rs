//! Hashes that the real libraries made (`tests/scripts/password_hashes.py`), and such as nobody should take.

use serde::Deserialize;

use super::*;
use crate::password::hash::{Check, Cost, Hasher};
use crate::secret::Secret;

const CHEAP: Cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1 };

#[derive(Deserialize)]
struct Known {
    made_by: String,
    password: String,
    hash: String,
}

fn known() -> Vec<Known> {
    let lines = include_str!("../../../tests/fixtures/password_hashes.jsonl").lines();
    let known: Vec<Known> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(known.len() > 100, "only {} hashes", known.len());
    known
}

fn check(password: &str, hash: &str) -> Check {
    Hasher::new(CHEAP).check(&Secret::new(password.to_owned()), Some(hash))
}

fn judge(hash: &str) -> Result<Notation, Unusable> {
    Hasher::new(CHEAP).judge_stored(hash)
}

#[test]
fn hashes_of_the_real_libraries_open_for_their_password_and_are_due_for_an_upgrade() {
    for Known { made_by, password, hash } in known() {
        assert_eq!(check(&password, &hash), Check::Right { upgrade: true }, "{made_by}: {password:?}");
    }
}

#[test]
fn they_open_for_no_other_password() {
    // Those of full cost open for one password each above; that they are wrong for others is the cheap ones' to show.
    for Known { made_by, password, hash } in known().iter().filter(|known| !known.made_by.contains(" as it comes")) {
        let first_changed = format!("#{}", &password[password.chars().next().map_or(0, char::len_utf8)..]);
        for wrong in [first_changed.as_str(), ""] {
            assert_eq!(check(wrong, hash), Check::Wrong, "{made_by}: {wrong:?}");
        }
    }
}

#[test]
fn bcrypt_sees_72_bytes_of_a_password_and_the_others_see_all() {
    let long: Vec<Known> = known().into_iter().filter(|known| known.password.len() > 72).collect();
    assert!(long.len() > 10);
    for Known { made_by, password, hash } in long {
        let expected = if judge(&hash) == Ok(Notation::Bcrypt) && !made_by.contains("sha256") {
            Check::Right { upgrade: true }
        } else {
            Check::Wrong
        };
        assert_eq!(check(&password[..72], &hash), expected, "{made_by}");
        assert_eq!(check(&password[..71], &hash), Check::Wrong, "{made_by}");
    }
}

#[test]
fn each_notation_is_told_from_the_others() {
    for Known { made_by, hash, .. } in known() {
        let notation = judge(&hash).unwrap().to_string().to_lowercase();
        assert!(made_by.contains(&notation) || made_by == "django as it comes", "{made_by}: {notation}");
    }
}

#[test]
fn vectors_of_the_standards_hold() {
    // RFC 7914 section 12; RFC 6070, whose outputs are 20 bytes; jBCrypt's TestBCrypt.java.
    let vectors = [
        (
            "pleaseletmein",
            "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$\
             cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw",
        ),
        ("password", "$pbkdf2$4096$c2FsdA$SwB5AbdlSJq.rUnZJvch0GWkKcE"),
        ("password", "pbkdf2_sha1$2$salt$6mwBTcctb4zNHtkqzh1B8NjeiVc="),
        ("", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
        ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
    ];
    for (password, hash) in vectors {
        assert_eq!(check(password, hash), Check::Right { upgrade: true }, "{hash}");
    }
}

#[test]
fn a_salt_whose_last_bits_mean_nothing_is_read_as_the_libraries_read_it() {
    // 22 characters hold 132 bits of which 128 count; passlib before 1.5.3 left the rest to chance.
    let known = known().into_iter().find(|known| known.made_by == "bcrypt 2b").unwrap();
    let (head, tail) = known.hash.split_at("$2b$04$".len() + 21);
    for (character, twin) in [('.', '/'), ('O', 'P'), ('e', 'f'), ('u', 'v')] {
        if let Some(rest) = tail.strip_prefix(character) {
            assert_eq!(check(&known.password, &format!("{head}{twin}{rest}")), Check::Right { upgrade: true });
            return;
        }
    }
    panic!("the salt ends in a character that no salt ends in: {head}");
}

#[test]
fn what_costs_too_much_is_refused_before_it_costs_anything() {
    let salt_and_output = "DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.";
    let output = "A".repeat(43);
    let argon = |cost: &str| format!("$argon2id$v=19${cost}$c29tZXNhbHQ${output}");
    let table = [
        (format!("$2b$16${salt_and_output}"), Notation::Bcrypt),
        (format!("$2b$31${salt_and_output}"), Notation::Bcrypt),
        (format!("pbkdf2_sha256$5000001$salt${output}="), Notation::Pbkdf2),
        (format!("$pbkdf2-sha256$4294967295$c2FsdA${output}"), Notation::Pbkdf2),
        (format!("$scrypt$ln=19,r=8,p=1$c2FsdA${output}"), Notation::Scrypt),
        (format!("$scrypt$ln=17,r=8,p=9$c2FsdA${output}"), Notation::Scrypt),
        (format!("$scrypt$ln=63,r=4294967295,p=4294967295$c2FsdA${output}"), Notation::Scrypt),
        (format!("$scrypt$ln=255,r=8,p=1$c2FsdA${output}"), Notation::Scrypt),
        (format!("scrypt$1048576$salt$8$1${output}="), Notation::Scrypt),
        (argon("m=1048577,t=1,p=1"), Notation::Argon2),
        (argon("m=1048576,t=5,p=1"), Notation::Argon2),
        (argon("m=8,t=4294967295,p=1"), Notation::Argon2),
    ];
    for (hash, notation) in table {
        assert_eq!(judge(&hash), Err(Unusable::TooCostly(notation)), "{hash}");
        assert_eq!(check("password", &hash), Check::Wrong, "{hash}");
    }
    assert_eq!(judge(&format!("$2b$15${salt_and_output}")), Ok(Notation::Bcrypt));
    assert_eq!(judge(&format!("pbkdf2_sha256$5000000$salt${output}=")), Ok(Notation::Pbkdf2));
    assert_eq!(judge(&format!("$scrypt$ln=17,r=8,p=1$c2FsdA${output}")), Ok(Notation::Scrypt));
    assert_eq!(judge(&argon("m=1048576,t=4,p=1")), Ok(Notation::Argon2));
}

#[test]
fn what_the_configuration_itself_costs_is_never_too_much() {
    let costly = Cost { memory_kib: 64, iterations: 100_000, parallelism: 1 };
    let hash = format!("$argon2id$v=19$m=64,t=100000,p=1$c29tZXNhbHQ${}", "A".repeat(43));
    assert_eq!(judge(&hash), Err(Unusable::TooCostly(Notation::Argon2)));
    assert_eq!(Hasher::new(costly).judge_stored(&hash), Ok(Notation::Argon2));
}

#[test]
fn what_is_no_hash_and_what_is_cut_off_are_told_apart() {
    for text in ["", "correct horse battery", "$1$abc$def", "$2x$04$abc", "sha1$abc$def", "md5:0123", "!", "$scryptx$"]
    {
        assert_eq!(judge(text), Err(Unusable::Unknown), "{text}");
    }
    assert_eq!(judge(&format!("$2b$04${}", "x".repeat(2000))), Err(Unusable::Unknown));
    for Known { made_by, hash, .. } in known() {
        // argon2 and scrypt have outputs of any length, so there only what is missing altogether can be missed.
        let has_one_length = !matches!(judge(&hash), Ok(Notation::Argon2 | Notation::Scrypt));
        let output = hash.rfind('$').unwrap() + 1;
        for cut in [output - 2, output].into_iter().chain(has_one_length.then_some(hash.len() - 12)) {
            let result = judge(&hash[..cut]);
            assert!(matches!(result, Err(Unusable::Damaged(_))), "{made_by}: {result:?} of {}", &hash[..cut]);
        }
        assert!(judge(&format!("{hash}$x")).is_err(), "{made_by}");
        assert!(judge(&hash.replace('$', "é")).is_err(), "{made_by}");
    }
}

#[test]
fn a_refusal_says_what_was_found_and_repeats_no_hash() {
    let cut = "$2b$04$DCq7YPn5Rq63x1Lad4cll.";
    let texts = [judge(cut), judge("hunter2 in plain text")].map(|result| result.unwrap_err().to_string());
    assert!(texts[0].starts_with("found a bcrypt hash that can't be read"), "{}", texts[0]);
    assert!(texts[1].contains("expected argon2i, argon2id, bcrypt"), "{}", texts[1]);
    assert!(texts.iter().all(|text| !text.contains("DCq7") && !text.contains("hunter2")));
}
