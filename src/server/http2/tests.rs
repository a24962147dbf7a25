//! The streams of a connection without its socket: frames in, frames out.

use bytes::Bytes;

use super::frame::{self, ACK, END_HEADERS, END_STREAM, HEAD_LENGTH, Head};
use super::mux::{Bounds, Mux, PREFACE};
use super::stream::Ending;
use super::*;
use crate::http::hpack::encode_field;
use frame::{CONTINUATION, DATA, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE};

const BOUNDS: Bounds = Bounds { header_size: 16 * 1024, stream_window: 100_000, connection_window: 200_000 };

/// The frames of a number.
type Flood = fn(u32) -> Vec<Sent>;

/// Type, flags, stream, payload.
type Sent = (u8, u8, u32, Vec<u8>);

fn encode((kind, flags, stream, payload): &Sent) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::append_head(payload.len(), *kind, *flags, *stream, &mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

/// Returns the state of a connection that has just begun, what we said to that read.
fn begun() -> Mux {
    let mut mux = Mux::new(BOUNDS);
    assert!(mux.receive(PREFACE).is_ok_and(|(length, _)| length == PREFACE.len()));
    take(&mut mux, (SETTINGS, 0, 0, Vec::new())).unwrap();
    told(&mut mux);
    mux
}

/// Returns the stream of the request that the frame begins, if it does.
#[expect(clippy::needless_pass_by_value, reason = "frames are made where they are sent")]
fn take(mux: &mut Mux, sent: Sent) -> Result<Option<u32>, Code> {
    let bytes = encode(&sent);
    let (length, begun) = mux.receive(&bytes)?;
    assert_eq!(length, bytes.len());
    Ok(begun.map(|begun| begun.stream))
}

fn block(method: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [(":method", method), (":scheme", "https"), (":authority", "a.test"), (":path", "/")] {
        encode_field(name.as_bytes(), value.as_bytes(), &mut block);
    }
    block
}

fn get(stream: u32) -> Sent {
    (HEADERS, END_HEADERS | END_STREAM, stream, block("GET"))
}

fn post(stream: u32) -> Sent {
    (HEADERS, END_HEADERS, stream, block("POST"))
}

fn update(stream: u32, growth: u32) -> Sent {
    (WINDOW_UPDATE, 0, stream, growth.to_be_bytes().to_vec())
}

/// Returns what we said since the last time: type, flags, stream, and the length or the number that it holds.
fn told(mux: &mut Mux) -> Vec<(u8, u8, u32, u32)> {
    let out = std::mem::take(&mut mux.out);
    let (mut rest, mut told) = (&out[..], Vec::new());
    while let Some((head, after)) = rest.split_first_chunk::<HEAD_LENGTH>() {
        let head = Head::read(*head);
        let payload = &after[..head.length];
        let said = match head.kind {
            RST_STREAM | WINDOW_UPDATE => frame::number(payload),
            GOAWAY => frame::number(&payload[4..]),
            _ => u32::try_from(head.length).unwrap(),
        };
        told.push((head.kind, head.flags, head.stream, said));
        rest = &after[head.length..];
    }
    told
}

fn piece(length: usize) -> Bytes {
    Bytes::from(vec![b'x'; length])
}

#[test]
fn a_stream_sends_as_far_as_its_window_and_that_of_the_connection_go() {
    let mut mux = begun();
    take(&mut mux, (SETTINGS, 0, 0, vec![0, 4, 0, 0, 0, 3])).unwrap();
    assert_eq!(told(&mut mux), [(SETTINGS, ACK, 0, 0)]);
    take(&mut mux, get(1)).unwrap();
    mux.send(1, piece(10), Ending::EndStream);
    assert_eq!(told(&mut mux), [(DATA, 0, 1, 3)]);
    take(&mut mux, update(1, 2)).unwrap();
    mux.fill();
    assert_eq!(told(&mut mux), [(DATA, 0, 1, 2)]);
    // What the client takes back is owed first.
    take(&mut mux, (SETTINGS, 0, 0, vec![0, 4, 0, 0, 0, 1])).unwrap();
    take(&mut mux, update(1, 2)).unwrap();
    mux.fill();
    assert_eq!(told(&mut mux), [(SETTINGS, ACK, 0, 0)]);
    take(&mut mux, (SETTINGS, 0, 0, vec![0, 4, 0, 1, 0, 0])).unwrap();
    mux.fill();
    assert_eq!(told(&mut mux), [(SETTINGS, ACK, 0, 0), (DATA, END_STREAM, 1, 5)]);
    // The connection's window has 65,525 left.
    take(&mut mux, get(3)).unwrap();
    take(&mut mux, update(3, 100_000)).unwrap();
    mux.send(3, piece(70_000), Ending::EndStream);
    let sent = |told: Vec<(u8, u8, u32, u32)>| told.iter().map(|frame| frame.3).sum::<u32>();
    let mut all = sent(told(&mut mux));
    while {
        mux.fill();
        !mux.out.is_empty()
    } {
        all += sent(told(&mut mux));
    }
    assert_eq!(all, 65_525);
    take(&mut mux, update(0, 100_000)).unwrap();
    mux.fill();
    assert_eq!(told(&mut mux), [(DATA, END_STREAM, 3, 70_000 - 65_525)]);
}

#[test]
fn streams_take_turns_a_frame_at_a_time() {
    let mut mux = begun();
    for stream in [1, 3] {
        take(&mut mux, get(stream)).unwrap();
    }
    mux.credit = 0;
    mux.send(1, piece(40_000), Ending::EndStream);
    mux.send(3, piece(20_000), Ending::EndStream);
    mux.credit = 1_000_000;
    let mut order = Vec::new();
    while {
        mux.fill();
        !mux.out.is_empty()
    } {
        order.extend(told(&mut mux).iter().map(|(_, _, stream, length)| (*stream, *length)));
    }
    assert_eq!(order, [(1, 16_384), (3, 16_384), (1, 16_384), (3, 3_616), (1, 7_232)]);
}

#[test]
fn a_window_that_no_window_can_be_ends_its_stream_or_the_connection() {
    let mut mux = begun();
    for (stream, growth, code) in [(1, 0, Code::Protocol), (3, 0x7FFF_FFFF, Code::FlowControl)] {
        take(&mut mux, get(stream)).unwrap();
        take(&mut mux, update(stream, growth)).unwrap();
        assert_eq!(told(&mut mux), [(RST_STREAM, 0, stream, code as u32)]);
    }
    assert_eq!(take(&mut mux, update(0, 0x7FFF_FFFF)), Err(Code::FlowControl));
    assert_eq!(take(&mut mux, update(5, 1)), Err(Code::Protocol), "no such stream");
    take(&mut mux, get(5)).unwrap();
    mux.send(5, piece(1), Ending::Open);
    assert_eq!(take(&mut mux, (SETTINGS, 0, 0, vec![0, 4, 0x7F, 0xFF, 0xFF, 0xFF])), Ok(None));
    assert_eq!(take(&mut mux, update(5, 1)), Ok(None));
    assert_eq!(take(&mut mux, (SETTINGS, 0, 0, vec![0, 4, 0x80, 0, 0, 0])), Err(Code::FlowControl));
}

#[test]
fn what_is_taken_of_a_body_may_be_sent_again_and_no_more_than_that() {
    let mut mux = begun();
    take(&mut mux, post(1)).unwrap();
    let data = |stream, length: usize| (DATA, 0, stream, vec![0; length]);
    for _ in 0..6 {
        take(&mut mux, data(1, 16_000)).unwrap();
    }
    assert_eq!(told(&mut mux), [], "nobody took any of it");
    assert_eq!(mux.find(1).unwrap().arrived.len(), 96_000);
    take(&mut mux, data(1, 4_001)).unwrap();
    assert_eq!(told(&mut mux), [(RST_STREAM, 0, 1, Code::FlowControl as u32), (WINDOW_UPDATE, 0, 0, 100_001)]);
    // Padding holds nothing, and is given back.
    take(&mut mux, post(3)).unwrap();
    for _ in 0..1000 {
        take(&mut mux, (DATA, frame::PADDED, 3, [&[254, b'x'][..], &[0; 254]].concat())).unwrap();
    }
    assert_eq!(mux.find(3).unwrap().arrived.len(), 1000);
    assert!(told(&mut mux).iter().all(|frame| frame.0 == WINDOW_UPDATE));
}

#[test]
fn a_body_is_as_long_as_its_head_says() {
    let with_length = |stream, length: &str, flags| {
        let mut block = block("POST");
        encode_field(b"content-length", length.as_bytes(), &mut block);
        (HEADERS, END_HEADERS | flags, stream, block)
    };
    let mut mux = begun();
    for (stream, sent, is_right) in [
        (1, vec![(DATA, END_STREAM, 1, b"abc".to_vec())], true),
        (3, vec![(DATA, END_STREAM, 3, b"ab".to_vec())], false),
        (5, vec![(DATA, 0, 5, b"abcd".to_vec())], false),
        (7, vec![(DATA, 0, 7, b"abc".to_vec()), (DATA, END_STREAM, 7, Vec::new())], true),
        (
            9,
            vec![(DATA, 0, 9, b"ab".to_vec()), (HEADERS, END_HEADERS | END_STREAM, 9, b"\x00\x01x\x00".to_vec())],
            false,
        ),
    ] {
        take(&mut mux, with_length(stream, "3", 0)).unwrap();
        for frame in sent {
            take(&mut mux, frame).unwrap();
        }
        let expected = [(RST_STREAM, 0, stream, Code::Protocol as u32)];
        assert_eq!(told(&mut mux), if is_right { &[][..] } else { &expected }, "{stream}");
    }
    let begun = mux.receive(&encode(&with_length(11, "3", END_STREAM))).unwrap().1.unwrap();
    assert!(begun.request.is_err());
}

#[test]
fn an_answer_before_the_bodys_end_lets_the_client_stop_and_what_was_on_its_way_is_no_fault() {
    let mut mux = begun();
    take(&mut mux, post(1)).unwrap();
    mux.send_head(1, true, |out| out.push(0x88));
    mux.release(1, Code::Internal);
    let end = (RST_STREAM, 0, 1, Code::None as u32);
    assert_eq!(told(&mut mux), [(HEADERS, END_HEADERS | END_STREAM, 1, 2), end]);
    take(&mut mux, (DATA, 0, 1, vec![0; 100])).unwrap();
    take(&mut mux, (RST_STREAM, 0, 1, vec![0; 4])).unwrap();
    assert_eq!(take(&mut mux, (DATA, 0, 1, vec![0; 100])), Err(Code::StreamClosed), "it said itself that it ended");
}

#[test]
fn a_stream_over_the_bound_is_refused_and_the_others_live() {
    let mut mux = begun();
    for number in 0..u128::BITS {
        assert_eq!(take(&mut mux, post(number * 2 + 1)), Ok(Some(number * 2 + 1)));
    }
    assert_eq!(take(&mut mux, post(257)), Ok(None));
    assert_eq!(told(&mut mux), [(RST_STREAM, 0, 257, Code::Refused as u32)]);
    assert_eq!(mux.streams.len(), 128);
}

#[test]
fn who_makes_us_work_in_vain_again_and_again_is_told_to_calm_down() {
    let reset = |stream: u32| (RST_STREAM, 0, stream, vec![0, 0, 0, 8]);
    let floods: [(&str, Flood); 5] = [
        ("resets", |stream| vec![get(stream), (RST_STREAM, 0, stream, vec![0, 0, 0, 8])]),
        ("made resets", |stream| vec![get(stream), update(stream, 0)]),
        ("empty data", |stream| vec![post(stream), (DATA, 0, stream, Vec::new())]),
        ("settings", |_| vec![(SETTINGS, 0, 0, Vec::new())]),
        ("refused streams", |stream| vec![get(stream)]),
    ];
    for (name, flood) in floods {
        let mut mux = begun();
        let fate = (0..3000).flat_map(|number| flood(number * 2 + 1)).find_map(|frame| take(&mut mux, frame).err());
        assert_eq!(fate, Some(Code::EnhanceYourCalm), "{name}");
    }
    let mut mux = begun();
    for number in 0..900 {
        take(&mut mux, get(number * 2 + 1)).unwrap();
        assert_eq!(take(&mut mux, reset(number * 2 + 1)), Ok(None));
    }
}

#[test]
fn a_block_without_end_ends_the_connection_and_a_long_one_is_only_refused() {
    let part = |kind, payload: Vec<u8>| (kind, 0, 1, payload);
    for length in [0, 16_000] {
        let mut mux = begun();
        take(&mut mux, part(HEADERS, block("GET"))).unwrap();
        let fate = (0..100).find_map(|_| take(&mut mux, part(CONTINUATION, vec![0x88; length])).err());
        assert_eq!(fate, Some(Code::EnhanceYourCalm), "{length}");
    }
    let mut mux = begun();
    take(&mut mux, part(HEADERS, block("GET"))).unwrap();
    take(&mut mux, part(CONTINUATION, vec![0x90; 4000])).unwrap();
    let begun = mux.receive(&encode(&(CONTINUATION, END_HEADERS, 1, Vec::new()))).unwrap().1.unwrap();
    assert_eq!(begun.request.unwrap_err().status(), http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    // Nothing else may come between the parts.
    for other in [get(5), (DATA, 0, 3, Vec::new()), (PING, 0, 0, vec![0; 8]), (CONTINUATION, 0, 5, Vec::new())] {
        let mut mux = self::begun();
        take(&mut mux, (HEADERS, 0, 3, block("GET"))).unwrap();
        assert_eq!(take(&mut mux, other.clone()), Err(Code::Protocol), "{other:?}");
    }
}

#[test]
fn streams_begin_in_order_and_by_a_head() {
    for (sent, code) in [
        (vec![get(2)], Code::Protocol),
        (vec![get(0)], Code::Protocol),
        (vec![get(5), get(3)], Code::Protocol),
        (vec![get(5), get(5)], Code::StreamClosed),
        (vec![(DATA, 0, 1, Vec::new())], Code::Protocol),
        (vec![(RST_STREAM, 0, 1, vec![0; 4])], Code::Protocol),
        (vec![(CONTINUATION, END_HEADERS, 1, Vec::new())], Code::Protocol),
        (vec![(PRIORITY, 0, 1, vec![0, 0, 0, 1, 0])], Code::Protocol),
        (vec![(PRIORITY, 0, 1, vec![0; 4])], Code::FrameSize),
        (vec![(frame::PUSH_PROMISE, 0, 1, vec![0; 4])], Code::Protocol),
        (vec![(PING, 0, 1, vec![0; 8])], Code::Protocol),
        (vec![(SETTINGS, 0, 0, vec![0, 2, 0, 0, 0, 2])], Code::Protocol),
        (vec![(SETTINGS, 0, 0, vec![0, 5, 0, 0, 0x3F, 0xFF])], Code::Protocol),
        (vec![(HEADERS, END_HEADERS, 1, vec![0x80])], Code::Compression),
        (vec![(HEADERS, END_HEADERS | frame::PADDED, 1, vec![9, 0x88])], Code::Protocol),
        (vec![(77, 0, 1, vec![0; 16_385])], Code::FrameSize),
    ] {
        let mut mux = begun();
        let fate = sent.iter().find_map(|frame| mux.receive(&encode(frame)).err());
        assert_eq!(fate, Some(code), "{sent:?}");
    }
    let mut mux = begun();
    take(&mut mux, (77, 0xFF, 9, vec![1, 2, 3])).unwrap();
    assert_eq!(take(&mut mux, get(1)), Ok(Some(1)), "what is not known is passed over");
    let mut mux = Mux::new(BOUNDS);
    mux.receive(PREFACE).unwrap();
    assert_eq!(take(&mut mux, get(1)), Err(Code::Protocol), "settings come first");
    assert_eq!(Mux::new(BOUNDS).receive(b"PRI * HTTP/2.0\r\n\r\nXX").err(), Some(Code::Protocol));
}

#[test]
fn a_connection_that_leaves_hears_what_was_on_its_way_and_nothing_later() {
    let mut mux = begun();
    take(&mut mux, get(1)).unwrap();
    mux.leave();
    let farewell = told(&mut mux);
    assert!(matches!(farewell[..], [(GOAWAY, _, 0, 0), (PING, 0, 0, 8)]), "{farewell:?}");
    assert_eq!(take(&mut mux, get(3)), Ok(Some(3)), "the client had not heard");
    take(&mut mux, (PING, ACK, 0, b"alive?--".to_vec())).unwrap();
    assert_eq!(told(&mut mux), []);
    take(&mut mux, (PING, ACK, 0, b"leaving-".to_vec())).unwrap();
    assert_eq!(told(&mut mux), [(GOAWAY, 0, 0, 0)]);
    assert_eq!(take(&mut mux, get(5)), Ok(None));
    assert_eq!(told(&mut mux), []);
    for stream in [1, 3] {
        assert!(!mux.is_done());
        mux.send(stream, piece(1), Ending::EndStream);
        mux.release(stream, Code::Internal);
    }
    assert!(mux.is_done());
    let mut idle = begun();
    idle.leave();
    assert!(idle.is_done() && told(&mut idle) == [(GOAWAY, 0, 0, 0)]);
}

#[test]
fn a_client_that_vanished_is_noticed_and_so_is_one_that_takes_nothing() {
    let mut mux = begun();
    take(&mut mux, get(1)).unwrap();
    assert!(mux.tend() && told(&mut mux).is_empty());
    assert!(mux.tend());
    assert_eq!(told(&mut mux), [(PING, 0, 0, 8)]);
    take(&mut mux, (PING, ACK, 0, b"alive?--".to_vec())).unwrap();
    assert!(mux.tend() && mux.tend() && !mux.tend(), "asked once more, and no answer");
    let mut mux = begun();
    take(&mut mux, (SETTINGS, 0, 0, vec![0, 4, 0, 0, 0, 0])).unwrap();
    for stream in [1, 3] {
        take(&mut mux, get(stream)).unwrap();
        mux.send(stream, piece(10), Ending::Open);
    }
    told(&mut mux);
    for _ in 0..3 {
        take(&mut mux, update(3, 1)).unwrap();
        mux.fill();
        mux.tend();
    }
    assert!(mux.find(1).is_none() && mux.find(3).is_some());
    assert!(told(&mut mux).contains(&(RST_STREAM, 0, 1, Code::Cancel as u32)));
}

#[test]
fn how_a_stream_ended_is_known_as_long_as_it_is_there() {
    let mut mux = begun();
    take(&mut mux, post(1)).unwrap();
    for number in 1..200 {
        let stream = number * 2 + 1;
        take(&mut mux, get(stream)).unwrap();
        mux.send_head(stream, true, |out| out.push(0x88));
        mux.release(stream, Code::Internal);
    }
    take(&mut mux, (DATA, END_STREAM, 1, b"x".to_vec())).unwrap();
    assert_eq!(take(&mut mux, (DATA, 0, 1, b"y".to_vec())), Err(Code::StreamClosed));
    let mut mux = begun();
    take(&mut mux, get(3)).unwrap();
    for kind in [DATA, RST_STREAM] {
        assert_eq!(take(&mut mux, (kind, 0, 2, vec![0; 4])), Err(Code::Protocol), "nobody opens it");
    }
}

#[test]
fn the_last_stream_that_is_heard_is_never_a_later_one() {
    let mut mux = begun();
    take(&mut mux, get(1)).unwrap();
    mux.leave();
    take(&mut mux, (PING, ACK, 0, b"leaving-".to_vec())).unwrap();
    take(&mut mux, get(7)).unwrap();
    mux.out.clear();
    mux.fail(Code::Protocol);
    assert_eq!(mux.out[HEAD_LENGTH..], [0, 0, 0, 1, 0, 0, 0, 1]);
}
