//! Whom a request to our own endpoints comes from.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderMap;

use super::Api;
use super::error::Refusal;
use crate::account::AccountError;
use crate::auth::CredentialError;
use crate::auth::bearer::{self, Accepted, Presented};
use crate::identity::Caller;

impl Api {
    /// Returns the caller that the request's access token stands for.
    pub(super) fn require_caller(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Refusal> {
        let accepted = Accepted { bearer: true, api_key_header: false, basic: false };
        let token = self.presented(headers, accepted)?;
        self.authenticator.verify_bearer(&token, self.accounts.now()).map_err(|why| refused(CredentialError::Bad(why)))
    }

    /// Returns the caller that any credential for an account here stands for.
    pub(super) async fn require_account(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Refusal> {
        let token = self.presented(headers, Accepted::ALL)?;
        self.verify(&token).await
    }

    pub(super) async fn verify(&self, token: &str) -> Result<Arc<Caller>, Refusal> {
        self.authenticator.verify_account(token, self.accounts.now()).await.map_err(refused)
    }

    fn presented<'a>(&self, headers: &'a HeaderMap, accepted: Accepted) -> Result<Cow<'a, str>, Refusal> {
        match bearer::read(headers, &self.settings.bearer, accepted) {
            Presented::Nothing | Presented::Foreign => Err(Refusal::NoCredential),
            Presented::Token(_, token) => Ok(token),
            Presented::Repeated => Err(Refusal::AmbiguousCredential),
        }
    }
}

fn refused(error: CredentialError) -> Refusal {
    match error {
        CredentialError::Bad(why) => {
            tracing::debug!(reason = %why, "credential refused");
            Refusal::BadCredential
        }
        CredentialError::Unavailable(why) => AccountError::Unavailable(why.to_string()).into(),
    }
}
