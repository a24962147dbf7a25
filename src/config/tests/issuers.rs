//! `[[auth.trusted_issuer]]`: what it means, and what a wrong one is told.

use std::time::Duration;

use super::{ROUTE, accept, environment, parse, refuse};
use crate::config::settings::{IssuerKeySource, TrustedIssuer};
use crate::token::foreign::ClaimPath;
use crate::token::key::Algorithm;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const URL: &str = "jwks_url = \"https://idp.example.com/jwks\"";
/// RFC 8410 section 10.1.
const PEM: &str = "-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n-----END PUBLIC KEY-----";
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\\n-----END PRIVATE KEY-----";

fn issuer(rest: &str) -> String {
    format!("[[auth.trusted_issuer]]\nissuer = \"https://idp.example.com/\"\naudience = [\"api\"]\n{rest}")
}

fn only(text: &str) -> TrustedIssuer {
    let mut issuers = accept(text).auth.trusted_issuers;
    assert_eq!(issuers.len(), 1);
    issuers.remove(0)
}

#[test]
fn an_issuer_has_keys_from_one_place_with_the_algorithms_that_fit_them() {
    let published = only(&issuer(URL));
    assert_eq!(
        (published.rules.issuer.as_str(), published.rules.audience),
        ("https://idp.example.com/", vec!["api".into()])
    );
    let IssuerKeySource::Published { url, algorithms } = published.keys else { panic!("published") };
    assert_eq!(url.to_string(), "https://idp.example.com/jwks");
    assert_eq!(algorithms, [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]);

    let narrowed = only(&issuer(&format!("{URL}\nalgorithms = [\"RS256\"]")));
    let is_narrow =
        |keys| matches!(keys, IssuerKeySource::Published { algorithms, .. } if algorithms == [Algorithm::Rs256]);
    assert!(is_narrow(narrowed.keys));

    let shared = only(&issuer(&format!("secret = \"{SECRET}\"")));
    let IssuerKeySource::Secret { secret, algorithms } = shared.keys else { panic!("shared") };
    assert_eq!((secret.expose().as_slice(), algorithms), (SECRET.as_bytes(), vec![Algorithm::Hs256]));

    let given = only(&issuer(&format!("public_key = \"{PEM}\"\nalgorithms = [\"EdDSA\"]")));
    assert!(matches!(given.keys, IssuerKeySource::PublicKey(text) if text.contains("BEGIN PUBLIC KEY")));
}

#[test]
fn a_key_may_lie_in_a_file_and_a_secret_in_a_variable() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), PEM.replace("\\n", "\n")).unwrap();
    let text = format!(
        "{}\n[[auth.trusted_issuer]]\nissuer = \"app\"\nsecret = \"env:APP_SECRET\"\n{ROUTE}",
        issuer(&format!("public_key = \"file:{}\"", file.path().display()))
    );
    let settings = parse("a.toml", &text, &environment(&[("APP_SECRET", SECRET)])).unwrap();
    assert_eq!(settings.auth.trusted_issuers.len(), 2);
    assert_eq!(settings.auth.trusted_issuers, settings.auth.trusted_issuers.clone());
    assert_ne!(settings.auth.trusted_issuers[0], settings.auth.trusted_issuers[1]);
}

#[test]
fn claims_are_where_they_are_said_to_be_and_leeway_is_that_of_auth() {
    let path = |text| ClaimPath::parse(text);
    let standard = only(&issuer(URL)).rules;
    assert_eq!(Some(standard.claims.user_id), path("sub"));
    assert_eq!(standard.claims.username, path("preferred_username"));
    assert_eq!(standard.claims.roles, path("roles"));
    let text =
        issuer(&format!("{URL}\nclaims = {{ user_id = \"user.id\", roles = \"realm_access.roles\", email = \"\" }}"));
    let rules = only(&format!("[auth]\nleeway = \"5s\"\n{text}")).rules;
    assert_eq!(Some(rules.claims.user_id), path("user.id"));
    assert_eq!(rules.claims.roles, path("realm_access.roles"));
    assert_eq!((rules.claims.email, rules.leeway), (None, Duration::from_secs(5)));
}

#[test]
fn what_is_wrong_with_an_issuer_is_said() {
    let secret = format!("secret = \"{SECRET}\"");
    for (rest, part) in [
        (String::new(), "found no key, expected one of jwks_url, secret and public_key"),
        (format!("{URL}\n{secret}"), "found a second source of keys"),
        (format!("{URL}\npublic_key = \"{PEM}\""), "found a second source of keys"),
        (format!("{secret}\npublic_key = \"{PEM}\""), "found a second source of keys"),
        ("secret = \"short\"".into(), "found a secret of 5 bytes"),
        ("jwks_url = \"http://idp.example.com/jwks\"".into(), "replace the keys"),
        ("jwks_url = \"https://user:pass@idp.example.com/\"".into(), "found a URL with a user name or password"),
        ("jwks_url = \"idp.example.com\"".into(), "expected an https URL"),
        (format!("{URL}\nalgorithms = [\"HS256\"]"), "found HS256"),
        (format!("{secret}\nalgorithms = [\"HS256\", \"RS256\"]"), "found RS256"),
        (format!("public_key = \"{PEM}\"\nalgorithms = [\"HS256\"]"), "found HS256"),
        (format!("public_key = \"{PEM}\"\nalgorithms = [\"RS256\"]"), "found RS256"),
        (format!("{URL}\nalgorithms = [\"none\"]"), "found \"none\""),
        (format!("{URL}\nalgorithms = [\"RS512\"]"), "found \"RS512\""),
        (format!("public_key = \"{PRIVATE}\""), "found a private key"),
        ("public_key = \"hunter2\"".into(), "neither a PEM section"),
        (format!("{URL}\nclaims = {{ user_id = \"\" }}"), "expected a claim such as"),
        (format!("{URL}\nclaims = {{ roles = \"a..b\" }}"), "expected a claim such as"),
        (format!("{URL}\nclaims = {{ role = \"roles\" }}"), "did you mean `roles`?"),
        (format!("{URL}\njwks = 1"), "unknown key `jwks`"),
    ] {
        let problems = refuse(&issuer(&rest));
        assert_eq!(problems.len(), 1, "{rest}\n{problems:#?}");
        let shown = problems[0].to_string();
        assert!(shown.contains(part), "{rest}\n{shown}");
        assert!(!shown.contains("MC4CAQAw") && !shown.contains("hunter2") && !shown.contains(SECRET), "{shown}");
    }
}

#[test]
fn an_issuer_has_a_name_of_its_own() {
    let twice = format!("{}\n{}", issuer(URL), issuer(URL));
    assert!(refuse(&twice)[0].found.contains("second time"));
    let ours = format!(
        "[server]\npublic_url = \"https://app.example.com\"\n[[auth.trusted_issuer]]\nissuer = \"https://app.example.com\"\naudience = [\"a\"]\n{URL}"
    );
    assert_eq!(refuse(&ours)[0].found, "our own issuer");
    let unnamed = format!("[[auth.trusted_issuer]]\n{URL}");
    assert_eq!(refuse(&unnamed)[0].found, "no issuer");
    assert_eq!(refuse(&format!("[[auth.trusted_issuer]]\nissuer = \"\"\n{URL}")).len(), 1);
    let plain = "[auth.trusted_issuer]\nissuer = \"a\"";
    assert_eq!(refuse(plain)[0].hint.as_deref(), Some("write `[[auth.trusted_issuer]]`"));
}

#[test]
fn published_keys_without_an_audience_are_warned_of() {
    let text = format!("[[auth.trusted_issuer]]\nissuer = \"https://idp.example.com/\"\n{URL}");
    let warnings = accept(&text).warnings;
    assert!(warnings[0].starts_with("a.toml:2:10: ") && warnings[0].contains("`audience`"), "{warnings:?}");
    let shared = format!("[[auth.trusted_issuer]]\nissuer = \"app\"\nsecret = \"{SECRET}\"");
    assert_eq!(accept(&shared).warnings, Vec::<String>::new());
}
