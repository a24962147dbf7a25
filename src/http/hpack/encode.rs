//! Writes field blocks that say each field in full: no table to keep in step with the peer's, and no codes to look up.

use super::table::STATIC;

/// A size update to zero: says at the start of a connection's first block that the encoder uses no dynamic table.
pub const NO_TABLE: u8 = 0x20;

const INDEXED: u8 = 0x80;
const NEVER_INDEXED: u8 = 0x10;
/// The first of seven fields `:status` of the static table.
const STATUS: u8 = 8;

/// Appends `:status`, three digits.
pub fn encode_status(status: u16, out: &mut Vec<u8>) {
    let place = match status {
        200 => 0,
        204 => 1,
        206 => 2,
        304 => 3,
        400 => 4,
        404 => 5,
        500 => 6,
        _ => {
            let digit = |number: u16| b'0' + (number % 10).to_le_bytes()[0];
            return out.extend_from_slice(&[STATUS, 3, digit(status / 100), digit(status / 10), digit(status)]);
        }
    };
    out.push(INDEXED | (STATUS + place));
}

/// Appends a field: literal without indexing, its name from the static table if it is there, plain octets. The name is
/// written in lower case whatever its case.
pub fn encode_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.reserve(name.len() + value.len() + 8);
    let slot = SLOTS[slot(name)];
    if slot.name.as_bytes().eq_ignore_ascii_case(name) {
        out.extend_from_slice(&slot.index);
    } else {
        out.push(0);
        append_length(name.len(), out);
        out.extend(name.iter().map(u8::to_ascii_lowercase));
    }
    append_length(value.len(), out);
    out.extend_from_slice(value);
}

/// Appends the length of a string that is not Huffman coded (RFC 7541 sections 5.1 and 5.2).
#[inline]
fn append_length(length: usize, out: &mut Vec<u8>) {
    const MOST: u8 = 0x7F;
    match u8::try_from(length) {
        Ok(length) if length < MOST => out.push(length),
        _ => {
            out.push(MOST);
            let mut rest = length - usize::from(MOST);
            while rest > 0x7F {
                out.push(0x80 | rest.to_le_bytes()[0]);
                rest >>= 7;
            }
            out.push(rest.to_le_bytes()[0]);
        }
    }
}

/// A name of the static table, and how a literal says it.
#[derive(Clone, Copy)]
struct Slot {
    name: &'static str,
    index: [u8; 2],
}

/// The names of the static table, each in the one place where it is looked for.
static SLOTS: [Slot; 128] = slots();

const fn slots() -> [Slot; 128] {
    // An empty slot has the one name that two zeros say: a literal's form, and a name of no octets.
    let mut slots = [Slot { name: "", index: [0; 2] }; 128];
    // No one has pseudo-header fields written by their name.
    let mut index = 15;
    while index as usize <= STATIC.len() {
        let (name, _) = STATIC[index as usize - 1];
        // All of them are above what the four bits of the first octet hold.
        let first = if matches!(name.as_bytes(), b"set-cookie") { NEVER_INDEXED | 0x0F } else { 0x0F };
        let place = &mut slots[slot(name.as_bytes())];
        assert!(place.index[0] == 0, "the numbers in `slot` keep all names apart");
        *place = Slot { name, index: [first, index - 0x0F] };
        index += 1;
    }
    slots
}

/// Returns where a name in any spelling would be.
#[inline]
const fn slot(name: &[u8]) -> usize {
    let [first, .., last] = name else { return 0 };
    (name.len() * 3 + (*first & 31) as usize * 54 + (*last & 31) as usize * 59) % 128
}
