//! The caller's keys.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::Reply;
use super::error::Refusal;
use super::input::Fields;
use super::{Api, Call, answer};
use crate::account::{AccountError, WantedKey};
use crate::identity::Principal;

impl Api {
    pub(super) async fn list_api_keys(&self, principal: &Principal) -> Result<Reply, Refusal> {
        let keys = self.accounts.api_keys(principal).await?;
        Ok(answer::ok(Value::Array(keys.iter().map(answer::api_key).collect())))
    }

    /// Answers with the key itself, this once.
    pub(super) async fn make_api_key(&self, call: &Call<'_>, principal: &Principal) -> Result<Reply, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let wanted = WantedKey {
            name: fields.text("name"),
            scopes: fields.texts("scopes"),
            expires_in: fields.seconds("expires_in"),
        };
        fields.finish(&self.settings.ignored_fields)?;
        let made = self.accounts.make_api_key(principal, &wanted, &call.context).await?;
        let mut body = answer::api_key(&made.record);
        body["key"] = json!(made.key.expose());
        Ok(answer::json_with(StatusCode::CREATED, body))
    }

    pub(super) async fn revoke_api_key(&self, call: &Call<'_>, principal: &Principal) -> Result<Reply, Refusal> {
        let id = call.parameter.and_then(|text| text.parse().ok()).ok_or(AccountError::SessionNotFound)?;
        self.accounts.revoke_api_key(principal, id, &call.context).await?;
        Ok(answer::no_content())
    }
}
