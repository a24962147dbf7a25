//! The use cases over a real store in memory, with a clock moved by hand: what the tests of `account` and `api` share.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::{AccountSettings, Accounts, Context, Field, Hashers, Login, Parts, Rates, Registering, Registration};
use crate::auth::{Authenticator, Directory, Revocations, Trust};
use crate::clock::{Clock, Timestamp};
use crate::identity::{Role, Scope, UserId};
use crate::limit::bucket::Rate;
use crate::live::Live;
use crate::password::hash::{Cost, Hasher};
use crate::password::rules::Rules;
use crate::secret::Secret;
use crate::store::sqlite::SqliteStore;
use crate::store::{SharedStore, UserChange};
use crate::telemetry::audit::Audit;
use crate::token::claims::Expected;
use crate::token::key::{Algorithm, Key, KeySet};
use crate::token::refresh::RefreshPolicy;

pub(crate) const ISSUER: &str = "https://gate.example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const MINUTE: Duration = Duration::from_mins(1);

pub(crate) struct World {
    pub accounts: Arc<Accounts>,
    pub authenticator: Arc<Authenticator>,
    pub trust: Live<Trust>,
    pub settings: Live<AccountSettings>,
    pub store: SharedStore,
    pub audit: Audit,
    pub clock: Clock,
}

impl World {
    pub(crate) fn new() -> Self {
        let store: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
        let (clock, audit) = (Clock::manual(Timestamp::from_secs(1_800_000_000)), Audit::memory());
        let trust = Live::new(trust());
        let settings = Live::new(settings());
        let revocations = Arc::new(Revocations::new());
        let authenticator = Authenticator::new(trust.clone(), Arc::clone(&revocations), 1000);
        let authenticator = Arc::new(match tokio::runtime::Handle::try_current() {
            Ok(_) => {
                let role_scopes = Live::new(settings.current().role_scopes.clone());
                authenticator.with_directory(Directory::new(Arc::clone(&store), role_scopes))
            }
            Err(_) => authenticator,
        });
        let hasher = Hasher::new(Cost { memory_kib: 64, iterations: 1, parallelism: 1 });
        let accounts = Arc::new(Accounts::new(Parts {
            store: Arc::clone(&store),
            hashers: Arc::new(Hashers::start(hasher, NonZeroUsize::new(2).unwrap()).unwrap()),
            trust: trust.clone(),
            revocations,
            settings: settings.clone(),
            audit: audit.clone(),
            clock: clock.clone(),
        }));
        Self { accounts, authenticator, trust, settings, store, audit, clock }
    }

    pub(crate) fn change_settings(&self, change: impl FnOnce(&mut AccountSettings)) {
        let mut settings = (*self.settings.current()).clone();
        change(&mut settings);
        self.settings.replace(settings);
    }

    /// Makes a change as another process would: in the store, and known here only by the feed.
    pub(crate) async fn change_elsewhere(&self, user: &UserId, change: UserChange) {
        self.store.update_user(user, change, self.clock.now()).await.unwrap();
        self.accounts.feed().catch_up().await.unwrap();
    }

    pub(crate) fn events(&self) -> Vec<String> {
        let name = |line: &String| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["event"].as_str().unwrap().to_owned()
        };
        self.audit.collected().iter().map(name).collect()
    }
}

pub(crate) fn registering(email: &str) -> Registering {
    Registering { email: Some(email.into()), password: Some(Secret::new(PASSWORD.into())), ..Registering::default() }
}

pub(crate) fn login(name: &str, password: &str) -> Login {
    Login { email: None, username: Some(name.into()), password: Some(Secret::new(password.into())), scopes: None }
}

pub(crate) fn context(ip: &str) -> Context {
    Context {
        ip: ip.into(),
        user_agent: "test".into(),
        network: ip.parse::<std::net::IpAddr>().unwrap().into(),
        request_id: "r1".into(),
    }
}

pub(crate) fn roles(names: &[&str]) -> Vec<Role> {
    names.iter().filter_map(|name| Role::parse(name)).collect()
}

fn trust() -> Trust {
    let keys = |secret: &str| {
        let key = Key::from_secret(Algorithm::Hs256, &Secret::new(secret.as_bytes().to_vec())).unwrap();
        KeySet::new(vec![key]).unwrap()
    };
    Trust {
        access: keys("an access secret of 32 bytes or more"),
        refresh: keys("a refresh secret of 32 bytes or more"),
        expected: Expected { issuer: ISSUER.into(), audience: Vec::new(), leeway: Duration::ZERO },
    }
}

fn settings() -> AccountSettings {
    let per_minute = |count| Some(Rate { count, per: MINUTE });
    let editor = (Role::parse("editor").unwrap(), vec![Scope::parse("docs:write").unwrap()]);
    AccountSettings {
        registration: Registration::Open,
        required_fields: vec![Field::Email],
        user_fields: BTreeMap::new(),
        access_ttl: 15 * MINUTE,
        refresh: RefreshPolicy {
            ttl: 7 * 24 * 60 * MINUTE,
            session_max: 30 * 24 * 60 * MINUTE,
            rotate: true,
            grace: Duration::from_secs(10),
        },
        passwords: Rules { min_length: 8, max_length: 256, deny_common: true },
        role_scopes: BTreeMap::from([editor]),
        rates: Rates {
            login: per_minute(10),
            login_account: per_minute(30),
            login_network: per_minute(100),
            register: per_minute(100),
            ..Rates::default()
        },
        mail: None,
    }
}
