//! A client that breaks the framing of HTTP/2 is told by which rule, and the connection ends; who keeps to it notices nothing.

use super::World;
use super::frames::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};

const ACK: u8 = 1;

const PROTOCOL_ERROR: u8 = 1;
const FLOW_CONTROL_ERROR: u8 = 3;
const STREAM_CLOSED: u8 = 5;
const FRAME_SIZE_ERROR: u8 = 6;
const COMPRESSION_ERROR: u8 = 9;

/// Type, flags, stream, payload.
type Sent<'a> = (u8, u8, u32, &'a [u8]);

/// Returns the last stream and the code with which the connection ends after these frames.
async fn end_after(world: &World, sent: &[Sent<'_>]) -> (u32, u32) {
    let mut frames = Frames::open(&world.gateway).await;
    for (kind, flags, stream, payload) in sent {
        frames.send(*kind, *flags, *stream, payload).await;
    }
    let goodbye = loop {
        let frame = frames.next().await.unwrap_or_else(|| panic!("no GOAWAY after {sent:?}"));
        if frame.kind == GOAWAY {
            break frame;
        }
    };
    assert_eq!((goodbye.stream, goodbye.payload.len()), (0, 8));
    assert_eq!(frames.next().await, None, "something follows the GOAWAY after {sent:?}");
    let number = |at: usize| u32::from_be_bytes(goodbye.payload[at..at + 4].try_into().unwrap());
    (number(0), number(4))
}

#[tokio::test]
async fn a_broken_frame_ends_the_connection_with_the_code_of_its_rule() {
    let world = World::start().await;
    let get = frames::get(b"/");
    let post = frames::get(b"/echo");
    let open: Sent = (HEADERS, END_HEADERS, 1, &post);
    let whole: Sent = (HEADERS, END_HEADERS | END_STREAM, 1, &get);
    let reset: Sent = (RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    let cases: [(&[Sent], u8); 15] = [
        (&[whole, (PRIORITY, 0, 1, &[0; 4])], FRAME_SIZE_ERROR),
        (&[open, (RST_STREAM, 0, 1, &[0; 3])], FRAME_SIZE_ERROR),
        (&[(SETTINGS, 0, 0, &[0; 3])], FRAME_SIZE_ERROR),
        (&[(SETTINGS, ACK, 0, &[0; 6])], FRAME_SIZE_ERROR),
        (&[(PING, 0, 0, &[0; 6])], FRAME_SIZE_ERROR),
        (&[(WINDOW_UPDATE, 0, 0, &[0, 0, 1])], FRAME_SIZE_ERROR),
        (&[(SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0])], FLOW_CONTROL_ERROR),
        (&[(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40")], COMPRESSION_ERROR),
        // A code that Huffman's tree has not, and an index that no table has.
        (&[(HEADERS, END_HEADERS | END_STREAM, 1, b"\x82\x04\x81\x00")], COMPRESSION_ERROR),
        (&[(HEADERS, END_HEADERS | END_STREAM, 1, b"\xfe")], COMPRESSION_ERROR),
        (&[whole, (DATA, 0, 1, b"more")], STREAM_CLOSED),
        (&[whole, whole], STREAM_CLOSED),
        (&[open, (DATA, END_STREAM, 1, b"x"), (DATA, END_STREAM, 1, b"y")], STREAM_CLOSED),
        (&[open, reset, open], STREAM_CLOSED),
        (&[(PING, 0, 1, &[0; 8])], PROTOCOL_ERROR),
    ];
    for (sent, code) in cases {
        let (latest, found) = end_after(&world, sent).await;
        assert_eq!(found, u32::from(code), "{sent:?}");
        assert!(latest <= 1, "{latest}");
    }
}

#[tokio::test]
async fn what_was_asked_before_a_broken_frame_has_its_answer_whole() {
    let world = World::start().await;
    let mut frames = Frames::open(&world.gateway).await;
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &frames::get(b"/")).await;
    let mut has_ended = false;
    while !has_ended {
        let frame = frames.next().await.expect("the answer is to come");
        assert_ne!(frame.kind, GOAWAY);
        has_ended = frame.stream == 1 && frame.flags & END_STREAM != 0;
    }
    frames.send(PING, 0, 0, &[0; 7]).await;
    let goodbye = frames.verdict().await.unwrap();
    assert_eq!((goodbye.kind, &goodbye.payload[..]), (GOAWAY, &[0, 0, 0, 1, 0, 0, 0, FRAME_SIZE_ERROR][..]));
}

#[tokio::test]
async fn a_malformed_request_is_answered_and_the_connection_goes_on() {
    let world = World::start().await;
    let mut frames = Frames::open(&world.gateway).await;
    let get = |path: &[u8], name, value| [frames::get(path), frames::fields(&[(name, value)])].concat();
    // `/x#` as a Huffman code.
    let fragment = b"\x82\x87\x41\x01a\x44\x84\x63\xcf\xfd\x7f".to_vec();
    let blocks = [
        fragment,
        frames::get(b"/x#"),
        frames::get(b"/x?y#z"),
        frames::get(b"/%23"),
        frames::get(b"x"),
        get(b"/", "X-Capital", b"a"),
        get(b"/", "x y", b"a"),
        get(b"/", "x", b"a\0"),
        get(b"/", "connection", b"close"),
        get(b"/", ":path", b"/private"),
        frames::fields(&[(":method", b"G T"), (":scheme", b"https"), (":authority", b"gateway.test"), (":path", b"/")]),
    ];
    let mut stream = 1;
    for block in blocks {
        for flags in [END_HEADERS | END_STREAM, END_STREAM] {
            let (first, rest) = if flags & END_HEADERS == 0 { block.split_at(3) } else { (&block[..], &[][..]) };
            frames.send(HEADERS, flags, stream, first).await;
            if !rest.is_empty() {
                frames.send(CONTINUATION, END_HEADERS, stream, rest).await;
            }
            let answer = verdict_of(&mut frames, stream).await;
            assert_eq!(answer.kind, HEADERS, "{block:?}");
            // 400 by its place in the static table, after the sign that there is no dynamic one.
            assert!(answer.payload.strip_prefix(b"\x20").unwrap_or(&answer.payload).starts_with(&[0x8c]), "{block:?}");
            stream += 2;
        }
    }
    let trailers = stream;
    frames.send(HEADERS, END_HEADERS, trailers, &frames::get(b"/echo")).await;
    frames.send(HEADERS, END_HEADERS | END_STREAM, trailers, b"\x82").await;
    let fate = verdict_of(&mut frames, trailers).await;
    assert_eq!((fate.kind, &fate.payload[..]), (RST_STREAM, &[0, 0, 0, PROTOCOL_ERROR][..]));
    assert_eq!(world.upstream.count(), 0);
}

/// Returns what is said first on a stream.
async fn verdict_of(frames: &mut Frames, stream: u32) -> frames::Frame {
    loop {
        let frame = frames.verdict().await.expect("the connection goes on");
        if frame.stream == stream {
            return frame;
        }
    }
}
