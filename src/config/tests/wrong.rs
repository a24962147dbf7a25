//! One mistake at a time: what is pointed at, and what the message says.

use super::{pointed_at, refuse};

/// Each row: the text, what the caret stands before, and a part of the message.
fn expect_each(rows: &[(&str, &str, &str)]) {
    for (text, place, part) in rows {
        let problems = refuse(text);
        assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
        let problem = &problems[0];
        assert!(pointed_at(problem, text).starts_with(place), "{text}\npoints at {}", pointed_at(problem, text));
        assert!(problem.to_string().contains(part), "{text}\n{problem}");
    }
}

#[test]
fn unknown_keys_and_sections_are_told_the_nearest_name() {
    expect_each(&[
        ("[server]\nlisen = []", "lisen", "did you mean `listen`?"),
        ("[sever]\nlisten = []", "sever", "did you mean `server`?"),
        ("[auth]\nacess_ttl = \"1m\"", "acess_ttl", "did you mean `access_ttl`?"),
        ("[server]\naccess_ttl = \"1m\"", "access_ttl", "`access_ttl` belongs in [auth]"),
        ("[identity]\nheaders = { user = \"X-U\" }", "user", "did you mean `user_id`?"),
        ("[auth.paths]\nlogon = \"/x\"", "logon", "did you mean `login`?"),
        ("[upstream.a]\nservers = [\"http://a\"]\ntimeout = \"1s\"", "timeout", "_timeout`?"),
        ("[mail]\nform = \"\"", "form", "did you mean `from`?"),
        ("zebra = 1", "zebra", "unknown key `zebra`"),
        (
            "[tls]\nmode = \"files\"\n[[tls.certificate]]\ncert = \"a\"\nkey = \"b\"\nkye = 1",
            "kye",
            "did you mean `key`?",
        ),
    ]);
}

#[test]
fn declared_fields_must_make_sense() {
    expect_each(&[
        ("[auth.user_fields]\nBorn = {}", "Born", "a letter first"),
        ("[auth.user_fields]\na.type = \"text\"", "\"text\"", "\"string\" or \"integer\""),
        ("[auth.user_fields.a]\nrequired = true\nwrite = \"admin\"", "true", "may not write it"),
        ("[auth.user_fields.a]\ntype = \"date\"\nvalues = [\"x\"]", "[\"x\"]", "type = \"string\""),
        ("[auth.user_fields.a]\nvalues = [\" x\"]", "\" x\"", "a text that the field may be"),
        ("[auth.user_fields.a]\nmax_length = 5000", "5000", "from 1 to 4096"),
        ("[auth.user_fields.a]\nrequierd = true", "requierd", "did you mean `required`?"),
    ]);
}

#[test]
fn values_of_the_wrong_type_are_told_the_right_one() {
    expect_each(&[
        ("[server]\ndrain = 30", "30", "found the number 30, expected a duration"),
        ("[server]\nlisten = \"0.0.0.0:1\"", "\"0.0.0.0:1\"", "hint: write [\"0.0.0.0:1\"]"),
        ("[server]\nwatch = \"yes\"", "\"yes\"", "true or false"),
        ("[server]\nworkers = -1", "-1", "a whole number from 0 to 1024"),
        ("[server]\nworkers = 1.5", "1.5", "a whole number"),
        ("[server]\nlisten = [1]", "1", "found the number 1"),
        ("server = 5", "5", "the table [server]"),
        ("[auth]\nsecret = 5", "5", "a value of type integer"),
        ("[upstream]\nservers = [\"http://a\"]", "[\"http://a\"]", "the table [upstream.servers]"),
        ("[limits]\nconnections = 99999999999999999999", "99999999999999999999", "a whole number"),
        ("[limits]\nheader_timeout = \"0s\"", "\"0s\"", "above zero"),
        ("[limits]\nheader_size = \"4KiB\"", "\"4KiB\"", "from 8KiB to 1MiB"),
        ("[limits]\nlogin = \"10\"", "\"10\"", "a rate such as"),
        ("[log]\nlevel = \"infos\"", "\"infos\"", "did you mean \"info\"?"),
    ]);
}

#[test]
fn a_syntax_error_is_one_problem_at_its_place() {
    expect_each(&[
        ("[server]\nlisten = [\"a\"\ndrain = \"1s\"", "drain", "missing comma"),
        ("[server\n", "", "unclosed table, expected `]`"),
        ("[log]\nlevel = info", "info", "a string in quotes"),
        ("[log]\nlevel = \"info\nzebra = 1", "", "invalid basic string, expected `\"`"),
        ("a = 01", "0", "leading zero, expected TOML"),
    ]);
}

#[test]
fn a_repeated_key_hides_no_other_problem() {
    expect_each(&[("[log]\nlevel = \"info\"\nlevel = \"warn\"", "level = \"warn\"", "a key for the second time")]);
    let lines: Vec<usize> =
        refuse("[log]\nlevel = \"info\"\nlevel = \"warn\"\nzebra = 1").iter().map(|found| found.line).collect();
    assert_eq!(lines, [3, 4]);
}

#[test]
fn listeners_have_addresses_of_their_own() {
    expect_each(&[
        ("[server]\nlisten = []", "[]", "no address"),
        ("[server]\nlisten = [\"0.0.0.0:1\", \"0.0.0.0:1\"]", "\"0.0.0.0:1\"]", "each address and port once"),
        ("[server]\nlisten = [\"0.0.0.0:1\", \"127.0.0.1:1\"]", "\"127.0.0.1:1\"", "each address and port once"),
        ("[server]\nlisten = [\":1\"]", "\":1\"", "`0.0.0.0:1` for every address"),
        ("[server]\nredirect_http = \"0.0.0.0:8443\"", "\"0.0.0.0:8443\"", "a port of its own"),
        ("[server]\nops_listen = \"127.0.0.1:8443\"", "\"127.0.0.1:8443\"", "a port of its own"),
        ("[server]\nlisten = [\"0.0.0.0:9901\"]", "[\"0.0.0.0:9901\"]", "a port of its own"),
        (
            "[server]\nredirect_http = \"0.0.0.0:80\"\nops_listen = \"0.0.0.0:80\"",
            "\"0.0.0.0:80\"",
            "a port of its own",
        ),
        ("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]", "\"10.0.0.0/33\"", "a network such as"),
    ]);
}

#[test]
fn origins_have_no_more_than_scheme_host_and_port() {
    expect_each(&[
        ("[server]\npublic_url = \"https://a/x\"", "\"https://a/x\"", "write `https://a`"),
        ("[server]\npublic_url = \"http://a\"", "\"http://a\"", "write `https://a`"),
        ("[server]\npublic_url = \"a\"", "\"a\"", "an origin such as"),
        ("[server]\npublic_url = \"\\u001bx\"", "\"\\u001bx\"", "write `http://\\u{1b}x`"),
        ("[upstream.a]\nservers = [\"http://a/x?y\"]", "\"http://a/x?y\"", "write `http://a`"),
        ("[upstream.a]\nservers = [\"ftp://a\"]", "\"ftp://a\"", "http or https"),
        ("[upstream.a]\nservers = []", "[]", "an upstream without servers"),
        ("[upstream.a]\nretries = 1", "[upstream.a]", "an upstream without servers"),
        ("[upstream.\"a b\"]\nservers = [\"http://a\"]", "\"a b\"", "1 to 64 letters"),
    ]);
}

#[test]
fn certificates_and_mode_belong_together() {
    expect_each(&[
        ("[tls]\nmode = \"files\"", "\"files\"", "hint: add [[tls.certificate]]"),
        ("[[tls.certificate]]\ncert = \"a\"\nkey = \"b\"", "[[tls.certificate]]", "nothing uses"),
        ("[tls]\nmode = \"files\"\n[[tls.certificate]]\ncert = \"a\"", "[[tls.certificate]]", "without `key`"),
        ("[tls]\nmode = \"acme\"", "\"acme\"", "expected \"files\" or \"self-signed\" or \"off\""),
        (
            "[tls]\nmode = \"files\"\n[tls.certificate]\ncert = \"a\"",
            "[tls.certificate]",
            "write `[[tls.certificate]]`",
        ),
        ("[tls]\nmin_version = \"1.1\"", "\"1.1\"", "\"1.2\" or \"1.3\""),
        ("[tls]\nmin_version = 1.2", "1.2", "write it in quotes"),
        ("[store]\nurl = \"postgres://a/b\"", "\"postgres://a/b\"", "\"sqlite:PATH\" or \"mongodb://"),
        ("[store]\nurl = \"mongodb:///b\"", "\"mongodb:///b\"", "%40"),
        ("[store]\nprefix = \"a_\"", "\"a_\"", "only with a MongoDB store"),
        ("[store]\nprefix = \"a.b\"\nurl = \"mongodb://a\"", "\"a.b\"", "letters, digits"),
        ("[store]\nurl = \"a.db\"", "\"a.db\"", "write `sqlite:a.db`"),
        ("[store]\nurl = \"sqlite::memory:\"", "\"sqlite::memory:\"", "name a file"),
        ("[store]\nurl = \"memory\"", "\"memory\"", "write `memory:`"),
        ("[store]\nurl = \"memory:x\"", "\"memory:x\"", "or \"memory:\""),
        ("[store]\nurl = \"memory:\"\nprefix = \"a_\"", "\"a_\"", "only with a MongoDB store"),
    ]);
}

#[test]
fn token_keys_agree_with_each_other() {
    expect_each(&[
        ("[auth]\nprefix = \"/\"", "\"/\"", "no path to your apps"),
        ("[auth]\nprefix = \"/a/../b\"", "\"/a/../b\"", "write `/b`"),
        ("[auth]\nprefix = \"auth\"", "\"auth\"", "begins with `/`"),
        ("[auth]\nalgorithm = \"HS256\"", "\"HS256\"", "HS256 without a secret"),
        ("[auth]\nalgorithm = \"none\"", "\"none\"", "\"EdDSA\" or \"ES256\""),
        ("[auth]\nrefresh_ttl = \"1m\"", "\"1m\"", "refresh_ttl at least as long"),
        ("[auth]\naccess_ttl = \"8d\"", "\"8d\"", "access_ttl longer than refresh_ttl"),
        ("[auth]\nrotate = \"often\"", "\"often\"", "or \"\" for never"),
        ("[auth]\nrotate = \"1h\"", "\"1h\"", "rotate longer than rotate_ahead"),
        ("[auth]\nrotate = \"1d\"\nrotate_ahead = \"1d\"", "\"1d\"", "rotate longer than rotate_ahead"),
        ("[auth]\nrotate_ahead = \"0s\"", "\"0s\"", "above zero"),
        ("[auth]\nsession_max = \"1d\"", "\"1d\"", "session_max at least as long"),
        ("[auth]\nrefresh_ttl = \"31d\"", "\"31d\"", "refresh_ttl longer than session_max"),
        ("[auth]\nrequired_fields = [\"mail\"]", "\"mail\"", "did you mean \"email\"?"),
        ("[auth]\nignored_fields = [\"email\"]", "\"email\"", "neither required nor `password`"),
        ("[auth]\nheader = \"Cookie\"", "\"Cookie\"", "may carry a token"),
        ("[auth]\nheader = \"x-user-id\"", "\"x-user-id\"", "may carry a token"),
        ("[auth]\nschemes = []", "[]", "at least one"),
        ("[auth]\naccess_token_name = \"refresh_token\"", "\"refresh_token\"", "another field of that name"),
        ("[auth.paths]\nlogin = \"/x\"\nme = \"/x\"", "\"/x\"", "where `login` answers"),
        ("[auth.paths]\nlogin = \"/auth/register\"", "\"/auth/register\"", "where `register` answers"),
        ("[auth.paths]\nlogin = \"/\"", "\"/\"", "not the root"),
        ("[auth.role_scopes]\n\"a,b\" = []", "\"a,b\"", "a role of 1 to 64"),
        ("[auth.role_scopes]\na = [\"b c\"]", "\"b c\"", "a scope of 1 to 64"),
        ("[password]\nmemory = \"16KiB\"\nparallelism = 4", "\"16KiB\"", "32KiB"),
        ("[password]\nmin_length = 300", "300", "above max_length 256"),
    ]);
}

#[test]
fn identity_headers_mean_nothing_else() {
    expect_each(&[
        ("[identity]\nheaders = { user_id = \"Host\" }", "\"Host\"", "uses this header"),
        ("[identity]\nheaders = { user_id = \"X_Forwarded.User\" }", "\"X_Forwarded.User\"", "uses this header"),
        ("[identity]\nheaders = { user_id = \"Content_Length\" }", "\"Content_Length\"", "uses this header"),
        ("[identity]\nheaders = { user_id = \"a b\" }", "\"a b\"", "a header name"),
        ("[identity]\nheaders = { user_id = \"X-User.Email\" }", "\"X-User.Email\"", "a header of its own"),
        ("[identity]\nheaders = { user_id = \"A-B\", email = \"a_b\" }", "\"a_b\"", "which `user_id` has already"),
        ("[identity]\nallow_headers = [\"x_user_id\"]", "\"x_user_id\"", "for the identity header"),
        ("[identity]\nallow_headers = [\"transfer_encoding\"]", "\"transfer_encoding\"", "neither reserved"),
    ]);
}
