//! Tokens of strangers, judged by keys whose secrets this file knows. The first byte says how the rest makes a token:
//!   R        it is one as it stands
//!   E n      edits (operation, place, place, byte) of the nth good token
//!   H t k    a header for the good claims of type t, signed with our secret (k even) or with a public key taken for one
//!   P t      a payload below the good header of type t, signed with our secret
//! Only what could have been issued is taken, and only as the type it is.

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use vestibule::clock::Timestamp;
use vestibule::secret::Secret;
use vestibule::token::claims::{Expected, names_our_key, verify_access, verify_refresh};
use vestibule::token::jws::{self, TokenType};
use vestibule::token::key::{Algorithm, Key, KeySet};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const SECRET: &[u8] = b"a secret that everybody may know";

static WORLD: LazyLock<World> = LazyLock::new(World::new);

struct World {
    keys: KeySet,
    expected: Expected,
    /// One for each key and type.
    good: Vec<(TokenType, String)>,
    public_key: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let shared = Key::from_secret(Algorithm::Hs256, &Secret::new(SECRET.to_vec())).expect("it has 32 bytes");
        // An Ed25519 key in PKCS#8 (RFC 8410 section 7) is this and its 32 bytes.
        let mut pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        pkcs8.extend_from_slice(&[7; 32]);
        let record = Key::import(Algorithm::EdDsa, &pkcs8, None, NOW).expect("it is PKCS#8");
        let pair = Key::open(&record, None).expect("it was just made");
        let good = [&shared, &pair].into_iter().flat_map(|key| {
            [TokenType::Access, TokenType::Refresh].map(|typ| (typ, jws::sign(key, typ, &good_claims(typ))))
        });
        let good = good.collect();
        let public_key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).expect("it is PKCS#8");
        let public_key = public_key.public_key().as_ref().to_vec();
        let expected =
            Expected { issuer: "https://id.example".into(), audience: vec!["api".into()], leeway: Duration::ZERO };
        Self { keys: KeySet::new(vec![shared, pair]).expect("there are two"), expected, good, public_key }
    }

    fn takes(&self, typ: TokenType, token: &str) -> bool {
        match typ {
            TokenType::Access => verify_access(&self.keys, &self.expected, token, NOW).is_ok(),
            TokenType::Refresh => verify_refresh(&self.keys, &self.expected, token, NOW).is_ok(),
        }
    }
}

fn good_claims(typ: TokenType) -> Value {
    let kind = match typ {
        TokenType::Access => "access",
        TokenType::Refresh => "refresh",
    };
    json!({
        "iss": "https://id.example", "sub": "ada", "aud": "api", "exp": NOW.as_secs() + 900, "iat": NOW.as_secs(),
        "jti": "one", "sid": "6f0c4d64-6a1c-4d2c-9a52-0d3b4a4d3c11", "type": kind,
        "roles": ["editor"], "scope": "docs:read docs:write", "email": "ada@example.com", "username": "ada",
    })
}

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    match data {
        [b'R', token @ ..] => match std::str::from_utf8(token) {
            Ok(token) => check_text(token),
            Err(_) => return None,
        },
        [b'E', which, edits @ ..] => check_edited(usize::from(*which), edits),
        [b'H', typ, key, header @ ..] => check_header(read_type(*typ), key % 2 == 0, header),
        [b'P', typ, payload @ ..] => check_payload(read_type(*typ), payload),
        _ => return None,
    }
    Some(())
}

/// Well past what is looked at.
const LONGEST: usize = 20_000;

fn read_type(byte: u8) -> TokenType {
    if byte.is_multiple_of(2) { TokenType::Access } else { TokenType::Refresh }
}

/// Only the good tokens are good, byte for byte, each as its own type.
fn check_text(token: &str) {
    for typ in [TokenType::Access, TokenType::Refresh] {
        let is_good = WORLD.good.iter().any(|(own, good)| *own == typ && good == token);
        assert_eq!(WORLD.takes(typ, token), is_good, "as {typ:?}: {token}");
        assert!(!is_good || names_our_key(&WORLD.keys, token));
    }
}

fn check_edited(which: usize, edits: &[u8]) {
    let (_, good) = &WORLD.good[which % WORLD.good.len()];
    let mut token = good.clone().into_bytes();
    for edit in edits.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([edit[1], edit[2]])) % (token.len() + 1);
        match edit[0] % 5 {
            0 => token.insert(at, edit[3] & 0x7F),
            1 => token.truncate(at),
            2 if token.len() < LONGEST => token.extend_from_within(at..),
            _ if at == token.len() => {}
            2 | 3 => token[at] = edit[3] & 0x7F,
            _ => drop(token.remove(at)),
        }
    }
    check_text(std::str::from_utf8(&token).expect("it is ASCII"));
}

fn signed(header: &str, payload: &str, secret: &[u8]) -> String {
    let message = format!("{header}.{payload}");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Whatever the header says, the algorithm is the key's, the type is the place's, and nothing else may stand there.
fn check_header(typ: TokenType, with_our_secret: bool, header: &[u8]) {
    let payload = URL_SAFE_NO_PAD.encode(good_claims(typ).to_string());
    let secret = if with_our_secret { SECRET } else { &WORLD.public_key };
    let token = signed(&URL_SAFE_NO_PAD.encode(header), &payload, secret);
    if !WORLD.takes(typ, &token) {
        return;
    }
    assert!(with_our_secret, "a public key was taken for a secret");
    assert!(names_our_key(&WORLD.keys, &token), "it would be shown to an upstream");
    let header: Value = serde_json::from_slice(header).expect("a header is JSON");
    let header = header.as_object().expect("a header is an object");
    assert_eq!(header.len(), 3, "{header:?}");
    assert_eq!(header["alg"], "HS256");
    assert_eq!(header["kid"], WORLD.keys.signing().kid.as_str());
    assert!(header["typ"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(typ.name())), "{header:?}");
}

/// Whatever is signed, a claim of the wrong kind never counts as one that is absent.
fn check_payload(typ: TokenType, payload: &[u8]) {
    let (_, good) = WORLD.good.iter().find(|(own, _)| *own == typ).expect("there is one of each type");
    let header = good.split('.').next().expect("a token has a header");
    let token = signed(header, &URL_SAFE_NO_PAD.encode(payload), SECRET);
    if !WORLD.takes(typ, &token) {
        return;
    }
    let claims: Value = serde_json::from_slice(payload).expect("claims are JSON");
    let is_past = |name: &str| claims[name].as_i64().is_some_and(|secs| (0..=NOW.as_secs()).contains(&secs));
    assert!(is_past("iat") && (claims.get("nbf").is_none() || is_past("nbf")), "{claims}");
    assert!(claims["exp"].as_i64().is_some_and(|secs| secs > NOW.as_secs()), "{claims}");
    assert_eq!((&claims["iss"], &claims["type"]), (&json!("https://id.example"), &good_claims(typ)["type"]));
    assert!(["sub", "jti", "sid"].iter().all(|name| claims[name].as_str().is_some_and(|text| !text.is_empty())));
    if typ == TokenType::Access {
        let is_for_us =
            claims["aud"] == "api" || claims["aud"].as_array().is_some_and(|list| list.contains(&json!("api")));
        assert!(is_for_us, "{claims}");
        for name in ["email", "username", "scope"] {
            assert!(claims.get(name).is_none_or(Value::is_string), "{claims}");
        }
        assert!(claims.get("roles").is_none_or(Value::is_array), "{claims}");
    }
}
