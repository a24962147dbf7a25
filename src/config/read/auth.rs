//! `[auth]`: where our endpoints are, what registrations carry, and how tokens are signed, read and renewed.

use std::collections::BTreeMap;

use super::answers::answers;
use super::identity::{header_name, may_carry_token};
use super::issuers::trusted_issuers;
use super::routes::{ROLE, SCOPE, canonical_path, role, scope};
use super::user_fields::user_fields;
use crate::config::defaults::{ISSUER, ROTATE_AHEAD};
use crate::config::document::Fault;
use crate::config::section::{Section, choose, one_of};
use crate::config::settings::{Auth, DefaultGrant, Endpoint, RefreshPlace, Registration, Settings, UserField};
use crate::config::text::{self, Parsed};
use crate::route::pattern::PathPrefix;
use crate::token::key::Algorithm;
use crate::token::rotation::Schedule;

pub(super) fn auth(section: &Section<'_>, settings: &Settings) -> Auth {
    let mut auth = Auth::default();
    section.parsed("prefix", &mut auth.prefix, "a canonical path such as \"/auth\", not the root", |text| {
        let prefix = canonical_path(text)?;
        if prefix.as_str() == "/" {
            Err(Some("the root would leave no path to your apps".to_owned()))
        } else {
            Ok(prefix)
        }
    });
    section.choice(
        "registration",
        &mut auth.registration,
        &[("open", Registration::Open), ("closed", Registration::Closed)],
    );
    fields(section, &mut auth);
    auth.answers = answers(section);
    auth.user_fields = user_fields(&section.table("user_fields"));
    let issuer = settings.server.public_url.as_ref().map_or_else(|| ISSUER.to_owned(), ToString::to_string);
    let mut written = None;
    section.optional("issuer", &mut written, "a name or URL", line);
    auth.issuer = written.unwrap_or(issuer);
    section.list("audience", &mut auth.audience, "a name or URL", line);
    signing(section, &mut auth);
    rotation(section, &mut auth);
    lifetimes(section, &mut auth);
    requests(section, &mut auth);
    presentation(section, &mut auth, settings);
    paths(&section.table("paths"), &mut auth);
    let granted = section.table("role_scopes");
    for (name, at) in granted.keys() {
        let mut scopes = Vec::new();
        granted.list(&name, &mut scopes, SCOPE, scope);
        match role(&name) {
            Ok(role) => drop(auth.role_scopes.insert(role, scopes)),
            Err(_) => section.document.refuse(&at, &granted.path, Fault::new(format!("{name:.80?}"), ROLE)),
        }
    }
    auth.trusted_issuers = trusted_issuers(section, &auth);
    auth
}

/// Returns a text that is not empty and has no control characters.
pub(super) fn line(text: &str) -> Parsed<String> {
    if text.is_empty() || text.contains(char::is_control) { Err(None) } else { Ok(text.to_owned()) }
}

const FIELDS: [(&str, UserField); 6] = [
    ("email", UserField::Email),
    ("username", UserField::Username),
    ("first_name", UserField::FirstName),
    ("last_name", UserField::LastName),
    ("full_name", UserField::FullName),
    ("phone", UserField::Phone),
];

fn fields(section: &Section<'_>, auth: &mut Auth) {
    let names = FIELDS.map(|(name, _)| name);
    section.list("required_fields", &mut auth.required_fields, &one_of(&names), |text| choose(text, &FIELDS));
    let required = &auth.required_fields;
    section.list(
        "ignored_fields",
        &mut auth.ignored_fields,
        "a field that is neither required nor `password`",
        |text| {
            let is_required = FIELDS.iter().any(|(name, field)| *name == text && required.contains(field));
            if is_required || text == "password" { Err(None) } else { line(text) }
        },
    );
}

pub(super) const SHORTEST_SECRET: usize = 32;

fn signing(section: &Section<'_>, auth: &mut Auth) {
    let names = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
    let algorithm_is_known = section.document.is_clean(|| section.choice("algorithm", &mut auth.algorithm, &names));
    let secrets = &mut auth.secrets;
    // A profile signs with secrets; whoever chooses keys instead needs none of them.
    let is_wanted = |key| auth.algorithm.is_symmetric() || !section.is_from_profile(key);
    let secret_was_read = section.document.is_clean(|| {
        if is_wanted("secret") {
            section.secret("secret", &mut secrets.access);
        }
    });
    if is_wanted("refresh_secret") {
        section.secret("refresh_secret", &mut secrets.refresh);
    }
    section.secret("key_encryption_secret", &mut secrets.key_encryption);
    let all = [
        ("secret", &secrets.access),
        ("refresh_secret", &secrets.refresh),
        ("key_encryption_secret", &secrets.key_encryption),
    ];
    for (key, secret) in all {
        let length = secret.as_ref().map_or(SHORTEST_SECRET, |secret| secret.expose().len());
        if length < SHORTEST_SECRET {
            section.refuse(key, short_secret(length));
        }
    }
    if algorithm_is_known && secret_was_read {
        refuse_disagreement(section, auth);
    }
}

pub(super) fn short_secret(length: usize) -> Fault {
    let hint = Some("`openssl rand -base64 32` makes a good one".to_owned());
    Fault::new(format!("a secret of {length} bytes"), "at least 32 bytes").hint(hint)
}

/// Refuses a symmetric algorithm without its secret, and secrets that the algorithm has no use for.
fn refuse_disagreement(section: &Section<'_>, auth: &Auth) {
    let (name, secrets) = (auth.algorithm.name(), &auth.secrets);
    if auth.algorithm.is_symmetric() {
        if secrets.access.is_none() {
            let key = if section.is_set("secret") { "secret" } else { "algorithm" };
            let fault = Fault::new(format!("{name} without a secret"), "auth.secret of at least 32 bytes");
            section.refuse(key, fault.hint(Some("set auth.secret = \"env:AUTH_SECRET\", for example".to_owned())));
        }
        return;
    }
    for (key, is_given) in [("secret", secrets.access.is_some()), ("refresh_secret", secrets.refresh.is_some())] {
        if is_given {
            let hint = Some("set auth.algorithm = \"HS256\", or leave it out".to_owned());
            section.refuse(key, Fault::new(format!("a secret, which {name} does not use"), "none").hint(hint));
        }
    }
}

/// Reads when keys change by themselves.
fn rotation(section: &Section<'_>, auth: &mut Auth) {
    let (mut every, mut ahead) = (None, ROTATE_AHEAD);
    let mut is_known = section.document.is_clean(|| {
        section.optional("rotate", &mut every, "a duration such as \"90d\", or \"\" for never", text::duration);
    });
    is_known &= section.document.is_clean(|| section.timeout("rotate_ahead", &mut ahead));
    let Some(every) = every.filter(|_| is_known) else { return };
    if auth.algorithm.is_symmetric() {
        let found = format!("a schedule, while {} signs with auth.secret", auth.algorithm.name());
        let hint = Some("change auth.secret itself, or choose auth.algorithm = \"EdDSA\"".to_owned());
        section.refuse("rotate", Fault::new(found, "\"\"").hint(hint));
    }
    if every <= ahead {
        let key = if section.is_set("rotate_ahead") { "rotate_ahead" } else { "rotate" };
        let hint = Some("a key that is published for longer than it signs is never the newest".to_owned());
        section.refuse(key, Fault::new("rotate_ahead as long as rotate", "rotate longer than rotate_ahead").hint(hint));
    }
    auth.rotation = Some(Schedule { every, ahead });
}

fn lifetimes(section: &Section<'_>, auth: &mut Auth) {
    section.timeout("access_ttl", &mut auth.access_ttl);
    section.timeout("refresh_ttl", &mut auth.refresh_ttl);
    section.timeout("session_max", &mut auth.session_max);
    section.bool("rotate_refresh", &mut auth.rotate_refresh);
    section.duration("refresh_grace", &mut auth.refresh_grace);
    section.duration("leeway", &mut auth.leeway);
    let pairs = [
        (("access_ttl", auth.access_ttl), ("refresh_ttl", auth.refresh_ttl)),
        (("refresh_ttl", auth.refresh_ttl), ("session_max", auth.session_max)),
    ];
    for ((short_key, short), (long_key, long)) in pairs {
        if long < short {
            // Whichever was written is the one to point at; both by default can't disagree.
            let key = if section.is_set(long_key) { long_key } else { short_key };
            let fault =
                Fault::new(format!("{short_key} longer than {long_key}"), format!("{long_key} at least as long"));
            section.refuse(key, fault);
        }
    }
}

/// Reads what requests may look like that other systems' clients send.
fn requests(section: &Section<'_>, auth: &mut Auth) {
    let places = [("json", RefreshPlace::Json), ("form", RefreshPlace::Form), ("query", RefreshPlace::Query)];
    let names = places.map(|(name, _)| name);
    section.list("refresh_from", &mut auth.refresh_from, &one_of(&names), |text| choose(text, &places));
    if auth.refresh_from.is_empty() {
        section.refuse("refresh_from", Fault::new("no place for a refresh token", "at least one"));
    }
    let grants = [("password", DefaultGrant::Password)];
    let names = grants.map(|(name, _)| name);
    section.optional("default_grant", &mut auth.default_grant, &one_of(&names), |text| choose(text, &grants));
}

fn presentation(section: &Section<'_>, auth: &mut Auth, settings: &Settings) {
    let header = "the name of a header that may carry a token, such as \"Authorization\"";
    section.parsed("header", &mut auth.header, header, |text| {
        let name = header_name(text)?;
        if may_carry_token(&name, &settings.identity) { Ok(name) } else { Err(None) }
    });
    section.list("schemes", &mut auth.schemes, "a scheme such as \"Bearer\"", |text| {
        if text::is_token(text) { Ok(text.to_owned()) } else { Err(None) }
    });
    if auth.schemes.is_empty() && auth.header == http::header::AUTHORIZATION && section.is_set("schemes") {
        section.refuse("schemes", Fault::new("no scheme", "at least one, because the header is Authorization"));
    }
    section.parsed("access_token_name", &mut auth.access_token_name, "a name of letters, digits, `-` or `_`", |text| {
        let is_name =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let is_taken = ["refresh_token", "token_type", "expires_in", "user_id"].contains(&text);
        match (is_name, is_taken) {
            (true, false) => Ok(text.to_owned()),
            (_, true) => Err(Some("the answer has another field of that name".to_owned())),
            (false, false) => Err(None),
        }
    });
}

/// Every endpoint that may have a second path, and its own place below the prefix.
const ENDPOINTS: [(Endpoint, &str); 21] = [
    (Endpoint::Register, "/register"),
    (Endpoint::Login, "/login"),
    (Endpoint::Refresh, "/refresh"),
    (Endpoint::Logout, "/logout"),
    (Endpoint::LogoutAll, "/logout/all"),
    (Endpoint::Me, "/me"),
    (Endpoint::Sessions, "/sessions"),
    (Endpoint::PasswordChange, "/password/change"),
    (Endpoint::PasswordForgot, "/password/forgot"),
    (Endpoint::PasswordReset, "/password/reset"),
    (Endpoint::EmailVerify, "/email/verify"),
    (Endpoint::EmailVerifySend, "/email/verify/send"),
    (Endpoint::Keys, "/keys"),
    (Endpoint::Token, "/token"),
    (Endpoint::TokenVerify, "/token/verify"),
    (Endpoint::Introspect, "/introspect"),
    (Endpoint::Revoke, "/revoke"),
    (Endpoint::Forward, "/forward"),
    (Endpoint::Jwks, "/.well-known/jwks.json"),
    (Endpoint::Metadata, "/.well-known/oauth-authorization-server"),
    (Endpoint::Openapi, "/openapi.json"),
];

fn paths(section: &Section<'_>, auth: &mut Auth) {
    let below = |path: &str| format!("{}{path}", auth.prefix.as_str());
    let mut taken: BTreeMap<String, &str> =
        ENDPOINTS.iter().map(|(endpoint, path)| (below(path), endpoint.name())).collect();
    for (endpoint, _) in ENDPOINTS {
        let key = endpoint.name();
        let mut path: Option<PathPrefix> = None;
        section.optional(key, &mut path, "a canonical path such as \"/login\", not the root", |text| {
            let path = canonical_path(text)?;
            if path.as_str() == "/" { Err(None) } else { Ok(path) }
        });
        let Some(path) = path else { continue };
        if let Some(other) = taken.insert(path.as_str().to_owned(), key).filter(|other| *other != key) {
            let fault = Fault::new(format!("`{}`, where `{other}` answers", path.as_str()), "a path of its own");
            section.refuse(key, fault);
        }
        auth.paths.insert(endpoint, path);
    }
}
