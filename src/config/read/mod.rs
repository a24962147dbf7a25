//! The sections of a configuration, one function each: which keys there are, what they may be, and how they must agree.
//! A key that no function here asks for does not exist.

mod answers;
mod auth;
mod cors;
mod doubts;
mod identity;
mod issuers;
mod limits;
mod mail;
mod routes;
mod server;
mod upstreams;
mod user_fields;

use super::profiles::{self, Profile};
use super::section::{Section, one_of};
use super::settings::{Settings, Store};

/// Reads `auth.profile` before all else, because everything may stand on it.
pub(super) fn choose_profile(root: &Section<'_>) {
    let document = root.document;
    let find = |name: &str| profiles::names().contains(&name).then(|| name.to_owned());
    let mut name = None;
    root.table("auth").optional("profile", &mut name, &one_of(&profiles::names()), |text| find(text).ok_or(None));
    if let Some(profile) = name.and_then(|name| Profile::find(&name, document.environment)) {
        document.choose_profile(profile);
    }
}

/// Returns what `root` says over the defaults; it counts only if no problem was recorded meanwhile.
pub(super) fn settings(root: &Section<'_>) -> Settings {
    let mut settings = Settings {
        tls: server::tls(&root.table("tls")),
        store: store(&root.table("store")),
        log: server::log(&root.table("log")),
        password: limits::password(&root.table("password")),
        limits: limits::limits(&root.table("limits")),
        identity: identity::identity(&root.table("identity")),
        cors: cors::cors(&root.table("cors")),
        ..Settings::default()
    };
    settings.server = server::server(&root.table("server"), &settings.tls);
    settings.auth = auth::auth(&root.table("auth"), &settings);
    settings.mail = mail::mail(&root.table("mail"), &settings.server);
    let mut upstreams = upstreams::Upstreams::read(&root.table("upstream"));
    settings.routes = routes::routes(root, &mut upstreams, &settings);
    settings.upstreams = upstreams.finish();
    settings.warnings = root.document.take_warnings();
    settings
}

/// Returns the store that `section`, a `[store]`, names.
pub(super) fn store(section: &Section<'_>) -> Store {
    server::store(section)
}
