//! Profiles: each is right by itself, stands below the configuration, and says which variable it lacks.

use http::StatusCode;

use super::{ROUTE, environment, parse, refuse_with};
use crate::config::Settings;
use crate::config::settings::{Endpoint, RefreshPlace, UserField};
use crate::http::answers::Shape;
use crate::token::key::Algorithm;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

const PROFILES: [(&str, &str, &[&str]); 3] = [
    ("ravyn", include_str!("../profiles/ravyn.toml"), &["SECRET_KEY"]),
    ("auth-jwt", include_str!("../profiles/auth-jwt.toml"), &["JWT_SECRET_KEY"]),
    ("zentra", include_str!("../profiles/zentra.toml"), &["AUTH__SECRET_ACCESS_KEY", "AUTH__SECRET_REFRESH_KEY"]),
];

/// Returns the variables of every system, then `more`.
fn variables<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let secrets = PROFILES.iter().flat_map(|(.., names)| names.iter());
    let own = |name: &&'static str| (*name, if name.contains("REFRESH") { OTHER } else { SECRET });
    secrets.map(own).chain(more.iter().copied()).collect()
}

fn with(text: &str, more: &[(&str, &str)]) -> Settings {
    let whole = format!("{text}\n{ROUTE}");
    parse("a.toml", &whole, &environment(&variables(more))).unwrap_or_else(|problems| panic!("{problems}"))
}

fn profile(name: &str) -> Settings {
    with(&format!("[auth]\nprofile = {name:?}"), &[])
}

#[test]
fn a_profile_means_what_its_keys_mean_in_a_configuration() {
    for (name, text, _) in PROFILES {
        let keys = text.split("# What its deployments").next().expect("a text has a first part");
        assert_eq!(with(keys, &[]), profile(name), "{name}");
    }
}

#[test]
fn each_system_finds_its_paths_statuses_and_words() {
    let ravyn = profile("ravyn").auth;
    assert_eq!(ravyn.paths[&Endpoint::Register].as_str(), "/create");
    assert_eq!(ravyn.required_fields, [UserField::Email, UserField::Username]);
    let auth_jwt = profile("auth-jwt").auth;
    let fields = |fields: &[&str]| Some(fields.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(auth_jwt.answers.of["me"].fields, fields(&["id", "email", "created_at"]));
    let zentra = profile("zentra").auth;
    assert_eq!((zentra.prefix.as_str(), zentra.answers.shape), ("/api/auth", Shape::Envelope));
    assert_eq!(zentra.answers.of["token"].status, Some(StatusCode::ACCEPTED));
    assert_eq!(
        zentra.answers.words("register", "username_taken"),
        (Some(StatusCode::BAD_REQUEST), Some("User already registered."))
    );
    assert_eq!(zentra.answers.words("refresh", "invalid_token").1, Some("Invalid refresh token."));
    assert_eq!(zentra.answers.words("me", "invalid_token").1, Some("Not authenticated."));
    assert_eq!(zentra.refresh_from, [RefreshPlace::Json, RefreshPlace::Form, RefreshPlace::Query]);
    assert!(!zentra.rotate_refresh);
}

#[test]
fn a_missing_secret_is_named_by_the_variable_that_the_profile_wants() {
    for (name, _, wanted) in PROFILES {
        let problems = refuse_with(&format!("[auth]\nprofile = {name:?}"), &[]);
        assert_eq!(problems.len(), wanted.len(), "{problems:#?}");
        for (problem, variable) in problems.iter().zip(wanted) {
            assert!(problem.found.contains(&format!("env:{variable}`, which is not set")), "{problem}");
            assert!(
                problem.hint.as_ref().is_some_and(|hint| hint.contains(&format!("auth.profile = {name:?}"))),
                "{problem}"
            );
        }
    }
    let short = refuse_with("[auth]\nprofile = \"ravyn\"", &[("SECRET_KEY", "hunter2")]);
    assert!(short[0].found == "a secret of 7 bytes" && !short[0].to_string().contains("hunter2"), "{}", short[0]);
}

#[test]
fn a_key_of_the_configuration_comes_before_the_profile() {
    let text = "[auth]\nprofile = \"zentra\"\nresponse = \"plain\"\nrotate_refresh = true\nsecret = \"env:MINE\"\n\
        algorithm = \"HS512\"\ndefault_grant = \"\"\nrefresh_from = [\"json\"]\n[auth.paths]\nme = \"\"\n\
        [auth.answers.token]\nstatus = 200\n[auth.errors.username_taken]\nmessage = \"Gone.\"";
    let auth = with(text, &[("MINE", OTHER)]).auth;
    assert_eq!((auth.answers.shape, auth.rotate_refresh, auth.algorithm), (Shape::Plain, true, Algorithm::Hs512));
    assert_eq!(auth.secrets.access.as_ref().map(|secret| secret.expose().as_slice()), Some(OTHER.as_bytes()));
    assert_eq!((auth.default_grant, auth.refresh_from.as_slice()), (None, &[RefreshPlace::Json][..]));
    assert!(!auth.paths.contains_key(&Endpoint::Me) && auth.paths.contains_key(&Endpoint::Refresh));
    let token = &auth.answers.of["token"];
    assert_eq!((token.status, token.fields.as_ref().map(Vec::len)), (Some(StatusCode::OK), Some(3)));
    let gone = auth.answers.words("register", "username_taken");
    assert_eq!(gone, (Some(StatusCode::BAD_REQUEST), Some("Gone.")), "what is left out stays the profile's");
}

#[test]
fn who_signs_with_keys_needs_no_secret_for_a_profile() {
    let text = "[auth]\nprofile = \"zentra\"\nalgorithm = \"EdDSA\"";
    let settings = parse("a.toml", &format!("{text}\n{ROUTE}"), &environment(&[]));
    assert!(settings.unwrap_or_else(|problems| panic!("{problems}")).auth.secrets.access.is_none());
}

#[test]
fn what_a_deployment_has_set_is_read_as_its_system_reads_it() {
    let set = [
        ("AUTH__ALGORITHM", "HS384"),
        ("AUTH__ACCESS_TOKEN_EXPIRE_MINS", "5"),
        ("AUTH__REFRESH_TOKEN_EXPIRE_MINS", "10080"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "30"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "14"),
    ];
    let zentra = with("[auth]\nprofile = \"zentra\"", &set).auth;
    let minutes =
        |auth: &crate::config::settings::Auth| (auth.access_ttl.as_secs() / 60, auth.refresh_ttl.as_secs() / 60);
    assert_eq!((zentra.algorithm, minutes(&zentra)), (Algorithm::Hs384, (5, 10_080)));
    let auth_jwt = with("[auth]\nprofile = \"auth-jwt\"", &set).auth;
    assert_eq!((auth_jwt.algorithm, minutes(&auth_jwt)), (Algorithm::Hs256, (30, 14 * 24 * 60)));
    assert_eq!(minutes(&with("[auth]\nprofile = \"auth-jwt\"\naccess_ttl = \"1m\"", &set).auth).0, 1);
    assert_eq!(minutes(&with("", &set).auth).0, 15, "without a profile they are nobody's");
    let wrong = [("JWT_SECRET_KEY", SECRET), ("REFRESH_TOKEN_EXPIRE_DAYS", "soon")];
    let problems = refuse_with("[auth]\nprofile = \"auth-jwt\"", &wrong);
    assert_eq!(problems[0].file, "REFRESH_TOKEN_EXPIRE_DAYS", "{}", problems[0]);
}

#[test]
fn what_can_not_be_shaped_is_refused_with_the_nearest_name() {
    let cases = [
        ("profile = \"zentr\"", "\"ravyn\" or \"auth-jwt\" or \"zentra\""),
        ("response = \"wrapped\"", "\"plain\" or \"envelope\""),
        ("refresh_from = []", "at least one"),
        ("answers.regster = {}", "did you mean `register`?"),
        ("answers.me.fields = [\"access_token\"]", "\"id\" or \"email\""),
        ("answers.token.status = 301", "from 200 to 202"),
        ("errors.email_token.status = 400", "did you mean `email_taken`?"),
        ("errors.email_taken.status = 200", "from 400 to 499"),
    ];
    for (text, said) in cases {
        let problems = refuse_with(&format!("[auth]\n{text}"), &[]);
        assert!(problems.len() == 1 && problems[0].to_string().contains(said), "{text}: {problems:#?}");
    }
}

#[test]
fn a_section_that_is_no_table_is_refused_once() {
    let problems = super::parse("a.toml", &format!("auth = 3\n{ROUTE}"), &environment(&[])).unwrap_err().0;
    assert_eq!(problems.len(), 1, "{problems:#?}");
}
