//! Reads field blocks (RFC 7541 section 6).

use super::table::{Entry, Table};
use super::{Undecodable, huffman};

/// No integer of a block that we would take is larger: not an index, a length or the size of a table.
const MOST: u64 = 1 << 28;

/// What one connection's blocks are decoded with.
pub struct Decoder {
    pub(super) table: Table,
}

impl Decoder {
    /// Returns a decoder whose dynamic table may hold `limit` octets: what `SETTINGS_HEADER_TABLE_SIZE` says, or 4,096.
    pub fn new(limit: usize) -> Self {
        Self { table: Table::new(limit) }
    }

    /// Hands each field of a whole block to `take` in order: name and value, octets as they came. After an error
    /// neither the fields that were handed over nor the decoder are good for anything.
    pub fn decode(&mut self, block: &[u8], mut take: impl FnMut(&[u8], &[u8])) -> Result<(), Undecodable> {
        let mut rest = block;
        while rest.first().is_some_and(|first| first & 0xE0 == 0x20) {
            let size = take_integer(&mut rest, 0x1F)?;
            self.table.resize(size)?;
        }
        let (mut names, mut values) = (Vec::new(), Vec::new());
        while let Some(first) = rest.first() {
            let (prefix, is_kept) = match first {
                0x80.. => {
                    let index = take_integer(&mut rest, 0x7F)?;
                    let (name, value) = self.table.field(index).ok_or(Undecodable)?;
                    take(name, value);
                    continue;
                }
                0x40.. => (0x3F, true),
                // A new size comes before all fields (section 4.2).
                0x20.. => return Err(Undecodable),
                _ => (0x0F, false),
            };
            let name = match take_integer(&mut rest, prefix)? {
                0 => take_text(&mut rest, &mut names)?,
                index => self.table.field(index).ok_or(Undecodable)?.0,
            };
            let value = take_text(&mut rest, &mut values)?;
            take(name, value);
            if is_kept {
                // Copied before others make room for it: its name may be theirs (section 4.4).
                let entry = Entry::new(name, value);
                self.table.insert(entry);
            }
        }
        Ok(())
    }
}

/// Returns an integer that begins in the bits of `prefix` (section 5.1).
#[inline]
fn take_integer(rest: &mut &[u8], prefix: u8) -> Result<usize, Undecodable> {
    let (first, after) = rest.split_first().ok_or(Undecodable)?;
    *rest = after;
    if first & prefix == prefix { take_long_integer(rest, prefix) } else { Ok(usize::from(first & prefix)) }
}

/// Returns an integer that fills its prefix and goes on for at most five octets.
fn take_long_integer(rest: &mut &[u8], prefix: u8) -> Result<usize, Undecodable> {
    let mut value = u64::from(prefix);
    for shift in [0, 7, 14, 21, 28] {
        let (octet, after) = rest.split_first().ok_or(Undecodable)?;
        *rest = after;
        value += u64::from(octet & 0x7F) << shift;
        if octet & 0x80 == 0 {
            return usize::try_from(value).ok().filter(|_| value <= MOST).ok_or(Undecodable);
        }
    }
    Err(Undecodable)
}

/// Returns a string (section 5.2), from `room` if it has to be written out.
#[inline]
fn take_text<'a, 'block: 'a>(rest: &mut &'block [u8], room: &'a mut Vec<u8>) -> Result<&'a [u8], Undecodable> {
    let is_huffman = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = take_integer(rest, 0x7F)?;
    let (octets, after) = rest.split_at_checked(length).ok_or(Undecodable)?;
    // Enough for what follows as well, so that one allocation serves the block.
    if is_huffman && room.is_empty() {
        *room = vec![0; huffman::room(rest.len())];
    }
    *rest = after;
    if is_huffman { huffman::decode(octets, room) } else { Ok(octets) }
}
