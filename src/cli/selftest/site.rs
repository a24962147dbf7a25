//! What is attacked: where it is, which of its paths are public and protected, what its headers are called. And requests to it,
//! written as a careful client would write them; each probe then spoils one thing.

use std::fmt::Write as _;

use http::uri::{Authority, Uri};

use super::secure::{Belief, client};
use super::wire::Wire;
use crate::cli::command::{ConfigFile, Selftest};
use crate::cli::context::load;
use crate::cli::failure::{Failure, Result};
use crate::config::Settings;
use crate::config::settings::Route;
use crate::policy::Access;

pub struct Site {
    pub wire: Wire,
    pub is_tls: bool,
    /// What `Host` says.
    pub authority: String,
    pub public: String,
    pub protected: Option<String>,
    /// Where our own endpoints are.
    pub prefix: String,
    pub identity: Vec<String>,
    /// Whether one of them is the caller's id.
    pub tells_user_id: bool,
    pub access_token_name: String,
    pub bearer_header: String,
    /// Empty: the whole field is the token.
    pub scheme: String,
    /// Whether the app behind shows what it receives.
    pub is_echo: bool,
}

impl Site {
    pub fn of(arguments: &Selftest) -> Result<Self> {
        let wrong = || Failure::usage(format!("`{}` is not an https:// or http:// URL", arguments.url.escape_debug()));
        let uri: Uri = arguments.url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let belief = match &arguments.ca {
            Some(file) => Belief::File(file),
            None if arguments.insecure => Belief::Anyone,
            None => Belief::System,
        };
        let tls = if is_tls { Some(client(&belief)?) } else { None };
        let mut site = Self::at(authority, Wire { host: host_of(authority), port: port_of(authority, is_tls), tls });
        if let Some(file) = &arguments.config {
            let (_, settings) = load(&ConfigFile { config: Some(file.clone()) })?;
            site.learn(&settings);
        }
        site.is_echo = arguments.echo;
        for (given, into) in
            [(&arguments.public, &mut site.public), (&arguments.protected, site.protected.get_or_insert_default())]
        {
            if let Some(path) = given {
                *into = plain_path(path)?;
            }
        }
        site.protected = site.protected.filter(|path| !path.is_empty());
        Ok(site)
    }

    /// Returns a site of which nothing but the place is known.
    pub fn at(authority: &Authority, wire: Wire) -> Self {
        Self {
            is_tls: wire.tls.is_some(),
            wire,
            authority: authority.to_string(),
            public: "/".to_owned(),
            protected: None,
            prefix: "/auth".to_owned(),
            identity: ["X-User-Id", "X-User-Email", "X-User-Name", "X-User-Roles"].map(str::to_owned).to_vec(),
            tells_user_id: true,
            access_token_name: "access_token".to_owned(),
            bearer_header: "Authorization".to_owned(),
            scheme: "Bearer".to_owned(),
            is_echo: false,
        }
    }

    fn learn(&mut self, settings: &Settings) {
        let host = host_of(&self.authority.parse().expect("it was one before"));
        let here = |route: &&Route| {
            route.host.matches(&host) && (route.methods.is_empty() || route.methods.contains(&http::Method::GET))
        };
        let path = |wanted: fn(&Access) -> bool| {
            let mut routes = settings.routes.iter().filter(here);
            routes.find(|route| wanted(&route.access)).map(|route| route.path.as_str().to_owned())
        };
        self.protected = path(|access| matches!(access, Access::Protected(_)));
        self.public = path(|access| *access == Access::Public).unwrap_or_else(|| "/".to_owned());
        settings.auth.prefix.as_str().clone_into(&mut self.prefix);
        settings.auth.header.as_str().clone_into(&mut self.bearer_header);
        self.scheme = settings.auth.schemes.first().cloned().unwrap_or_default();
        self.access_token_name.clone_from(&settings.auth.access_token_name);
        let headers = &settings.identity.headers;
        self.tells_user_id = headers.user_id.is_some();
        let names = [&headers.user_id, &headers.email, &headers.name, &headers.roles];
        self.identity = names.into_iter().flatten().map(|name| name.as_str().to_owned()).collect();
    }

    pub fn request(&self, method: &'static str, target: &str) -> Draft {
        let draft = Draft { method, target: target.to_owned(), fields: Vec::new(), body: String::new() };
        draft.field("Host", &self.authority)
    }

    pub fn get(&self, target: &str) -> Draft {
        self.request("GET", target)
    }

    /// Returns a request with a JSON body to one of our own endpoints.
    pub fn post(&self, endpoint: &str, body: &str) -> Draft {
        let draft = self.request("POST", &format!("{}{endpoint}", self.prefix));
        draft.field("Content-Type", "application/json").with_body(body)
    }

    pub fn url(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.authority)
    }
}

fn host_of(authority: &Authority) -> String {
    authority.host().trim_matches(['[', ']']).to_owned()
}

fn port_of(authority: &Authority, is_tls: bool) -> u16 {
    authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 })
}

fn plain_path(path: &str) -> Result<String> {
    let is_plain = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
    if is_plain {
        Ok(path.to_owned())
    } else {
        Err(Failure::usage(format!("{path:?} is not a path that begins with /")))
    }
}

/// A request being written.
#[derive(Clone)]
#[must_use]
pub struct Draft {
    method: &'static str,
    target: String,
    fields: Vec<(String, String)>,
    body: String,
}

impl Draft {
    /// Adds a field; nothing is checked, that is the point.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, site: &Site, token: &str) -> Self {
        self.field(&site.bearer_header, format!("{} {token}", site.scheme).trim_start())
    }

    pub fn without_host(mut self) -> Self {
        self.fields.retain(|(name, _)| name != "Host");
        self
    }

    pub fn with_body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// Returns the request as it goes over the wire, the last on its connection.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.fields {
            write!(text, "{name}: {value}\r\n").expect("a String takes every write");
        }
        if !self.body.is_empty() {
            write!(text, "Content-Length: {}\r\n", self.body.len()).expect("a String takes every write");
        }
        if !self.fields.iter().any(|(name, _)| name == "Connection") {
            text.push_str("Connection: close\r\n");
        }
        text.push_str("User-Agent: vestibule-selftest\r\n\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}
