//! Project Wycheproof's vectors, signatures and keys that have fooled libraries, against the keys as we read them.

use serde_json::Value;

use super::PublicKey;
use crate::token::algorithm::Algorithm;
use crate::token::verifier::Verifier;

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap().as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap();
    hex.chunks(2).map(|pair| u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).unwrap()).collect()
}

/// Returns the groups of a set of vectors, each with its tests.
fn groups(json: &str) -> Vec<(Value, Vec<Value>)> {
    let mut set: Value = serde_json::from_str(json).unwrap();
    let groups = set["testGroups"].as_array_mut().unwrap();
    groups.drain(..).map(|group| (group.clone(), group["tests"].as_array().unwrap().clone())).collect()
}

/// Judges every vector with the group's key as PEM and, where it has one, as JWK; returns how many were judged.
fn judge_signatures(json: &str, algorithm: Algorithm, jwk_member: &str) -> usize {
    let mut count = 0;
    for (group, tests) in groups(json) {
        let mut keys = vec![PublicKey::from_text(group["publicKeyPem"].as_str().unwrap()).unwrap()];
        if group[jwk_member].is_object() {
            keys.push(PublicKey::from_text(&group[jwk_member].to_string()).unwrap());
        }
        for key in &keys {
            assert_eq!(key.algorithm(), algorithm);
            for test in &tests {
                let verified = key.verifies(&bytes(&test["msg"]), &bytes(&test["sig"]));
                match test["result"].as_str().unwrap() {
                    "valid" => assert!(verified, "{test}"),
                    "invalid" => assert!(!verified, "{test}"),
                    // What a library may take or leave.
                    other => assert_eq!(other, "acceptable"),
                }
                count += 1;
            }
        }
    }
    count
}

#[test]
fn ed25519_verifies_what_is_valid_and_nothing_else() {
    let json = wycheproof::eddsa::TestName::Ed25519.json_data();
    assert!(judge_signatures(json, Algorithm::EdDsa, "publicKeyJwk") >= 2 * 140);
}

#[test]
fn ecdsa_p256_in_jose_form_verifies_what_is_valid_and_nothing_else() {
    let json = wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256P1363.json_data();
    assert!(judge_signatures(json, Algorithm::Es256, "publicKeyJwk") >= 2 * 200);
}

#[test]
fn rsa_pkcs1_verifies_what_is_valid_and_nothing_else() {
    let json = wycheproof::rsa_pkcs1_verify::TestName::Rsa2048Sha256.json_data();
    assert!(judge_signatures(json, Algorithm::Rs256, "keyJwk") >= 200);
}

#[test]
fn an_hmac_verifies_whole_and_right_tags_and_nothing_else() {
    use wycheproof::mac::TestName;
    let sets = [
        (TestName::HmacSha256, Algorithm::Hs256, 256),
        (TestName::HmacSha384, Algorithm::Hs384, 384),
        (TestName::HmacSha512, Algorithm::Hs512, 512),
    ];
    for (name, algorithm, bits) in sets {
        let mut count = 0;
        for (group, tests) in groups(name.json_data()) {
            // The vectors know tags cut short; JWS does not (RFC 7518 section 3.2).
            let is_whole = group["tagSize"] == bits;
            for test in &tests {
                let key = Verifier::from_secret(algorithm, &bytes(&test["key"])).unwrap();
                let verified = key.verifies(&bytes(&test["msg"]), &bytes(&test["tag"]));
                assert_eq!(verified, is_whole && test["result"] == "valid", "{test}");
                count += 1;
            }
        }
        assert!(count >= 150, "{name:?}: {count}");
    }
}
