//! What a header may say and what it can't bring about.

use serde_json::json;

use super::{ASYMMETRIC, claims, header, judge, public_jwk, published};
use crate::identity::Principal;
use crate::secret::Secret;
use crate::token::algorithm::Algorithm;
use crate::token::claims::TokenError;
use crate::token::foreign::{IssuerKeys, PublicKey};
use crate::token::key::Key;
use crate::token::testing::{forge, generated, shared};

/// Returns the verdict on a well signed token with that header, of the key whose `kid` is put for `KID`.
fn judge_header(header: &str) -> Result<Principal, TokenError> {
    let key = generated(Algorithm::EdDsa);
    let header = header.replace("KID", &key.kid);
    judge(&published(&[&key]), &forge(&key, &header, &claims().to_string()))
}

#[test]
fn the_type_says_access_token_or_nothing() {
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        assert!(judge_header(&format!(r#"{{"alg":"EdDSA","kid":"KID","typ":"{typ}"}}"#)).is_ok(), "{typ}");
    }
    assert!(judge_header(r#"{"alg":"EdDSA","kid":"KID"}"#).is_ok());
    for typ in ["rt+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "JWE", ""] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"KID","typ":"{typ}"}}"#);
        assert_eq!(judge_header(&header).unwrap_err(), TokenError::WrongType, "{typ}");
    }
}

#[test]
fn what_a_header_says_beside_is_ignored_unless_it_would_change_how_to_verify() {
    for harmless in [
        r#""x5t":"AAAA""#,
        "\"x5t#S256\":\"AAAA\"",
        r#""x5c":["AAAA"]"#,
        r#""jku":"https://evil.example/jwks""#,
        r#""x5u":"https://evil.example/""#,
        r#""cty":"x""#,
        r#""nonce":1"#,
    ] {
        assert!(judge_header(&format!(r#"{{"alg":"EdDSA","kid":"KID",{harmless}}}"#)).is_ok(), "{harmless}");
    }
    for member in [
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""zip":"DEF""#,
        r#""enc":"A256GCM""#,
        r#""jwk":{}"#,
        r#""kid":"KID""#,
        r#""alg":"EdDSA""#,
    ] {
        let refused = judge_header(&format!(r#"{{"alg":"EdDSA","kid":"KID",{member}}}"#));
        assert_eq!(refused.unwrap_err(), TokenError::Malformed, "{member}");
    }
    for header in [r#"{"kid":"KID"}"#, r#"{"alg":["EdDSA"],"kid":"KID"}"#, r#"{"alg":"EdDSA","kid":7}"#, "[]", "", "{}"]
    {
        assert_eq!(judge_header(header).unwrap_err(), TokenError::Malformed, "{header}");
    }
}

#[test]
fn a_key_in_the_header_is_never_used() {
    let (ours, theirs) = (generated(Algorithm::EdDsa), generated(Algorithm::EdDsa));
    let keys = published(&[&ours]);
    let jwk = public_jwk(&theirs);
    for header in [
        json!({ "alg": "EdDSA", "jwk": jwk }),
        json!({ "alg": "EdDSA", "kid": theirs.kid, "jwk": jwk }),
        json!({ "alg": "EdDSA", "kid": ours.kid, "jwk": jwk }),
        json!({ "alg": "EdDSA", "kid": ours.kid, "jku": "data:,", "x5c": ["AAAA"] }),
    ] {
        assert!(judge(&keys, &forge(&theirs, &header.to_string(), &claims().to_string())).is_err(), "{header}");
    }
}

#[test]
fn no_header_makes_a_public_key_a_secret_or_a_signature_needless() {
    for algorithm in ASYMMETRIC {
        let key = generated(algorithm);
        let keys = published(&[&key]);
        let jwk = public_jwk(&key).to_string();
        let texts: Vec<Vec<u8>> =
            ["n", "x", "y"].iter().filter_map(|name| Some(public_jwk(&key)[name].as_str()?.into())).collect();
        for known in texts.into_iter().chain([jwk.into_bytes()]) {
            for symmetric in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
                let mut padded = known.clone();
                padded.resize(known.len().max(32), 0);
                let forger = shared(symmetric, &Secret::new(padded));
                let header = json!({ "alg": symmetric.name(), "kid": key.kid }).to_string();
                let token = forge(&forger, &header, &claims().to_string());
                assert_eq!(judge(&keys, &token).unwrap_err(), TokenError::UnknownKey);
            }
        }
        for alg in ["none", "None", "NONE", "", "RS512", "PS256", "ES384", "HS256"]
            .into_iter()
            .chain(ASYMMETRIC.map(Algorithm::name))
        {
            let header = json!({ "alg": alg, "kid": key.kid }).to_string();
            let token = forge(&key, &header, &claims().to_string());
            let (signed, _) = token.rsplit_once('.').unwrap();
            assert!(judge(&keys, &format!("{signed}.")).is_err(), "{alg} without a signature");
            assert_eq!(judge(&keys, &token).is_ok(), alg == algorithm.name(), "{alg}");
        }
    }
}

#[test]
fn a_secret_verifies_only_the_algorithms_it_was_configured_for() {
    let secret = Secret::new(vec![b's'; 32]);
    let keys = IssuerKeys::new(vec![PublicKey::from_secret(Algorithm::Hs256, &secret).unwrap()]);
    for algorithm in [Algorithm::Hs384, Algorithm::Hs512] {
        let key = shared(algorithm, &secret);
        assert_eq!(
            judge(&keys, &forge(&key, &header(&key), &claims().to_string())).unwrap_err(),
            TokenError::UnknownKey
        );
    }
}

#[test]
fn a_token_without_a_key_id_is_taken_only_where_one_key_alone_could_have_signed() {
    let (first, second, other) =
        (generated(Algorithm::EdDsa), generated(Algorithm::EdDsa), generated(Algorithm::Es256));
    let token = |key: &Key| forge(key, &json!({ "alg": key.algorithm.name() }).to_string(), &claims().to_string());
    assert!(judge(&published(&[&first, &other]), &token(&first)).is_ok());
    assert!(judge(&published(&[&first, &other]), &token(&other)).is_ok());
    assert_eq!(judge(&published(&[&first, &second]), &token(&first)).unwrap_err(), TokenError::UnknownKey);
    assert_eq!(judge(&published(&[&first]), &token(&second)).unwrap_err(), TokenError::BadSignature);
    assert_eq!(
        judge(&published(&[&first]), &forge(&second, &header(&second), &claims().to_string())).unwrap_err(),
        TokenError::UnknownKey
    );
}

#[test]
fn no_keys_verify_nothing() {
    let key = generated(Algorithm::EdDsa);
    let token = forge(&key, &header(&key), &claims().to_string());
    assert_eq!(judge(&IssuerKeys::new(Vec::new()), &token).unwrap_err(), TokenError::UnknownKey);
}
