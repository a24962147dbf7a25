//! Whose tokens count beside our own: each trusted issuer with its rules and the keys it has now.
//! A token's `iss` chooses the issuer that it is held against, and nothing more. Filled by `app` from the configuration.

use std::sync::Arc;

use super::key_set::RemoteKeys;
use crate::clock::Timestamp;
use crate::live::Live;
use crate::token::claims::TokenError;
use crate::token::foreign::{AccountName, ForeignClaims, IssuerKeys, IssuerRules, Unverified};

/// An issuer whose tokens are taken on routes.
#[derive(Debug)]
pub struct TrustedIssuer {
    rules: IssuerRules,
    keys: Live<IssuerKeys>,
    /// Where newer keys come from, unless they are configured.
    remote: Option<Arc<RemoteKeys>>,
}

/// All of them; no two have the same name.
#[derive(Debug, Default)]
pub struct Issuers(Vec<TrustedIssuer>);

/// A verified token of another issuer, and the id of the keys that it was verified with.
pub(super) struct Verified {
    pub claims: ForeignClaims,
    pub key_set: u64,
    /// How it names an account here.
    pub accounts: Option<AccountName>,
}

impl TrustedIssuer {
    /// Returns an issuer whose keys are configured.
    pub fn with_keys(rules: IssuerRules, keys: IssuerKeys) -> Self {
        Self { rules, keys: Live::new(keys), remote: None }
    }

    /// Returns an issuer that publishes its keys.
    pub fn with_remote_keys(rules: IssuerRules, remote: Arc<RemoteKeys>) -> Self {
        Self { rules, keys: remote.keys().clone(), remote: Some(remote) }
    }

    pub fn remote_keys(&self) -> Option<&Arc<RemoteKeys>> {
        self.remote.as_ref()
    }

    fn verify(&self, token: &Unverified<'_>, now: Timestamp) -> Result<Verified, TokenError> {
        let keys = self.keys.guard();
        let verdict = token.verify(&self.rules, &keys, now);
        if let (Err(TokenError::UnknownKey), Some(remote)) = (&verdict, &self.remote) {
            remote.want();
        }
        verdict.map(|claims| Verified { claims, key_set: keys.id(), accounts: self.rules.accounts })
    }
}

impl Issuers {
    pub fn new(issuers: Vec<TrustedIssuer>) -> Self {
        Self(issuers)
    }

    pub fn iter(&self) -> impl Iterator<Item = &TrustedIssuer> {
        self.0.iter()
    }

    /// Returns what an issuer's token says; `None` if the token claims to be from none of them.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<Result<Verified, TokenError>> {
        if self.0.is_empty() {
            return None;
        }
        let token = Unverified::read(token).ok()?;
        let claimed = token.issuer()?;
        let issuer = self.0.iter().find(|issuer| issuer.rules.issuer == claimed)?;
        Some(issuer.verify(&token, now))
    }

    /// Whether the keys that a cached token was verified with are still those of one of the issuers.
    pub(super) fn are_in_force(&self, key_set: u64) -> bool {
        self.0.iter().any(|issuer| issuer.keys.guard().id() == key_set)
    }

    /// Returns the issuers whose tokens can't be verified yet, because their keys have never been fetched.
    pub fn without_keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|issuer| issuer.keys.guard().is_empty()).map(|issuer| issuer.rules.issuer.as_str())
    }
}
