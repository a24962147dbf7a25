//! `[identity]`: the headers that tell an upstream who is calling, and which unusual ones may pass.
//! A name that means something else already can't carry an identity.

use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::config::document::Fault;
use crate::config::section::Section;
use crate::config::settings::{Identity, IdentityHeaders};
use crate::config::text::Parsed;
use crate::http::header::folded_eq;
use crate::http::header::names::{HOP_BY_HOP, NEVER_NOMINATED, REBUILT};

pub(super) fn identity(section: &Section<'_>) -> Identity {
    let mut identity = Identity::default();
    headers(&section.table("headers"), &mut identity.headers);
    let names = "a header name that is neither reserved nor an identity header's";
    let taken: Vec<HeaderName> = identity.headers.all().cloned().collect();
    section.list("allow_headers", &mut identity.allow_headers, names, |text| {
        let name = header_name(text)?;
        if taken.iter().any(|taken| folded_eq(taken.as_str(), text)) {
            return Err(Some("apps that read `_` as `-` would take it for the identity header".to_owned()));
        }
        if is_reserved(&name) { Err(None) } else { Ok(name) }
    });
    section.bool("pass_authorization", &mut identity.pass_authorization);
    identity
}

fn headers(section: &Section<'_>, headers: &mut IdentityHeaders) {
    let mut seen: Vec<(HeaderName, &str)> = Vec::new();
    let fields = [
        ("user_id", &mut headers.user_id),
        ("email", &mut headers.email),
        ("name", &mut headers.name),
        ("roles", &mut headers.roles),
    ];
    for (key, header) in fields {
        section.optional(key, header, "a header name that has no meaning yet, such as \"X-User-Id\"", |text| {
            let name = header_name(text)?;
            let is_forwarding =
                name.as_str().get(.."x-forwarded-".len()).is_some_and(|start| folded_eq(start, "x-forwarded-"));
            if is_reserved(&name) || is_forwarding {
                return Err(Some("HTTP or the gateway itself uses this header".to_owned()));
            }
            Ok(name)
        });
        let Some(name) = header.clone() else { continue };
        if let Some((_, other)) = seen.iter().find(|(taken, _)| folded_eq(taken.as_str(), name.as_str())) {
            let fault = Fault::new(format!("`{name}`, which `{other}` has already"), "a header of its own");
            // A default that stands in the way was not written: the one that was is named.
            let key = if section.is_set(key) { key } else { other };
            section.refuse(key, fault.hint(Some("`-`, `_` and `.` count as the same character".to_owned())));
        }
        seen.push((name, key));
    }
}

impl IdentityHeaders {
    /// Returns the names that are sent.
    pub fn all(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.user_id, &self.email, &self.name, &self.roles].into_iter().flatten()
    }
}

pub(super) fn header_name(text: &str) -> Parsed<HeaderName> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| None)
}

/// Whether HTTP, or we, give the name a meaning of its own: hop-by-hop, framing, routing, credentials, forwarding.
fn is_reserved(name: &HeaderName) -> bool {
    let mut names = HOP_BY_HOP.iter().chain(NEVER_NOMINATED).chain(REBUILT).chain(&["trailer"]);
    names.any(|reserved| folded_eq(reserved, name.as_str()))
}

/// Whether a credential may be read from this header.
pub(super) fn may_carry_token(name: &HeaderName, identity: &Identity) -> bool {
    let is_identity = identity.headers.all().any(|header| folded_eq(header.as_str(), name.as_str()));
    (!is_reserved(name) || *name == AUTHORIZATION) && !is_identity
}
