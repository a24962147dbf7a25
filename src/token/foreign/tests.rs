//! Forgeries and claims of every wrong kind, for tokens of other issuers.

mod header;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::secret::Secret;
use crate::token::jwk;
use crate::token::key::Key;
use crate::token::testing::{NOW, forge, generated, set, shared};

const ASYMMETRIC: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
const ISSUER: &str = "https://idp.example.com/";

fn path(text: &str) -> ClaimPath {
    ClaimPath::parse(text).unwrap()
}

fn rules() -> IssuerRules {
    IssuerRules {
        issuer: ISSUER.into(),
        audience: vec!["api".into()],
        leeway: Duration::ZERO,
        accounts: None,
        claims: ClaimPaths {
            user_id: path("sub"),
            email: Some(path("email")),
            username: Some(path("preferred_username")),
            roles: Some(path("realm_access.roles")),
            scope: Some(path("scope")),
        },
    }
}

/// Returns what `key`'s owner publishes.
fn published(keys: &[&Key]) -> IssuerKeys {
    let listed: Vec<Value> = keys.iter().map(|key| public_jwk(key)).collect();
    IssuerKeys::from_set(json!({ "keys": listed }).to_string().as_bytes(), &ASYMMETRIC).unwrap()
}

fn public_jwk(key: &Key) -> Value {
    jwk::public_jwk(key).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "auth0|42", "aud": ["other", "api"], "exp": NOW.as_secs() + 300, "iat": NOW.as_secs(),
        "email": "ada@example.com", "preferred_username": "ada", "scope": "docs:read docs:write",
        "realm_access": { "roles": ["editor", "Domain Admins", "a,b"] },
    })
}

fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    claims.to_string()
}

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims.to_string()
}

fn header(key: &Key) -> String {
    json!({ "alg": key.algorithm.name(), "kid": key.kid, "typ": "JWT" }).to_string()
}

fn judge(keys: &IssuerKeys, token: &str) -> Result<Principal, TokenError> {
    Unverified::read(token)?.verify(&rules(), keys, NOW).map(ForeignClaims::into_principal)
}

/// Returns the verdict on a well signed token with that payload.
fn judge_payload(payload: &str) -> Result<Principal, TokenError> {
    let key = generated(Algorithm::EdDsa);
    judge(&published(&[&key]), &forge(&key, &header(&key), payload))
}

#[test]
fn a_good_token_of_every_algorithm_stands_for_whom_its_claims_name() {
    for algorithm in ASYMMETRIC {
        let key = generated(algorithm);
        let principal = judge(&published(&[&key]), &forge(&key, &header(&key), &claims().to_string())).unwrap();
        assert_eq!(principal.user_id.as_str(), "auth0|42");
        assert_eq!(principal.email.as_deref(), Some("ada@example.com"));
        assert_eq!(principal.username.as_deref(), Some("ada"));
        let roles: Vec<&str> = principal.roles.iter().map(crate::identity::Role::as_str).collect();
        assert_eq!(roles, ["editor"], "what can't be a role is none");
        assert_eq!(principal.scopes.len(), 2);
    }
    let secret = Secret::new(vec![b's'; 32]);
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let key = shared(algorithm, &secret);
        let keys = IssuerKeys::new(vec![PublicKey::from_secret(algorithm, &secret).unwrap()]);
        let bare = json!({ "alg": algorithm.name() }).to_string();
        for header in [header(&key), bare] {
            assert!(judge(&keys, &forge(&key, &header, &claims().to_string())).is_ok(), "{header}");
        }
    }
}

#[test]
fn a_claim_of_the_wrong_kind_refuses_the_token_and_never_counts_as_absent() {
    let wrong = [json!(null), json!(true), json!({}), json!([1]), json!([null]), json!(-1), json!(1.5), json!(1e300)];
    for name in ["iss", "sub", "aud", "email", "preferred_username", "scope", "jti"] {
        for value in &wrong {
            assert!(judge_payload(&with(name, value.clone())).is_err(), "{name}: {value}");
        }
    }
    for name in ["exp", "nbf", "iat"] {
        let soon = NOW.as_secs() + 10;
        let more = [
            json!(soon.to_string()),
            json!(""),
            json!([soon]),
            json!(u64::MAX),
            json!(1_u64 << 53),
            json!(1_700_000_010.0),
        ];
        for value in wrong.iter().chain(&more) {
            assert!(judge_payload(&with(name, value.clone())).is_err(), "{name}: {value}");
        }
    }
    for object in [json!(null), json!(1), json!("roles"), json!(["roles"])] {
        assert!(judge_payload(&with("realm_access", object)).is_err());
    }
    for roles in [json!(1), json!([1]), json!([["editor"]]), json!({})] {
        assert!(judge_payload(&with("realm_access", json!({ "roles": roles }))).is_err());
    }
}

#[test]
fn a_member_that_stands_twice_refuses_the_token_at_any_depth() {
    let claims = claims().to_string();
    let twice = |member: &str| claims.replacen('{', &format!("{{{member},"), 1);
    for member in ["\"exp\":99999999999", "\"sub\":\"root\"", "\"iss\":\"x\"", r#""su\u0062":"root""#] {
        assert_eq!(judge_payload(&twice(member)).unwrap_err(), TokenError::InvalidClaims, "{member}");
    }
    let nested = claims.replace(r#""roles":["#, r#""roles":[],"roles":["#);
    assert_ne!(nested, claims);
    assert_eq!(judge_payload(&nested).unwrap_err(), TokenError::InvalidClaims);
}

#[test]
fn issuer_audience_expiry_and_id_are_required_and_the_rest_is_not() {
    assert_eq!(judge_payload(&without("iss")).unwrap_err(), TokenError::WrongIssuer);
    assert_eq!(judge_payload(&without("aud")).unwrap_err(), TokenError::WrongAudience);
    assert_eq!(judge_payload(&without("exp")).unwrap_err(), TokenError::InvalidClaims);
    assert_eq!(judge_payload(&without("sub")).unwrap_err(), TokenError::InvalidClaims);
    for name in ["iat", "email", "preferred_username", "realm_access", "scope"] {
        assert!(judge_payload(&without(name)).is_ok(), "{name}");
    }
}

#[test]
fn issuer_and_audience_are_compared_to_the_letter() {
    for issuer in ["https://idp.example.com", "HTTPS://idp.example.com/", "https://idp.example.com/ ", "", "null"] {
        assert_eq!(judge_payload(&with("iss", json!(issuer))).unwrap_err(), TokenError::WrongIssuer, "{issuer}");
    }
    for audience in [json!("API"), json!("apis"), json!([]), json!(["other"]), json!("")] {
        assert_eq!(judge_payload(&with("aud", audience.clone())).unwrap_err(), TokenError::WrongAudience, "{audience}");
    }
    assert!(judge_payload(&with("aud", json!("api"))).is_ok());
}

#[test]
fn times_count_to_the_second() {
    let now = NOW.as_secs();
    assert_eq!(judge_payload(&with("exp", json!(now))).unwrap_err(), TokenError::InvalidClaims, "not after iat");
    assert_eq!(
        judge_payload(&without("iat").replace(&(now + 300).to_string(), &now.to_string())).unwrap_err(),
        TokenError::Expired
    );
    assert!(judge_payload(&with("exp", json!(now + 1))).is_ok());
    assert_eq!(judge_payload(&with("nbf", json!(now + 1))).unwrap_err(), TokenError::NotYetValid);
    assert!(judge_payload(&with("nbf", json!(now))).is_ok());
    assert_eq!(judge_payload(&with("iat", json!(now + 1))).unwrap_err(), TokenError::NotYetValid);
}

#[test]
fn an_id_may_be_a_number_only_where_it_is_not_the_subject() {
    let key = generated(Algorithm::EdDsa);
    let keys = published(&[&key]);
    let mut rules = rules();
    rules.claims.user_id = path("user.id");
    let judge = |id: Value| {
        let token = forge(&key, &header(&key), &with("user", json!({ "id": id })));
        Unverified::read(&token).unwrap().verify(&rules, &keys, NOW).map(|claims| claims.into_principal().user_id)
    };
    assert_eq!(judge(json!(42)).unwrap().as_str(), "42");
    assert_eq!(judge(json!("42")).unwrap().as_str(), "42");
    for wrong in
        [json!(-1), json!(4.2), json!(null), json!(""), json!("a b"), json!("é"), json!("x".repeat(129)), json!([42])]
    {
        assert_eq!(judge(wrong.clone()).unwrap_err(), TokenError::InvalidClaims, "{wrong}");
    }
}

#[test]
fn an_address_that_the_issuer_doubts_is_left_out() {
    for doubt in [json!(false), json!("false")] {
        assert_eq!(judge_payload(&with("email_verified", doubt)).unwrap().email, None);
    }
    assert!(judge_payload(&with("email_verified", json!(true))).unwrap().email.is_some());
}

#[test]
fn roles_may_be_words_of_a_text() {
    let principal = judge_payload(&with("realm_access", json!({ "roles": "editor  admin" }))).unwrap();
    assert_eq!(principal.roles.len(), 2);
}

#[test]
fn another_spelling_of_the_same_token_is_refused() {
    let key = generated(Algorithm::EdDsa);
    let keys = published(&[&key]);
    let token = forge(&key, &header(&key), &claims().to_string());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let last = signature.chars().last().unwrap();
    // 64 bytes leave four unused bits in the last letter.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    for other in [
        format!("{}{next}", &token[..token.len() - 1]),
        format!("{token}="),
        format!("{token}."),
        format!(".{token}"),
        format!("{token} "),
        format!("{signed}..{signature}"),
        signed.to_owned(),
    ] {
        assert!(judge(&keys, &other).is_err(), "{other}");
    }
}

#[test]
fn the_session_is_none_of_ours_and_the_same_for_the_same_token() {
    let key = generated(Algorithm::Es256);
    let keys = published(&[&key]);
    let sessions: Vec<SessionId> =
        (0..2).map(|_| judge(&keys, &forge(&key, &header(&key), &claims().to_string())).unwrap().session).collect();
    assert_eq!(sessions[0], sessions[1], "ES256 signs differently each time");
    assert_eq!(sessions[0].to_string().as_bytes()[14], b'8', "ours are of version 4");
    let other = judge(&keys, &forge(&key, &header(&key), &without("iat"))).unwrap().session;
    assert_ne!(other, sessions[0]);
}

#[test]
fn renewed_keys_are_the_same_keys_under_another_id() {
    let key = generated(Algorithm::EdDsa);
    let keys = published(&[&key]);
    let renewed = keys.renewed();
    assert_ne!(renewed.id(), keys.id());
    assert_ne!(renewed.id(), set(generated(Algorithm::EdDsa)).id());
    assert!(judge(&renewed, &forge(&key, &header(&key), &claims().to_string())).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_token_with_a_byte_changed_cut_or_added_is_refused(place in 0.0..1.0_f64, byte in 0_u8..128, how in 0_u8..3) {
        let secret = Secret::new(vec![b's'; 32]);
        let keys = IssuerKeys::new(vec![PublicKey::from_secret(Algorithm::Hs256, &secret).unwrap()]);
        let key = shared(Algorithm::Hs256, &secret);
        let token = forge(&key, &header(&key), &claims().to_string());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let place = (token.len() as f64 * place) as usize;
        let mut bytes = token.clone().into_bytes();
        match how {
            0 => bytes[place] = byte,
            1 => bytes.truncate(place),
            _ => bytes.insert(place, byte),
        }
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(judge(&keys, &changed).is_ok(), changed == token);
    }

    #[test]
    fn any_text_is_judged_without_a_panic(text in "\\PC{0,60}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..5)) {
        prop_assert!(judge(&IssuerKeys::new(Vec::new()), &text).is_err());
        prop_assert!(judge(&IssuerKeys::new(Vec::new()), &parts.join(".")).is_err());
    }
}
