//! Changing a password: the current one must be shown, and every other session ends.

use super::error::AccountError;
use super::login::Claimant;
use super::validate::Faults;
use super::{Accounts, Context, Subject};
use crate::identity::Principal;
use crate::secret::Secret;
use crate::store::{PasswordChange, StoreError, User};
use crate::telemetry::audit::Event;

impl Accounts {
    pub async fn change_password(
        &self,
        principal: &Principal,
        current: Option<Secret<String>>,
        new: Option<Secret<String>>,
        context: &Context,
    ) -> Result<(), AccountError> {
        let user = self.user_of(principal).await?;
        let (current, new) = self.judge_change(&user, current, new)?;
        let proven = self.prove(Claimant::known(user), &current, context).await?;
        let id = proven.user.id;
        let others = self.sessions_but(&id, Some(principal.session)).await?;
        let change = PasswordChange {
            expected: Some(proven.hash),
            hash: self.hashers.hash(&new).await?,
            keep: Some(principal.session),
        };
        self.store.change_password(&id, change, self.clock.now()).await.map_err(|error| match error {
            // Changed meanwhile: what was shown is the current password no longer.
            StoreError::NotFound => AccountError::InvalidCredentials,
            other => other.into(),
        })?;
        self.feed.catch_up().await?;
        let subject = Subject { session: Some(principal.session), ..Subject::user(&id) };
        self.record(Event::PasswordChanged, &subject, context);
        self.record_ended(&id, &others, "password_changed", context);
        Ok(())
    }

    fn judge_change(
        &self,
        user: &User,
        current: Option<Secret<String>>,
        new: Option<Secret<String>>,
    ) -> Result<(Secret<String>, Secret<String>), AccountError> {
        let mut faults = Faults::default();
        if current.is_none() {
            faults.missing("current_password");
        }
        self.judge_new(&mut faults, user, new.as_ref());
        faults.finish()?;
        Ok((current.expect("its absence is a fault"), new.expect("its absence is a fault")))
    }

    /// Notes what is wrong with a new password of `user`; its absence, too.
    pub(super) fn judge_new(&self, faults: &mut Faults, user: &User, new: Option<&Secret<String>>) {
        let names = [&user.email, &user.username, &user.first_name, &user.last_name, &user.full_name];
        let own: Vec<&str> = names.into_iter().filter_map(|name| name.as_deref()).collect();
        match new {
            Some(new) => faults.password("new_password", new, &self.settings.current().passwords, &own),
            None => faults.missing("new_password"),
        }
    }
}
