//! Changing the password.

use bytes::Bytes;
use http::Response;

use super::error::Refusal;
use super::input::Fields;
use super::{Api, Call, answer};
use crate::identity::Principal;

impl Api {
    pub(super) async fn change_password(
        &self,
        call: &Call<'_>,
        principal: &Principal,
    ) -> Result<Response<Bytes>, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let current = fields.secret("current_password");
        let new = fields.secret("new_password");
        fields.finish(&self.settings.ignored_fields)?;
        self.accounts.change_password(principal, current, new, &call.context).await?;
        Ok(answer::no_content())
    }
}
