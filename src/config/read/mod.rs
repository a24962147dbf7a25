//! The sections of a configuration, one function each: which keys there are, what they may be, and how they must agree.
//! A key that no function here asks for does not exist.

mod auth;
mod doubts;
mod identity;
mod issuers;
mod limits;
mod routes;
mod server;
mod upstreams;
mod user_fields;

use super::section::Section;
use super::settings::{Settings, Store};

/// Returns what `root` says over the defaults; it counts only if no problem was recorded meanwhile.
pub(super) fn settings(root: &Section<'_>) -> Settings {
    let mut settings = Settings {
        tls: server::tls(&root.table("tls")),
        store: store(&root.table("store")),
        log: server::log(&root.table("log")),
        password: limits::password(&root.table("password")),
        limits: limits::limits(&root.table("limits")),
        identity: identity::identity(&root.table("identity")),
        ..Settings::default()
    };
    settings.server = server::server(&root.table("server"), &settings.tls);
    settings.auth = auth::auth(&root.table("auth"), &settings);
    let mut upstreams = upstreams::Upstreams::read(&root.table("upstream"));
    settings.routes = routes::routes(root, &mut upstreams, &settings.auth);
    settings.upstreams = upstreams.finish();
    settings.warnings = root.document.take_warnings();
    settings
}

/// Returns the store that `section`, a `[store]`, names.
pub(super) fn store(section: &Section<'_>) -> Store {
    server::store(section)
}
