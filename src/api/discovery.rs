//! What others need to know to verify our tokens and to find our endpoints.

use serde_json::json;

use super::answer::Reply;
use super::openapi::Profiles;
use super::{Api, answer, openapi};
use crate::token::jwk::public_set;

impl Api {
    pub(super) fn key_set(&self) -> Reply {
        answer::public(public_set(&self.trust.current().access))
    }

    /// Returns the authorization server metadata (RFC 8414 section 2). Its URLs never come from a request's Host.
    pub(super) fn metadata(&self) -> Reply {
        let trust = self.trust.current();
        let issuer = &trust.expected.issuer;
        let origin = if self.settings.public_url.is_empty() { issuer } else { &self.settings.public_url };
        let base = format!("{}{}", origin.trim_end_matches('/'), self.settings.prefix.trim_end_matches('/'));
        answer::public(json!({
            "issuer": issuer,
            "token_endpoint": format!("{base}/token"),
            "jwks_uri": format!("{base}/.well-known/jwks.json"),
            "revocation_endpoint": format!("{base}/revoke"),
            "introspection_endpoint": format!("{base}/introspect"),
            "service_documentation": format!("{base}/openapi.json"),
            "grant_types_supported": ["password", "refresh_token"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
        }))
    }

    fn profiles(&self) -> Profiles {
        if self.accounts.has_profiles() { Profiles::Declared } else { Profiles::None }
    }

    pub(super) fn description(&self) -> Reply {
        answer::public(openapi::document(&self.settings, self.profiles()))
    }
}
