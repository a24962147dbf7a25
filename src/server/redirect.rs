//! The plain-HTTP listener: sends every request to the same place on https. It names no host that a stranger chose:
//! the request's own host only where the configuration knows it, else the public URL's, else nobody's.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};
use http::{Response, StatusCode};
use http_body_util::Empty;

use super::{ConnectionInfo, Handler, Server, Settings, StartError, Unreadable, side_settings};
use crate::http::body::{Body, ClientBody};
use crate::http::problem::Problem;
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;
use crate::http::target::Target;

/// Where to send whom.
#[derive(Clone)]
pub struct Destination {
    /// `public_url`'s host, with its port if it has one; None if there is no public URL.
    pub public_authority: Option<String>,
    /// The port that https is reached at, for a request's own host.
    pub https_port: u16,
    /// Whether a certificate or a route names this host (lower case, no port).
    pub knows_host: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

/// Returns the running listener; it checks heads as the main one does. Must be called on the office.
pub fn start(address: SocketAddr, destination: Destination) -> Result<Server, StartError> {
    let settings = Settings { name: "redirect", ..side_settings(address) };
    Server::start(settings, move || Redirect(destination.clone()))
}

struct Redirect(Destination);

impl Handler for Redirect {
    type Stream = Empty<Bytes>;

    async fn handle(
        self: Rc<Self>,
        _connection: Rc<ConnectionInfo>,
        request: Box<ClientRequest<ClientBody>>,
    ) -> ClientResponse<Body<Self::Stream>> {
        let answer = match Target::read(&request) {
            Ok(target) => self.0.answer(&target),
            Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_target", error.to_string())),
        };
        answer.unwrap_or_else(Problem::into_response).map(Body::from).into()
    }

    fn refuse(&self, _connection: &ConnectionInfo, reason: &Unreadable) -> ClientResponse<Body<Self::Stream>> {
        reason.problem().into_response().map(Body::from).into()
    }
}

impl Destination {
    fn answer(&self, target: &Target) -> Result<Response<Bytes>, Problem> {
        let Some(authority) = self.authority_for(target.host()) else {
            let detail = "no certificate or route names this host, and there is no public URL";
            return Err(Problem::new(StatusCode::NOT_FOUND, "no_route", detail));
        };
        let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
        let location = format!("https://{authority}{}{query}", target.path());
        let Ok(location) = HeaderValue::try_from(location) else {
            let detail = "the target can't be written as a Location";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_target", detail));
        };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        response.headers_mut().insert(LOCATION, location);
        Ok(response)
    }

    fn authority_for(&self, host: &str) -> Option<String> {
        if !(self.knows_host)(host) {
            return self.public_authority.clone();
        }
        Some(if self.https_port == 443 { host.to_owned() } else { format!("{host}:{}", self.https_port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(public: Option<&str>, https_port: u16) -> Destination {
        let knows_host = Arc::new(|host: &str| host == "app.example.com");
        Destination { public_authority: public.map(str::to_owned), https_port, knows_host }
    }

    fn location(destination: &Destination, authority: &str, path: &str) -> Option<String> {
        let answer = destination.answer(&Target::parse(authority, path).unwrap()).ok()?;
        assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
        Some(answer.headers()[LOCATION].to_str().unwrap().to_owned())
    }

    #[test]
    fn a_known_host_keeps_its_name_path_and_query() {
        let there = location(&destination(None, 443), "app.example.com:80", "/a/b?c=d");
        assert_eq!(there.as_deref(), Some("https://app.example.com/a/b?c=d"));
        let there = location(&destination(None, 8443), "app.example.com", "/");
        assert_eq!(there.as_deref(), Some("https://app.example.com:8443/"));
    }

    #[test]
    fn a_foreign_host_is_never_redirected_to() {
        let there = location(&destination(Some("example.com"), 443), "evil.test", "/x");
        assert_eq!(there.as_deref(), Some("https://example.com/x"));
        assert_eq!(location(&destination(None, 443), "evil.test", "/x"), None);
    }
}
