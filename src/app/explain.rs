//! What the gateway would do with a request, and why: the same table, the same policy, the same headers; nothing is sent.

use std::fmt;
use std::sync::Arc;

use http::Method;

use super::edge;
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::gateway::Rules;
use crate::http::target::{Target, TargetError};
use crate::identity::{Caller, Principal, Scope, SessionId};
use crate::policy::{self, Access, Denied};
use crate::route::table::Mismatch;
use crate::store::User;

/// Every step of a decision, for a person to read.
#[derive(Debug)]
pub struct Explanation {
    lines: Vec<String>,
    /// Whether the request would reach an upstream.
    pub passes: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error("`{0}` is not a method")]
    Method(String),
    #[error("`{0}` is not a URL such as https://app.example.com/path, nor a path")]
    Url(String),
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

/// Returns what a request by `user` (nobody if `None`) would come to.
pub fn explain(settings: &Settings, method: &str, url: &str, user: Option<&User>) -> Result<Explanation, ExplainError> {
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| ExplainError::Method(method.to_owned()))?;
    let (authority, path) = split(url, settings).ok_or_else(|| ExplainError::Url(url.to_owned()))?;
    let mut told = Explanation { lines: Vec::new(), passes: false };
    match Target::parse(&authority, &path) {
        Err(error) => told.refused("400 invalid_target", error),
        Ok(target) => told.decide(settings, &method, &target, user),
    }
    Ok(told)
}

/// Returns authority and origin-form target of a URL; a path alone is taken to be on the public URL's host, or `localhost`.
fn split(url: &str, settings: &Settings) -> Option<(String, String)> {
    if url.starts_with('/') {
        let host = settings.server.public_url.as_ref().map_or("localhost", |origin| origin.authority.as_str());
        return Some((host.to_owned(), url.to_owned()));
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path_at);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Some((authority.to_owned(), path))
}

impl Explanation {
    fn say(&mut self, label: &str, text: impl fmt::Display) {
        self.lines.push(format!("{label:<10} {text}"));
    }

    fn refused(&mut self, answer: &str, error: TargetError) {
        self.say("target", format_args!("refused: {error}"));
        self.say("answer", answer);
    }

    fn decide(&mut self, settings: &Settings, method: &Method, target: &Target, user: Option<&User>) {
        let rules = edge::rules(settings);
        self.say("target", format_args!("{method} {}{}", target.host(), target.path_and_query()));
        let own = settings.auth.prefix.as_str();
        if target.path().strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            self.say("route", format_args!("none: {own} is where Vestibule's own endpoints live"));
            return;
        }
        let chosen = self.tell_routes(settings, &rules, method, target);
        let Some(place) = chosen else {
            let is_ambiguous = rules.routes.is_ambiguous(target.host(), target.path(), method);
            self.say("answer", if is_ambiguous { "400 invalid_target" } else { "404 not_found" });
            return;
        };
        let route = &rules.routes.routes()[place];
        self.say("demands", demands(&route.access));
        if target.has_encoded_slash() && !route.keep_encoded_slash {
            self.say("answer", "400 invalid_target: the path holds %2F and the route says encoded_slash = \"refuse\"");
            return;
        }
        let caller = user.map(|user| Arc::new(caller(settings, user)));
        self.say("caller", user.map_or_else(|| "nobody: no credential".to_owned(), describe));
        if user.is_some_and(|user| !user.is_active) && route.access != Access::Public {
            self.say("answer", "401 invalid_token: the account is disabled");
            return;
        }
        match policy::decide(&route.access, caller) {
            Err(Denied::Unknown) => self.say("answer", "401 unauthorized: a credential is needed"),
            Err(Denied::MissingRole) => self.say("answer", "403 insufficient_scope: none of the roles"),
            Err(Denied::MissingScope) => self.say("answer", "403 insufficient_scope: not all of the scopes"),
            Ok(permit) => self.tell_passage(&rules, place, target, permit.caller()),
        }
    }

    /// Says of each route why it does not serve the request, and returns the place of the one that does.
    fn tell_routes(&mut self, settings: &Settings, rules: &Rules, method: &Method, target: &Target) -> Option<usize> {
        let mut chosen = None;
        for (place, verdict) in rules.routes.explain(target.host(), target.path(), method).into_iter().enumerate() {
            let name = edge::route_name(&settings.routes[place]);
            match verdict {
                Ok(()) => {
                    chosen = Some(place);
                    self.say("route", format_args!("{name}  ← serves this request"));
                }
                Err(mismatch) => {
                    let reason = reason(mismatch, settings);
                    self.say("route", format_args!("{name}  {reason}"));
                }
            }
        }
        if chosen.is_none() {
            self.say("route", "none matches");
        }
        chosen
    }

    fn tell_passage(&mut self, rules: &Rules, place: usize, target: &Target, caller: Option<&Arc<Caller>>) {
        let route = &rules.routes.routes()[place];
        self.passes = true;
        self.say("answer", "the upstream's");
        let servers: Vec<String> = route.then.upstream.addresses().map(ToString::to_string).collect();
        let path = if route.strip_prefix {
            target.path_and_query_without(route.path.as_str())
        } else {
            target.path_and_query().to_owned()
        };
        self.say("upstream", format_args!("{} ({})", route.then.upstream.name, servers.join(", ")));
        self.say("path", path);
        let Some(caller) = caller else {
            self.say("identity", "none is passed on; what the client sends as identity is removed");
            return;
        };
        for (name, value) in rules.identity.pairs(&caller.headers) {
            if let Some(value) = value {
                self.say("header", format_args!("{name}: {}", value.to_str().unwrap_or_default()));
            }
        }
    }
}

fn reason(mismatch: Mismatch, settings: &Settings) -> String {
    match mismatch {
        Mismatch::OtherHost => "another host".to_owned(),
        Mismatch::OtherPath => "another path".to_owned(),
        Mismatch::OtherMethod => "another method".to_owned(),
        Mismatch::Ambiguous => {
            "matches, but an upstream may read the path as one that another rule protects".to_owned()
        }
        Mismatch::Outranked { by } => {
            format!("matches, but {} is more specific", edge::route_name(&settings.routes[by]))
        }
    }
}

fn demands(access: &Access) -> String {
    match access {
        Access::Public => "nothing (public)".to_owned(),
        Access::Optional => "nothing; whoever shows a credential is known (optional)".to_owned(),
        Access::Protected(demands) => {
            let roles: Vec<&str> = demands.roles.iter().map(crate::identity::Role::as_str).collect();
            let scopes: Vec<&str> = demands.scopes.iter().map(Scope::as_str).collect();
            let mut text = "a credential (protected)".to_owned();
            if !roles.is_empty() {
                text += ", one of the roles ";
                text += &roles.join(", ");
            }
            if !scopes.is_empty() {
                text += ", all of the scopes ";
                text += &scopes.join(", ");
            }
            text
        }
    }
}

fn describe(user: &User) -> String {
    let name = user.email.as_deref().or(user.username.as_deref()).unwrap_or_default();
    let roles: Vec<&str> = user.roles.iter().map(crate::identity::Role::as_str).collect();
    format!("{name} ({}), roles: {}", user.id, if roles.is_empty() { "none".to_owned() } else { roles.join(", ") })
}

fn caller(settings: &Settings, user: &User) -> Caller {
    let scopes = user.roles.iter().filter_map(|role| settings.auth.role_scopes.get(role)).flatten();
    let principal = Principal {
        user_id: user.id.clone(),
        session: SessionId::random(),
        email: user.email.clone(),
        username: user.username.clone(),
        roles: user.roles.clone(),
        scopes: scopes.cloned().collect(),
    };
    Caller::new(principal, Timestamp::from_millis(i64::MAX))
}
