//! The answer to another proxy that asks whether a request may pass: nginx `auth_request`, Traefik, Caddy, HAProxy, Envoy.
//! What it says of the request is believed only of a trusted proxy; from anyone else it can make the answer stricter, never looser.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, header};

use super::refuse::Refusal;
use super::rules::{Forwarding, Rules};
use super::{Ingress, credentials};
use crate::auth::Authenticator;
use crate::auth::bearer::Accepted;
use crate::http::fields::{Fields, Lookup, text};
use crate::http::target::Target;
use crate::identity::IdentityValues;
use crate::policy::{self, Access, Demands, Denied, Permit};
use crate::route::table::Route;

/// A whole URL, or a path for the host of the request: nginx.
const ORIGINAL: [HeaderName; 2] =
    [HeaderName::from_static("x-original-url"), HeaderName::from_static("x-original-uri")];
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
/// Path and query, host and method apart: Traefik and Caddy.
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");

/// A request that a proxy asks about.
struct Asked {
    target: Target,
    method: Method,
}

/// Returns 200 with every identity header (empty where unknown), or the refusal: 401 or 403.
pub async fn answer(
    rules: &Rules,
    authenticator: &Authenticator,
    ingress: &Ingress<'_>,
    method: &Method,
    fields: &Fields,
) -> Result<Response<Bytes>, Refusal> {
    let asked = asked(rules, ingress, method, fields)?;
    let route = match &asked {
        None => None,
        Some(asked) => Some(route_of(rules, asked)?),
    };
    let route_access = route.map(|route| &route.access);
    let accepted = route.map_or(Accepted::ALL, |route| route.then.credentials);
    let strict = Access::Protected(Demands::default());
    // A stranger who names a public path must not be let through for it.
    let access = match route_access {
        Some(access) if ingress.client.behind_proxy || matches!(access, Access::Protected(_)) => access,
        Some(_) | None => &strict,
    };
    let caller = match access {
        Access::Public => None,
        Access::Optional | Access::Protected(_) => {
            let known = credentials::identify(fields, rules, accepted, authenticator, ingress.now).await?;
            known.map(|known| known.caller)
        }
    };
    let permit = policy::decide(access, caller)?;
    Ok(admitted(rules, &permit))
}

/// Returns the route of the original request. What has none gets through nowhere.
fn route_of<'r>(rules: &'r Rules, asked: &Asked) -> Result<&'r Route<Forwarding>, Refusal> {
    let route = rules.routes.find(asked.target.host(), asked.target.path(), &asked.method);
    let route = route.filter(|route| route.keep_encoded_slash || !asked.target.has_encoded_slash());
    route.ok_or(Refusal::Denied(Denied::MissingRole))
}

fn asked(rules: &Rules, ingress: &Ingress<'_>, method: &Method, fields: &Fields) -> Result<Option<Asked>, Refusal> {
    let method = told_method(fields)?.unwrap_or_else(|| method.clone());
    let mut told = told_target(fields, ingress.target.host())?;
    // Envoy puts the original path behind the prefix it was given.
    let rest = rules.after_forward_auth(ingress.target.path_and_query()).unwrap_or_default();
    if rest.starts_with('/') {
        agree(&mut told, read_target(ingress.target.host(), rest)?)?;
    }
    Ok(told.map(|target| Asked { target, method }))
}

/// Returns the target that the headers name. A proxy sets the header that it knows and lets the client's own of the other names
/// through: where there are several, only one is its word, so all must say the same.
fn told_target(fields: &Fields, own_host: &str) -> Result<Option<Target>, Refusal> {
    let host = said(fields, &FORWARDED_HOST)?.unwrap_or(own_host);
    let mut told = None;
    for name in &ORIGINAL {
        if let Some(original) = said(fields, name)? {
            agree(&mut told, read_original(original, host)?)?;
        }
    }
    if let Some(path) = said(fields, &FORWARDED_URI)? {
        agree(&mut told, read_target(host, path)?)?;
    }
    Ok(told)
}

/// Returns the method that the headers name, by the same rule.
fn told_method(fields: &Fields) -> Result<Option<Method>, Refusal> {
    let mut told = None;
    for name in [&ORIGINAL_METHOD, &FORWARDED_METHOD] {
        if let Some(method) = said(fields, name)? {
            agree(&mut told, Method::from_bytes(method.as_bytes()).map_err(|_| unreadable())?)?;
        }
    }
    Ok(told)
}

fn agree<T: PartialEq>(told: &mut Option<T>, next: T) -> Result<(), Refusal> {
    if told.as_ref().is_some_and(|before| *before != next) {
        return Err(unreadable());
    }
    *told = Some(next);
    Ok(())
}

/// Returns the target of a whole URL, or of a path on `host`.
fn read_original(original: &str, host: &str) -> Result<Target, Refusal> {
    let Some((_, rest)) = original.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https")) else {
        return read_target(host, original);
    };
    let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path_at);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    read_target(authority, &path)
}

fn read_target(authority: &str, path: &str) -> Result<Target, Refusal> {
    Target::parse(authority, path).map_err(|_| unreadable())
}

/// Returns the value of a header that may be there once.
fn said<'h>(fields: &'h Fields, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let mut values = fields.values(name);
    let Some(only) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(unreadable());
    }
    text(only).map(Some).ok_or_else(unreadable)
}

/// Proxies understand 401 and 403 and treat all else as their own failure: what can't be read is refused like what is not allowed.
fn unreadable() -> Refusal {
    Refusal::Denied(Denied::MissingRole)
}

fn admitted(rules: &Rules, permit: &Permit) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nobody = IdentityValues::default();
    let values = permit.caller().map_or(&nobody, |caller| &caller.headers);
    for (name, value) in rules.identity.pairs(values) {
        // An absent header would leave the client's own in place behind some proxies.
        headers.insert(name.clone(), value.cloned().unwrap_or(HeaderValue::from_static("")));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &'static str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in given {
            fields.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        fields
    }

    fn path(fields: &[(&'static str, &'static str)]) -> Option<String> {
        told_target(&headers(fields), "own.example").ok()?.map(|target| format!("{}{}", target.host(), target.path()))
    }

    #[test]
    fn every_proxy_is_understood_in_the_header_that_it_sets() {
        assert_eq!(path(&[("x-original-uri", "/a?b")]).as_deref(), Some("own.example/a"));
        assert_eq!(path(&[("x-original-url", "https://other.example/a")]).as_deref(), Some("other.example/a"));
        let caddy = [("x-forwarded-host", "other.example"), ("x-forwarded-uri", "/a")];
        assert_eq!(path(&caddy).as_deref(), Some("other.example/a"));
    }

    #[test]
    fn a_client_can_not_name_another_path_beside_the_proxys() {
        for other in ["x-original-uri", "x-original-url"] {
            let fields = headers(&[("x-forwarded-uri", "/private"), (other, "/public")]);
            assert!(told_target(&fields, "own.example").is_err(), "{other}");
            let fields = headers(&[("x-forwarded-uri", "/private"), (other, "https://public.example/private")]);
            assert!(told_target(&fields, "own.example").is_err(), "{other}: another host");
        }
        let fields = headers(&[("x-original-uri", "/public"), ("x-original-url", "/private")]);
        assert!(told_target(&fields, "own.example").is_err());
        assert_eq!(path(&[("x-original-uri", "/a"), ("x-forwarded-uri", "/./a")]).as_deref(), Some("own.example/a"));
    }

    #[test]
    fn a_client_can_not_name_another_method_beside_the_proxys() {
        let fields = headers(&[("x-forwarded-method", "DELETE"), ("x-original-method", "GET")]);
        assert!(told_method(&fields).is_err());
        let fields = headers(&[("x-forwarded-method", "DELETE")]);
        assert_eq!(told_method(&fields).expect("one method"), Some(Method::DELETE));
    }
}
