//! Forgeries: what a header may not say, and that no byte of a token is without weight.

use aws_lc_rs::hmac;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};
use serde_json::json;

use super::*;
use crate::secret::Secret;
use crate::token::testing::{
    access_claims, forge, generated, judge_access, judge_refresh, key, refresh_claims, set, shared,
};

fn good_header(key: &Key) -> serde_json::Value {
    json!({ "alg": key.algorithm.name(), "kid": key.kid, "typ": "at+jwt" })
}

#[test]
fn a_token_of_every_algorithm_and_type_opens_as_its_own_type_and_no_other() {
    for algorithm in Algorithm::ALL {
        let keys = set(key(algorithm));
        let access = sign(keys.signing(), TokenType::Access, &access_claims());
        let refresh = sign(keys.signing(), TokenType::Refresh, &refresh_claims());
        assert_eq!(judge_access(&keys, &access), Ok(()), "{algorithm:?}");
        assert_eq!(judge_refresh(&keys, &refresh), Ok(()), "{algorithm:?}");
        assert_eq!(judge_access(&keys, &refresh), Err(TokenError::WrongType), "{algorithm:?}");
        assert_eq!(judge_refresh(&keys, &access), Err(TokenError::WrongType), "{algorithm:?}");
    }
}

#[test]
fn a_header_in_another_order_or_case_of_typ_opens_too() {
    let keys = set(key(Algorithm::EdDsa));
    let header = format!(r#" {{ "typ":"AT+JWT", "kid":"{}", "alg":"EdDSA" }}"#, keys.signing().kid);
    assert_eq!(judge_access(&keys, &forge(keys.signing(), &header, &access_claims().to_string())), Ok(()));
}

#[test]
fn any_byte_changed_removed_or_added_makes_a_token_worthless() {
    for algorithm in Algorithm::ALL {
        let keys = set(key(algorithm));
        let access = sign(keys.signing(), TokenType::Access, &access_claims());
        let refresh = sign(keys.signing(), TokenType::Refresh, &refresh_claims());
        for place in 0..access.len() {
            for replacement in ["A", "z", "-", ".", "=", "+", ""] {
                let mut changed = access.clone();
                changed.replace_range(place..=place, replacement);
                assert!(changed == access || judge_access(&keys, &changed).is_err(), "{algorithm:?} {place} {changed}");
            }
            assert!(judge_access(&keys, &access[..place]).is_err(), "{algorithm:?} cut at {place}");
        }
        for place in 0..refresh.len() {
            let mut changed = refresh.clone();
            changed.replace_range(place..=place, if &refresh[place..=place] == "A" { "B" } else { "A" });
            assert!(judge_refresh(&keys, &changed).is_err(), "{algorithm:?} {place} {changed}");
            assert!(judge_refresh(&keys, &refresh[..place]).is_err(), "{algorithm:?} cut at {place}");
        }
        for extra in ["A", "AA", "AAAA", "=", "==", ".", ".AA", " ", "\n", "\0"] {
            assert!(judge_access(&keys, &format!("{access}{extra}")).is_err(), "{algorithm:?} then {extra:?}");
            assert!(judge_access(&keys, &format!("{extra}{access}")).is_err(), "{extra:?} then {algorithm:?}");
        }
    }
}

#[test]
fn unused_bits_of_base64_must_be_zero() {
    // 64 signature bytes end in a character with four unused bits: 15 more spellings of the same bytes.
    let keys = set(key(Algorithm::EdDsa));
    let token = sign(keys.signing(), TokenType::Access, &access_claims());
    let (rest, last) = token.split_at(token.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let verdict = judge_access(&keys, &format!("{rest}{other}"));
        assert_eq!(verdict.is_ok(), last == other.to_string(), "{other}");
    }
}

#[test]
fn padding_and_the_other_alphabet_are_refused_even_when_signed() {
    let keys = set(shared(Algorithm::Hs256, &Secret::new(vec![7; 32])));
    let header = good_header(keys.signing()).to_string();
    // `??>>` makes both `-` and `_` in base64url.
    let mut claims = access_claims();
    claims["username"] = "??>>??>>ada".into();
    for (engine, allowed) in [(&URL_SAFE_NO_PAD, true), (&STANDARD_NO_PAD, false), (&URL_SAFE, false)] {
        for spaces in 0..3 {
            let payload = format!("{claims}{}", " ".repeat(spaces));
            let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), engine.encode(payload));
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(keys.signing().sign(signed.as_bytes())));
            let same = signed.bytes().all(|byte| !b"=+/".contains(&byte));
            assert_eq!(judge_access(&keys, &token).is_ok(), allowed || same);
        }
    }
}

#[test]
fn no_algorithm_but_the_keys_own_is_taken() {
    let keys = set(key(Algorithm::EdDsa));
    for alg in ["none", "None", "nOnE", "HS256", "ES256", "RS256", "PS256", "eddsa", "EdDSA ", "Ed25519", ""] {
        let header = json!({ "alg": alg, "kid": keys.signing().kid, "typ": "at+jwt" }).to_string();
        let signed = forge(keys.signing(), &header, &access_claims().to_string());
        assert_eq!(judge_access(&keys, &signed), Err(TokenError::BadSignature), "{alg}");
        let unsigned = format!("{}.", signed.rsplit_once('.').unwrap().0);
        assert!(judge_access(&keys, &unsigned).is_err(), "{alg} without a signature");
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let keys = set(generated(algorithm));
        let jwk = crate::token::jwk::public_set(&keys)["keys"][0].clone();
        let spellings = [jwk.to_string(), jwk["n"].to_string(), jwk["x"].as_str().unwrap_or_default().to_owned()];
        for secret in spellings {
            for alg in ["HS256", algorithm.name()] {
                let header = json!({ "alg": alg, "kid": keys.signing().kid, "typ": "at+jwt" }).to_string();
                let signed = format!(
                    "{}.{}",
                    URL_SAFE_NO_PAD.encode(header),
                    URL_SAFE_NO_PAD.encode(access_claims().to_string())
                );
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
                let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
                assert_eq!(judge_access(&keys, &token), Err(TokenError::BadSignature), "{alg} with {algorithm:?}");
            }
        }
    }
}

#[test]
fn a_header_member_that_is_not_ours_is_refused_even_when_signed() {
    let keys = set(key(Algorithm::EdDsa));
    let others = [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("jwk", json!({ "kty": "OKP" })),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!([])),
        ("x5t", json!("a")),
        ("cty", json!("JWT")),
        ("exp", json!(1)),
    ];
    for (name, value) in others {
        let mut header = good_header(keys.signing());
        header[name] = value;
        let token = forge(keys.signing(), &header.to_string(), &access_claims().to_string());
        assert_eq!(judge_access(&keys, &token), Err(TokenError::Malformed), "{name}");
    }
}

#[test]
fn a_kid_that_is_missing_foreign_or_of_another_kind_is_refused() {
    let keys = set(key(Algorithm::EdDsa));
    let ours = keys.signing().kid.clone();
    let kids = [
        json!("another"),
        json!(""),
        json!("../../dev/null"),
        json!("' OR 1=1 --"),
        json!(ours.to_uppercase()),
        json!(format!("{ours}\0")),
        json!(null),
        json!(1),
        json!([ours]),
    ];
    for kid in kids {
        let mut header = good_header(keys.signing());
        header["kid"] = kid.clone();
        let token = forge(keys.signing(), &header.to_string(), &access_claims().to_string());
        let verdict = judge_access(&keys, &token).unwrap_err();
        assert!(matches!(verdict, TokenError::UnknownKey | TokenError::Malformed), "{kid}");
    }
    let token = forge(keys.signing(), r#"{"alg":"EdDSA","typ":"at+jwt"}"#, &access_claims().to_string());
    assert_eq!(judge_access(&keys, &token), Err(TokenError::UnknownKey));
}

#[test]
fn a_typ_that_is_missing_or_another_is_refused() {
    let keys = set(key(Algorithm::EdDsa));
    for typ in ["JWT", "application/at+jwt", "at+jwt ", "", "rt+jwt", "at"] {
        let header = json!({ "alg": "EdDSA", "kid": keys.signing().kid, "typ": typ }).to_string();
        let token = forge(keys.signing(), &header, &access_claims().to_string());
        assert_eq!(judge_access(&keys, &token), Err(TokenError::WrongType), "{typ}");
    }
    let header = json!({ "alg": "EdDSA", "kid": keys.signing().kid }).to_string();
    assert_eq!(
        judge_access(&keys, &forge(keys.signing(), &header, &access_claims().to_string())),
        Err(TokenError::WrongType)
    );
}

#[test]
fn a_header_with_a_repeated_member_is_refused() {
    let keys = set(key(Algorithm::EdDsa));
    let kid = &keys.signing().kid;
    for header in [
        format!(r#"{{"alg":"none","alg":"EdDSA","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"other","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"rt+jwt","\u0074yp":"at+jwt"}}"#),
    ] {
        let token = forge(keys.signing(), &header, &access_claims().to_string());
        assert_eq!(judge_access(&keys, &token), Err(TokenError::Malformed), "{header}");
    }
}

#[test]
fn a_key_verifies_only_tokens_that_name_it() {
    let secret = Secret::new(vec![7; 32]);
    let keys = KeySet::new(vec![key(Algorithm::EdDsa), shared(Algorithm::Hs256, &secret)]).unwrap();
    let [first, second] = keys.keys() else { panic!("two keys") };
    for signer in [first, second] {
        let token = sign(signer, TokenType::Access, &access_claims());
        assert_eq!(judge_access(&keys, &token), Ok(()), "every key of the set verifies, not the signing one alone");
    }
    let crossed = forge(second, &good_header(first).to_string(), &access_claims().to_string());
    assert_eq!(judge_access(&keys, &crossed), Err(TokenError::BadSignature));
}

#[test]
fn text_that_is_no_compact_jws_is_malformed() {
    let keys = set(key(Algorithm::EdDsa));
    let token = sign(keys.signing(), TokenType::Access, &access_claims());
    let long = format!("{token}{}", "A".repeat(MAX_BYTES));
    let four = format!("{token}.{}", token.rsplit('.').next().unwrap());
    for text in [String::new(), ".".into(), "..".into(), "...".into(), "a.b".into(), four, "é.é.é".into(), long] {
        assert_eq!(judge_access(&keys, &text), Err(TokenError::Malformed), "{text}");
    }
}

#[test]
fn a_token_may_be_8_kib_long_and_no_longer() {
    let keys = set(shared(Algorithm::Hs256, &Secret::new(vec![7; 32])));
    let mut last_good = 0;
    for padding in 5_500..5_900 {
        let mut claims = access_claims();
        claims["username"] = "a".repeat(padding).into();
        let token = sign(keys.signing(), TokenType::Access, &claims);
        assert_eq!(judge_access(&keys, &token).is_ok(), token.len() <= MAX_BYTES);
        last_good = last_good.max(if token.len() <= MAX_BYTES { token.len() } else { 0 });
    }
    assert!(last_good > MAX_BYTES - 4, "the limit was reached: {last_good}");
}

#[test]
fn the_signature_of_rfc_7515_a_1_is_the_one_printed_there() {
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = shared(Algorithm::Hs256, &Secret::new(URL_SAFE_NO_PAD.decode(secret).unwrap()));
    let signed = concat!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    );
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

#[test]
fn the_signature_of_rfc_8037_a_4_is_the_one_printed_there() {
    let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let frame = [0x30, 0x2e, 0x02, 0x01, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    let pkcs8 = [frame.as_slice(), &seed].concat();
    let record = Key::import(Algorithm::EdDsa, &pkcs8, None, crate::clock::Timestamp::default()).unwrap();
    let key = Key::open(&record, None).unwrap();
    let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())), expected);
}

#[test]
fn the_signature_of_rfc_7515_a_3_verifies() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
    // The curve and the fixed-length form are what `Material::P256` verifies with.
    let x = URL_SAFE_NO_PAD.decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU").unwrap();
    let y = URL_SAFE_NO_PAD.decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0").unwrap();
    let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [&[4], x.as_slice(), &y].concat()).unwrap();
    let signed = concat!(
        "eyJhbGciOiJFUzI1NiJ9",
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    );
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(public.verify_sig(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).is_ok());
}
