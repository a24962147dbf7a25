//! Which published keys are used, and which are passed over.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RsaKeyPair};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::token::jwk::public_set;
use crate::token::testing::{generated, set};

const ASYMMETRIC: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

/// Returns a fresh key of ours as it is published.
fn published(algorithm: Algorithm) -> Value {
    public_set(&set(generated(algorithm)))["keys"][0].clone()
}

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

/// Returns the algorithms of the keys that are used of a set.
fn used(keys: &[Value]) -> Vec<Algorithm> {
    let json = json!({ "keys": keys }).to_string();
    let keys = PublicKey::from_set(json.as_bytes(), &ASYMMETRIC).unwrap_or_default();
    keys.iter().map(PublicKey::algorithm).collect()
}

#[test]
fn a_key_that_we_publish_is_read_with_its_one_algorithm() {
    for algorithm in ASYMMETRIC {
        let jwk = published(algorithm);
        assert_eq!(used(std::slice::from_ref(&jwk)), [algorithm]);
        for optional in ["use", "alg", "kid"] {
            assert_eq!(used(&[without(jwk.clone(), optional)]), [algorithm], "{optional}");
        }
        assert_eq!(used(&[with(jwk, "key_ops", json!(["sign", "verify"]))]), [algorithm]);
    }
}

#[test]
fn a_key_for_something_else_is_passed_over_and_the_others_stay() {
    let good = published(Algorithm::EdDsa);
    for algorithm in ASYMMETRIC {
        let jwk = published(algorithm);
        let others = ASYMMETRIC.into_iter().filter(|other| *other != algorithm).map(Algorithm::name);
        let wrong_algorithms = others.chain(["HS256", "none", "PS256", "RS512", "RSA-OAEP", ""]);
        let mut wrong: Vec<Value> = wrong_algorithms.map(|other| with(jwk.clone(), "alg", other)).collect();
        wrong.extend(["enc", "SIG", ""].map(|purpose| with(jwk.clone(), "use", purpose)));
        wrong.extend([json!(null), json!(1), json!(["sig"])].map(|purpose| with(jwk.clone(), "use", purpose)));
        wrong.extend([json!(["encrypt"]), json!([]), json!("verify")].map(|list| with(jwk.clone(), "key_ops", list)));
        wrong.extend([json!(1), json!(null), json!("k".repeat(257))].map(|kid| with(jwk.clone(), "kid", kid)));
        wrong.push(with(jwk.clone(), "d", "AAAA"));
        wrong.push(with(jwk.clone(), "k", "AAAA"));
        wrong.push(with(jwk.clone(), "kty", "oct"));
        wrong.push(without(jwk, "kty"));
        for wrong in wrong {
            assert_eq!(used(&[wrong.clone(), good.clone()]), [Algorithm::EdDsa], "{wrong}");
        }
    }
    assert_eq!(used(&[json!({"kty": "oct", "k": "c".repeat(43), "alg": "HS256"}), json!(7), good]), [Algorithm::EdDsa]);
}

#[test]
fn a_point_off_the_curve_a_short_coordinate_and_padded_text_are_no_keys() {
    let (okp, ec, rsa) = (published(Algorithm::EdDsa), published(Algorithm::Es256), published(Algorithm::Rs256));
    let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
    let short = URL_SAFE_NO_PAD.encode([1; 31]);
    let long = URL_SAFE_NO_PAD.encode([1; 44]);
    let padded = format!("{}=", okp["x"].as_str().unwrap());
    for (jwk, name, value) in [
        (&ec, "x", &zeros),
        (&ec, "y", &zeros),
        (&ec, "x", &short),
        (&ec, "crv", &"P-384".to_owned()),
        (&ec, "crv", &"Ed25519".to_owned()),
        (&okp, "x", &short),
        (&okp, "x", &long),
        (&okp, "x", &padded),
        (&okp, "crv", &"X25519".to_owned()),
        (&okp, "crv", &"P-256".to_owned()),
        (&rsa, "n", &zeros),
        (&rsa, "e", &"AQ".to_owned()),
        (&rsa, "e", &"Ag".to_owned()),
        (&rsa, "e", &String::new()),
    ] {
        assert_eq!(used(&[with(jwk.clone(), name, value.as_str())]), [], "{name} = {value}");
    }
}

#[test]
fn an_rsa_key_has_at_least_2048_bits_and_may_be_written_with_a_leading_zero() {
    let jwk = |n: &[u8]| json!({"kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(n)});
    let whole = RsaKeyPair::generate(KeySize::Rsa2048)
        .unwrap()
        .public_key()
        .modulus()
        .big_endian_without_leading_zero()
        .to_vec();
    assert_eq!(used(&[jwk(&whole)]), [Algorithm::Rs256]);
    assert_eq!(used(&[jwk(&[&[0], whole.as_slice()].concat())]), [Algorithm::Rs256]);
    for bytes in [64, 128, 255] {
        // Odd, as every modulus is.
        let short = [&whole[..bytes - 1], &[1]].concat();
        assert_eq!(used(&[jwk(&short)]), [], "{bytes}");
    }
}

#[test]
fn keys_are_used_only_with_the_algorithms_that_are_allowed() {
    let keys: Vec<Value> = ASYMMETRIC.into_iter().map(published).collect();
    let json = json!({ "keys": keys }).to_string();
    for algorithm in ASYMMETRIC {
        let keys = PublicKey::from_set(json.as_bytes(), &[algorithm]).unwrap();
        assert_eq!(keys.iter().map(PublicKey::algorithm).collect::<Vec<_>>(), [algorithm]);
    }
    for none in [vec![], vec![Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512]] {
        assert_eq!(PublicKey::from_set(json.as_bytes(), &none).unwrap_err(), PublicKeyError::NothingUsable);
    }
}

#[test]
fn what_is_no_set_is_refused_and_one_of_many_keys_is_read_up_to_a_bound() {
    for text in ["", "null", "[]", "{}", "<html>", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(PublicKey::from_set(text.as_bytes(), &ASYMMETRIC).unwrap_err(), PublicKeyError::NotASet, "{text}");
    }
    assert_eq!(PublicKey::from_set(br#"{"keys":[]}"#, &ASYMMETRIC).unwrap_err(), PublicKeyError::NothingUsable);
    assert_eq!(used(&vec![published(Algorithm::EdDsa); 1000]).len(), MAX_KEYS);
}

#[test]
fn a_configured_key_is_pem_or_jwk_and_never_private() {
    for algorithm in ASYMMETRIC {
        let jwk = published(algorithm).to_string();
        let key = PublicKey::from_text(&jwk).unwrap();
        assert_eq!((key.algorithm(), key.kid), (algorithm, None));
    }
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    assert_eq!(PublicKey::from_text(&pem("PUBLIC KEY", der.as_ref())).unwrap().algorithm(), Algorithm::Rs256);
    let other_curve = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(other_curve.public_key()).unwrap();
    assert_eq!(PublicKey::from_text(&pem("PUBLIC KEY", der.as_ref())).unwrap_err(), PublicKeyError::Unsupported);
    let forgeable = der_of_exponent_one(&pair);
    assert_eq!(PublicKey::from_text(&pem("PUBLIC KEY", &forgeable)).unwrap_err(), PublicKeyError::Unsupported);
    for kind in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        assert_eq!(PublicKey::from_text(&pem(kind, b"anything")).unwrap_err(), PublicKeyError::Private);
    }
    let private = with(published(Algorithm::EdDsa), "d", "AAAA").to_string();
    assert_eq!(PublicKey::from_text(&private).unwrap_err(), PublicKeyError::Private);
    for wrong in ["", "hunter2", "[]", "-----BEGIN PUBLIC KEY-----", &pem("CERTIFICATE", b"anything")] {
        assert_eq!(PublicKey::from_text(wrong).unwrap_err(), PublicKeyError::Unreadable, "{wrong}");
    }
}

/// Returns the key's `SubjectPublicKeyInfo` with the exponent 65537 replaced by as long a spelling of 1.
fn der_of_exponent_one(pair: &RsaKeyPair) -> Vec<u8> {
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    let mut der = der.as_ref().to_vec();
    let end = der.len();
    assert_eq!(der[end - 5..], [2, 3, 1, 0, 1]);
    der[end - 3] = 0;
    der
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

#[test]
fn a_secret_is_no_key_of_an_asymmetric_algorithm_and_has_32_bytes() {
    let secret = |bytes| Secret::new(vec![b'k'; bytes]);
    assert_eq!(PublicKey::from_secret(Algorithm::Hs256, &secret(31)).unwrap_err(), PublicKeyError::SecretTooShort);
    assert!(PublicKey::from_secret(Algorithm::Hs512, &secret(32)).is_ok());
    for algorithm in ASYMMETRIC {
        assert_eq!(PublicKey::from_secret(algorithm, &secret(64)).unwrap_err(), PublicKeyError::Unsupported);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_set_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = PublicKey::from_set(&bytes, &ASYMMETRIC);
        let _ = PublicKey::from_text(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_members_are_a_key_or_none(
        kty in prop::sample::select(vec!["RSA", "EC", "OKP", "oct", ""]),
        crv in prop::sample::select(vec!["P-256", "Ed25519", "P-384", ""]),
        number in "[A-Za-z0-9_-]{0,400}",
    ) {
        let jwk = json!({"kty": kty, "crv": crv, "x": number, "y": number, "n": number, "e": number});
        let _ = used(&[jwk]);
    }
}
