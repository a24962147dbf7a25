//! The store in the field: keys that change, copies, moves, and what happens when the disk does not do what it should.

mod backup;
mod failure;
mod keys;
mod memory;
pub mod migrate;
mod upgrade;

use std::path::PathBuf;

use crate::harness::Gateway;

/// Returns the file of a gateway's store.
pub fn file(gateway: &Gateway) -> PathBuf {
    gateway.folder.path().join("vestibule.db")
}

/// Returns the part of a configuration that makes another gateway work on this one's store.
fn same_store(gateway: &Gateway) -> String {
    format!("[store]\nurl = \"sqlite:{}\"\n", file(gateway).display())
}
