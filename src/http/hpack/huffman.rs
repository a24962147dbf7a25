//! Reads strings of Huffman codes (RFC 7541 section 5.2), twelve bits at a time: one or two of the codes that text has.

use super::Undecodable;

/// The octets by the length of their code (appendix B). Codes count upward through this list, and those of the next
/// length go on where these end. The very last code stands for no octet.
const CODES: [(u8, &[u8]); 21] = [
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\0$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, b"\\\xc3\xd0"),
    (20, b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2"),
    (21, b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6"),
    (22, b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9"),
    (
        23,
        b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\
        \xc5\xe7\xef",
    ),
    (24, b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed"),
    (25, b"\xc7\xcf\xea\xeb"),
    (26, b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff"),
    (27, b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe"),
    (
        28,
        b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\
        \xdc\xf9",
    ),
    (30, b"\n\r\x16"),
];

const LONGEST: u8 = 30;
/// How many bits are looked up at once.
const WINDOW: u8 = 12;
/// After the bits that one octet of a window may have lost, it still has as many as so many lookups take.
const LOOKUPS: usize = 57 / WINDOW as usize;

/// The codes that are whole at the beginning of a window: up to two.
#[derive(Clone, Copy)]
struct Pair {
    /// The first octet is the lower one.
    octets: u16,
    /// The bits of `octets`: none if the first code is longer than a window.
    filled: u8,
    /// The bits of the codes.
    length: u8,
}

static PAIRS: [Pair; 1 << WINDOW] = pairs();

const fn pairs() -> [Pair; 1 << WINDOW] {
    let mut pairs = [Pair { octets: 0, filled: 0, length: 0 }; 1 << WINDOW];
    let mut window = 0;
    while window < 1 << WINDOW {
        let bits = window << (LONGEST - WINDOW);
        let pair = &mut pairs[window];
        if let Some((first, length)) = first_code(bits)
            && length <= WINDOW
        {
            *pair = Pair { octets: first as u16, filled: 8, length };
            if let Some((second, more)) = first_code(bits << length & ((1 << LONGEST) - 1))
                && length + more <= WINDOW
            {
                let octets = (second as u16) << 8 | first as u16;
                *pair = Pair { octets, filled: 16, length: length + more };
            }
        }
        window += 1;
    }
    pairs
}

/// Returns what the first code in thirty bits stands for, and its length.
const fn first_code(bits: usize) -> Option<(u8, u8)> {
    let (mut group, mut begin) = (0, 0);
    while group < CODES.len() {
        let (length, octets) = CODES[group];
        let at = (bits - begin) >> (LONGEST - length);
        if at < octets.len() {
            return Some((octets[at], length));
        }
        begin += octets.len() << (LONGEST - length);
        group += 1;
    }
    None
}

/// Returns how much room `decode` needs: no code is shorter than five bits, and it writes eight octets at a time.
pub fn room(length: usize) -> usize {
    length * 2 + 8
}

/// Returns what the codes in `octets` stand for, written to the beginning of `room`.
pub fn decode<'a>(octets: &[u8], room: &'a mut [u8]) -> Result<&'a [u8], Undecodable> {
    let end = octets.len() * 8;
    let (mut at, mut written) = (0, 0);
    while at < end {
        let mut bits = window(octets, at);
        let (mut text, mut filled) = (0, 0);
        for _ in 0..LOOKUPS {
            let pair = PAIRS[(bits >> (64 - WINDOW)) as usize];
            text |= u64::from(pair.octets) << filled;
            filled += u32::from(pair.filled);
            bits <<= pair.length;
            at += usize::from(pair.length);
        }
        if filled == 0 {
            // What is left is all ones and shorter than an octet: padding.
            if end - at < 8 && bits.leading_ones() as usize >= end - at {
                break;
            }
            let thirty = (bits >> (64 - LONGEST)) as usize;
            let (octet, length) = first_code(thirty).ok_or(Undecodable)?;
            (text, filled) = (u64::from(octet), 8);
            at += usize::from(length);
        }
        let place = room.get_mut(written..).and_then(<[u8]>::first_chunk_mut).ok_or(Undecodable)?;
        *place = text.to_le_bytes();
        written += (filled / 8) as usize;
    }
    // A code that goes on where the string has ended is padding of another kind than ones.
    if at > end { Err(Undecodable) } else { room.get(..written).ok_or(Undecodable) }
}

/// Returns at least 57 bits from the bit `at` on. Ones follow those of the string, as its padding does.
#[inline]
fn window(octets: &[u8], at: usize) -> u64 {
    let rest = octets.get(at / 8..).unwrap_or_default();
    let bits = match rest.first_chunk() {
        Some(eight) => u64::from_be_bytes(*eight),
        None => rest.iter().rev().fold(u64::MAX, |bits, octet| bits >> 8 | u64::from(*octet) << 56),
    };
    bits << (at % 8)
}

#[cfg(test)]
pub mod tests {
    use std::iter::repeat_n;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Appendix B: code and length of each octet, and of the end of a string.
    const CODES: &str = "
        1ff8/13 7fffd8/23 fffffe2/28 fffffe3/28 fffffe4/28 fffffe5/28 fffffe6/28 fffffe7/28 fffffe8/28 ffffea/24
        3ffffffc/30 fffffe9/28 fffffea/28 3ffffffd/30 fffffeb/28 fffffec/28 fffffed/28 fffffee/28 fffffef/28 ffffff0/28
        ffffff1/28 ffffff2/28 3ffffffe/30 ffffff3/28 ffffff4/28 ffffff5/28 ffffff6/28 ffffff7/28 ffffff8/28 ffffff9/28
        ffffffa/28 ffffffb/28 14/6 3f8/10 3f9/10 ffa/12 1ff9/13 15/6 f8/8 7fa/11 3fa/10 3fb/10 f9/8 7fb/11 fa/8 16/6
        17/6 18/6 0/5 1/5 2/5 19/6 1a/6 1b/6 1c/6 1d/6 1e/6 1f/6 5c/7 fb/8 7ffc/15 20/6 ffb/12 3fc/10 1ffa/13 21/6 5d/7
        5e/7 5f/7 60/7 61/7 62/7 63/7 64/7 65/7 66/7 67/7 68/7 69/7 6a/7 6b/7 6c/7 6d/7 6e/7 6f/7 70/7 71/7 72/7 fc/8
        73/7 fd/8 1ffb/13 7fff0/19 1ffc/13 3ffc/14 22/6 7ffd/15 3/5 23/6 4/5 24/6 5/5 25/6 26/6 27/6 6/5 74/7 75/7 28/6
        29/6 2a/6 7/5 2b/6 76/7 2c/6 8/5 9/5 2d/6 77/7 78/7 79/7 7a/7 7b/7 7ffe/15 7fc/11 3ffd/14 1ffd/13 ffffffc/28
        fffe6/20 3fffd2/22 fffe7/20 fffe8/20 3fffd3/22 3fffd4/22 3fffd5/22 7fffd9/23 3fffd6/22 7fffda/23 7fffdb/23
        7fffdc/23 7fffdd/23 7fffde/23 ffffeb/24 7fffdf/23 ffffec/24 ffffed/24 3fffd7/22 7fffe0/23 ffffee/24 7fffe1/23
        7fffe2/23 7fffe3/23 7fffe4/23 1fffdc/21 3fffd8/22 7fffe5/23 3fffd9/22 7fffe6/23 7fffe7/23 ffffef/24 3fffda/22
        1fffdd/21 fffe9/20 3fffdb/22 3fffdc/22 7fffe8/23 7fffe9/23 1fffde/21 7fffea/23 3fffdd/22 3fffde/22 fffff0/24
        1fffdf/21 3fffdf/22 7fffeb/23 7fffec/23 1fffe0/21 1fffe1/21 3fffe0/22 1fffe2/21 7fffed/23 3fffe1/22 7fffee/23
        7fffef/23 fffea/20 3fffe2/22 3fffe3/22 3fffe4/22 7ffff0/23 3fffe5/22 3fffe6/22 7ffff1/23 3ffffe0/26 3ffffe1/26
        fffeb/20 7fff1/19 3fffe7/22 7ffff2/23 3fffe8/22 1ffffec/25 3ffffe2/26 3ffffe3/26 3ffffe4/26 7ffffde/27
        7ffffdf/27 3ffffe5/26 fffff1/24 1ffffed/25 7fff2/19 1fffe3/21 3ffffe6/26 7ffffe0/27 7ffffe1/27 3ffffe7/26
        7ffffe2/27 fffff2/24 1fffe4/21 1fffe5/21 3ffffe8/26 3ffffe9/26 ffffffd/28 7ffffe3/27 7ffffe4/27 7ffffe5/27
        fffec/20 fffff3/24 fffed/20 1fffe6/21 3fffe9/22 1fffe7/21 1fffe8/21 7ffff3/23 3fffea/22 3fffeb/22 1ffffee/25
        1ffffef/25 fffff4/24 fffff5/24 3ffffea/26 7ffff4/23 3ffffeb/26 7ffffe6/27 3ffffec/26 3ffffed/26 7ffffe7/27
        7ffffe8/27 7ffffe9/27 7ffffea/27 7ffffeb/27 ffffffe/28 7ffffec/27 7ffffed/27 7ffffee/27 7ffffef/27 7fffff0/27
        3ffffee/26 3fffffff/30
    ";

    fn codes() -> Vec<String> {
        let bits = |code: &str| {
            let (code, length) = code.split_once('/').unwrap();
            let (code, length) = (u32::from_str_radix(code, 16).unwrap(), length.parse().unwrap());
            format!("{code:0length$b}")
        };
        CODES.split_whitespace().map(bits).collect()
    }

    /// Returns bits as octets, padded with ones.
    fn packed(mut bits: String) -> Vec<u8> {
        bits.extend(repeat_n('1', (8 - bits.len() % 8) % 8));
        (0..bits.len()).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap()).collect()
    }

    /// Returns the codes of a text, as a peer writes them.
    pub fn huffman(text: &[u8]) -> Vec<u8> {
        let codes = codes();
        packed(text.iter().map(|octet| codes[usize::from(*octet)].as_str()).collect())
    }

    fn unpacked(text: &[u8]) -> Result<Vec<u8>, Undecodable> {
        decode(text, &mut vec![0; room(text.len())]).map(<[u8]>::to_vec)
    }

    #[test]
    fn every_octet_has_the_code_of_appendix_b() {
        assert_eq!(codes().len(), 257);
        for octet in 0..=u8::MAX {
            assert_eq!(unpacked(&huffman(&[octet])), Ok(vec![octet]));
            assert_eq!(unpacked(&huffman(&[octet; 9])), Ok(vec![octet; 9]));
        }
    }

    #[test]
    fn the_end_of_a_string_within_it_is_undecodable() {
        let codes = codes();
        for before in 0..12 {
            let text = codes[usize::from(b'a')].repeat(before);
            assert_eq!(unpacked(&packed(text.clone() + &codes[256])), Err(Undecodable), "{before}");
            assert_eq!(unpacked(&packed(text + &codes[256] + &codes[usize::from(b'a')])), Err(Undecodable), "{before}");
        }
    }

    #[test]
    fn padding_of_a_whole_octet_or_not_all_ones_is_undecodable() {
        for before in 0..20 {
            let text = vec![b'a'; before];
            let whole = huffman(&text);
            assert_eq!(unpacked(&whole), Ok(text), "{before}");
            assert_eq!(unpacked(&[&whole[..], &[0xFF]].concat()), Err(Undecodable), "{before}");
            assert_eq!(unpacked(&[&whole[..], &[0xFF; 3]].concat()), Err(Undecodable), "{before}");
            // Up to five of its bits are no code by themselves, with one of them set to zero.
            let left = whole.len() * 8 - before * 5;
            for bit in (0..left).filter(|_| left <= 5) {
                let mut other = whole.clone();
                *other.last_mut().unwrap() ^= 1 << bit;
                assert_eq!(unpacked(&other), Err(Undecodable), "{before}, {bit}");
            }
        }
    }

    proptest! {
        #[test]
        fn huffman_codes_of_any_octets_are_read_as_those(text in vec(any::<u8>(), 0..100), plain in "[ -~]{0,100}") {
            for text in [text.as_slice(), plain.as_bytes(), &[plain.as_bytes(), &text].concat()] {
                prop_assert_eq!(unpacked(&huffman(text)), Ok(text.to_vec()));
            }
        }

        #[test]
        fn no_octets_have_a_string_outgrow_its_room(text in vec(prop_oneof![any::<u8>(), Just(0), Just(0xFF)], 0..64)) {
            if let Ok(read) = unpacked(&text) {
                prop_assert!(read.len() <= text.len() * 8 / 5);
                prop_assert_eq!(huffman(&read), text, "there is one way to write a string");
            }
        }
    }
}
