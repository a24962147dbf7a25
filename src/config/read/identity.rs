//! `[identity]`: the headers that tell an upstream who is calling, and which unusual ones may pass.
//! A name that means something else already can't carry an identity.

use http::HeaderName;

use crate::config::document::Fault;
use crate::config::section::Section;
use crate::config::settings::{Identity, IdentityHeaders};
use crate::config::text::Parsed;

/// Names that HTTP or we give a meaning of their own: hop-by-hop, framing, routing, credentials, forwarding.
const RESERVED: [&str; 22] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-authentication-info",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "host",
    "cookie",
    "set-cookie",
    "authorization",
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-request-id",
];

pub(super) fn identity(section: &Section<'_>) -> Identity {
    let mut identity = Identity::default();
    headers(&section.table("headers"), &mut identity.headers);
    let names = "a header name that is neither reserved nor an identity header's";
    let taken: Vec<String> = identity.headers.all().map(fold).collect();
    section.list("allow_headers", &mut identity.allow_headers, names, |text| {
        let name = header_name(text)?;
        let folded = fold(&name);
        if taken.contains(&folded) {
            return Err(Some("apps that read `_` as `-` would take it for the identity header".to_owned()));
        }
        if RESERVED.contains(&folded.as_str()) { Err(None) } else { Ok(name) }
    });
    section.bool("pass_authorization", &mut identity.pass_authorization);
    identity
}

fn headers(section: &Section<'_>, headers: &mut IdentityHeaders) {
    let mut seen: Vec<(String, &str)> = Vec::new();
    let fields = [
        ("user_id", &mut headers.user_id),
        ("email", &mut headers.email),
        ("name", &mut headers.name),
        ("roles", &mut headers.roles),
    ];
    for (key, header) in fields {
        section.optional(key, header, "a header name that has no meaning yet, such as \"X-User-Id\"", |text| {
            let name = header_name(text)?;
            let folded = fold(&name);
            let is_reserved = RESERVED.contains(&folded.as_str()) || folded.starts_with("x-forwarded-");
            if is_reserved { Err(Some("HTTP or the gateway itself uses this header".to_owned())) } else { Ok(name) }
        });
        let Some(folded) = header.as_ref().map(fold) else { continue };
        if let Some((_, other)) = seen.iter().find(|(name, _)| *name == folded) {
            let fault = Fault::new(format!("`{folded}`, which `{other}` has already"), "a header of its own");
            // A default that stands in the way was not written: the one that was is named.
            let key = if section.is_set(key) { key } else { other };
            section.refuse(key, fault.hint(Some("`-`, `_` and `.` count as the same character".to_owned())));
        }
        seen.push((folded, key));
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

/// Whether a credential may be read from this header.
pub(super) fn may_carry_token(name: &HeaderName, identity: &Identity) -> bool {
    let folded = fold(name);
    let is_reserved = RESERVED.contains(&folded.as_str()) && folded != "authorization";
    !is_reserved && !identity.headers.all().any(|header| fold(header) == folded)
}

/// Returns the name as an upstream may read it: every character but letters and digits as `-` (SPEC 4.2).
fn fold(name: &HeaderName) -> String {
    name.as_str().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}
