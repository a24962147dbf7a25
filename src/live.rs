//! A value that can be swapped while others read it: rules, keys, certificates.
//! Readers on a worker keep a [`Reader`], which costs one atomic load while nothing has changed.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache, Guard};

/// A shared snapshot; clones point at the same place.
pub struct Live<T>(Arc<ArcSwap<T>>);

impl<T> Live<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(value)))
    }

    /// Returns the snapshot of this moment; it stays what it is while held.
    pub fn current(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Returns the snapshot of this moment for a short look: cheaper than [`Live::current`], and not to be held across an await.
    pub fn guard(&self) -> Guard<Arc<T>> {
        self.0.load()
    }

    pub fn replace(&self, value: T) {
        self.0.store(Arc::new(value));
    }

    pub fn reader(&self) -> Reader<T> {
        Reader(Cache::new(Arc::clone(&self.0)))
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Live(…)")
    }
}

/// One thread's view of a [`Live`] value.
pub struct Reader<T>(Cache<Arc<ArcSwap<T>>, Arc<T>>);

impl<T> Reader<T> {
    /// Returns the newest snapshot.
    pub fn current(&mut self) -> &Arc<T> {
        self.0.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_a_replacement_on_its_next_look() {
        let live = Live::new(1);
        let mut reader = live.reader();
        assert_eq!(**reader.current(), 1);
        live.replace(2);
        assert_eq!(**reader.current(), 2);
    }

    #[test]
    fn a_held_snapshot_does_not_change() {
        let live = Live::new(1);
        let held = live.current();
        live.replace(2);
        assert_eq!(*held, 1);
    }
}
