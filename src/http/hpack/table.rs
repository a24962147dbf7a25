//! The fields that an index stands for: those that everyone knows and those that came before (RFC 7541 section 2.3).

use std::collections::VecDeque;

use super::Undecodable;

/// What an entry counts for besides its octets (section 4.1).
const OVERHEAD: usize = 32;

/// A field, its name and its value one after the other.
pub struct Entry {
    octets: Box<[u8]>,
    name: usize,
}

impl Entry {
    pub fn new(name: &[u8], value: &[u8]) -> Self {
        Self { octets: [name, value].concat().into_boxed_slice(), name: name.len() }
    }

    fn size(&self) -> usize {
        self.octets.len() + OVERHEAD
    }
}

pub struct Table {
    /// What `size` may become.
    limit: usize,
    size: usize,
    /// The sizes of all entries: never above `size`.
    held: usize,
    /// The newest comes first.
    entries: VecDeque<Entry>,
}

impl Table {
    pub fn new(limit: usize) -> Self {
        Self { limit, size: limit, held: 0, entries: VecDeque::new() }
    }

    /// Returns the field of an index: the static table's come first, from 1.
    #[inline]
    pub fn field(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let at = index.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(at) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.entries.get(at - STATIC.len())?;
        entry.octets.split_at_checked(entry.name)
    }

    /// Sets what the table may hold from now on.
    pub fn resize(&mut self, size: usize) -> Result<(), Undecodable> {
        if size > self.limit {
            return Err(Undecodable);
        }
        self.size = size;
        self.shrink(size);
        Ok(())
    }

    /// An entry larger than the table leaves it empty, itself included (section 4.4).
    pub fn insert(&mut self, entry: Entry) {
        let Some(room) = self.size.checked_sub(entry.size()) else { return self.shrink(0) };
        self.shrink(room);
        self.held += entry.size();
        self.entries.push_front(entry);
    }

    /// Drops the oldest entries until the others fit into `size`.
    fn shrink(&mut self, size: usize) {
        while self.held > size {
            let Some(oldest) = self.entries.pop_back() else { return };
            self.held -= oldest.size();
        }
    }
}

/// RFC 7541 appendix A.
pub static STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];
