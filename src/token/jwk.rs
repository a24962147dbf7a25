//! The public keys as a JWK set (RFC 7517, RFC 8037), and the thumbprint that names a key (RFC 7638).
//! A shared secret has no public half, so it can't appear here.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::key::{Key, KeySet};
use super::material::Public;

/// Returns `{"keys": […]}` of every asymmetric key in the set, as `/.well-known/jwks.json` shows it.
pub fn public_set(keys: &KeySet) -> Value {
    let shown: Vec<Value> = keys.keys().iter().filter_map(public_jwk).collect();
    json!({ "keys": shown })
}

pub(super) fn public_jwk(key: &Key) -> Option<Value> {
    let mut jwk = json!({ "use": "sig", "alg": key.algorithm.name(), "kid": key.kid });
    for (name, value) in members(&key.public()?) {
        jwk[name] = value.into();
    }
    Some(jwk)
}

/// Returns the base64url SHA-256 of the key's required members, in the order and spelling that RFC 7638 section 3 fixes.
pub(super) fn thumbprint(public: &Public<'_>) -> String {
    // None of the values holds a character that JSON would escape.
    let spelt: Vec<String> = members(public).iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
    let canonical = format!("{{{}}}", spelt.join(","));
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}

/// Returns the members that make the key, in the order of their names.
fn members(public: &Public<'_>) -> Vec<(&'static str, String)> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match public {
        Public::Ed25519 { x } => vec![("crv", "Ed25519".into()), ("kty", "OKP".into()), ("x", encode(x))],
        Public::P256 { x, y } => {
            vec![("crv", "P-256".into()), ("kty", "EC".into()), ("x", encode(x)), ("y", encode(y))]
        }
        Public::Rsa { n, e } => vec![("e", encode(e)), ("kty", "RSA".into()), ("n", encode(n))],
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    use super::*;
    use crate::clock::Timestamp;
    use crate::secret::Secret;
    use crate::token::key::Algorithm;
    use crate::token::testing::{generated, shared};

    #[test]
    fn the_thumbprint_of_the_rfc_8037_key_is_the_one_printed_there() {
        // RFC 8037 appendices A.1 to A.3; the PKCS#8 frame around the seed is RFC 8410 section 7.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let frame = [0x30, 0x2e, 0x02, 0x01, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        let pkcs8 = [frame.as_slice(), &seed].concat();
        let record = Key::import(Algorithm::EdDsa, &pkcs8, None, Timestamp::default()).unwrap();
        assert_eq!(record.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let set = KeySet::new(vec![Key::open(&record, None).unwrap()]).unwrap();
        let expected = json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "use": "sig", "alg": "EdDSA", "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        }] });
        assert_eq!(public_set(&set), expected);
    }

    #[test]
    fn the_thumbprint_of_the_rfc_7638_key_is_the_one_printed_there() {
        let n = concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj",
            "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ",
            "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK",
            "nqDKgw",
        );
        let n = URL_SAFE_NO_PAD.decode(n).unwrap();
        let thumbprint = thumbprint(&Public::Rsa { n: &n, e: &[1, 0, 1] });
        assert_eq!(thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_published_rsa_key_verifies_what_its_private_half_signed() {
        let key = generated(Algorithm::Rs256);
        let jwk = public_jwk(&key).unwrap();
        let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let public = RsaPublicKeyComponents { n: member("n"), e: member("e") };
        assert!(public.verify(&RSA_PKCS1_2048_8192_SHA256, b"message", &key.sign(b"message")).is_ok());
    }

    #[test]
    fn an_ec_key_is_published_with_both_coordinates_at_full_length() {
        let jwk = public_jwk(&generated(Algorithm::Es256)).unwrap();
        assert_eq!((jwk["kty"].as_str(), jwk["crv"].as_str()), (Some("EC"), Some("P-256")));
        for name in ["x", "y"] {
            assert_eq!(URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap().len(), 32);
        }
    }

    #[test]
    fn no_shared_secret_and_no_private_member_is_ever_published() {
        let private = Secret::new(vec![7; 32]);
        let keys = vec![shared(Algorithm::Hs256, &private), generated(Algorithm::EdDsa), generated(Algorithm::Rs256)];
        let set = public_set(&KeySet::new(keys).unwrap());
        assert_eq!(set["keys"].as_array().unwrap().len(), 2);
        for jwk in set["keys"].as_array().unwrap() {
            for name in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(jwk.get(name).is_none(), "{name}");
            }
        }
    }
}
