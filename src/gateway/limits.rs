//! How often a client network may ask on proxied routes: over all of them, and on single ones.

use std::sync::Mutex;

use ipnet::IpNet;

use super::refuse::Refusal;
use super::rules::Forwarding;
use crate::clock::Timestamp;
use crate::limit::bucket::{Buckets, Rate};

/// Client networks remembered per limit; a table that is full forgets the most innocent first.
const CAPACITY: usize = 100_000;

/// One limit's buckets, shared by all workers. Only configured limits take the lock.
#[derive(Debug)]
pub struct RouteLimit(Mutex<Buckets<IpNet>>);

/// The limit on all proxied requests of a client, if there is one.
#[derive(Debug, Default)]
pub struct RequestLimits {
    overall: Option<RouteLimit>,
}

impl RouteLimit {
    pub fn new(rate: Rate) -> Self {
        Self(Mutex::new(Buckets::new(rate, CAPACITY)))
    }

    fn admit(&self, client: IpNet, now: Timestamp) -> Result<(), Refusal> {
        let mut buckets = self.0.lock().expect("no holder of this lock can panic");
        buckets.take(&client, now).map_err(|limited| Refusal::RateLimited(limited.retry_after))
    }
}

impl RequestLimits {
    pub fn new(rate: Option<Rate>) -> Self {
        Self { overall: rate.map(RouteLimit::new) }
    }

    pub(super) fn admit(&self, route: &Forwarding, client: IpNet, now: Timestamp) -> Result<(), Refusal> {
        for limit in [self.overall.as_ref(), route.limit.as_deref()].into_iter().flatten() {
            limit.admit(client, now)?;
        }
        Ok(())
    }
}
