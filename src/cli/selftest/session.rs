//! Sessions from the outside: sign in, and see that what has ended is over at once. Ends only sessions that it began.

use std::io;

use serde_json::{Value, json};

use super::probe::Verdict::{self, Failed, Passed, Skipped};
use super::probe::{Expect, Family, Probe};
use super::runner::Runner;
use super::wire::{Reply, Until};
use crate::secret::Secret;

/// What signing in or refreshing returned.
pub struct Grant {
    pub access: String,
    refresh: String,
}

/// Somebody who may see the protected path.
pub struct Account {
    pub email: String,
    pub password: Secret<String>,
}

impl Runner<'_> {
    /// Returns what a sign-in grants, and says so.
    pub async fn sign_in(&mut self, account: &Account) -> io::Result<Option<Grant>> {
        let body = json!({ "email": account.email, "password": account.password.expose() }).to_string();
        let grant = self.ask_for_grant("/login", &body).await?;
        self.say_grant("signing in", &grant)?;
        Ok(grant.ok())
    }

    /// Plays two sessions through: a new one by replaying a spent refresh token, and `granted` by signing out.
    pub async fn play_sessions(&mut self, account: &Account, granted: Option<&Grant>) -> io::Result<()> {
        if let Some(new) = self.sign_in(account).await? {
            self.replay(&new).await?;
        }
        match granted {
            Some(granted) => self.log_out(granted).await,
            None => Ok(()),
        }
    }

    /// A refresh token whose successor has been used is stolen or lost: whoever shows it ends the session, grace or not.
    async fn replay(&mut self, first: &Grant) -> io::Result<()> {
        let second = self.refresh("refreshing once", first).await?;
        let Some(second) = second else { return Ok(()) };
        let Some(third) = self.refresh("refreshing twice", &second).await? else { return Ok(()) };
        self.expect_dead_refresh("the first refresh token again", first).await?;
        self.expect_dead_refresh("after that replay, the newest refresh token", &third).await?;
        self.expect_dead_access("after that replay, the newest access token", &third).await
    }

    async fn log_out(&mut self, grant: &Grant) -> io::Result<()> {
        let swapped = Grant { access: grant.refresh.clone(), refresh: grant.access.clone() };
        self.expect_dead_access("a refresh token as an access token", &swapped).await?;
        self.expect_dead_refresh("an access token as a refresh token", &swapped).await?;
        let bye = self.site.post("/logout", "{}").bearer(self.site, &grant.access);
        self.run(&Probe::new(Family::Sessions, "signing out", &bye, Expect::Own(&[204, 200]))).await?;
        self.expect_dead_access("signed out, the access token", grant).await?;
        self.expect_dead_refresh("signed out, the refresh token", grant).await
    }

    async fn refresh(&mut self, name: &str, grant: &Grant) -> io::Result<Option<Grant>> {
        let next = self.ask_for_grant("/refresh", &json!({ "refresh_token": grant.refresh }).to_string()).await?;
        self.say_grant(name, &next)?;
        Ok(next.ok())
    }

    async fn expect_dead_refresh(&mut self, name: &str, grant: &Grant) -> io::Result<()> {
        let request = self.site.post("/refresh", &json!({ "refresh_token": grant.refresh }).to_string());
        self.run(&Probe::new(Family::Sessions, name, &request, Expect::Own(&[400, 401]))).await
    }

    async fn expect_dead_access(&mut self, name: &str, grant: &Grant) -> io::Result<()> {
        let me = format!("{}/me", self.site.prefix);
        for path in self.site.protected.iter().chain([&me]) {
            let request = self.site.get(path).bearer(self.site, &grant.access);
            let name = format!("{name} at {path}");
            self.run(&Probe::new(Family::Sessions, name, &request, Expect::Challenge(Some("invalid_token")))).await?;
        }
        Ok(())
    }

    fn say_grant(&mut self, name: &str, grant: &Result<Grant, Verdict>) -> io::Result<()> {
        let verdict = match grant {
            Ok(_) => Passed("tokens granted".to_owned()),
            Err(verdict) => verdict.clone(),
        };
        self.say(Family::Sessions, name, verdict)
    }

    async fn ask_for_grant(&self, endpoint: &str, body: &str) -> io::Result<Result<Grant, Verdict>> {
        let reply = self.site.wire.send(&self.site.post(endpoint, body).bytes(), Until::Answered).await?;
        let Reply::Answer(answer) = reply else { return Ok(Err(Failed("no answer".to_owned()))) };
        if answer.status == 429 {
            return Ok(Err(Skipped("429: the gateway limits sign-ins".to_owned())));
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        // An envelope holds the grant under `data`.
        let grant = body.get("data").unwrap_or(&body);
        let text = |name: &str| grant.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(match (text(&self.site.access_token_name), text("refresh_token")) {
            (Some(access), Some(refresh)) if answer.is_success() => Ok(Grant { access, refresh }),
            _ => Err(Failed(format!("{}, expected tokens", answer.status))),
        })
    }
}
