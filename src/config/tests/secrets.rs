//! Where values may come from, and that none of them is ever shown.

use super::{Environment, ROUTE, accept, environment, parse, refuse, refuse_with};
use crate::config::Settings;
use crate::token::key::Algorithm;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn with_variables(text: &str, variables: &[(&str, &str)]) -> Settings {
    let whole = format!("{text}\n{ROUTE}");
    parse("a.toml", &whole, &environment(variables)).unwrap_or_else(|problems| panic!("{problems}"))
}

fn secret_of(settings: &Settings) -> &[u8] {
    settings.auth.secrets.access.as_ref().expect("a secret").expose()
}

#[test]
fn a_secret_may_stand_there_or_be_elsewhere() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{SECRET}\n")).unwrap();
    let from_file = format!("file:{}", file.path().display());
    for written in [SECRET, "env:S", "base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "env:B", &from_file] {
        let text = format!("[auth]\nalgorithm = \"HS256\"\nsecret = \"{written}\"");
        let variables = [("S", SECRET), ("B", "base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")];
        assert_eq!(secret_of(&with_variables(&text, &variables)), SECRET.as_bytes(), "{written}");
    }
}

#[test]
fn any_string_may_be_elsewhere_and_so_may_items_of_a_list() {
    let text = "[server]\nlisten = [\"env:ADDRESS\"]\ndrain = \"env:DRAIN\"";
    let settings = with_variables(text, &[("ADDRESS", "127.0.0.1:1"), ("DRAIN", "5s")]);
    assert_eq!(settings.server.listen[0].port(), 1);
    assert_eq!(settings.server.drain.as_secs(), 5);
}

#[test]
fn what_leads_nowhere_is_named() {
    let problems = refuse("[auth]\nalgorithm = \"HS256\"\nsecret = \"env:NOT_SET\"\nissuer = \"file:/does/not/exist\"");
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].found.contains("env:NOT_SET"), "{}", problems[0]);
    assert!(problems[1].found.contains("file:/does/not/exist"), "{}", problems[1]);
}

#[test]
fn no_problem_shows_a_secret() {
    let texts = [
        "[auth]\nsecret = \"hunter2\"",
        "[auth]\nalgorithm = \"HS256\"\nsecret = \"hunter2\"",
        "[auth]\nsecret = \"base64:hunter2\"",
        "[auth]\nsecret = \"env:S\"",
        "[auth]\nsecret = [\"hunter2\"]",
        "[auth]\nsecert = \"hunter2\"",
        "[auth]\npassphrase = \"hunter2\"",
        "[auth]\nkey_encryption_secret = \"hunter2\"",
        "[auth]\nsecret = \"hunter2",
        "[auth]\nsecret = \"\"\"\nhunter2\n",
        "auth = { secret = \"hunter2\", secret = 1 }",
        "[auth]\naccess_ttl = \"env:S\"",
        "[server]\nlisten = [\"env:S\"]",
        "[server]\npublic_url = \"env:S\"",
        "[log]\nlevel = \"env:S\"",
        "[store]\nurl = \"mongodb://user:hunter2@host:hunter2/db\"",
        "[store]\nurl = \"mongodb://user:hunter2@host/?w=hunter2&maxPoolSize=hunter2\"",
        "[store]\nurl = \"env:S\"",
        "[upstream.a]\nservers = [\"http://user:hunter2@host\"]",
        "[upstream.a]\nservers = \"http://user:hunter2@host\"",
    ];
    for text in texts {
        for problem in refuse_with(text, &[("S", "hunter2")]) {
            assert!(!format!("{problem}{problem:?}").contains("hunter2"), "{text}\n{problem}");
        }
    }
}

#[test]
fn secrets_and_algorithms_go_together() {
    let long = format!("secret = \"{SECRET}\"");
    for (text, part) in [
        (format!("[auth]\n{long}"), "which EdDSA does not use"),
        (format!("[auth]\nrefresh_{long}"), "which EdDSA does not use"),
        (format!("[auth]\nalgorithm = \"HS256\"\nrotate = \"90d\"\n{long}"), "HS256 signs with auth.secret"),
        ("[auth]\nalgorithm = \"HS512\"\nsecret = \"short\"".to_owned(), "found a secret of 5 bytes"),
        (format!("[auth]\nalgorithm = \"HS256\"\n{long}\nrefresh_secret = \"short\""), "found a secret of 5 bytes"),
        ("[auth]\nkey_encryption_secret = \"short\"".to_owned(), "found a secret of 5 bytes"),
        (format!("[auth]\nalgorithm = \"HS256\"\nrefresh_{long}"), "HS256 without a secret"),
    ] {
        let problems = refuse(&text);
        assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
        assert!(problems[0].to_string().contains(part), "{}", problems[0]);
    }
    let settings = accept(&format!("[auth]\nalgorithm = \"HS512\"\n{long}"));
    assert_eq!(settings.auth.algorithm, Algorithm::Hs512);
    assert!(settings.auth.secrets.refresh.is_none());
}

#[test]
fn a_variable_overrides_a_key_of_any_kind() {
    let variables = [
        ("VESTIBULE_SERVER__PUBLIC_URL", "https://a.example"),
        ("VESTIBULE_SERVER__LISTEN", "127.0.0.1:1, 127.0.0.1:2"),
        ("VESTIBULE_SERVER__WORKERS", "3"),
        ("VESTIBULE_SERVER__WATCH", "true"),
        ("VESTIBULE_AUTH__ACCESS_TTL", "1m"),
        ("VESTIBULE_AUTH__ALGORITHM", "HS256"),
        ("VESTIBULE_AUTH__SECRET", SECRET),
        ("VESTIBULE_AUTH__PATHS__LOGIN", "/login"),
        ("VESTIBULE_IDENTITY__HEADERS__EMAIL", ""),
        ("VESTIBULE_UPSTREAM__MY_APP__SERVERS", "http://b"),
        ("VESTIBULE_CONFIG", "not a section"),
        ("OTHER__THING", "not ours"),
    ];
    let text = "[auth]\naccess_ttl = \"2m\"\n[upstream.my-app]\nservers = [\"http://a\"]";
    let settings = with_variables(text, &variables);
    assert_eq!(settings.server.listen.len(), 2);
    assert_eq!(settings.server.workers.map(std::num::NonZeroUsize::get), Some(3));
    assert!(settings.server.watch);
    assert_eq!(settings.auth.issuer, "https://a.example");
    assert_eq!(settings.auth.access_ttl.as_secs(), 60);
    assert_eq!(secret_of(&settings), SECRET.as_bytes());
    assert_eq!(settings.auth.paths.len(), 1);
    assert_eq!(settings.identity.headers.email, None);
    assert_eq!(settings.upstreams[0].servers[0].host(), "b");
}

#[test]
fn a_wrong_variable_is_the_place_of_its_problem() {
    for (name, value, part) in [
        ("VESTIBULE_AUTH__ACCESS_TTL", "soon", "found \"soon\", expected a duration"),
        ("VESTIBULE_SERVER__LISTEN", "127.0.0.1:1,x", "found \"x\""),
        ("VESTIBULE_SERVER__WATCH", "yes", "true or false"),
        ("VESTIBULE_PASSWORD__MIN_LENGTH", "many", "a whole number"),
        ("VESTIBULE_AUTH__ACESS_TTL", "1m", "did you mean `VESTIBULE_AUTH__ACCESS_TTL`?"),
        ("VESTIBULE_AUTH__", "1m", "names no key"),
        ("VESTIBULE_ROUTE__PATH", "/", "names no key"),
    ] {
        let problems = refuse_with("", &[(name, value)]);
        assert_eq!(problems.len(), 1, "{name}\n{problems:#?}");
        assert_eq!((problems[0].file.as_str(), problems[0].line), (name, 0));
        assert!(problems[0].to_string().contains(part), "{}", problems[0]);
    }
}

#[test]
fn variables_alone_do_not_make_a_configuration() {
    let problems = parse("a.toml", "", &environment(&[("VESTIBULE_LOG__LEVEL", "warn")])).unwrap_err();
    assert_eq!(problems.0[0].path, "route");
    assert!(parse("a.toml", ROUTE, &Environment::default()).is_ok());
}
