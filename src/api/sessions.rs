//! The caller's sessions.

use super::answer::Reply;
use super::error::Refusal;
use super::{Api, Call, answer};
use crate::account::AccountError;
use crate::identity::Principal;

impl Api {
    pub(super) async fn list_sessions(&self, principal: &Principal) -> Result<Reply, Refusal> {
        Ok(answer::ok(answer::sessions(&self.accounts.sessions(principal).await?)))
    }

    pub(super) async fn end_session(&self, call: &Call<'_>, principal: &Principal) -> Result<Reply, Refusal> {
        let id = call.parameter.and_then(|text| text.parse().ok()).ok_or(AccountError::SessionNotFound)?;
        self.accounts.end_session(principal, id, &call.context).await?;
        Ok(answer::no_content())
    }
}
