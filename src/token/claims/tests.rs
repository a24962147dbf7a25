//! Claims of every wrong kind, issuers, audiences and times.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::secret::Secret;
use crate::token::key::{Algorithm, Key};
use crate::token::testing::{
    NOW, access_claims, expected, forge, generated, judge_access, judge_refresh, key, refresh_claims, set, shared,
};

const TTL: Duration = Duration::from_mins(15);

fn keys() -> KeySet {
    set(shared(Algorithm::Hs256, &Secret::new(vec![7; 32])))
}

fn principal() -> Principal {
    Principal {
        user_id: UserId::parse("ada").unwrap(),
        session: SessionId::random(),
        email: Some("ada@example.com".into()),
        username: None,
        roles: vec![Role::parse("editor").unwrap(), Role::parse("admin").unwrap()],
        scopes: vec![Scope::parse("docs:write").unwrap(), Scope::parse("docs:read").unwrap()],
    }
}

fn payload_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Returns the verdict on an access token with the good claims but for `name`, which is `value` or, if `None`, absent.
fn access_with(name: &str, value: Option<Value>) -> Result<(), TokenError> {
    let mut claims = access_claims();
    change(&mut claims, name, value);
    let keys = keys();
    judge_access(&keys, &jws::sign(keys.signing(), TokenType::Access, &claims))
}

fn refresh_with(name: &str, value: Option<Value>) -> Result<(), TokenError> {
    let mut claims = refresh_claims();
    change(&mut claims, name, value);
    let keys = keys();
    judge_refresh(&keys, &jws::sign(keys.signing(), TokenType::Refresh, &claims))
}

fn change(claims: &mut Value, name: &str, value: Option<Value>) {
    let members = claims.as_object_mut().unwrap();
    members.remove(name);
    members.extend(value.map(|value| (name.to_owned(), value)));
}

#[test]
fn a_signed_access_token_says_who_and_comes_back_as_it_went() {
    for algorithm in Algorithm::ALL {
        let keys = set(key(algorithm));
        let token = sign_access(&keys, &expected(), &principal_with_names(), NOW, TTL);
        let claims = verify_access(&keys, &expected(), &token, NOW).unwrap();
        assert_eq!(claims.expires_at(), NOW.plus(TTL));
        assert_eq!(claims.issued_at(), NOW);
        assert_eq!(claims.into_principal().username.as_deref(), Some("ada"), "{algorithm:?}");
    }
}

fn principal_with_names() -> Principal {
    Principal { username: Some("ada".into()), ..principal() }
}

#[test]
fn an_access_token_carries_the_claims_of_the_contract_and_leaves_out_what_is_unknown() {
    let (keys, principal) = (keys(), principal());
    let payload = payload_of(&sign_access(&keys, &expected(), &principal, NOW, TTL));
    let jti = payload["jti"].as_str().unwrap();
    assert_eq!(jti.len(), 22);
    let wanted = json!({
        "iss": "https://id.example", "sub": "ada", "aud": "api", "exp": NOW.as_secs() + 900, "iat": NOW.as_secs(),
        "jti": jti, "sid": principal.session.to_string(), "type": "access", "roles": ["editor", "admin"],
        "scope": "docs:write docs:read", "email": "ada@example.com",
    });
    assert_eq!(payload, wanted);
}

#[test]
fn issuer_and_audience_are_absent_unless_configured_and_several_audiences_are_a_list() {
    let keys = keys();
    let bare = Expected { issuer: String::new(), audience: Vec::new(), leeway: Duration::ZERO };
    let token = sign_access(&keys, &bare, &principal(), NOW, TTL);
    assert_eq!((payload_of(&token).get("iss"), payload_of(&token).get("aud")), (None, None));
    assert!(verify_access(&keys, &bare, &token, NOW).is_ok());
    assert_eq!(verify_access(&keys, &expected(), &token, NOW).unwrap_err(), TokenError::WrongIssuer);

    let two = Expected { audience: vec!["api".into(), "web".into()], ..expected() };
    let token = sign_access(&keys, &two, &principal(), NOW, TTL);
    assert_eq!(payload_of(&token)["aud"], json!(["api", "web"]));
    assert!(verify_access(&keys, &expected(), &token, NOW).is_ok());
}

#[test]
fn two_access_tokens_of_the_same_second_have_different_ids() {
    let keys = keys();
    let sign = || sign_access(&keys, &expected(), &principal(), NOW, TTL);
    assert_ne!(payload_of(&sign())["jti"], payload_of(&sign())["jti"]);
}

#[test]
fn the_same_refresh_call_makes_the_same_token() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Hs256] {
        let keys = set(key(algorithm));
        let user_id = UserId::parse("ada").unwrap();
        let refresh = NewRefresh {
            user_id: &user_id,
            session: SessionId::random(),
            jti: "one",
            issued_at: Timestamp::from_millis(NOW.as_millis() + 250),
            expires_at: NOW.plus(Duration::from_mins(1)),
        };
        let token = sign_refresh(&keys, "https://id.example", &refresh);
        assert_eq!(token, sign_refresh(&keys, "https://id.example", &refresh), "{algorithm:?}");
        let claims = verify_refresh(&keys, &expected(), &token, NOW).unwrap();
        assert_eq!((claims.user_id(), claims.jti()), (&user_id, "one"));
        assert_eq!((claims.session(), claims.expires_at()), (refresh.session, refresh.expires_at));
    }
}

#[test]
fn a_claim_of_the_wrong_kind_never_counts_as_absent() {
    let now = NOW.as_secs();
    let wrong_times = [
        json!((now + 900).to_string()),
        json!(1.7e9),
        json!(-1),
        json!(null),
        json!([now + 900]),
        json!({}),
        json!(true),
        json!(1_u64 << 53),
        json!(u64::MAX),
        json!(""),
    ];
    for name in ["exp", "iat", "nbf"] {
        for value in &wrong_times {
            assert_eq!(access_with(name, Some(value.clone())), Err(TokenError::InvalidClaims), "{name}: {value}");
            assert_eq!(refresh_with(name, Some(value.clone())), Err(TokenError::InvalidClaims), "{name}: {value}");
        }
    }
    let wrong_texts = [json!(null), json!(1), json!(["https://id.example"]), json!({}), json!(true)];
    for name in ["iss", "sub", "sid", "jti", "type"] {
        for value in &wrong_texts {
            assert_eq!(access_with(name, Some(value.clone())), Err(TokenError::InvalidClaims), "{name}: {value}");
            assert_eq!(refresh_with(name, Some(value.clone())), Err(TokenError::InvalidClaims), "{name}: {value}");
        }
    }
    for name in ["scope", "email", "username"] {
        for value in &wrong_texts {
            assert_eq!(access_with(name, Some(value.clone())), Err(TokenError::InvalidClaims), "{name}: {value}");
        }
    }
}

#[test]
fn text_claims_must_be_what_they_name() {
    let table: &[(&str, &[Value])] = &[
        ("sub", &[json!(""), json!("a b"), json!("é"), json!("a".repeat(129))]),
        (
            "sid",
            &[
                json!(""),
                json!("1"),
                json!("6F0C4D64-6A1C-4D2C-9A52-0D3B4A4D3C11"),
                json!("6f0c4d646a1c4d2c9a520d3b4a4d3c11"),
            ],
        ),
        ("jti", &[json!(""), json!("a".repeat(129))]),
    ];
    for (name, values) in table {
        for value in *values {
            assert_eq!(access_with(name, Some(value.clone())), Err(TokenError::InvalidClaims), "{name}: {value}");
            assert_eq!(refresh_with(name, Some(value.clone())), Err(TokenError::InvalidClaims), "{name}: {value}");
        }
    }
    let lists: &[(&str, &[Value])] = &[
        (
            "roles",
            &[json!("admin"), json!([1]), json!([null]), json!(["a,b"]), json!([""]), json!([["admin"]]), json!({})],
        ),
        ("scope", &[json!("a  b"), json!(" a"), json!("a\tb"), json!("a,b")]),
        ("aud", &[json!(1), json!(null), json!({ "api": true }), json!(["api", 1]), json!([["api"]])]),
    ];
    for (name, values) in lists {
        for value in *values {
            assert_eq!(access_with(name, Some(value.clone())), Err(TokenError::InvalidClaims), "{name}: {value}");
        }
    }
}

#[test]
fn a_missing_claim_refuses_and_missing_roles_are_none() {
    for name in ["exp", "iat", "sub", "sid", "jti", "type"] {
        assert_eq!(access_with(name, None), Err(TokenError::InvalidClaims), "{name}");
        assert_eq!(refresh_with(name, None), Err(TokenError::InvalidClaims), "{name}");
    }
    assert_eq!(access_with("iss", None), Err(TokenError::WrongIssuer));
    assert_eq!(access_with("aud", None), Err(TokenError::WrongAudience));
    for name in ["roles", "scope", "email", "username"] {
        assert_eq!(access_with(name, None), Ok(()), "{name}");
    }
}

#[test]
fn type_issuer_and_audience_must_be_ours_to_the_letter() {
    for kind in ["refresh", "Access", "", "access "] {
        assert_eq!(access_with("type", Some(json!(kind))), Err(TokenError::WrongType), "{kind}");
    }
    assert_eq!(refresh_with("type", Some(json!("access"))), Err(TokenError::WrongType));
    for issuer in ["", "https://id.example/", "https://ID.example", "https://id.example.evil"] {
        assert_eq!(access_with("iss", Some(json!(issuer))), Err(TokenError::WrongIssuer), "{issuer}");
        assert_eq!(refresh_with("iss", Some(json!(issuer))), Err(TokenError::WrongIssuer), "{issuer}");
    }
    for audience in [json!("other"), json!([]), json!(["other"]), json!("API"), json!("api ")] {
        assert_eq!(access_with("aud", Some(audience.clone())), Err(TokenError::WrongAudience), "{audience}");
    }
    assert_eq!(access_with("aud", Some(json!(["other", "api"]))), Ok(()));
}

#[test]
fn a_claim_that_stands_twice_is_refused_even_if_both_agree() {
    let keys = keys();
    let header = json!({ "alg": "HS256", "kid": keys.signing().kid, "typ": "at+jwt" }).to_string();
    let good = access_claims().to_string();
    assert_eq!(judge_access(&keys, &forge(keys.signing(), &header, &good)), Ok(()));
    for extra in [r#""sub":"ada""#, r#""exp":9999999999"#, r#""unknown":1,"unknown":1"#, r#""s\u0075b":"root""#] {
        let payload = good.replacen('{', &format!("{{{extra},"), 1);
        let token = forge(keys.signing(), &header, &payload);
        assert_eq!(judge_access(&keys, &token), Err(TokenError::InvalidClaims), "{extra}");
    }
}

#[test]
fn a_payload_that_is_no_object_is_refused() {
    let keys = keys();
    let header = json!({ "alg": "HS256", "kid": keys.signing().kid, "typ": "at+jwt" }).to_string();
    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    for payload in ["", "null", "[]", "1", "\"a\"", "{}{}", "{", &deep] {
        let token = forge(keys.signing(), &header, payload);
        assert_eq!(judge_access(&keys, &token), Err(TokenError::InvalidClaims), "{payload}");
    }
}

#[test]
fn times_hold_to_the_second_and_leeway_widens_both_ends() {
    let keys = keys();
    let now = NOW.as_secs();
    let verdict = |exp: i64, iat: i64, nbf: i64, leeway: u64| {
        let mut claims = access_claims();
        (claims["exp"], claims["iat"], claims["nbf"]) = (exp.into(), iat.into(), nbf.into());
        let expected = Expected { leeway: Duration::from_secs(leeway), ..expected() };
        let token = jws::sign(keys.signing(), TokenType::Access, &claims);
        verify_access(&keys, &expected, &token, NOW).map(|_| ())
    };
    assert_eq!(verdict(now + 1, now, now, 0), Ok(()));
    assert_eq!(verdict(now, now - 1, now - 1, 0), Err(TokenError::Expired));
    assert_eq!(verdict(now - 4, now - 9, now - 9, 5), Ok(()));
    assert_eq!(verdict(now - 5, now - 9, now - 9, 5), Err(TokenError::Expired));
    assert_eq!(verdict(now + 9, now + 1, now, 0), Err(TokenError::NotYetValid));
    assert_eq!(verdict(now + 9, now, now + 1, 0), Err(TokenError::NotYetValid));
    assert_eq!(verdict(now + 9, now + 5, now + 5, 5), Ok(()));
    assert_eq!(verdict(now + 9, now + 6, now, 5), Err(TokenError::NotYetValid));
    assert_eq!(verdict(now + 9, now, now + 6, 5), Err(TokenError::NotYetValid));
    assert_eq!(verdict(now, now, now, 5), Err(TokenError::InvalidClaims), "exp must lie after iat");
    assert_eq!(verdict((1 << 53) - 1, now, now, 5), Ok(()));
}

#[test]
fn a_token_that_names_our_key_is_recognised_however_badly_it_is_made() {
    let keys = KeySet::new(vec![generated(Algorithm::EdDsa), generated(Algorithm::Es256)]).unwrap();
    let [first, second] = keys.keys() else { panic!("two keys") };
    let token = |key: &Key| jws::sign(key, TokenType::Refresh, &refresh_claims());
    assert!(names_our_key(&keys, &token(first)));
    assert!(names_our_key(&keys, &token(second)));
    let header = token(first).split('.').next().unwrap().to_owned();
    for spelling in [header.clone(), format!("{header}."), format!("{header}..x.y"), format!("{header}=.x.y")] {
        assert!(names_our_key(&keys, &spelling), "{spelling}");
    }
    assert!(!names_our_key(&keys, &token(&generated(Algorithm::EdDsa))));
    for text in ["", ".", "abc", "é", "Zm9v.YmFy.", "dXNlcjpwYXNz"] {
        assert!(!names_our_key(&keys, text), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_verifying_panic_or_succeed(text in "[ -~é\0]{0,80}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..5)) {
        let keys = keys();
        for token in [text, parts.join(".")] {
            prop_assert!(judge_access(&keys, &token).is_err());
            prop_assert!(judge_refresh(&keys, &token).is_err());
            prop_assert!(!names_our_key(&keys, &token));
        }
    }

    #[test]
    fn any_claim_of_any_json_kind_is_judged_without_a_panic(name in "iss|sub|aud|exp|iat|nbf|jti|sid|type|roles|scope|email|username", number in any::<f64>(), text in ".{0,20}") {
        for value in [json!(number), json!(text), json!([text]), json!([number]), json!({ text: number })] {
            let _ = access_with(&name, Some(value));
        }
    }
}
