//! The use cases of accounts: register, sign in, refresh, leave, read and change oneself, list and end sessions.
//! Every rule about accounts is here, and no HTTP type. Called by `api` (and the feed by `app`); what it changes takes effect
//! in the store first, then on the serving side, and only then is the caller answered.

pub mod admin;
mod api_keys;
pub mod error;
pub mod feed;
mod fields;
pub mod grant;
pub mod hashers;
pub mod keys;
mod limits;
mod login;
mod mail;
mod password;
pub mod postman;
mod profile;
mod refresh;
mod register;
mod session;
pub mod settings;
mod token;
mod validate;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod mail_tests;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ipnet::IpNet;
use tokio::sync::Notify;

pub use crate::store::ApiKey;
pub use api_keys::{MadeKey, WantedKey};
pub use error::{AccountError, Fault};
pub use feed::Feed;
pub use grant::Grant;
pub use hashers::Hashers;
pub use login::Login;
pub use postman::Postman;
pub use profile::{Profile, ProfileChange};
pub use register::Registering;
pub use session::{Leaving, SessionView};
pub use settings::{AccountSettings, Field, MailSettings, Rates, Registration};
pub use token::LiveRefresh;

use crate::auth::{Revocations, Trust};
use crate::clock::{Clock, Timestamp};
use crate::identity::{SessionId, UserId};
use crate::live::Live;
use crate::store::SharedStore;
use crate::store::records::Origin;
use crate::telemetry::audit::{Audit, Entry, Event};

use limits::Limits;

/// Who asks, as far as limits, sessions and the audit trail want to know.
#[derive(Clone, Debug)]
pub struct Context {
    pub ip: String,
    pub user_agent: String,
    /// The key that limits share: an IPv4 address, or the /64 of an IPv6 address.
    pub network: IpNet,
    pub request_id: String,
}

impl Context {
    fn origin(&self) -> Origin {
        Origin { ip: self.ip.clone(), user_agent: self.user_agent.clone() }
    }
}

/// What the use cases stand on.
pub struct Parts {
    pub store: SharedStore,
    pub hashers: Arc<Hashers>,
    pub trust: Live<Trust>,
    pub revocations: Arc<Revocations>,
    pub settings: Live<AccountSettings>,
    pub audit: Audit,
    pub clock: Clock,
}

/// The use cases; one for the whole process.
pub struct Accounts {
    store: SharedStore,
    hashers: Arc<Hashers>,
    trust: Live<Trust>,
    settings: Live<AccountSettings>,
    audit: Audit,
    clock: Clock,
    limits: Limits,
    feed: Feed,
    mail_waits: Arc<Notify>,
}

impl Accounts {
    pub fn new(parts: Parts) -> Self {
        let feed = Feed::new(Arc::clone(&parts.store), parts.revocations, parts.settings.clone(), parts.clock.clone());
        Self {
            store: parts.store,
            hashers: parts.hashers,
            trust: parts.trust,
            settings: parts.settings,
            audit: parts.audit,
            clock: parts.clock,
            limits: Limits::new(),
            feed,
            mail_waits: Arc::default(),
        }
    }

    /// Returns the feed to the serving side: to be caught up before serving, then followed.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn record(&self, event: Event, subject: &Subject<'_>, context: &Context) {
        let entry = Entry {
            user_id: subject.user,
            session: subject.session,
            ip: Some(&context.ip),
            request_id: Some(&context.request_id),
            reason: subject.reason,
        };
        self.audit.record(event, &entry, self.clock.now());
    }

    fn record_ended(&self, user: &UserId, sessions: &[SessionId], reason: &str, context: &Context) {
        for session in sessions {
            let subject = Subject { user: Some(user), session: Some(*session), reason: Some(reason) };
            self.record(Event::SessionEnded, &subject, context);
        }
    }
}

/// Whom and what an audit line is about.
#[derive(Default)]
struct Subject<'a> {
    user: Option<&'a UserId>,
    session: Option<SessionId>,
    reason: Option<&'a str>,
}

impl<'a> Subject<'a> {
    fn user(user: &'a UserId) -> Self {
        Self { user: Some(user), ..Self::default() }
    }
}
