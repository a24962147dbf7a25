use http::{Method, Request, Version};
use proptest::prelude::*;

use super::*;

fn request(version: Version, uri: &str, hosts: &[&str]) -> ClientRequest<()> {
    let mut request = Request::builder().version(version).uri(uri);
    for host in hosts {
        request = request.header("host", *host);
    }
    request.body(()).unwrap().into()
}

fn path(target: &str) -> Result<String, TargetError> {
    Target::parse("a.example", target).map(|target| target.path_and_query().to_owned())
}

#[test]
fn a_target_is_read_once_and_whole() {
    let target = Target::parse("App.Example.:8443", "//x/%61/../b%20c?y=/../%zz&q=%23").unwrap();
    assert_eq!(target.host(), "app.example");
    assert_eq!(target.port(), Some(8443));
    assert_eq!(target.path(), "/x/b%20c");
    assert_eq!(target.query(), Some("y=/../%zz&q=%23"));
    assert_eq!(target.path_and_query(), "/x/b%20c?y=/../%zz&q=%23");
    assert!(!target.has_encoded_slash());
}

#[test]
fn an_escaped_slash_counts_although_a_dot_segment_takes_it_away() {
    for given in ["/a%2Fb", "/a%2fb/../c", "/a%2Fb/c/../.."] {
        assert!(Target::parse("a", given).unwrap().has_encoded_slash(), "{given}");
    }
    assert_eq!(path("/a%2fb/../c").as_deref(), Ok("/c"));
}

#[test]
fn an_empty_query_is_not_no_query() {
    assert_eq!(path("/x?").as_deref(), Ok("/x?"));
    assert_eq!(Target::parse("a", "/x?").unwrap().query(), Some(""));
    assert_eq!(Target::parse("a", "/x").unwrap().query(), None);
}

#[test]
fn a_query_never_reaches_the_path_and_carries_no_fragment_or_raw_bytes() {
    assert_eq!(Target::parse("a", "/x?/../admin?b").unwrap().path(), "/x");
    for given in ["/x?a#b", "/x?a b", "/x?\u{e9}", "/x?\r\n", "/x#y", "/x?\x7f"] {
        assert_eq!(path(given), Err(TargetError::AmbiguousPath), "{given}");
    }
}

#[test]
fn http_1_takes_exactly_one_host() {
    for version in [Version::HTTP_10, Version::HTTP_11] {
        let read = |hosts: &[&str]| Target::read(&request(version, "/x", hosts)).map(|target| target.host().to_owned());
        assert_eq!(read(&["a.example"]).as_deref(), Ok("a.example"));
        assert_eq!(read(&[]), Err(TargetError::MissingHost));
        assert_eq!(read(&["a.example", "a.example"]), Err(TargetError::SeveralHosts));
        assert_eq!(read(&["a.example, b.example"]), Err(TargetError::InvalidHost));
        assert_eq!(read(&["user@a.example"]), Err(TargetError::InvalidHost));
        assert_eq!(read(&[""]), Err(TargetError::InvalidHost));
    }
}

#[test]
fn an_absolute_target_must_agree_with_host() {
    let read =
        |uri: &str, hosts: &[&str]| Target::read(&request(Version::HTTP_11, uri, hosts)).map(|target| target.text);
    assert_eq!(read("http://A.example:80/x?y", &["a.example"]).as_deref(), Ok("a.example/x?y"));
    assert_eq!(read("https://a.example", &["a.example.:443"]).as_deref(), Ok("a.example/"));
    assert_eq!(read("http://a.example:443/", &["a.example"]), Err(TargetError::HostMismatch));
    assert_eq!(read("http://b.example/", &["a.example"]), Err(TargetError::HostMismatch));
    assert_eq!(read("http://user@a.example/", &["a.example"]), Err(TargetError::InvalidHost));
    assert_eq!(read("http://a.example/", &[]), Err(TargetError::MissingHost));
    assert_eq!(read("ftp://a.example/", &["a.example"]), Err(TargetError::InvalidForm));
}

#[test]
fn http_2_names_its_authority_and_a_host_field_may_only_repeat_it() {
    let read =
        |uri: &str, hosts: &[&str]| Target::read(&request(Version::HTTP_2, uri, hosts)).map(|target| target.text);
    assert_eq!(read("https://a.example/x", &[]).as_deref(), Ok("a.example/x"));
    assert_eq!(read("https://a.example/x", &["A.example"]).as_deref(), Ok("a.example/x"));
    assert_eq!(read("/x", &["a.example"]).as_deref(), Ok("a.example/x"));
    assert_eq!(read("https://a.example/x", &["b.example"]), Err(TargetError::HostMismatch));
    assert_eq!(read("https://a.example/x", &["a.example", "a.example"]), Err(TargetError::SeveralHosts));
    assert_eq!(read("/x", &[]), Err(TargetError::MissingHost));
}

#[test]
fn asterisk_and_authority_form_are_refused() {
    let mut options = request(Version::HTTP_11, "*", &["a.example"]);
    options.method = Method::OPTIONS;
    assert_eq!(Target::read(&options), Err(TargetError::InvalidForm));
    assert_eq!(
        Target::read(&request(Version::HTTP_11, "a.example:443", &["a.example"])),
        Err(TargetError::InvalidForm)
    );
    assert_eq!(Target::parse("a.example", "x"), Err(TargetError::InvalidForm));
    assert_eq!(Target::parse("a.example", ""), Err(TargetError::InvalidForm));
}

#[test]
fn a_prefix_is_taken_off_by_whole_segments() {
    for (given, prefix, rest) in [
        ("/api/v1/x?q", "/api", "/v1/x?q"),
        ("/api?q", "/api", "/?q"),
        ("/api/", "/api", "/"),
        ("/api/v1", "/api/", "/v1"),
        ("/apix/v1", "/api", "/apix/v1"),
        ("/x", "/", "/x"),
        ("/x", "/x/y", "/x"),
        ("/%40team/x", "/@team", "/x"),
    ] {
        assert_eq!(Target::parse("a", given).unwrap().path_and_query_without(prefix), rest, "{given} without {prefix}");
    }
}

proptest! {
    #[test]
    fn what_remains_without_a_prefix_is_canonical(given in crate::http::path::tests::hostile_path()) {
        let Ok(target) = Target::parse("a", &given) else { return Ok(()) };
        for prefix in ["/public", "/admin", "/a", "/@"] {
            let rest = target.path_and_query_without(prefix);
            let again = Target::parse("a", &rest);
            prop_assert_eq!(again.as_ref().map(Target::path_and_query), Ok(rest.as_str()));
        }
    }

    #[test]
    fn no_request_makes_reading_panic(authority in "\\PC{0,20}", path in "\\PC{0,30}") {
        let _ = Target::parse(&authority, &path);
    }
}
