//! What right configurations mean.

use std::time::Duration;

use super::{Environment, ROUTE, accept, parse};
use crate::config::settings::{Balance, TlsMode};
use crate::config::{FrontOptions, Settings, front};
use crate::policy::Access;

fn whole(text: &str) -> Settings {
    parse("a.toml", text, &Environment::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn what_nobody_writes_is_the_default() {
    let settings = accept("");
    assert_eq!(settings.routes.len(), 1);
    assert_eq!(Settings { routes: Vec::new(), upstreams: Vec::new(), ..settings }, Settings::default());
}

#[test]
fn a_url_that_several_routes_give_is_one_upstream() {
    let settings = whole(&format!(
        "{ROUTE}{}{}",
        ROUTE.to_owned() + "path = \"/a\"\n",
        "[[route]]\npath = \"/b\"\nupstream = \"https://b\"\n"
    ));
    assert_eq!(settings.upstreams.len(), 2);
    assert_eq!(settings.routes[0].upstream, settings.routes[1].upstream);
    assert_eq!(settings.upstreams[settings.routes[2].upstream.index()].servers[0].host(), "b");
}

#[test]
fn a_route_leads_to_the_upstream_that_it_names() {
    let text = "[upstream.b]\nservers = [\"http://b\"]\nbalance = \"round_robin\"\n[upstream.a]\nservers = [\"http://a\"]\n\
                [[route]]\nupstream = \"b\"\n";
    let settings = whole(text);
    let upstream = &settings.upstreams[settings.routes[0].upstream.index()];
    assert_eq!((upstream.name.as_str(), upstream.balance), ("b", Balance::RoundRobin));
    assert_eq!(settings.warnings, ["a.toml:4:11: no route leads to the upstream `a`"]);
}

#[test]
fn the_issuer_is_the_public_url_unless_one_is_written() {
    assert_eq!(accept("[server]\npublic_url = \"https://A.example\"").auth.issuer, "https://a.example");
    assert_eq!(accept("[server]\npublic_url = \"https://a\"\n[auth]\nissuer = \"b\"").auth.issuer, "b");
    assert_eq!(accept("").auth.issuer, "vestibule");
}

#[test]
fn plain_http_is_a_public_url_only_behind_another_proxy() {
    let settings = accept("[tls]\nmode = \"off\"\n[server]\npublic_url = \"http://a\"");
    assert_eq!(settings.tls.mode, TlsMode::Off);
}

#[test]
fn header_names_keep_no_case_and_a_single_one_may_be_changed() {
    let headers = accept("[identity]\nheaders = { email = \"REMOTE-Email\", name = \"\" }").identity.headers;
    assert_eq!(headers.email.unwrap(), "remote-email");
    assert_eq!(headers.name, None);
    assert_eq!(headers.roles.unwrap(), "x-user-roles");
}

#[test]
fn a_proxy_may_be_one_address_and_everybody_is_warned_of() {
    let settings = accept("[server]\ntrusted_proxies = [\"10.1.2.3\", \"192.168.1.1/16\", \"::/0\"]");
    let shown: Vec<String> = settings.server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.1.2.3/32", "192.168.0.0/16", "::/0"]);
    assert_eq!(settings.warnings.len(), 1);
}

#[test]
fn free_ports_do_not_clash() {
    let settings = accept("[server]\nlisten = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\nops_listen = \"127.0.0.1:0\"");
    assert_eq!(settings.server.listen.len(), 2);
}

#[test]
fn rates_can_be_switched_off() {
    let limits = accept("[limits]\nlogin = \"\"\nrequests = \"200/s\"").limits;
    assert_eq!(limits.login, None);
    assert_eq!(limits.requests.map(|rate| (rate.count, rate.per)), Some((200, Duration::from_secs(1))));
}

#[test]
fn a_front_protects_everything_unless_told_otherwise() {
    let url = "http://127.0.0.1:3000".to_owned();
    let settings = whole(&front(&FrontOptions { url: url.clone(), ..FrontOptions::default() }));
    assert!(matches!(settings.routes[0].access, Access::Protected(_)));
    assert_eq!(settings.tls, Settings::default().tls);
    assert_eq!(settings.store, Settings::default().store);
    assert_eq!(settings.server, Settings::default().server);

    let options = FrontOptions {
        url,
        public: vec!["/".to_owned(), "/it's \"odd\"".replace([' ', '"'], "-")],
        protect: vec!["/api".to_owned()],
        listen: Some("127.0.0.1:9443".to_owned()),
    };
    let settings = whole(&front(&options));
    let routes: Vec<_> =
        settings.routes.iter().map(|route| (route.path.as_str(), route.access == Access::Public)).collect();
    assert_eq!(routes, [("/", true), ("/it's--odd-", true), ("/api", false)]);
    assert_eq!(settings.server.listen[0].port(), 9443);
}

#[test]
fn a_front_with_a_wrong_url_or_path_is_refused_and_not_garbled() {
    let options = FrontOptions {
        url: "\"\n[auth]\nregistration = \"open".to_owned(),
        public: vec!["/a\"\n".to_owned()],
        ..FrontOptions::default()
    };
    let problems = parse("front", &front(&options), &Environment::default()).unwrap_err().0;
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["upstream.app.servers", "route[2].path"]);
}
