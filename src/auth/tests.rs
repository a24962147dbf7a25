//! Our tokens and other issuers' side by side: who is asked, what is cached, what takes it back.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::key_set::RemoteKeys;
use super::*;
use crate::identity::{Role, SessionId, UserId};
use crate::secret::Secret;
use crate::token::foreign::{ClaimPath, ClaimPaths, IssuerKeys, IssuerRules, PublicKey};
use crate::token::key::{Algorithm, Key};
use crate::token::key_set_url::KeySetUrl;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const OURS: &str = "https://id.example";

struct World {
    authenticator: Authenticator,
    trust: Live<Trust>,
}

/// An issuer that signs with a secret.
struct Issuer {
    name: &'static str,
    secret: Vec<u8>,
}

const A: Issuer = Issuer { name: "https://a.example", secret: Vec::new() };
const B: Issuer = Issuer { name: "https://b.example", secret: Vec::new() };

impl Issuer {
    fn secret(&self) -> Vec<u8> {
        if self.secret.is_empty() { self.name.repeat(3).into_bytes() } else { self.secret.clone() }
    }

    fn rotated(&self) -> Self {
        Self { secret: format!("another {}", self.name.repeat(3)).into_bytes(), ..*self }
    }

    fn trusted(&self) -> TrustedIssuer {
        let key = PublicKey::from_secret(Algorithm::Hs256, &Secret::new(self.secret())).unwrap();
        TrustedIssuer::with_keys(self.rules(), IssuerKeys::new(vec![key]))
    }

    fn rules(&self) -> IssuerRules {
        let path = |name: &str| ClaimPath::parse(name).unwrap();
        IssuerRules {
            issuer: self.name.into(),
            audience: Vec::new(),
            leeway: Duration::ZERO,
            accounts: None,
            claims: ClaimPaths {
                user_id: path("sub"),
                email: None,
                username: None,
                roles: Some(path("roles")),
                scope: None,
            },
        }
    }

    /// Returns a token signed by this issuer with that `iss`, header and user.
    fn sign_as(&self, issuer: &str, header: &Value, user: &str) -> String {
        let claims = json!({ "iss": issuer, "sub": user, "exp": NOW.as_secs() + 300, "roles": ["editor"] });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(&claims));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &self.secret());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes())))
    }

    fn sign(&self, user: &str) -> String {
        self.sign_as(self.name, &json!({ "alg": "HS256", "typ": "JWT" }), user)
    }
}

fn our_trust() -> Trust {
    let keys = || {
        let record = Key::generate(Algorithm::EdDsa, None, NOW).unwrap();
        KeySet::new(vec![Key::open(&record, None).unwrap()]).unwrap()
    };
    let expected = Expected { issuer: OURS.into(), audience: Vec::new(), leeway: Duration::ZERO };
    Trust { access: keys(), refresh: keys(), expected }
}

fn world(issuers: Vec<TrustedIssuer>) -> World {
    let trust = Live::new(our_trust());
    let authenticator = Authenticator::new(trust.clone(), Arc::default(), 1000);
    authenticator.trust_issuers(Issuers::new(issuers));
    World { authenticator, trust }
}

impl World {
    fn route(&self, token: &str) -> Result<Arc<Caller>, BadCredential> {
        self.route_at(token, NOW)
    }

    /// Returns what is known without waiting: nobody here has an account.
    fn route_at(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, BadCredential> {
        let verdict = self.authenticator.verify_any(token, now).now_or_never().expect("no store is asked");
        verdict.map_err(|error| match error {
            CredentialError::Bad(why) => why,
            CredentialError::Unavailable(_) => panic!("there is no store"),
        })
    }

    fn own(&self, token: &str) -> Result<Arc<Caller>, BadCredential> {
        self.authenticator.verify_bearer(token, NOW)
    }

    /// Returns an access token of ours for `user`.
    fn our_token(&self, user: &str) -> String {
        let trust = self.trust.current();
        let principal = Principal {
            user_id: UserId::parse(user).unwrap(),
            session: SessionId::random(),
            email: None,
            username: None,
            roles: vec![Role::parse("reader").unwrap()],
            scopes: Vec::new(),
        };
        claims::sign_access(&trust.access, &trust.expected, &principal, NOW, Duration::from_mins(5))
    }

    fn hits(&self) -> u64 {
        self.authenticator.cache_counts().hits
    }
}

#[test]
fn routes_take_both_kinds_and_our_own_endpoints_ours_alone_cached_or_not() {
    let world = world(vec![A.trusted()]);
    let (ours, theirs) = (world.our_token("ada"), A.sign("bob"));
    for round in 0..2 {
        assert!(world.own(&theirs).is_err(), "round {round}");
        assert_eq!(world.own(&ours).unwrap().principal.user_id.as_str(), "ada");
        assert_eq!(world.route(&ours).unwrap().principal.user_id.as_str(), "ada");
        assert_eq!(world.route(&theirs).unwrap().principal.user_id.as_str(), "bob");
        assert!(world.own(&theirs).is_err(), "round {round}, cached");
    }
    assert!(world.hits() >= 4);
}

#[test]
fn a_token_counts_for_the_issuer_that_it_names_and_for_no_other() {
    let world = world(vec![A.trusted(), B.trusted()]);
    let plain = json!({ "alg": "HS256" });
    assert!(world.route(&A.sign_as(A.name, &plain, "ada")).is_ok());
    assert!(world.route(&B.sign_as(B.name, &plain, "ada")).is_ok());
    for (signer, named) in [(A, B.name), (B, A.name), (A, OURS), (A, "https://c.example"), (A, "")] {
        assert!(world.route(&signer.sign_as(named, &plain, "ada")).is_err(), "{} as {named}", signer.name);
    }
}

#[test]
fn a_key_id_of_ours_makes_a_token_ours_to_judge_whatever_it_claims() {
    let world = world(vec![A.trusted()]);
    let kid = world.trust.current().access.signing().kid.clone();
    for header in [
        json!({ "alg": "HS256", "kid": kid }),
        json!({ "alg": "EdDSA", "kid": kid }),
        json!({ "alg": "HS256", "kid": kid, "x5t": "AAAA", "typ": "JWT" }),
    ] {
        let token = A.sign_as(A.name, &header, "ada");
        assert!(world.route(&token).is_err(), "{header}");
        assert!(world.authenticator.is_ours(&token));
    }
    assert!(world.route(&A.sign_as(A.name, &json!({ "alg": "HS256", "kid": "theirs" }), "ada")).is_ok());
}

#[test]
fn our_published_key_is_no_secret_of_anybody() {
    let world = world(vec![A.trusted()]);
    let trust = world.trust.current();
    let jwk = crate::token::jwk::public_set(&trust.access)["keys"][0].clone();
    let forger = Issuer { name: OURS, secret: jwk["x"].as_str().unwrap().as_bytes().to_vec() };
    let kid = trust.access.signing().kid.as_str();
    for header in [json!({ "alg": "HS256", "kid": kid, "typ": "at+jwt" }), json!({ "alg": "HS256" })] {
        assert!(world.route(&forger.sign_as(OURS, &header, "root")).is_err());
        assert!(world.route(&forger.sign_as(A.name, &header, "root")).is_err());
    }
}

#[test]
fn a_cached_token_ends_with_the_keys_that_verified_it() {
    let world = world(vec![A.trusted(), B.trusted()]);
    let (of_a, of_b, ours) = (A.sign("ada"), B.sign("bob"), world.our_token("cy"));
    for token in [&of_a, &of_b, &ours] {
        world.route(token).unwrap();
    }
    world.authenticator.trust_issuers(Issuers::new(vec![A.rotated().trusted(), B.trusted()]));
    assert!(world.route(&of_a).is_err(), "its key was withdrawn");
    assert!(world.route(&of_b).is_ok(), "verified anew");
    let before = world.hits();
    assert!(world.route(&ours).is_ok());
    assert_eq!(world.hits(), before + 1, "what others do to their keys leaves ours cached");
    world.authenticator.trust_issuers(Issuers::default());
    assert!(world.route(&of_b).is_err(), "nobody trusts its issuer any more");
}

#[test]
fn a_cached_token_costs_one_look() {
    let world = world(vec![A.trusted()]);
    let token = A.sign("ada");
    let first = world.route(&token).unwrap();
    let second = world.route(&token).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let counts = world.authenticator.cache_counts();
    assert_eq!((counts.hits, counts.misses), (1, 1));
}

#[test]
fn a_cached_token_ends_when_it_expires() {
    let world = world(vec![A.trusted()]);
    let token = A.sign("ada");
    world.route(&token).unwrap();
    let at = |secs| world.route_at(&token, NOW.plus(Duration::from_secs(secs)));
    assert!(at(299).is_ok());
    assert_eq!(at(300).unwrap_err(), BadCredential::Token(TokenError::Expired));
}

#[test]
fn an_account_of_ours_that_is_gone_refuses_others_tokens_for_its_id_at_once() {
    let world = world(vec![A.trusted()]);
    let (ada, bob) = (A.sign("ada"), A.sign("bob"));
    world.route(&ada).unwrap();
    world.route(&bob).unwrap();
    let id = UserId::parse("ada").unwrap();
    world.authenticator.revocations().change_user(&id, Standing::Gone, NOW.plus(Duration::from_mins(5)));
    assert_eq!(world.route(&ada).unwrap_err(), BadCredential::Revoked);
    assert!(world.route(&bob).is_ok());
}

#[test]
fn what_a_thread_remembers_of_a_token_ends_when_another_thread_takes_it_back() {
    let world = world(Vec::new());
    let token = world.our_token("ada");
    // The third time it is the thread's own memory that is asked.
    (0..3).for_each(|_| drop(world.route(&token).unwrap()));
    let id = UserId::parse("ada").unwrap();
    let gone = || world.authenticator.revocations().change_user(&id, Standing::Gone, NOW.plus(Duration::from_mins(5)));
    std::thread::scope(|scope| scope.spawn(gone).join()).unwrap();
    assert_eq!(world.route(&token).unwrap_err(), BadCredential::Revoked);
}

#[test]
fn one_cache_knows_nothing_of_what_a_thread_remembers_of_another() {
    let one = world(Vec::new());
    let authenticator = Authenticator::new(one.trust.clone(), Arc::new(Revocations::new()), 1000);
    let other = World { authenticator, trust: one.trust.clone() };
    let token = one.our_token("ada");
    let id = UserId::parse("ada").unwrap();
    other.authenticator.revocations().change_user(&id, Standing::Gone, NOW.plus(Duration::from_mins(5)));
    (0..3).for_each(|_| drop(one.route(&token).unwrap()));
    assert_eq!(other.route(&token).unwrap_err(), BadCredential::Revoked);
}

#[test]
fn roles_of_an_account_of_ours_are_nothing_to_others_tokens() {
    let world = world(vec![A.trusted()]);
    let (ours, theirs) = (world.our_token("ada"), A.sign("ada"));
    let id = UserId::parse("ada").unwrap();
    let roles = vec![Role::parse("admin").unwrap()];
    let standing = Standing::Active { email: None, username: None, roles: roles.clone(), scopes: Vec::new() };
    world.authenticator.revocations().change_user(&id, standing, NOW.plus(Duration::from_mins(5)));
    assert_eq!(world.route(&ours).unwrap().principal.roles, roles);
    assert_eq!(world.route(&theirs).unwrap().principal.roles, [Role::parse("editor").unwrap()]);
}

#[test]
fn an_issuer_without_keys_verifies_nothing_and_is_named() {
    let url = KeySetUrl::parse("https://b.example/jwks").unwrap();
    let remote = Arc::new(RemoteKeys::new(url, vec![Algorithm::EdDsa]));
    let world = world(vec![A.trusted(), TrustedIssuer::with_remote_keys(B.rules(), remote)]);
    assert_eq!(world.route(&B.sign("ada")).unwrap_err(), BadCredential::Token(TokenError::UnknownKey));
    assert!(world.route(&A.sign("ada")).is_ok());
    assert_eq!(world.authenticator.issuers().without_keys().collect::<Vec<_>>(), [B.name]);
}

#[test]
fn without_trusted_issuers_others_tokens_are_refused() {
    let world = world(Vec::new());
    assert!(world.route(&A.sign("ada")).is_err());
    assert!(world.route(&world.our_token("ada")).is_ok());
    for garbage in ["", ".", "..", "...", "a.b.c", "\u{0}", "eyJ9.e30."] {
        assert!(world.route(garbage).is_err(), "{garbage:?}");
    }
}
