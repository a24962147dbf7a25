//! Tells when certificate files have changed, and then swaps what the resolver shows. It is polled (the office asks each
//! second): a poll works alike on network file systems, mounted secrets and renamed links, where notifications don't.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::{CertificateFiles, CertificateTable, Resolver, TlsError};
use crate::live::Live;

/// What a file looks like from outside; links are followed. The inode tells a file from one moved into its place.
type Stamp = Option<(SystemTime, u64, u64)>;

/// Files with what they looked like when last asked.
#[derive(Debug)]
pub struct Watcher(Vec<(PathBuf, Stamp)>);

impl Watcher {
    /// Takes what the files look like now as the state to compare with.
    pub fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(files.into_iter().map(|file| (file.clone(), stamp(&file))).collect())
    }

    /// Whether a file was changed, made or removed since this was last asked.
    pub fn has_changed(&mut self) -> bool {
        let mut changed = false;
        for (file, last) in &mut self.0 {
            let now = stamp(file);
            changed |= *last != now;
            *last = now;
        }
        changed
    }
}

fn stamp(file: &PathBuf) -> Stamp {
    let seen = fs::metadata(file).ok()?;
    Some((seen.modified().ok()?, seen.len(), seen.ino()))
}

/// What a poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    Unchanged,
    Replaced,
}

/// Certificates from files, kept up with them.
pub struct CertificateWatch {
    files: Vec<CertificateFiles>,
    watcher: Watcher,
    table: Live<CertificateTable>,
}

impl CertificateWatch {
    pub fn open(files: Vec<CertificateFiles>) -> Result<Self, TlsError> {
        // The stamps come first: a change while the files are being read is then seen by the next poll.
        let watcher = Watcher::new(files.iter().flat_map(|pair| [pair.cert.clone(), pair.key.clone()]));
        let table = Live::new(CertificateTable::read(&files)?);
        Ok(Self { files, watcher, table })
    }

    /// Returns the certificates that are shown, as they change.
    pub fn table(&self) -> &Live<CertificateTable> {
        &self.table
    }

    pub fn resolver(&self) -> Arc<Resolver> {
        Arc::new(Resolver::new(self.table.clone()))
    }

    /// Reads the files again if they have changed. After an error the old certificates go on being shown, and the files
    /// are read again when they change once more (a chain is often replaced a moment before its key).
    pub fn poll(&mut self) -> Result<Reload, TlsError> {
        if !self.watcher.has_changed() {
            return Ok(Reload::Unchanged);
        }
        self.reload()?;
        Ok(Reload::Replaced)
    }

    /// Reads the files again, changed or not; after an error the old certificates go on being shown.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.table.replace(CertificateTable::read(&self.files)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
