use proptest::prelude::*;

use super::*;

fn canonical(path: &str) -> Option<String> {
    let mut out = String::new();
    append_canonical(path, &mut out).ok().map(|_| out)
}

#[test]
fn legal_paths_pass_and_have_one_spelling() {
    for (given, expected) in [
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("/%61dmin", "/admin"),
        ("/%7euser", "/~user"),
        ("/a%2eb", "/a.b"),
        ("/%2ewell-known/x", "/.well-known/x"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a%20b", "/a%20b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a;v=1/b", "/a;v=1/b"),
        ("/a,b/~u/@x/a:b", "/a,b/~u/@x/a:b"),
        ("/100%25", "/100%25"),
        ("/100%25upgraded", "/100%25upgraded"),
        ("/what%3f", "/what%3F"),
        ("/a|b[0]{x}", "/a%7Cb%5B0%5D%7Bx%7D"),
        ("/...", "/..."),
        ("/a..b", "/a..b"),
        ("/..a/.b/c.", "/..a/.b/c."),
        ("//a///b//", "/a/b/"),
        ("/a/./b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/../x", "/x"),
        ("/..", "/"),
        ("/a//../b", "/b"),
        ("/a%2fb", "/a%2Fb"),
        ("/@scope%2fname", "/@scope%2Fname"),
    ] {
        assert_eq!(canonical(given).as_deref(), Some(expected), "{given}");
    }
}

const AMBIGUOUS: &[&str] = &[
    "",
    "a",
    "*",
    "/a b",
    "/a\tb",
    "/a\0",
    "/a\x7f",
    "/a\u{e9}",
    "/a\\b",
    "/a#b",
    "/a?b",
    "/%",
    "/%2",
    "/%zz",
    "/%u002e",
    "/%%32e",
    "/a%23b",
    "/a%5cb",
    "/a%5Cb",
    "/a%00",
    "/a%0d%0ab",
    "/a%7f",
    "/a%1b",
    "/%2e%2e/x",
    "/%2E./x",
    "/.%2e/x",
    "/%2e/x",
    "/a/%2e",
    "/..;/x",
    "/.;x",
    "/..;a=b/x",
    "/%2e%2e;/x",
    "/..%3bx/y",
    "/..%3fx",
    "/..%20/x",
    "/%20../x",
    "/.%20/x",
    "/.%2520",
    "/a%2f.%2509",
    "/..%2fx",
    "/x%2f..",
    "/x%2f..%2fy",
    "/x%2f.%2fy",
    "/x%2f..;a%2fy",
    "/x%2f%2e%2e",
    "/%252e%252e/x",
    "/a%252fb",
    "/a%255cb",
    "/a%2500",
    "/a%25252e",
    "/a%252523",
    "/%25%32%65",
    "/%252e",
    "/a%253bx",
    "/a%253fx",
    "/%25u002e",
    "/a%2525252561",
    "/%c0%ae%c0%ae/x",
    "/%c0%af",
    "/%e0%80%ae",
    "/%f0%80%80%ae",
    "/%ff",
    "/%c3",
    "/%ed%a0%80",
    "/%25c0%25ae",
];

#[test]
fn what_two_parsers_could_read_two_ways_is_refused() {
    for &given in AMBIGUOUS {
        assert_eq!(canonical(given), None, "{given}");
    }
}

#[test]
fn an_escaped_slash_is_kept_and_told() {
    let mut out = String::new();
    assert_eq!(append_canonical("/a%2fb/c", &mut out), Ok(true));
    assert_eq!(out, "/a%2Fb/c");
    assert_eq!(append_canonical("/a/c%2e", &mut out), Ok(false));
}

#[test]
fn what_stands_in_front_of_the_path_is_left_alone() {
    let mut out = String::from("host/with/slashes");
    append_canonical("/../../x/..", &mut out).unwrap();
    assert_eq!(out, "host/with/slashes/");
}

#[test]
fn comparable_paths_join_spellings_but_never_segments() {
    assert_eq!(comparable("/%40x/a%20b"), "/@x/a b");
    assert_eq!(comparable("/a%2Fb%25"), "/a%2Fb%25");
    assert_eq!(comparable("/caf%C3%A9"), "/café");
}

/// What paths that mean harm are made of, and some that mean none.
const PIECES: &[&str] = &[
    "/",
    "//",
    "/",
    ".",
    "..",
    "...",
    "%2e",
    "%2E",
    "%252e",
    "%2f",
    "%2F",
    "%252f",
    "%5c",
    "\\",
    "%00",
    "%c0%ae",
    "%c0%af",
    "%e0%80%ae",
    ";",
    ";x=1",
    "%3b",
    "%3B",
    "%25",
    "%2525",
    "25",
    "2e",
    "%u002e",
    "u002e",
    " ",
    "%20",
    "%09",
    "#",
    "%23",
    "%3f",
    "?",
    "public",
    "admin",
    "ADMIN",
    "Admin",
    "adm%69n",
    "%61dmin",
    "%2561dmin",
    "%41",
    "a",
    "%C3%A9",
    "%c3%a9",
    "é",
    "%",
    "@",
    "%40",
    "~",
    "%7e",
    "|",
    ".json",
    "+",
    "%2b",
];

/// Paths of [`PIECES`], and any others.
pub(crate) fn hostile_path() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::collection::vec(prop::sample::select(PIECES), 1..9).prop_map(|pieces| format!("/{}", pieces.concat())),
        1 => "/[ -~]{0,24}",
        1 => "\\PC{0,24}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn canonical_paths_are_canonical(path in hostile_path()) {
        let Some(once) = canonical(&path) else { return Ok(()) };
        prop_assert_eq!(canonical(&once), Some(once.clone()));
        prop_assert!(once.starts_with('/') && !once.contains("//") && !once.contains('\\') && once.is_ascii());
        prop_assert!(once.split('/').all(|segment| !matches!(segment, "." | "..")));
        let bytes = once.as_bytes();
        for at in memchr::memchr_iter(b'%', bytes) {
            let value = escape_at(bytes, at);
            prop_assert!(value.is_some_and(|value| !is_unreserved(value)));
            prop_assert!(bytes[at + 1..at + 3].iter().all(|digit| !digit.is_ascii_lowercase()));
        }
    }

    #[test]
    fn no_text_makes_the_canonicaliser_panic(path in any::<String>()) {
        let _ = canonical(&path);
        let _ = comparable(&path);
    }

    #[test]
    fn harmless_text_survives_escaped(text in r#"[ !"$&-.0-:<->@-\[\]-~éß]{1,12}"#) {
        prop_assume!(!matches!(text.trim(), "." | ".."));
        let mut path = String::from("/");
        text.bytes().for_each(|byte| push_escaped(byte, &mut path));
        let canonical = canonical(&path);
        prop_assert_eq!(canonical.as_deref().map(comparable), Some(Cow::Owned(format!("/{text}"))));
    }
}
