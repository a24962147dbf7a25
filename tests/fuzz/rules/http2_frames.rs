//! Frames from the network. The first byte is the size of the pieces in which the rest comes, behind a client's preface: a
//! connection's state is held against itself in one piece, and what it takes for a request against what HTTP/2 lets one be.

use vestibule::http::wire::{is_token, is_value};
use vestibule::server::http2::{Begun, Bounds, Code, Ending, Mux, PREFACE};

const BOUNDS: Bounds = Bounds { header_size: 4096, stream_window: 70_000, connection_window: 100_000 };

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    let [size, frames @ ..] = data else { return None };
    // SETTINGS without any come first.
    let bytes = [PREFACE, b"\0\0\0\x04\0\0\0\0\0", frames].concat();
    let whole = talk(&bytes, bytes.len());
    assert_eq!(talk(&bytes, usize::from(*size).max(1)), whole, "pieces of {size}");
    check_frames(&whole.said);
    Some(())
}

/// What came of a connection.
#[derive(Debug, PartialEq, Eq)]
struct Talk {
    said: Vec<u8>,
    asked: Vec<String>,
    end: Option<Code>,
}

fn talk(bytes: &[u8], size: usize) -> Talk {
    let mut mux = Mux::new(BOUNDS);
    let mut talk = Talk { said: Vec::new(), asked: Vec::new(), end: None };
    let mut waiting: Vec<u8> = Vec::new();
    for piece in bytes.chunks(size) {
        waiting.extend_from_slice(piece);
        loop {
            let (taken, begun) = match mux.receive(&waiting) {
                Ok(received) => received,
                Err(code) => {
                    mux.fail(code);
                    talk.said.append(&mut mux.out);
                    talk.end = Some(code);
                    return talk;
                }
            };
            waiting.drain(..taken);
            let Some(begun) = begun else { break };
            talk.asked.push(describe(&begun));
            answer(&mut mux, &begun);
            talk.said.append(&mut mux.out);
        }
        talk.said.append(&mut mux.out);
    }
    mux.abandon();
    talk
}

/// Every fourth request is left without an answer.
fn answer(mux: &mut Mux, begun: &Begun) {
    if begun.stream % 8 == 7 {
        return;
    }
    mux.send_head(begun.stream, false, |out| out.push(0x88));
    mux.send(begun.stream, vec![b'x'; begun.stream as usize % 3000].into(), Ending::EndStream);
    mux.release(begun.stream, Code::Internal);
}

fn describe(begun: &Begun) -> String {
    let Ok(request) = &begun.request else { return format!("{} {:?}", begun.stream, begun.request) };
    for (name, value) in request.fields.iter() {
        assert!(is_token(name) && !name.iter().any(u8::is_ascii_uppercase), "{name:?}");
        assert!(is_value(value) && value.trim_ascii() == value, "{value:?}");
        let is_of_http_1 =
            matches!(name, b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade");
        assert!(!is_of_http_1, "{name:?}");
    }
    let uri = &request.uri;
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{path:?}");
    match request.method.as_str() {
        "CONNECT" => assert_eq!(path.is_empty(), request.protocol.is_none()),
        "OPTIONS" => assert!(path.starts_with('/') || path == "*", "{path:?}"),
        _ => assert!(path.starts_with('/'), "{path:?}"),
    }
    let mut lines = Vec::new();
    request.fields.write(&mut lines);
    format!("{} {} {uri} {}", begun.stream, request.method, String::from_utf8_lossy(&lines))
}

/// Everything that was said is whole frames.
fn check_frames(mut said: &[u8]) {
    while let [high, middle, low, kind, _, stream @ ..] = said {
        let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        assert!(length <= 16_384 && *kind <= 9, "{length} {kind}");
        said = stream.get(4 + length..).expect("a frame is whole");
    }
    assert!(said.is_empty());
}
