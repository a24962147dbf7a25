//! Which of our endpoints a path and a method name: one table, from which lookup, `Allow`, the description and the tests all
//! read. Paths compared here are canonical already.

use std::collections::HashMap;

use http::Method;

/// One thing a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Register,
    Login,
    Refresh,
    Logout,
    LogoutAll,
    ShowMe,
    ChangeMe,
    DeleteMe,
    ListSessions,
    EndSession,
    ChangePassword,
    ForgotPassword,
    ResetPassword,
    VerifyEmail,
    SendVerification,
    ListKeys,
    MakeKey,
    RevokeKey,
    IssueToken,
    VerifyBearer,
    VerifyGiven,
    Introspect,
    Revoke,
    KeySet,
    Metadata,
    Description,
}

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// An access token of ours.
    Bearer,
    /// Whatever stands for an account here: keys of users, tokens of the system that they came from.
    Account,
}

/// A path below the prefix and what can be done there.
#[derive(Debug)]
pub struct Resource {
    /// What `[auth.paths]` calls it, and with it the resource of one segment more.
    pub name: &'static str,
    /// A last segment in braces stands for any one segment.
    pub path: &'static str,
    pub operations: &'static [(Method, Operation, Needs)],
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

const fn resource(
    name: &'static str,
    path: &'static str,
    operations: &'static [(Method, Operation, Needs)],
) -> Resource {
    Resource { name, path, operations }
}

pub static RESOURCES: [Resource; 18] = [
    resource("register", "/register", &[(POST, Operation::Register, Needs::Nothing)]),
    resource("login", "/login", &[(POST, Operation::Login, Needs::Nothing)]),
    resource("refresh", "/refresh", &[(POST, Operation::Refresh, Needs::Nothing)]),
    // A refresh token in the body will do as well, so the handler asks for the bearer itself.
    resource("logout", "/logout", &[(POST, Operation::Logout, Needs::Nothing)]),
    resource("logout_all", "/logout/all", &[(POST, Operation::LogoutAll, Needs::Bearer)]),
    resource(
        "me",
        "/me",
        &[
            (GET, Operation::ShowMe, Needs::Account),
            (PATCH, Operation::ChangeMe, Needs::Bearer),
            (DELETE, Operation::DeleteMe, Needs::Bearer),
        ],
    ),
    resource("sessions", "/sessions", &[(GET, Operation::ListSessions, Needs::Bearer)]),
    resource("sessions", "/sessions/{id}", &[(DELETE, Operation::EndSession, Needs::Bearer)]),
    resource("password_change", "/password/change", &[(POST, Operation::ChangePassword, Needs::Bearer)]),
    resource("keys", "/keys", &[(GET, Operation::ListKeys, Needs::Bearer), (POST, Operation::MakeKey, Needs::Bearer)]),
    resource("keys", "/keys/{id}", &[(DELETE, Operation::RevokeKey, Needs::Bearer)]),
    resource("token", "/token", &[(POST, Operation::IssueToken, Needs::Nothing)]),
    resource("token_verify", "/token/verify", &[(GET, Operation::VerifyBearer, Needs::Account)]),
    resource("token_verify", "/token/verify/{token}", &[(GET, Operation::VerifyGiven, Needs::Nothing)]),
    resource("introspect", "/introspect", &[(POST, Operation::Introspect, Needs::Bearer)]),
    // Whoever holds a token may take it back; it is the credential.
    resource("revoke", "/revoke", &[(POST, Operation::Revoke, Needs::Nothing)]),
    resource("jwks", "/.well-known/jwks.json", &[(GET, Operation::KeySet, Needs::Nothing)]),
    resource("metadata", "/.well-known/oauth-authorization-server", &[(GET, Operation::Metadata, Needs::Nothing)]),
];

/// What there is only while mail is sent.
pub static MAIL_RESOURCES: [Resource; 4] = [
    resource("password_forgot", "/password/forgot", &[(POST, Operation::ForgotPassword, Needs::Nothing)]),
    resource("password_reset", "/password/reset", &[(POST, Operation::ResetPassword, Needs::Nothing)]),
    resource("email_verify", "/email/verify", &[(POST, Operation::VerifyEmail, Needs::Nothing)]),
    resource("email_verify_send", "/email/verify/send", &[(POST, Operation::SendVerification, Needs::Bearer)]),
];

/// Apart from the others because it describes them.
pub static DESCRIPTION: Resource =
    resource("openapi", "/openapi.json", &[(GET, Operation::Description, Needs::Nothing)]);

/// Whether mail is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail {
    On,
    Off,
}

/// Returns every resource that there may be.
pub fn resources() -> impl Iterator<Item = &'static Resource> {
    offered(Mail::On)
}

/// Returns every resource that there is.
pub fn offered(mail: Mail) -> impl Iterator<Item = &'static Resource> {
    let with_mail = MAIL_RESOURCES.iter().filter(move |_| mail == Mail::On);
    RESOURCES.iter().chain(with_mail).chain([&DESCRIPTION])
}

/// What a path and a method lead to.
#[derive(Debug)]
pub enum Found<'p> {
    Operation {
        /// The name of the resource.
        endpoint: &'static str,
        operation: Operation,
        needs: Needs,
        parameter: Option<&'p str>,
    },
    /// The path is there, the method is not; these are.
    OtherMethods(&'static Resource),
    Nothing,
}

/// The table with the configured prefix and extra paths applied.
#[derive(Debug)]
pub struct RouteTable {
    prefix: String,
    exact: HashMap<String, &'static Resource>,
    /// Paths that one more segment completes; each ends in `/`.
    with_parameter: Vec<(String, &'static Resource)>,
    /// Paths that are ours although they are not below the prefix.
    outside: Vec<String>,
}

impl RouteTable {
    /// Returns the table for `prefix` (such as `/auth`) and further paths, each under the name of its resource.
    /// Names that no resource has are left out: the configuration's check has refused them.
    pub fn new(prefix: &str, extra: &[(String, String)], mail: Mail) -> Self {
        let prefix = prefix.trim_end_matches('/').to_owned();
        let mut table = Self { prefix, exact: HashMap::new(), with_parameter: Vec::new(), outside: Vec::new() };
        for resource in offered(mail) {
            table.add(&format!("{}{}", table.prefix, resource.stem()), resource);
            if resource.path.starts_with("/.well-known/") {
                table.add(resource.path, resource);
            }
            for (_, path) in extra.iter().filter(|(name, _)| name == resource.name) {
                table.add(path, resource);
            }
        }
        table
    }

    fn add(&mut self, path: &str, resource: &'static Resource) {
        let is_outside = !self.is_below_prefix(path);
        if resource.stem() == resource.path {
            self.exact.insert(path.to_owned(), resource);
            if is_outside {
                self.outside.push(path.to_owned());
            }
            return;
        }
        let stem = format!("{}/", path.trim_end_matches('/'));
        if is_outside {
            self.outside.push(stem.clone());
        }
        self.with_parameter.push((stem, resource));
    }

    /// Returns whether a canonical path is ours. On the way of every request: no allocation.
    pub fn owns(&self, path: &str) -> bool {
        self.is_below_prefix(path)
            || self.outside.iter().any(|ours| match ours.strip_suffix('/') {
                Some(_) => path.strip_prefix(ours.as_str()).is_some_and(is_segment),
                None => path == ours,
            })
    }

    /// Returns the path with an ellipsis in place of a token, or of whatever else stands where one belongs.
    pub fn path_without_secrets(&self, path: &str) -> Option<String> {
        let holds_token = |resource: &Resource| resource.path.ends_with("{token}");
        let stems = self.with_parameter.iter().filter(|(_, resource)| holds_token(resource)).map(|(stem, _)| stem);
        stems
            .into_iter()
            .find(|stem| path.len() > stem.len() && path.starts_with(stem.as_str()))
            .map(|stem| format!("{stem}…"))
    }

    pub fn find<'p>(&self, method: &Method, path: &'p str) -> Found<'p> {
        let Some((resource, parameter)) = self.find_resource(path) else { return Found::Nothing };
        // HEAD is GET without the body (RFC 9110 section 9.3.2).
        let method = if method == Method::HEAD { &Method::GET } else { method };
        match resource.operations.iter().find(|(allowed, ..)| allowed == method) {
            Some((_, operation, needs)) => {
                Found::Operation { endpoint: resource.name, operation: *operation, needs: *needs, parameter }
            }
            None => Found::OtherMethods(resource),
        }
    }

    fn find_resource<'p>(&self, path: &'p str) -> Option<(&'static Resource, Option<&'p str>)> {
        if let Some(resource) = self.exact.get(path) {
            return Some((resource, None));
        }
        self.with_parameter.iter().find_map(|(stem, resource)| {
            let segment = path.strip_prefix(stem.as_str()).filter(|rest| is_segment(rest))?;
            Some((*resource, Some(segment)))
        })
    }

    fn is_below_prefix(&self, path: &str) -> bool {
        path.strip_prefix(self.prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn is_segment(rest: &str) -> bool {
    !rest.is_empty() && !rest.contains('/')
}

impl Resource {
    /// Returns the path without its parameter.
    fn stem(&self) -> &'static str {
        self.path.split_once("/{").map_or(self.path, |(stem, _)| stem)
    }

    /// Returns the value of `Allow`.
    pub fn allow(&self) -> String {
        let mut methods: Vec<&str> = Vec::new();
        for (method, ..) in self.operations {
            methods.push(method.as_str());
            if *method == Method::GET {
                methods.push("HEAD");
            }
        }
        methods.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> RouteTable {
        let extra = [("register", "/create"), ("sessions", "/my/sessions"), ("token_verify", "/check")];
        RouteTable::new("/auth", &extra.map(|(name, path)| (name.to_owned(), path.to_owned())), Mail::Off)
    }

    #[test]
    fn the_prefix_owns_whole_segments_only() {
        let table = table();
        for ours in ["/auth", "/auth/", "/auth/login", "/auth/nothing/here", "/create", "/.well-known/jwks.json"] {
            assert!(table.owns(ours), "{ours}");
        }
        for other in ["/", "/authx", "/auth;x", "/createx", "/create/x", "/.well-known/", "/.well-known/openid"] {
            assert!(!table.owns(other), "{other}");
        }
    }

    #[test]
    fn a_parameter_is_exactly_one_segment() {
        let table = table();
        for path in ["/auth/sessions/7", "/my/sessions/7"] {
            let found = table.find(&Method::DELETE, path);
            assert!(matches!(found, Found::Operation { parameter: Some("7"), .. }), "{path}: {found:?}");
            assert!(table.owns(path));
        }
        assert!(matches!(table.find(&GET, "/my/sessions"), Found::Operation { parameter: None, .. }));
        assert!(matches!(table.find(&GET, "/check/a.b.c"), Found::Operation { parameter: Some("a.b.c"), .. }));
        for path in ["/auth/sessions/", "/auth/sessions/7/8", "/my/sessions", "/my/sessions/"] {
            let found = table.find(&Method::DELETE, path);
            assert!(!matches!(found, Found::Operation { .. }), "{path}: {found:?}");
        }
    }

    #[test]
    fn head_goes_where_get_goes_and_a_lacking_method_names_those_there_are() {
        let table = table();
        assert!(matches!(table.find(&Method::HEAD, "/auth/me"), Found::Operation { operation: Operation::ShowMe, .. }));
        let Found::OtherMethods(resource) = table.find(&Method::PUT, "/auth/me") else { panic!("PUT was found") };
        assert_eq!(resource.allow(), "GET, HEAD, PATCH, DELETE");
        assert!(matches!(table.find(&Method::HEAD, "/auth/login"), Found::OtherMethods(_)));
    }

    #[test]
    fn every_resource_has_a_path_of_its_own_and_shares_its_name_with_the_segment_below_at_most() {
        let mut paths: Vec<_> = resources().map(|resource| resource.path).collect();
        let mut names: Vec<_> = resources().map(|resource| (resource.name, resource.path.contains('{'))).collect();
        for resource in resources() {
            let with_same_name = resources().filter(|other| other.name == resource.name);
            assert!(with_same_name.into_iter().all(|other| other.stem() == resource.stem()), "{}", resource.name);
        }
        let count = paths.len();
        paths.sort_unstable();
        paths.dedup();
        names.sort_unstable();
        names.dedup();
        assert_eq!((paths.len(), names.len()), (count, count));
    }
}
