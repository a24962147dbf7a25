//! Token buckets in a bounded table: a full table forgets the fullest bucket (the key nearest to innocence) first.

use std::hash::Hash;
use std::time::Duration;

use crate::clock::Timestamp;

/// `10/m`: so many per so long; the burst is the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per: Duration,
}

/// The bucket is empty; it will have one token again after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    pub retry_after: Duration,
}

/// Buckets by key. Not shared: callers lock it.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    capacity: usize,
    keys: std::marker::PhantomData<K>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    pub fn new(rate: Rate, capacity: usize) -> Self {
        Self { rate, capacity, keys: std::marker::PhantomData }
    }

    /// Takes one token of `key`'s bucket.
    pub fn take(&mut self, key: &K, now: Timestamp) -> Result<(), Limited> {
        todo!("{:?}{}{now:?}{}", self.rate, self.capacity, std::mem::size_of_val(key))
    }

    /// Returns whether [`Buckets::take`] would succeed, and takes nothing.
    pub fn peek(&self, key: &K, now: Timestamp) -> Result<(), Limited> {
        todo!("{now:?}{}", std::mem::size_of_val(key))
    }

    /// Gives one token back: what was counted before it was known turned out innocent.
    pub fn give_back(&mut self, key: &K, now: Timestamp) {
        todo!("{now:?}{}", std::mem::size_of_val(key))
    }
}
