//! Against a server that does everything wrong: each family must find it out. That a right one passes is for the tests of the
//! whole program.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use super::*;

/// Returns a site that nobody listens at.
pub(super) fn site() -> Site {
    site_at(1)
}

fn site_at(port: u16) -> Site {
    let authority = format!("127.0.0.1:{port}").parse().unwrap();
    let wire = wire::Wire { host: "127.0.0.1".to_owned(), port, tls: None };
    Site { protected: Some("/private".to_owned()), ..Site::at(&authority, wire) }
}

/// Returns the port of a server that answers whatever it is sent with 200 and what it was sent, as often as it is asked.
fn careless_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || answer_everything(stream.unwrap()));
        }
    });
    port
}

fn answer_everything(mut stream: TcpStream) {
    let mut pending = Vec::new();
    let mut part = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut part) {
        pending.extend_from_slice(&part[..length]);
        while let Some(end) = memchr::memmem::find(&pending, b"\r\n\r\n") {
            let head: Vec<u8> = pending.drain(..end + 4).collect();
            let body = String::from_utf8_lossy(&head);
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn report(site: Site) -> (Counts, Value) {
    let mut out = Vec::new();
    let counts = block_on(attack(site, &Caller::Nobody, &mut out, true)).unwrap().unwrap();
    (counts, serde_json::from_slice(&out).unwrap())
}

fn names(report: &Value, family: &str, result: &str) -> Vec<String> {
    let probes = report["probes"].as_array().unwrap().iter();
    let wanted = probes.filter(|probe| probe["family"] == family && probe["result"] == result);
    wanted.map(|probe| probe["probe"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_server_that_lets_everything_through_is_found_out_by_every_family() {
    let (counts, report) = report(Site { is_echo: true, ..site_at(careless_server()) });
    let total = report["probes"].as_array().unwrap().len();
    assert_eq!(counts.passed + counts.failed + counts.skipped, total);
    assert_eq!(report["failed"], counts.failed);
    for (family, at_least) in [
        ("basics", 1),
        ("credentials", 15),
        ("headers", 23),
        ("paths", 60),
        ("hosts", 10),
        ("methods", 8),
        ("framing", 27),
        ("endpoints", 18),
    ] {
        let failed = names(&report, family, "failed");
        assert!(failed.len() >= at_least, "{family}: {failed:?}");
    }
    assert_eq!(names(&report, "headers", "passed"), Vec::<String>::new());
    assert_eq!(names(&report, "framing", "passed"), Vec::<String>::new());
    assert_eq!(names(&report, "credentials", "passed"), Vec::<String>::new());
}

#[test]
fn what_cannot_be_told_is_skipped_and_said() {
    let (_, report) = report(Site { protected: None, ..site_at(careless_server()) });
    for family in ["credentials", "headers", "paths", "sessions"] {
        assert_eq!(names(&report, family, "skipped"), ["all"], "{family}");
        assert_eq!(names(&report, family, "failed"), Vec::<String>::new(), "{family}");
    }
}

#[test]
fn nobody_there_is_a_service_that_is_missing_and_not_a_failed_probe() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut out = Vec::new();
    let failure = block_on(attack(site_at(port), &Caller::Nobody, &mut out, false)).unwrap().unwrap_err();
    assert_eq!((failure.code, out.len()), (UNAVAILABLE, 0));
}

#[test]
fn the_place_of_everything_is_taken_from_the_configuration() {
    use clap::Parser as _;

    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "[auth]\nprefix = \"/account\"\nheader = \"X-Token\"\nschemes = []\n[identity]\n\
                headers = { user_id = \"X-Me\", email = \"\", name = \"\", roles = \"\" }\n\
                [[route]]\nhost = \"other.test\"\npath = \"/no\"\nupstream = \"http://h\"\n\
                [[route]]\npath = \"/in\"\nupstream = \"http://h\"\n\
                [[route]]\npath = \"/out\"\naccess = \"public\"\nupstream = \"http://h\"\n";
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap();
    let parse = |more: &[&str]| {
        let line = [&["vestibule", "selftest", "http://a.test:8080/", "-c", path][..], more].concat();
        let super::super::Command::Selftest(arguments) = super::super::Cli::try_parse_from(line).unwrap().command
        else {
            panic!("another command")
        };
        Site::of(&arguments).unwrap()
    };
    let site = parse(&[]);
    assert_eq!(
        (site.public.as_str(), site.protected.as_deref(), site.prefix.as_str()),
        ("/out", Some("/in"), "/account")
    );
    assert_eq!(
        (site.authority.as_str(), site.wire.port, site.identity.clone()),
        ("a.test:8080", 8080, vec!["x-me".to_owned()])
    );
    let draft = String::from_utf8(site.get("/in").bearer(&parse(&[]), "t").bytes()).unwrap();
    assert!(draft.starts_with("GET /in HTTP/1.1\r\nHost: a.test:8080\r\nx-token: t\r\n"), "{draft}");
    let site = parse(&["--protected", "/else"]);
    assert_eq!((site.public.as_str(), site.protected.as_deref()), ("/out", Some("/else")));
}
