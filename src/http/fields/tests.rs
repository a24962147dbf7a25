use http::header::{CONTENT_TYPE, SERVER, SET_COOKIE, VARY};
use proptest::prelude::*;

use super::*;

/// Returns the fields of a section, as a parser would find them.
fn read(section: &'static str) -> Fields {
    let lines = section.lines().map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        Line::of(section.as_ptr().addr(), name.as_bytes(), value.trim().as_bytes())
    });
    Fields::given(Bytes::from_static(section.as_bytes()), lines.collect())
}

fn written(fields: &Fields) -> String {
    let mut out = Vec::new();
    fields.write(&mut out);
    String::from_utf8(out).unwrap()
}

const SECTION: &str =
    "Server: a\r\nvary:\tx \r\nContent-Type: b\r\nset-cookie: c\r\nSet-Cookie: d\nVary: \r\nX-Y: e\r\n";

#[test]
fn what_is_not_touched_goes_on_as_it_came_in_lines_of_one_form() {
    let all = "Server: a\r\nvary: x\r\nContent-Type: b\r\nset-cookie: c\r\nSet-Cookie: d\r\nVary: \r\nX-Y: e\r\n";
    assert_eq!(written(&read(SECTION)), all);
}

#[test]
fn only_lines_as_we_would_write_them_are_copied_whole() {
    assert_eq!(written(&read("A: x\nB:y\r\nC: z \r\nD: w\r\nE: v")), "A: x\r\nB: y\r\nC: z\r\nD: w\r\nE: v\r\n");
}

#[test]
fn what_is_told_goes_first_and_values_are_not_shown() {
    let mut fields = read(SECTION);
    fields.tell(Bytes::from_static(b"host: a\r\n"));
    assert!(written(&fields).starts_with("host: a\r\nServer: a\r\n"));
    fields.append(VARY, HeaderValue::from_static("secret"));
    assert!(!format!("{fields:?}").contains("secret"), "{fields:?}");
}

#[test]
fn a_name_is_found_and_taken_out_however_it_is_written() {
    let mut fields = read(SECTION);
    assert_eq!(fields.values(&SET_COOKIE).collect::<Vec<_>>(), [b"c", b"d"]);
    assert_eq!((fields.first(&VARY), fields.contains(&SERVER)), (Some(&b"x"[..]), true));
    fields.remove(&SET_COOKIE);
    fields.remove(&SERVER);
    assert_eq!(written(&fields), "vary: x\r\nContent-Type: b\r\nVary: \r\nX-Y: e\r\n");
}

#[test]
fn what_is_set_takes_the_place_of_every_other() {
    let mut fields = read(SECTION);
    fields.append(VARY, HeaderValue::from_static("y"));
    fields.set(VARY, HeaderValue::from_static("z"));
    fields.set(CONTENT_TYPE, HeaderValue::from_static("f"));
    let expected = "Server: a\r\nset-cookie: c\r\nSet-Cookie: d\r\nX-Y: e\r\nvary: z\r\ncontent-type: f\r\n";
    assert_eq!(written(&fields), expected);
}

#[test]
fn a_map_of_them_holds_the_same_and_comes_back() {
    let mut fields = read(SECTION);
    fields.append(VARY, HeaderValue::from_static("z"));
    let map = fields.into_map();
    let values = |name| map.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join("|");
    assert_eq!([values(VARY), values(SET_COOKIE), values(SERVER)], ["x||z", "c|d", "a"]);
    let again = Fields::from(map.clone());
    assert_eq!(again.values(&VARY).count(), 3);
    assert_eq!(again.into_map(), map);
}

proptest! {
    #[test]
    fn what_is_found_is_what_a_plain_search_finds(names in prop::collection::vec("[a-cA-C-]{1,3}", 0..12), wanted in "[a-c-]{1,3}") {
        let section = names.iter().map(|name| format!("{name}: x\r\n")).collect::<Vec<_>>().concat();
        let lines = section.lines().map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            Line::of(section.as_ptr().addr(), name.as_bytes(), value.as_bytes())
        });
        let lines = lines.collect();
        let (before, after) = names.split_at(names.len() / 2);
        let count = before.iter().map(|name| format!("{name}: x\r\n").len()).sum::<usize>();
        let split = |lines: &Vec<Line>| lines.iter().filter(|line| (line.end as usize) < count).copied().collect();
        let mut fields = Fields::given(section.clone().into(), split(&lines));
        for name in after {
            fields.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("x"));
        }
        let name = HeaderName::from_bytes(wanted.as_bytes()).unwrap();
        let plain = names.iter().filter(|other| other.eq_ignore_ascii_case(&wanted)).count();
        prop_assert_eq!((fields.values(&name).count(), fields.contains(&name)), (plain, plain > 0));
        let list: &'static [&'static str] = Box::leak(Box::new([&*String::leak(wanted)]));
        let names_of_one = Names::new(list);
        prop_assert_eq!(fields.contains_any(&names_of_one), plain > 0);
        let mut without = Vec::new();
        fields.write_without(&names_of_one, &mut without);
        fields.remove_any(&names_of_one);
        prop_assert_eq!(fields.names().count(), names.len() - plain);
        let mut left = Vec::new();
        fields.write(&mut left);
        prop_assert_eq!(without, left);
    }
}

#[test]
fn an_option_is_found_in_a_list_of_any_spelling() {
    let fields = read("Connection: x, Close\r\nconnection:  keep-alive,\r\n");
    let holds = |option: &[u8]| fields.list_holds(&http::header::CONNECTION, option);
    assert_eq!([holds(b"close"), holds(b"keep-alive"), holds(b"clos")], [true, true, false]);
}
