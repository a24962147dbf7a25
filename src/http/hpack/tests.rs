//! What a peer may send and what it must not, by the RFC's own examples and by chance.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::huffman::tests::huffman;
use super::*;

type Field = (Vec<u8>, Vec<u8>);

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, Undecodable> {
    let mut fields = Vec::new();
    decoder.decode(block, |name, value| fields.push((name.to_vec(), value.to_vec())))?;
    Ok(fields)
}

fn decode_once(block: &[u8]) -> Result<Vec<Field>, Undecodable> {
    decode(&mut Decoder::new(4096), block)
}

fn fields(lines: &[&str]) -> Vec<Field> {
    // A pseudo-header field's name begins with a colon.
    let split =
        |line: &&str| line[1..].split_once(": ").map(|(name, value)| (line[..1].to_owned() + name, value.to_owned()));
    lines.iter().map(|line| split(line).unwrap()).map(|(name, value)| (name.into(), value.into())).collect()
}

fn field(name: &[u8], value: &[u8]) -> Vec<Field> {
    vec![(name.to_vec(), value.to_vec())]
}

/// Returns the dynamic table, the newest entry first.
fn held(decoder: &Decoder) -> Vec<Field> {
    (62..).map_while(|index| decoder.table.field(index)).map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn size(entries: &[Field]) -> usize {
    entries.iter().map(|(name, value)| name.len() + value.len() + 32).sum()
}

/// Decodes blocks one after the other. With each stand its fields and what the table holds afterwards.
fn assert_decodes(limit: usize, blocks: &[(&str, &[&str], &[&str])]) {
    let mut decoder = Decoder::new(limit);
    for (block, expected, entries) in blocks {
        assert_eq!(decode(&mut decoder, &octets(block)), Ok(fields(expected)), "{block}");
        assert_eq!(held(&decoder), fields(entries), "{block}");
    }
}

fn assert_undecodable(blocks: &[&str]) {
    for block in blocks {
        assert_eq!(decode_once(&octets(block)), Err(Undecodable), "{block}");
    }
}

/// Returns a size update.
fn resized(size: usize) -> Vec<u8> {
    let low = |number: usize| number.to_le_bytes()[0];
    match size {
        0..31 => vec![0x20 | low(size)],
        31..159 => vec![0x3F, low(size - 31)],
        _ => vec![0x3F, 0x80 | low(size - 31), low((size - 31) >> 7)],
    }
}

/// Returns a literal with incremental indexing.
fn kept(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    encode_field(name, value, &mut block);
    assert_eq!(block[0], 0, "a name that is not in the static table");
    block[0] = 0x40;
    block
}

#[test]
fn a_single_field_of_each_form_is_read_as_in_c_2() {
    assert_decodes(
        4096,
        &[(
            "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
            &["custom-key: custom-header"],
            &["custom-key: custom-header"],
        )],
    );
    assert_decodes(4096, &[("040c2f73616d706c652f70617468", &[":path: /sample/path"], &[])]);
    assert_decodes(4096, &[("100870617373776f726406736563726574", &["password: secret"], &[])]);
    assert_decodes(4096, &[("82", &[":method: GET"], &[])]);
}

fn assert_decodes_requests(blocks: [&str; 3]) {
    let [host, cache, custom] = [":authority: www.example.com", "cache-control: no-cache", "custom-key: custom-value"];
    let [get, http, root] = [":method: GET", ":scheme: http", ":path: /"];
    let third = [get, ":scheme: https", ":path: /index.html", host, custom];
    assert_decodes(
        4096,
        &[
            (blocks[0], &[get, http, root, host], &[host]),
            (blocks[1], &[get, http, root, host, cache], &[cache, host]),
            (blocks[2], &third, &[custom, cache, host]),
        ],
    );
}

#[test]
fn requests_are_read_as_in_c_3_and_with_huffman_codes_as_in_c_4() {
    assert_decodes_requests([
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ]);
    assert_decodes_requests([
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ]);
}

fn assert_decodes_responses(blocks: [&str; 3]) {
    let [found, moved, private] = [":status: 302", ":status: 307", "cache-control: private"];
    let [early, late] = ["date: Mon, 21 Oct 2013 20:13:21 GMT", "date: Mon, 21 Oct 2013 20:13:22 GMT"];
    let [place, coding] = ["location: https://www.example.com", "content-encoding: gzip"];
    let cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
    assert_decodes(
        256,
        &[
            (blocks[0], &[found, private, early, place], &[place, early, private, found]),
            (blocks[1], &[moved, private, early, place], &[moved, place, early, private]),
            (blocks[2], &[":status: 200", private, late, place, coding, cookie], &[cookie, coding, late]),
        ],
    );
}

#[test]
fn responses_evict_as_in_c_5_and_with_huffman_codes_as_in_c_6() {
    assert_decodes_responses([
        "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54\
         6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
        "4803333037c1c0bf",
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a6970\
         7738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f4955\
         3b206d61782d6167653d333630303b2076657273696f6e3d31",
    ]);
    assert_decodes_responses([
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab\
         77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ]);
}

#[test]
fn the_static_table_has_its_first_and_last_field_where_the_rfc_has_them() {
    assert_eq!(
        decode_once(&octets("8190bd")),
        Ok(fields(&[":authority: ", "accept-encoding: gzip, deflate", "www-authenticate: "]))
    );
}

#[test]
fn an_index_of_no_entry_is_undecodable() {
    assert_undecodable(&["80", "be", "7e0161", "0f2f0161", "1f2f0161", "ffffffff07", "4001610162bf"]);
    assert_eq!(decode_once(&octets("4001610162be")).map(|fields| fields.len()), Ok(2));
}

#[test]
fn an_integer_that_overflows_or_never_ends_is_undecodable() {
    let mut large = Decoder::new(usize::MAX);
    // 2^28, with zeros at its end, then one more; five and six octets.
    assert_eq!(decode(&mut large, &octets("3fe1ffff7f")), Ok(vec![]));
    assert_eq!(decode(&mut large, &octets("3fe1ffffff00")), Ok(vec![]));
    for block in ["3fe2ffff7f", "3fe1ffffff8000", "3fffffffff7f", "3fffffffffffffffffff7f", "3f", "3f80"] {
        assert_eq!(decode(&mut large, &octets(block)), Err(Undecodable), "{block}");
    }
    assert_undecodable(&["ff808080808000", "0f", "0f80", "007fffffffff7f", "007f"]);
}

#[test]
fn a_string_longer_than_the_rest_of_its_block_is_undecodable() {
    assert_undecodable(&["00", "0001", "000161", "00016101", "00016102ff", "00817f", "0002610162", "04", "0481"]);
    assert_eq!(decode_once(&octets("00016100")), Ok(field(b"a", b"")));
    assert_eq!(decode_once(&octets("000000")), Ok(field(b"", b"")), "what names may be is for others to say");
}

#[test]
fn a_size_update_above_the_limit_is_undecodable() {
    for (limit, size, is_fine) in [(4096, 4096, true), (4096, 4097, false), (100, 100, true), (100, 101, false)] {
        assert_eq!(decode(&mut Decoder::new(limit), &resized(size)).is_ok(), is_fine, "{size} of {limit}");
    }
    let mut small = Decoder::new(4096);
    assert_eq!(decode(&mut small, &[NO_TABLE]), Ok(vec![]));
    assert_eq!(decode(&mut small, &resized(4096)), Ok(vec![]), "the limit is what we said, not what it was set to");
}

#[test]
fn a_size_update_after_a_field_is_undecodable() {
    assert_undecodable(&["8220", "822082", "0001610020", "40016101623fe11f"]);
    assert_eq!(decode_once(&octets("203fe11f2182")), Ok(fields(&[":method: GET"])), "any number may come before");
}

#[test]
fn a_size_update_evicts_the_oldest_and_holds_until_the_next() {
    let mut decoder = Decoder::new(4096);
    let three = [kept(b"a", b"1"), kept(b"b", b"2"), kept(b"c", b"3")].concat();
    decode(&mut decoder, &three).unwrap();
    decode(&mut decoder, &resized(34 * 2 + 33)).unwrap();
    assert_eq!(held(&decoder), fields(&["c: 3", "b: 2"]));
    decode(&mut decoder, &three).unwrap();
    assert_eq!(held(&decoder), fields(&["c: 3", "b: 2"]));
    decode(&mut decoder, &[NO_TABLE]).unwrap();
    assert_eq!(held(&decoder), []);
    decode(&mut decoder, &three).unwrap();
    assert_eq!(held(&decoder), []);
}

#[test]
fn an_entry_larger_than_the_table_empties_it_and_is_no_error() {
    let mut decoder = Decoder::new(100);
    decode(&mut decoder, &[kept(b"a", b"1"), kept(b"b", b"2")].concat()).unwrap();
    assert_eq!(decode(&mut decoder, &kept(b"x", &[b'y'; 68])), Ok(field(b"x", &[b'y'; 68])));
    assert_eq!(held(&decoder), []);
    decode(&mut decoder, &[kept(b"a", b"1"), kept(b"x", &[b'y'; 67])].concat()).unwrap();
    assert_eq!(held(&decoder), field(b"x", &[b'y'; 67]), "one that just fits stays");
}

#[test]
fn an_entry_may_take_its_name_from_one_that_it_evicts() {
    let mut decoder = Decoder::new(80);
    decode(&mut decoder, &kept(b"long-name", b"value")).unwrap();
    let block = [&b"\x7e\x08"[..], b"another!"].concat();
    assert_eq!(decode(&mut decoder, &block), Ok(field(b"long-name", b"another!")));
    assert_eq!(held(&decoder), field(b"long-name", b"another!"));
}

#[test]
fn a_status_is_one_octet_if_it_is_in_the_static_table_and_three_digits_otherwise() {
    for status in 100..1000 {
        let mut block = Vec::new();
        encode_status(status, &mut block);
        assert_eq!(decode_once(&block), Ok(field(b":status", status.to_string().as_bytes())));
        let is_known = [200, 204, 206, 304, 400, 404, 500].contains(&status);
        assert_eq!(block.len(), if is_known { 1 } else { 5 }, "{status}");
    }
}

#[test]
fn every_name_of_the_static_table_is_written_as_its_index_in_any_case() {
    for (index, (name, _)) in (1..).zip(table::STATIC).skip(14) {
        for written in [name.to_owned(), name.to_ascii_uppercase()] {
            let mut block = vec![NO_TABLE];
            encode_field(written.as_bytes(), b"value", &mut block);
            let form = if name == "set-cookie" { 0x1F } else { 0x0F };
            assert_eq!(block[1..3], [form, index - 15], "{name}");
            assert_eq!(decode_once(&block), Ok(field(name.as_bytes(), b"value")));
        }
    }
}

#[test]
fn a_name_of_one_octet_is_written_out_and_so_is_one_of_none() {
    for name in (0..=u8::MAX).map(|octet| vec![octet]).chain([vec![]]) {
        let mut block = Vec::new();
        encode_field(&name, b"value", &mut block);
        assert_eq!(decode_once(&block), Ok(field(&name.to_ascii_lowercase(), b"value")));
    }
}

#[test]
fn strings_are_read_as_they_were_written_at_every_length_that_needs_another_octet() {
    for length in [0, 1, 126, 127, 128, 254, 255, 256, 16_509, 16_510, 16_511, 70_000] {
        let text = vec![b'v'; length];
        let mut block = Vec::new();
        encode_field(&text, &text, &mut block);
        assert_eq!(decode_once(&block), Ok(field(&text, &text)), "{length}");
    }
}

fn some_octets(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), length)
}

/// Returns a literal of each form, its strings with Huffman codes or without.
fn literal() -> impl Strategy<Value = Vec<u8>> {
    (select(&[0x00, 0x10, 0x40][..]), any::<bool>(), some_octets(0..30), some_octets(0..30)).prop_map(
        |(form, is_huffman, name, value)| {
            let mut block = vec![form];
            for text in [name, value] {
                let text = if is_huffman { huffman(&text) } else { text };
                // 30 octets are 113 with the longest codes.
                block.push(u8::try_from(text.len()).unwrap() | if is_huffman { 0x80 } else { 0 });
                block.extend(text);
            }
            block
        },
    )
}

proptest! {
    #[test]
    fn a_field_is_read_as_it_was_written_but_in_lower_case(name in some_octets(0..200), value in some_octets(0..200)) {
        let mut block = Vec::new();
        encode_field(&name, &value, &mut block);
        prop_assert_eq!(decode_once(&block), Ok(field(&name.to_ascii_lowercase(), &value)));
    }

    #[test]
    fn no_blocks_have_the_table_exceed_its_limit(
        limit in 0_usize..300,
        blocks in vec((vec(literal(), 0..8), vec((any::<Index>(), 0..8), 0..3), some_octets(0..20)), 1..8),
    ) {
        let mut decoder = Decoder::new(limit);
        for (literals, flips, last) in blocks {
            let mut block = [literals.concat(), last].concat();
            for (at, bit) in flips {
                if !block.is_empty() {
                    *at.get_mut(&mut block) ^= 1_u8 << bit;
                }
            }
            // Errors are fine, and what comes after one is still no reason to fail.
            let _ = decode(&mut decoder, &block);
            prop_assert!(size(&held(&decoder)) <= limit);
        }
    }

    #[test]
    fn the_table_holds_the_newest_entries_that_fit(
        limit in 0_usize..300,
        added in vec((some_octets(0..9), some_octets(0..99)), 0..30),
    ) {
        let mut decoder = Decoder::new(limit);
        let mut expected: Vec<Field> = Vec::new();
        for (name, value) in added {
            let name = [b"x-", &name[..]].concat().to_ascii_lowercase();
            decode(&mut decoder, &kept(&name, &value)).unwrap();
            expected.insert(0, (name, value));
            while size(&expected) > limit {
                expected.pop();
            }
            prop_assert_eq!(held(&decoder), expected.clone());
        }
    }
}
