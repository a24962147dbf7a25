//! Tells when files have changed. It is polled (the office asks each second): a poll works alike on network file systems,
//! mounted secrets and renamed links, where notifications don't. It reads none of the files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// What a file looks like from outside; links are followed. The inode tells a file from one moved into its place.
type Stamp = Option<(SystemTime, u64, u64)>;

/// Files with what they looked like when last asked.
#[derive(Debug)]
pub struct Watcher(Vec<(PathBuf, Stamp)>);

impl Watcher {
    /// Takes what the files look like now as the state to compare with. Make it before the files are read, so that a
    /// change while they are being read is seen afterwards.
    pub fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(files.into_iter().map(|file| (file.clone(), stamp(&file))).collect())
    }

    /// Whether a file was changed, made or removed since this was last asked. What is bad now is worth another look only
    /// after the next change: a chain is often replaced a moment before its key.
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

#[cfg(test)]
mod tests;
