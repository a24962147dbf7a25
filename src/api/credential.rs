//! Whom a request to our own endpoints comes from.

use std::sync::Arc;

use http::HeaderMap;

use super::Api;
use super::error::Refusal;
use crate::auth::bearer::{self, Presented};
use crate::identity::Caller;

impl Api {
    /// Returns the caller that the request's bearer token stands for.
    pub(super) fn require_caller(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Refusal> {
        match bearer::read(headers, &self.settings.bearer) {
            Presented::Nothing | Presented::Foreign => Err(Refusal::NoCredential),
            Presented::Token(token) => self.verify(token),
            Presented::Repeated => Err(Refusal::AmbiguousCredential),
        }
    }

    pub(super) fn verify(&self, token: &str) -> Result<Arc<Caller>, Refusal> {
        self.authenticator.verify_bearer(token, self.accounts.now()).map_err(|why| {
            tracing::debug!(reason = %why, "bearer token refused");
            Refusal::BadCredential
        })
    }
}
