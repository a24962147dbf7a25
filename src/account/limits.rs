//! How often passwords may be wrong: per account and network, per account over strange networks, per network.
//! An attempt is counted before its hash runs, so that parallel guesses can't share one, and given back when it was right.
//! Accounts that don't exist are counted like those that do.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ipnet::IpNet;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::settings::Rates;
use crate::clock::Timestamp;
use crate::identity::UserId;
use crate::limit::bucket::{Buckets, Limited, Rate};
use crate::secret::sha256;

/// How long a network counts as one of the user's own after a sign-in.
pub const FAMILIAR_FOR: Duration = Duration::from_hours(30 * 24);

/// Buckets per table, and networks remembered: about 100 bytes each.
const CAPACITY: usize = 100_000;

/// What failures are counted against: one key per account, whatever alias is typed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccountKey {
    User(UserId),
    /// A digest of a name that nobody has: names can be long, and buckets are many.
    Unknown([u8; 32]),
}

impl AccountKey {
    pub fn unknown(name: &str) -> Self {
        Self::Unknown(sha256(&[b"unknown account", name.as_bytes()]))
    }
}

/// Whether the account has signed in from the client's network lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Familiar,
    Strange,
}

/// Somebody tries a password.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub account: AccountKey,
    pub from: IpNet,
    pub network: Network,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// The one that networks familiar to the account are exempt from, and no other.
    Account(Limited),
    Other(Limited),
}

impl Exceeded {
    pub fn retry_after(self) -> Duration {
        match self {
            Self::Account(limited) | Self::Other(limited) => limited.retry_after,
        }
    }
}

/// Whether a mail that was asked for is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mailing {
    Send,
    /// The address has had so many that it needs no more; who asks isn't told, so that strangers can't keep its owner from asking.
    Enough,
}

pub struct Limits {
    tables: Mutex<Tables>,
    familiar: Cache<(UserId, IpNet), Timestamp>,
}

impl Limits {
    pub fn new() -> Self {
        let familiar = Cache::builder().max_capacity(CAPACITY as u64).eviction_policy(EvictionPolicy::lru()).build();
        Self { tables: Mutex::new(Tables::new(Rates::default())), familiar }
    }

    /// Counts an attempt against every limit that applies, or against none and says which one is reached.
    pub fn begin(&self, rates: &Rates, attempt: &Attempt, now: Timestamp) -> Result<(), Exceeded> {
        let mut tables = self.tables(rates);
        let pair = (attempt.account.clone(), attempt.from);
        let other = [peek(tables.login.as_ref(), &pair, now), peek(tables.network.as_ref(), &attempt.from, now)];
        if let Some(limited) = other.into_iter().flatten().max_by_key(|limited| limited.retry_after) {
            return Err(Exceeded::Other(limited));
        }
        if attempt.network == Network::Strange {
            if let Some(limited) = peek(tables.account.as_ref(), &attempt.account, now) {
                return Err(Exceeded::Account(limited));
            }
            take(tables.account.as_mut(), &attempt.account, now);
        }
        take(tables.login.as_mut(), &pair, now);
        take(tables.network.as_mut(), &attempt.from, now);
        Ok(())
    }

    /// Takes a counted attempt back: the password was right, or was never looked at.
    pub fn forgive(&self, rates: &Rates, attempt: &Attempt, now: Timestamp) {
        let mut tables = self.lock();
        if tables.rates != *rates {
            // Counted in tables that a reload has replaced since.
            return;
        }
        let pair = (attempt.account.clone(), attempt.from);
        give_back(tables.login.as_mut(), &pair, now);
        give_back(tables.network.as_mut(), &attempt.from, now);
        if attempt.network == Network::Strange {
            give_back(tables.account.as_mut(), &attempt.account, now);
        }
    }

    pub fn count_registration(&self, rates: &Rates, from: IpNet, now: Timestamp) -> Result<(), Limited> {
        self.tables(rates).register.as_mut().map_or(Ok(()), |buckets| buckets.take(&from, now))
    }

    pub fn forgive_registration(&self, rates: &Rates, from: IpNet, now: Timestamp) {
        give_back(self.tables(rates).register.as_mut(), &from, now);
    }

    /// Counts a mail that is asked for to an address, whether or not anybody has it.
    pub fn count_mail(&self, rates: &Rates, key: &str, from: IpNet, now: Timestamp) -> Result<Mailing, Limited> {
        let account = AccountKey::unknown(key);
        let pair = (account.clone(), from);
        let mut tables = self.tables(rates);
        let reached = [peek(tables.mail.as_ref(), &pair, now), peek(tables.mail_network.as_ref(), &from, now)];
        if let Some(limited) = reached.into_iter().flatten().max_by_key(|limited| limited.retry_after) {
            return Err(limited);
        }
        take(tables.mail.as_mut(), &pair, now);
        take(tables.mail_network.as_mut(), &from, now);
        if peek(tables.mail_account.as_ref(), &account, now).is_some() {
            return Ok(Mailing::Enough);
        }
        take(tables.mail_account.as_mut(), &account, now);
        Ok(Mailing::Send)
    }

    /// Remembers that `user` signed in from `network`.
    pub fn remember(&self, user: &UserId, network: IpNet, now: Timestamp) {
        self.familiar.insert((user.clone(), network), now);
    }

    pub fn recall(&self, account: &AccountKey, network: IpNet, now: Timestamp) -> Network {
        let AccountKey::User(user) = account else { return Network::Strange };
        match self.familiar.get(&(user.clone(), network)) {
            Some(at) if now.since(at) < FAMILIAR_FOR => Network::Familiar,
            _ => Network::Strange,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().expect("no holder of this lock can panic")
    }

    /// Returns the tables for `rates`; tables of other rates (a reload) are begun anew.
    fn tables(&self, rates: &Rates) -> MutexGuard<'_, Tables> {
        let mut tables = self.lock();
        if tables.rates != *rates {
            *tables = Tables::new(*rates);
        }
        tables
    }
}

struct Tables {
    rates: Rates,
    login: Option<Buckets<(AccountKey, IpNet)>>,
    account: Option<Buckets<AccountKey>>,
    network: Option<Buckets<IpNet>>,
    register: Option<Buckets<IpNet>>,
    mail: Option<Buckets<(AccountKey, IpNet)>>,
    mail_account: Option<Buckets<AccountKey>>,
    mail_network: Option<Buckets<IpNet>>,
}

impl Tables {
    fn new(rates: Rates) -> Self {
        Self {
            rates,
            login: rates.login.map(buckets),
            account: rates.login_account.map(buckets),
            network: rates.login_network.map(buckets),
            register: rates.register.map(buckets),
            mail: rates.mail.map(buckets),
            mail_account: rates.mail_account.map(buckets),
            mail_network: rates.mail_network.map(buckets),
        }
    }
}

fn buckets<K: std::hash::Hash + Eq + Clone>(rate: Rate) -> Buckets<K> {
    Buckets::new(rate, CAPACITY)
}

fn peek<K: std::hash::Hash + Eq + Clone>(table: Option<&Buckets<K>>, key: &K, now: Timestamp) -> Option<Limited> {
    table.and_then(|buckets| buckets.peek(key, now).err())
}

fn take<K: std::hash::Hash + Eq + Clone>(table: Option<&mut Buckets<K>>, key: &K, now: Timestamp) {
    if let Some(buckets) = table {
        // `peek` said yes under the same lock.
        let _ = buckets.take(key, now);
    }
}

fn give_back<K: std::hash::Hash + Eq + Clone>(table: Option<&mut Buckets<K>>, key: &K, now: Timestamp) {
    if let Some(buckets) = table {
        buckets.give_back(key, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn rates(login: u32, account: u32, network: u32) -> Rates {
        let rate = |count| Some(Rate { count, per: Duration::from_mins(1) });
        Rates {
            login: rate(login),
            login_account: rate(account),
            login_network: rate(network),
            register: rate(2),
            ..Rates::default()
        }
    }

    #[test]
    fn an_address_gets_so_many_mails_whoever_asks_and_a_network_asks_so_often() {
        let limits = Limits::new();
        let rate = |count| Some(Rate { count, per: Duration::from_mins(1) });
        let rates = Rates { mail: rate(2), mail_account: rate(3), mail_network: rate(4), ..Rates::default() };
        let ask = |key: &str, host: u8| {
            limits.count_mail(&rates, key, IpNet::from(std::net::IpAddr::from([192, 0, 2, host])), NOW)
        };
        assert_eq!(ask("ada", 1), Ok(Mailing::Send));
        assert_eq!(ask("ada", 1), Ok(Mailing::Send));
        assert!(ask("ada", 1).is_err(), "the third from one network");
        assert_eq!(ask("ada", 2), Ok(Mailing::Send));
        assert_eq!(ask("ada", 2), Ok(Mailing::Enough), "the fourth of one address");
        assert!(ask("ada", 2).is_err(), "what is not sent is counted as well");
        assert_eq!(ask("eve", 1), Ok(Mailing::Send));
        assert_eq!(ask("mel", 1), Ok(Mailing::Send));
        assert!(ask("zoe", 1).is_err(), "the fifth of one network");
    }

    fn attempt(account: &AccountKey, from: &str, network: Network) -> Attempt {
        Attempt { account: account.clone(), from: from.parse().unwrap(), network }
    }

    #[test]
    fn a_refused_attempt_is_counted_against_no_limit() {
        let limits = Limits::new();
        let rates = rates(1, 10, 2);
        let ada = AccountKey::unknown("ada");
        let from_home = attempt(&ada, "192.0.2.1/32", Network::Strange);
        limits.begin(&rates, &from_home, NOW).unwrap();
        for _ in 0..5 {
            assert!(matches!(limits.begin(&rates, &from_home, NOW), Err(Exceeded::Other(_))));
        }
        let eve = attempt(&AccountKey::unknown("eve"), "192.0.2.1/32", Network::Strange);
        assert_eq!(limits.begin(&rates, &eve, NOW), Ok(()), "the network had one attempt left");
    }

    #[test]
    fn strangers_on_many_networks_share_one_limit_that_a_familiar_network_does_not_feel() {
        let limits = Limits::new();
        let rates = rates(10, 3, 100);
        let ada = AccountKey::User(UserId::random());
        for host in 1..=3 {
            let stranger = attempt(&ada, &format!("192.0.2.{host}/32"), Network::Strange);
            limits.begin(&rates, &stranger, NOW).unwrap();
        }
        let fourth = attempt(&ada, "192.0.2.4/32", Network::Strange);
        assert!(matches!(limits.begin(&rates, &fourth, NOW), Err(Exceeded::Account(_))));
        let home = attempt(&ada, "198.51.100.1/32", Network::Familiar);
        assert_eq!(limits.begin(&rates, &home, NOW), Ok(()));
    }

    #[test]
    fn a_forgiven_attempt_leaves_every_bucket_as_it_was() {
        let limits = Limits::new();
        let rates = rates(1, 1, 1);
        let ada = attempt(&AccountKey::unknown("ada"), "192.0.2.1/32", Network::Strange);
        for _ in 0..3 {
            limits.begin(&rates, &ada, NOW).unwrap();
            limits.forgive(&rates, &ada, NOW);
        }
    }

    #[test]
    fn a_network_is_familiar_for_thirty_days_and_to_its_user_alone() {
        let limits = Limits::new();
        let (ada, eve) = (UserId::random(), UserId::random());
        let home: IpNet = "192.0.2.1/32".parse().unwrap();
        limits.remember(&ada, home, NOW);
        let later = NOW.plus(FAMILIAR_FOR);
        assert_eq!(limits.recall(&AccountKey::User(ada.clone()), home, NOW), Network::Familiar);
        assert_eq!(limits.recall(&AccountKey::User(ada), home, later), Network::Strange);
        assert_eq!(limits.recall(&AccountKey::User(eve), home, NOW), Network::Strange);
    }

    #[test]
    fn new_rates_begin_with_full_buckets() {
        let limits = Limits::new();
        let ada = attempt(&AccountKey::unknown("ada"), "192.0.2.1/32", Network::Strange);
        limits.begin(&rates(1, 9, 9), &ada, NOW).unwrap();
        assert!(limits.begin(&rates(1, 9, 9), &ada, NOW).is_err());
        assert_eq!(limits.begin(&rates(2, 9, 9), &ada, NOW), Ok(()));
    }
}
