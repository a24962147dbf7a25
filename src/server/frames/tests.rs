use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn opened(stream: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, stream, GET)
}

/// Returns how much is delivered of a connection that comes in pieces of these lengths, and its GOAWAY's last stream and code.
fn deliver(stream: &[u8], pieces: &[usize]) -> (usize, Option<(u32, u8)>) {
    let mut frames = Frames::new();
    let (mut delivered, mut came) = (0, 0);
    for length in pieces.iter().copied().chain([stream.len()]) {
        came = (came + length).min(stream.len());
        let (valid, halt) = frames.scan(&stream[delivered..came]);
        delivered += valid;
        if let Some(goodbye) = halt {
            let [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, latest @ .., 0, 0, 0, code] = goodbye else { panic!("{goodbye:?}") };
            return (delivered, Some((u32::from_be_bytes(latest), code)));
        }
    }
    (delivered, None)
}

/// Returns the code with which the last of these frames ends the connection; the others must pass.
fn fate(frames: &[Vec<u8>]) -> Option<u8> {
    let stream = [PREFACE, &frames.concat()].concat();
    let (delivered, goodbye) = deliver(&stream, &[]);
    let (last, _) = frames.split_last().unwrap();
    assert_eq!(delivered, if goodbye.is_some() { stream.len() - last.len() } else { stream.len() });
    goodbye.map(|(_, code)| code)
}

#[test]
fn a_frame_of_the_wrong_length_is_a_frame_size_error() {
    for (kind, flags, stream, payload) in [
        (PRIORITY, 0, 1, &[0; 4][..]),
        (PRIORITY, 0, 1, &[0; 6]),
        (RST_STREAM, 0, 1, &[0; 3]),
        (SETTINGS, 0, 0, &[0; 3]),
        (SETTINGS, ACK, 0, &[0; 6]),
        (PING, 0, 0, &[0; 6]),
        (PING, ACK, 0, &[0; 9]),
        (GOAWAY, 0, 0, &[0; 7]),
        (WINDOW_UPDATE, 0, 0, &[0, 0, 1]),
        (WINDOW_UPDATE, 0, 1, &[0, 0, 0, 0, 1]),
        (DATA, PADDED, 1, &[]),
        (HEADERS, END_HEADERS | PADDED, 1, &[]),
        (HEADERS, END_HEADERS | HAS_PRIORITY, 1, &[0; 4]),
        (HEADERS, PADDED | HAS_PRIORITY, 1, &[0; 5]),
    ] {
        assert_eq!(fate(&[opened(1, 0), frame(kind, flags, stream, payload)]), Some(6), "{kind} {flags} {payload:?}");
    }
}

#[test]
fn a_window_that_no_window_can_be_is_a_flow_control_error() {
    let settings = |value: u32| {
        let value = value.to_be_bytes();
        frame(SETTINGS, 0, 0, &[&[0, 3, 255, 255, 255, 255, 0, 4], &value[..]].concat())
    };
    assert_eq!(fate(&[settings(0x7FFF_FFFF)]), None);
    assert_eq!(fate(&[settings(0x8000_0000)]), Some(3));
}

#[test]
fn what_follows_the_end_of_a_stream_is_a_stream_closed_error() {
    let data = frame(DATA, 0, 1, b"x");
    let reset = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x00\x01a\x01b");
    let newer: Vec<_> = (1..120).map(|number| opened(number * 2 + 1, 0)).collect();
    let after = |first: &[&Vec<u8>], last: &Vec<u8>| {
        let first: Vec<_> = first.iter().copied().cloned().collect();
        fate(&[first, newer.clone(), vec![last.clone()]].concat())
    };
    for (first, last, expected) in [
        (&[&opened(1, END_STREAM)][..], &data, Some(5)),
        (&[&opened(1, END_STREAM)], &opened(1, 0), Some(5)),
        (&[&opened(1, 0), &frame(DATA, END_STREAM, 1, b"")], &data, Some(5)),
        (&[&opened(1, 0), &trailers], &data, Some(5)),
        (&[&opened(1, 0), &trailers], &trailers, Some(5)),
        (&[&opened(1, 0), &reset], &trailers, Some(5)),
        (&[&opened(1, 0), &reset], &data, None),
        (&[&opened(1, 0), &data], &trailers, None),
        (&[&opened(1, END_STREAM)], &reset, None),
        (&[&opened(1, END_STREAM)], &frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), None),
        (&[&opened(1, END_STREAM)], &frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 0]), None),
    ] {
        assert_eq!(after(first, last), expected, "{first:?} {last:?}");
    }
}

#[test]
fn a_block_that_breaks_off_is_a_compression_error_and_a_pseudo_header_field_in_trailers_a_protocol_error() {
    let trailers = |block: &[u8]| [opened(1, 0), frame(HEADERS, END_HEADERS | END_STREAM, 1, block)];
    assert_eq!(fate(&[frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40")]), Some(9));
    assert_eq!(fate(&[frame(HEADERS, END_HEADERS | PADDED, 1, b"\x01\x82\x86\x84\x41\x05a\0")]), Some(9));
    assert_eq!(fate(&trailers(b"\x82")), Some(1));
    assert_eq!(fate(&trailers(b"\x00\x07:method\x03GET")), Some(1));
    assert_eq!(fate(&trailers(b"\x00\x04mark\x03GET")), None);
}

#[test]
fn within_a_field_block_nothing_is_judged_for_the_library_refuses_all_but_its_rest() {
    let begun = frame(HEADERS, END_STREAM, 1, &GET[..4]);
    let rest = frame(CONTINUATION, END_HEADERS, 1, &GET[4..]);
    let data = frame(DATA, 0, 1, b"x");
    let ping = frame(PING, 0, 0, &[0; 7]);
    for between in [&data, &ping, &opened(1, 0), &opened(3, 0)] {
        assert_eq!(fate(&[begun.clone(), between.clone()]), None, "{between:?}");
    }
    assert_eq!(fate(&[begun.clone(), frame(CONTINUATION, 0, 1, b""), rest.clone(), ping]), Some(6));
    assert_eq!(fate(&[begun, rest, data]), Some(5));
}

#[test]
fn a_client_that_pushes_is_told_at_once() {
    assert_eq!(fate(&[opened(1, 0), frame(PUSH_PROMISE, 0, 1, &[0, 0, 0, 2, 0x88])]), Some(1));
}

/// Returns after how many resets the connection ends, of 5,000.
fn end_of_resets(clock: fn() -> Instant) -> Option<u32> {
    let mut frames = Frames::with_clock(clock);
    frames.scan(PREFACE);
    (0..5000).find(|number| {
        let stream = number * 2 + 1;
        let sent = [opened(stream, END_STREAM), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat();
        matches!(frames.scan(&sent).1, Some([.., code]) if code == Code::EnhanceYourCalm as u8)
    })
}

#[test]
fn a_client_that_takes_back_request_after_request_is_told_to_calm_down_and_a_slow_one_is_not() {
    static STARTED: LazyLock<Instant> = LazyLock::new(Clock::monotonic);
    static SECONDS: AtomicU64 = AtomicU64::new(0);
    assert_eq!(end_of_resets(|| *STARTED), Some(RESETS));
    assert_eq!(end_of_resets(|| *STARTED + Duration::from_secs(SECONDS.fetch_add(1, Relaxed))), None);
}

/// What a client may do, by number: open a stream, send on one that is open, end or reset it, or say something else.
fn legal(choices: &[(u8, u8, Vec<u8>)]) -> Vec<u8> {
    let mut stream = [PREFACE, &frame(SETTINGS, 0, 0, &[0, 4, 0x7F, 255, 255, 255, 0, 1, 0, 0, 0, 0])].concat();
    let (mut latest, mut open) = (0, Vec::<u32>::new());
    for (choice, which, payload) in choices {
        let chosen = (!open.is_empty()).then(|| usize::from(*which) % open.len());
        let padded = [&[3], &payload[..], &[0; 3]].concat();
        let text = [&[0, 1, b'a', u8::try_from(payload.len()).unwrap()], &payload[..]].concat();
        let next = match (choice % 12, chosen) {
            (0, Some(at)) => frame(DATA, 0, open[at], payload),
            (1, Some(at)) => frame(DATA, PADDED, open[at], &padded),
            (2, Some(at)) => frame(DATA, END_STREAM, open.swap_remove(at), payload),
            (3, Some(at)) => frame(HEADERS, END_HEADERS | END_STREAM, open.swap_remove(at), &text),
            (4, Some(at)) => frame(RST_STREAM, 0, open.swap_remove(at), &[0, 0, 0, 8]),
            (5, _) => frame(WINDOW_UPDATE, 0, u32::from(*which) % (latest + 1), &[0, 0, 0, 1]),
            (6, _) => frame(PING, which & ACK, 0, &[*which; 8]),
            (7, _) => frame(SETTINGS, ACK, 0, &[]),
            (8, _) => frame(200, *which, u32::from(*which), payload),
            (9, _) => frame(PRIORITY, 0, latest + 2, &[0, 0, 0, 0, *which]),
            (kind, _) => {
                latest = (latest + 2 * (1 + u32::from(*which) % 90)) | 1;
                open.push(latest);
                match kind {
                    10 => frame(HEADERS, END_HEADERS | HAS_PRIORITY, latest, &[&[0; 5], GET, &text].concat()),
                    _ => [frame(HEADERS, 0, latest, &GET[..4]), frame(CONTINUATION, END_HEADERS, latest, &GET[4..])]
                        .concat(),
                }
            }
        };
        stream.extend(next);
    }
    stream
}

proptest! {
    #[test]
    fn what_a_client_may_send_passes_however_it_is_cut(
        choices in prop::collection::vec((0u8..12, any::<u8>(), prop::collection::vec(any::<u8>(), 0..100)), 0..80),
        pieces in prop::collection::vec(0usize..200, 0..80),
    ) {
        let stream = legal(&choices);
        prop_assert_eq!(deliver(&stream, &pieces), (stream.len(), None));
    }

    #[test]
    fn what_breaks_a_rule_is_found_however_it_is_cut(
        choices in prop::collection::vec((0u8..12, any::<u8>(), prop::collection::vec(any::<u8>(), 0..100)), 0..40),
        pieces in prop::collection::vec(0usize..200, 0..80),
    ) {
        let stream = legal(&choices);
        let broken = [&stream[..], &frame(SETTINGS, 0, 0, &[0, 4, 128, 0, 0, 0]), &stream[PREFACE.len()..]].concat();
        let (delivered, goodbye) = deliver(&broken, &pieces);
        prop_assert_eq!((delivered, goodbye.map(|(_, code)| code)), (stream.len(), Some(3)));
    }

    #[test]
    fn no_bytes_make_it_fail_or_deliver_what_has_not_come(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (valid, _) = Frames::new().scan(&[PREFACE, &bytes].concat());
        prop_assert!(valid <= PREFACE.len() + bytes.len());
    }
}

#[test]
fn a_client_that_says_goodbye_is_still_answered() {
    let (goodbye, ping) = (frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0xFF]), frame(PING, 0, 0, &[1; 8]));
    let stream = [PREFACE, &goodbye, &ping].concat();
    let mut frames = Frames::new();
    let until_ping = PREFACE.len() + goodbye.len();
    assert_eq!(frames.scan(&stream[..until_ping]), (PREFACE.len(), None));
    assert_eq!(frames.scan(&stream[PREFACE.len()..]), (goodbye.len() + ping.len(), None));
    assert_eq!(fate(&[frame(GOAWAY, 0, 1, &[0; 8]), ping]), None, "left to the library");
}
