//! `[[auth.trusted_issuer]]`: whose tokens count beside our own, and which keys they are held against.

use super::auth::{SHORTEST_SECRET, line, short_secret};
use crate::config::document::Fault;
use crate::config::section::{Section, choose, one_of};
use crate::config::settings::{Auth, IssuerKeySource, TrustedIssuer};
use crate::config::text::Parsed;
use crate::secret::Secret;
use crate::token::foreign::{AccountName, ClaimPath, ClaimPaths, IssuerRules, PublicKey, PublicKeyError};
use crate::token::key::Algorithm;
use crate::token::key_set_url::{KeySetUrl, UrlError};

const SOURCES: &str = "one of jwks_url, secret and public_key";

pub(super) fn trusted_issuers(section: &Section<'_>, auth: &Auth) -> Vec<TrustedIssuer> {
    let mut issuers: Vec<TrustedIssuer> = Vec::new();
    for section in section.tables("trusted_issuer") {
        let rules = rules(&section, auth);
        let name = rules.issuer.as_str();
        if !name.is_empty() && name == auth.issuer {
            let fault =
                Fault::new("our own issuer", "another one, because tokens with our name are held against our keys");
            section.refuse("issuer", fault);
        }
        let is_given = section.is_set("issuer");
        if is_given && issuers.iter().any(|other| other.rules.issuer == name) {
            section.refuse("issuer", Fault::new("an issuer for the second time", "each issuer once"));
        }
        if let Some(keys) = keys(&section) {
            let is_shared = matches!(keys, IssuerKeySource::Secret { .. });
            if rules.audience.is_empty() && !is_shared {
                let text = "this issuer's tokens for other applications are taken as well; name yours in `audience`";
                section.document.warn(&section.at("issuer"), text);
            }
            issuers.push(TrustedIssuer { rules, keys });
        }
    }
    issuers
}

fn rules(section: &Section<'_>, auth: &Auth) -> IssuerRules {
    let (mut issuer, mut audience) = (String::new(), Vec::new());
    if section.is_set("issuer") {
        let expected = "the `iss` of its tokens, a name or URL; \"\" for tokens that have none";
        section.parsed(
            "issuer",
            &mut issuer,
            expected,
            |text| if text.is_empty() { Ok(String::new()) } else { line(text) },
        );
        if issuer.is_empty() && section.is_set("jwks_url") {
            let hint = "its tokens say what their `iss` is: `vestibule token inspect` shows it".to_owned();
            section.refuse("issuer", Fault::new("no issuer of published keys", "its name").hint(Some(hint)));
        }
    } else {
        section.refuse_whole(Fault::new("no issuer", "issuer = the `iss` of its tokens"));
    }
    section.list("audience", &mut audience, "a name or URL", line);
    let accounts = accounts(section);
    IssuerRules { issuer, audience, leeway: auth.leeway, claims: claims(&section.table("claims")), accounts }
}

fn accounts(section: &Section<'_>) -> Option<AccountName> {
    let names = [
        ("external_id", AccountName::ExternalId),
        ("id", AccountName::Id),
        ("email", AccountName::Email),
        ("username", AccountName::Username),
    ];
    let mut accounts = None;
    section.optional("accounts", &mut accounts, &one_of(&names.map(|(name, _)| name)), |text| choose(text, &names));
    accounts
}

fn claims(section: &Section<'_>) -> ClaimPaths {
    let known = |name: &str| ClaimPath::parse(name).expect("a name is a path");
    let expected = "a claim such as \"sub\" or \"realm_access.roles\"";
    let path = |text: &str| ClaimPath::parse(text).ok_or(None);
    let mut user_id = known("sub");
    section.parsed("user_id", &mut user_id, expected, path);
    let other = |key: &str, name: &str| {
        let mut found = Some(known(name));
        section.optional(key, &mut found, expected, path);
        found
    };
    ClaimPaths {
        user_id,
        email: other("email", "email"),
        username: other("username", "preferred_username"),
        roles: other("roles", "roles"),
        scope: other("scope", "scope"),
    }
}

/// Returns where the keys are, unless that was unclear and a problem has been recorded.
fn keys(section: &Section<'_>) -> Option<IssuerKeySource> {
    let (mut url, mut secret, mut public_key) = (None, None, None);
    let is_clean = section.document.is_clean(|| {
        section.optional("jwks_url", &mut url, "an https URL (http for this machine alone)", key_set_url);
        section.secret("secret", &mut secret);
        section.secret("public_key", &mut public_key);
    });
    let given = algorithms(section);
    if !is_clean {
        return None;
    }
    match (url, secret, public_key) {
        (Some(url), None, None) => {
            let algorithms = used_with(section, given?, &[Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256])?;
            Some(IssuerKeySource::Published { url, algorithms })
        }
        (None, Some(secret), None) => shared(section, secret, given?),
        (None, None, Some(text)) => public(section, &text, given?),
        (None, None, None) => {
            section.refuse_whole(Fault::new("no key", SOURCES));
            None
        }
        (Some(_), _, _) | (None, Some(_), Some(_)) => {
            let key = if section.is_set("secret") { "secret" } else { "public_key" };
            section.refuse(key, Fault::new("a second source of keys", SOURCES));
            None
        }
    }
}

/// Returns the algorithms that are written, none if none is; `None` if a problem has been recorded.
fn algorithms(section: &Section<'_>) -> Option<Vec<Algorithm>> {
    let mut algorithms = Vec::new();
    let names = Algorithm::ALL.map(Algorithm::name);
    let is_clean = section.document.is_clean(|| {
        let parse = |text: &str| Algorithm::parse(text).ok_or(None);
        section.list("algorithms", &mut algorithms, &one_of(&names), parse);
    });
    is_clean.then_some(algorithms)
}

/// Returns the algorithms that were given, or all that fit if none was.
fn used_with(section: &Section<'_>, given: Vec<Algorithm>, fitting: &[Algorithm]) -> Option<Vec<Algorithm>> {
    if given.is_empty() {
        return Some(fitting.to_vec());
    }
    if let Some(wrong) = given.iter().find(|algorithm| !fitting.contains(algorithm)) {
        let names: Vec<&str> = fitting.iter().map(|algorithm| algorithm.name()).collect();
        let found = format!("{}, for which this kind of key is not made", wrong.name());
        section.refuse("algorithms", Fault::new(found, one_of(&names)));
        return None;
    }
    Some(given)
}

fn shared(section: &Section<'_>, secret: Secret<Vec<u8>>, given: Vec<Algorithm>) -> Option<IssuerKeySource> {
    if secret.expose().len() < SHORTEST_SECRET {
        section.refuse("secret", short_secret(secret.expose().len()));
        return None;
    }
    let given = if given.is_empty() { vec![Algorithm::Hs256] } else { given };
    let algorithms = used_with(section, given, &[Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512])?;
    Some(IssuerKeySource::Secret { secret, algorithms })
}

fn public(section: &Section<'_>, bytes: &Secret<Vec<u8>>, given: Vec<Algorithm>) -> Option<IssuerKeySource> {
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| PublicKeyError::Unreadable);
    let read = text.and_then(|text| PublicKey::from_text(text).map(|key| (text, key)));
    match read {
        Ok((text, key)) => {
            used_with(section, given, &[key.algorithm()])?;
            Some(IssuerKeySource::PublicKey(text.to_owned()))
        }
        Err(error) => {
            let expected = "a public key, RSA from 2048 bits, EC P-256 or Ed25519, as PEM (`BEGIN PUBLIC KEY`) or JWK";
            let hint = Some("`openssl pkey -in key.pem -pubout` prints it".to_owned());
            section.refuse("public_key", Fault::new(error.to_string(), expected).hint(hint));
            None
        }
    }
}

fn key_set_url(text: &str) -> Parsed<KeySetUrl> {
    KeySetUrl::parse(text).map_err(|error| match error {
        UrlError::NotAUrl => None,
        UrlError::NotSecure => Some("plain http would let anybody on the way replace the keys".to_owned()),
        UrlError::UserInfo => Some("leave the user name and password out".to_owned()),
    })
}
