//! What a hash opens for, and what is due for an upgrade.

use super::*;

const CHEAP: Cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1 };

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

const STAYS: Check = Check::Right { upgrade: false };

#[test]
fn a_password_has_its_own_hash_and_no_other() {
    let hasher = Hasher::new(CHEAP);
    let hash = hasher.hash(&secret("correct horse"));
    assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
    assert_eq!(hasher.check(&secret("correct horse"), Some(&hash)), STAYS);
    for wrong in ["correct hors", "correct horse ", "Correct horse", "", "correct\0horse"] {
        assert_eq!(hasher.check(&secret(wrong), Some(&hash)), Check::Wrong, "{wrong:?}");
    }
}

#[test]
fn the_same_password_hashes_to_another_string_each_time() {
    let hasher = Hasher::new(CHEAP);
    assert_ne!(hasher.hash(&secret("correct horse")), hasher.hash(&secret("correct horse")));
}

#[test]
fn spellings_that_unicode_holds_equal_are_one_password_and_case_is_not_folded() {
    let hasher = Hasher::new(CHEAP);
    let hash = hasher.hash(&secret("cafe\u{301} noir"));
    assert_eq!(hasher.check(&secret("café noir"), Some(&hash)), STAYS);
    assert_eq!(hasher.check(&secret("cafe noir"), Some(&hash)), Check::Wrong);
    assert_eq!(hasher.check(&secret("CAFÉ NOIR"), Some(&hash)), Check::Wrong);
}

#[test]
fn a_hash_of_the_reference_implementation_is_right() {
    // From test.c of github.com/P-H-C/phc-winner-argon2: t=2, m=2^8, p=1, "password", "somesalt".
    let hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    assert_eq!(Hasher::new(CHEAP).check(&secret("password"), Some(hash)), Check::Right { upgrade: true });
    assert_eq!(Hasher::new(CHEAP).check(&secret("passwore"), Some(hash)), Check::Wrong);
}

#[test]
fn a_hash_of_another_cost_or_algorithm_is_right_and_due_for_an_upgrade() {
    let password = secret("correct horse");
    let others = [
        Cost { memory_kib: 32, ..CHEAP },
        Cost { memory_kib: 128, ..CHEAP },
        Cost { iterations: 2, ..CHEAP },
        Cost { parallelism: 2, ..CHEAP },
    ];
    for cost in others {
        let hash = Hasher::new(cost).hash(&password);
        assert_eq!(Hasher::new(CHEAP).check(&password, Some(&hash)), Check::Right { upgrade: true }, "{cost:?}");
    }
    let others = [
        (Algorithm::Argon2i, Version::V0x13),
        (Algorithm::Argon2d, Version::V0x13),
        (Algorithm::Argon2id, Version::V0x10),
    ];
    for (algorithm, version) in others {
        use argon2::PasswordHasher;
        let hash = Argon2::new(algorithm, version, params(CHEAP))
            .hash_password_with_salt(b"correct horse", &[7; SALT_BYTES])
            .unwrap()
            .to_string();
        assert_eq!(Hasher::new(CHEAP).check(&password, Some(&hash)), Check::Right { upgrade: true }, "{hash}");
    }
}

#[test]
fn no_hash_and_a_hash_that_cannot_be_read_are_wrong() {
    let hasher = Hasher::new(CHEAP);
    let good = hasher.hash(&secret("correct horse"));
    let cut = &good[..good.len() - 20];
    let huge = good.replace("m=64", "m=4294967295");
    let endless = good.replace("t=1", "t=4294967295");
    let unreadable =
        ["", "$", "x", "correct horse", "$argon2id$", "$2b$12$abc", "$argon2id$v=19$m=1,t=1,p=1$AAAAAAAAAAA$AAAA"];
    for hash in unreadable.into_iter().chain([cut, &huge, &endless]) {
        assert_eq!(hasher.check(&secret("correct horse"), Some(hash)), Check::Wrong, "{hash}");
    }
    assert_eq!(hasher.check(&secret("correct horse"), None), Check::Wrong);
}

#[test]
fn an_impossible_cost_is_raised_to_the_least_possible_one() {
    let hasher = Hasher::new(Cost { memory_kib: 0, iterations: 0, parallelism: 0 });
    let hash = hasher.hash(&secret("correct horse"));
    assert!(hash.contains("$m=8,t=1,p=1$"), "{hash}");
    assert_eq!(hasher.check(&secret("correct horse"), Some(&hash)), STAYS);
}

#[test]
fn memory_is_used_again_and_never_kept_above_the_configured_size() {
    let hasher = Hasher::new(CHEAP);
    let costlier = Hasher::new(Cost { memory_kib: 256, ..CHEAP }).hash(&secret("correct horse"));
    for hash in [None, Some(costlier.as_str())] {
        hasher.check(&secret("correct horse"), hash);
    }
    let sizes: Vec<usize> = hasher.spare().iter().map(Vec::capacity).collect();
    assert_eq!(sizes, [64]);
}

#[test]
fn hashers_that_run_at_once_do_not_share_memory() {
    let hasher = Hasher::new(CHEAP);
    let hash = hasher.hash(&secret("correct horse"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(hasher.check(&secret("correct horse"), Some(&hash)), STAYS);
                }
            });
        }
    });
}
