use bytes::BytesMut;
use proptest::prelude::*;

use super::super::*;

fn scan(bytes: &[u8]) -> Result<Progress, Violation> {
    ChunkScanner::new().advance(bytes)
}

#[test]
fn a_chunked_body_ends_behind_its_trailers() {
    for body in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "00A;x=\"y;z\"\r\n0123456789\r\n0;a\r\n\r\n",
        "1; a = b ;c;d=\"\\\"\t\u{e9}\";e\r\nx\r\n0\r\n\r\n",
        "1\r\n\n\r\n0\r\nA: b\r\nC:\r\n\r\n",
        "2\r\n\r\n\r\n0\r\n\r\n",
    ] {
        let stream = format!("{body}GET / HTTP/1.1\r\n");
        assert_eq!(scan(stream.as_bytes()), Ok(Progress { consumed: body.len(), is_finished: true }), "{body:?}");
        let part = &body.as_bytes()[..body.len() - 1];
        assert_eq!(scan(part), Ok(Progress { consumed: part.len(), is_finished: false }), "{body:?}");
    }
}

#[test]
fn chunks_have_one_form() {
    for body in [
        "\r\n",
        "+5\r\n",
        "0x5\r\n",
        " 5\r\n",
        "5 \r\n",
        "5\t;a\r\n",
        "5\nhello",
        "5\r\rhello",
        "g\r\n",
        "-1\r\n",
        ";a\r\n",
        "5;\x00\r\n",
        "5;a\nb\r\n",
        "5;a\rb\r\n",
        "5;\u{e9}\r\n",
        "5;\r\n",
        "5; \r\n",
        "5;a;\r\n",
        "5;a \r\n",
        "5;a=\r\n",
        "5;=a\r\n",
        "5;a=b=c\r\n",
        "5;a b\r\n",
        "5;a=b c\r\n",
        "5;a(b\r\n",
        "5;a=[b\r\n",
        "5;a=b\"c\"\r\n",
        "5;a=\"b\r\n",
        "5;a=\"b\"c\r\n",
        "5;a=\"b\" \r\n",
        "5;a=\"b\\\r\n",
        "10000000000000000\r\n",
        "00000000000000005\r\n",
        "5\r\nhello0\r\n",
        "5\r\nhello\n0\r\n",
        "5\r\nhelloo\r\n",
        "0\r\n\r\r",
    ] {
        assert_eq!(scan(body.as_bytes()), Err(Violation::MalformedChunk), "{body:?}");
    }
    for trailer in [" a: b", "a : b", "a", ": b", "a: b\n", "a: \x00", "a: b\r\n c", "a: b\rc", "\n"] {
        assert_eq!(scan(format!("0\r\n{trailer}\r\n\r\n").as_bytes()), Err(Violation::MalformedField), "{trailer:?}");
    }
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let extension = format!("1;{}\r\n", "a".repeat(17 * 1024));
    assert_eq!(scan(extension.as_bytes()), Err(Violation::MalformedChunk));
    let many = format!("1;{}\r\nx\r\n", "a".repeat(100)).repeat(200);
    assert_eq!(scan(many.as_bytes()), Err(Violation::MalformedChunk));
    let trailers = format!("0\r\n{}", "a: bcdefgh\r\n".repeat(1000));
    assert_eq!(scan(trailers.as_bytes()), Err(Violation::TrailersTooLarge));
}

fn chunked_body() -> impl Strategy<Value = Vec<u8>> {
    let chunk = (prop::collection::vec(any::<u8>(), 1..40), "(;[a-z]{1,5}(=[a-z]{1,3})?)?");
    let chunks = prop::collection::vec(chunk, 0..6);
    (chunks, prop::collection::vec("[A-Za-z-]{1,8}: ?[ -~]{0,8}", 0..3)).prop_map(|(chunks, trailers)| {
        let mut body = Vec::new();
        for (data, extension) in chunks {
            body.extend(format!("{:x}{extension}\r\n", data.len()).bytes());
            body.extend(data);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n");
        body.extend(trailers.iter().flat_map(|trailer| [trailer.as_bytes(), b"\r\n"].concat()));
        body.extend(b"\r\n");
        body
    })
}

/// Feeds the bytes in pieces of the given lengths; returns how many belong to the body.
fn scan_in_pieces(mut bytes: &[u8], lengths: &[usize]) -> Result<Progress, Violation> {
    let mut scanner = ChunkScanner::new();
    let mut consumed = 0;
    let mut lengths = lengths.iter().copied().cycle();
    loop {
        let (piece, rest) = bytes.split_at(lengths.next().unwrap_or(1).min(bytes.len()));
        let progress = scanner.advance(piece)?;
        consumed += progress.consumed;
        if progress.is_finished || rest.is_empty() {
            return Ok(Progress { consumed, ..progress });
        }
        bytes = rest;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_body_is_measured_alike_however_it_is_cut(
        body in chunked_body(),
        next in prop::collection::vec(any::<u8>(), 0..20),
        mutation in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        lengths in prop::collection::vec(1usize..9, 1..5),
    ) {
        let length = body.len();
        let mut stream = [body, next].concat();
        if let Some((at, byte)) = mutation {
            let at = at.index(stream.len());
            stream[at] = byte;
        } else {
            prop_assert_eq!(scan(&stream), Ok(Progress { consumed: length, is_finished: true }));
        }
        prop_assert_eq!(scan_in_pieces(&stream, &lengths), scan(&stream));
    }

    /// Where a body ends is one question with two answerers: who finds the framing in order, and who takes it apart. What comes
    /// after the end is the next request to both, however the bytes are cut, or the body is refused by one of them.
    #[test]
    fn who_checks_a_chunked_body_and_who_takes_it_apart_see_the_same_end(
        body in chunked_body(),
        mutation in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        lengths in prop::collection::vec(1usize..30, 1..20),
    ) {
        let mut stream = [&body[..], b"GET / HTTP/1.1\r\n"].concat();
        if let Some((at, byte)) = mutation {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let Ok(Progress { consumed, is_finished: true }) = scan(&stream) else { return Ok(()) };
        let (mut chunks, mut bytes, mut came) = (Chunks::default(), BytesMut::new(), 0);
        for length in lengths.iter().copied().chain([stream.len()]) {
            bytes.extend_from_slice(&stream[came..(came + length).min(stream.len())]);
            came = (came + length).min(stream.len());
            loop {
                match chunks.take(&mut bytes) {
                    Ok(Piece::Data(_)) => {}
                    Ok(Piece::Incomplete) => break,
                    Ok(Piece::End(_)) => {
                        prop_assert_eq!(came - bytes.len(), consumed);
                        return Ok(());
                    }
                    Err(BadChunk) => prop_assert!(false, "{stream:?} was checked and can't be read"),
                }
            }
        }
        prop_assert!(false, "{stream:?} ends for one of the two only");
    }
}
