//! Walks through a compressed field block (RFC 7541 section 6) without decoding it: whether its representations are whole,
//! whether one names a pseudo-header field, and whether a `:path` that is written out has a fragment. It knows no dynamic table,
//! so it says nothing of what only that can tell. Pure; called by `frames` for a block that came in one frame.

/// The static table begins with the pseudo-header fields (RFC 7541 appendix A).
const LAST_PSEUDO: usize = 14;
const PATHS: std::ops::RangeInclusive<usize> = 4..=5;

/// A Huffman code that begins with a colon: seven bits of the first octet (RFC 7541 appendix B).
const HUFFMAN_COLON: u8 = 0b1011_1000;
/// The Huffman codes of up to 15 bits, as the first of 16: those of one length follow each other, longer ones follow shorter ones.
/// Here stands where each length ends.
const CODES: [(u32, usize); 10] = [
    (0x5000, 5),
    (0xB800, 6),
    (0xF800, 7),
    (0xFE00, 8),
    (0xFF40, 10),
    (0xFFA0, 11),
    (0xFFC0, 12),
    (0xFFF0, 13),
    (0xFFF8, 14),
    (0xFFFE, 15),
];
const NUMBER_SIGN: std::ops::Range<u32> = 0xFFA0..0xFFB0;
const HUFFMAN_PATH: &[u8] = b"\xb9\x58\xd3\x3f";

/// A block ends within a representation, or has an index of zero: no decoder can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Names {
    /// No pseudo-header field is among them, but for those that the dynamic table may hold.
    Ordinary,
    Pseudo,
    /// A `:path` is among them, with a `#` in its value.
    Fragment,
}

/// Returns what a whole field block names.
pub fn walk(block: &[u8]) -> Result<Names, Undecodable> {
    let mut rest = block;
    let mut names = Names::Ordinary;
    while let Some(first) = rest.first() {
        let (prefix, is_literal) = match first {
            // Most fields of most requests: the index is here whole.
            0x81..0xFF => {
                if usize::from(first & 0x7F) <= LAST_PSEUDO {
                    names = names.max(Names::Pseudo);
                }
                rest = &rest[1..];
                continue;
            }
            0x80.. => (7, false),
            0x40.. => (6, true),
            0x20.. => {
                take_integer(&mut rest, 5)?;
                continue;
            }
            _ => (4, true),
        };
        let index = take_integer(&mut rest, prefix)?;
        let name = if index == 0 && is_literal { Some(take_text(&mut rest)?) } else { None };
        let (is_pseudo, is_path) = match (index, name) {
            (0, Some(name)) => (name.begins_with_colon(), name.is_path()),
            (0, None) => return Err(Undecodable),
            (_, _) => (index <= LAST_PSEUDO, PATHS.contains(&index)),
        };
        let value = if is_literal { Some(take_text(&mut rest)?) } else { None };
        if is_path && value.is_some_and(Text::has_number_sign) {
            names = Names::Fragment;
        } else if is_pseudo {
            names = names.max(Names::Pseudo);
        }
    }
    Ok(names)
}

/// A string literal as it stands (RFC 7541 section 5.2).
#[derive(Clone, Copy)]
struct Text<'a> {
    is_huffman: bool,
    octets: &'a [u8],
}

impl Text<'_> {
    fn begins_with_colon(self) -> bool {
        let Some(first) = self.octets.first() else { return false };
        if self.is_huffman { first & 0xFE == HUFFMAN_COLON } else { *first == b':' }
    }

    fn is_path(self) -> bool {
        self.octets == if self.is_huffman { HUFFMAN_PATH } else { b":path" }
    }

    /// Says no as well where a code of more than 15 bits comes first: it stands for an octet that no path may have.
    fn has_number_sign(self) -> bool {
        if !self.is_huffman {
            return self.octets.contains(&b'#');
        }
        // Reading code by code takes ten times as long as this, which hardly ever says yes in vain.
        if !holds_its_bits(self.octets) {
            return false;
        }
        let mut at = 0;
        while at + 12 <= self.octets.len() * 8 {
            let octet = |number| u32::from(self.octets.get(at / 8 + number).copied().unwrap_or(u8::MAX));
            let three = octet(0) << 16 | octet(1) << 8 | octet(2);
            let sixteen = three >> (8 - at % 8) & 0xFFFF;
            if NUMBER_SIGN.contains(&sixteen) {
                return true;
            }
            let Some((_, length)) = CODES.iter().find(|(end, _)| sixteen < *end) else { return false };
            at += length;
        }
        false
    }
}

/// Whether the twelve bits of a number sign, 111111111010, stand anywhere in `octets`, be it in two other codes.
fn holds_its_bits(octets: &[u8]) -> bool {
    (0..octets.len()).step_by(6).any(|at| {
        let eight = octets[at..].first_chunk().copied().unwrap_or_else(|| {
            let mut last = [0; 8];
            last[..octets.len() - at].copy_from_slice(&octets[at..]);
            last
        });
        let bits = u64::from_be_bytes(eight);
        let two = bits & bits << 1;
        let four = two & two << 2;
        let nine = four & four << 4 & bits << 8;
        nine & !(bits << 9) & bits << 10 & !(bits << 11) != 0
    })
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Result<Text<'a>, Undecodable> {
    let is_huffman = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = take_integer(rest, 7)?;
    let (octets, after) = rest.split_at_checked(length).ok_or(Undecodable)?;
    *rest = after;
    Ok(Text { is_huffman, octets })
}

/// Returns an integer whose first octet has this many bits of it (RFC 7541 section 5.1).
fn take_integer(rest: &mut &[u8], prefix: u32) -> Result<usize, Undecodable> {
    let (first, mut after) = rest.split_first().ok_or(Undecodable)?;
    let most = (1 << prefix) - 1;
    let mut value = usize::from(first & most);
    if value == usize::from(most) {
        // Five octets more hold more than any block can be long, and still fit.
        for shift in [0, 7, 14, 21, 28, 35] {
            let (octet, next) = after.split_first().filter(|_| shift < 35).ok_or(Undecodable)?;
            after = next;
            value += usize::from(octet & 0x7F) << shift;
            if octet & 0x80 == 0 {
                break;
            }
        }
    }
    *rest = after;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_whole_and_no_part_of_them_is() {
        // RFC 7541 appendices C.3.1, C.4.1 (with Huffman codes) and C.2.1.
        let plain = b"\x82\x86\x84\x41\x0fwww.example.com";
        let huffman = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let named = b"\x40\x0acustom-key\x0dcustom-header";
        for (block, names, cuts) in
            [(&plain[..], Names::Pseudo, 4..20), (huffman, Names::Pseudo, 4..17), (named, Names::Ordinary, 1..26)]
        {
            assert_eq!(walk(block), Ok(names));
            for cut in cuts.start..cuts.end - 1 {
                assert_eq!(walk(&block[..cut]), Err(Undecodable), "{cut} of {block:?}");
            }
        }
    }

    #[test]
    fn an_index_of_zero_and_an_endless_integer_are_undecodable() {
        for block in
            [&b"\x80"[..], b"\xff\x80\x80\x80\x80\x80\x80\x00", b"\x00\x7f\xff\xff\xff\xff\xff\xff\x7f", b"\x40"]
        {
            assert_eq!(walk(block), Err(Undecodable), "{block:?}");
        }
        assert_eq!(walk(b"\xff\x80\x80\x00"), Ok(Names::Ordinary), "an integer may have zeros at its end");
        assert_eq!(walk(b"\x3f\xe1\x1f"), Ok(Names::Ordinary), "a table of 4,096 octets");
        assert_eq!(walk(b""), Ok(Names::Ordinary));
    }

    #[test]
    fn a_number_sign_in_a_path_is_found_however_it_is_written_and_nowhere_else() {
        for block in [
            // `/x#`, plain and with Huffman codes, after a name of the table or one that is written out.
            &b"\x04\x03/x#"[..],
            b"\x45\x03/x#",
            b"\x00\x05:path\x03/x#",
            b"\x10\x84\xb9\x58\xd3\x3f\x84\x63\xcf\xfd\x7f",
            b"\x82\x44\x84\x63\xcf\xfd\x7f\x87",
            b"\x04\x82\xff\xaf",
        ] {
            assert_eq!(walk(block), Ok(Names::Fragment), "{block:?}");
        }
        for block in [&b"\x04\x02/x"[..], b"\x01\x03/x#", b"\x04\x82\xff\xbf", b"\x04\x83\x63\xcf\xff", b"\x84"] {
            assert_eq!(walk(block), Ok(Names::Pseudo), "{block:?}");
        }
        // `oooooo…#`, at every place of a long text that it can begin at.
        for before in 0..24 {
            let mut bits: String = "00111".repeat(before) + "111111111010";
            bits += &"1".repeat((8 - bits.len() % 8) % 8);
            let octets = (0..bits.len()).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap());
            let text: Vec<u8> = octets.collect();
            let length = 0x80 | u8::try_from(text.len()).unwrap();
            assert_eq!(walk(&[&[4, length], &text[..]].concat()), Ok(Names::Fragment), "{before}");
        }
        assert_eq!(walk(b"\x00\x05:pat#\x03/x#"), Ok(Names::Pseudo));
        assert_eq!(walk(b"\x0f\x01\x03/x#"), Ok(Names::Ordinary));
    }

    #[test]
    fn a_pseudo_header_field_is_known_by_its_index_and_by_its_colon() {
        for block in [&b"\x81"[..], b"\x8e", b"\x01\x01a", b"\x41\x01a", b"\x00\x02:a\x01b", b"\x10\x81\xb9\x00"] {
            assert_eq!(walk(block), Ok(Names::Pseudo), "{block:?}");
        }
        for block in
            [&b"\x8f"[..], b"\xbe", b"\x0f\x00\x01a", b"\x00\x02a:\x01b", b"\x10\x81\xba\x00", b"\x00\x00\x01:"]
        {
            assert_eq!(walk(block), Ok(Names::Ordinary), "{block:?}");
        }
    }
}
