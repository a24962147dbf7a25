//! Bytes from the network. The first byte says what the rest is: `H` the head of a request, held against what httparse and a
//! naive reader of fields see in it; `C` and a byte for the size of the pieces: a chunked body, held against itself in
//! one piece and against a reader that goes by lines.

use vestibule::http::wire::{ChunkScanner, Framing, Head, Progress, Violation, check_head, find_head_end};

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    match data {
        [b'H', bytes @ ..] => head(bytes),
        [b'C', size, bytes @ ..] => body(bytes, usize::from(*size).max(1)),
        _ => return None,
    }
    Some(())
}

fn head(bytes: &[u8]) {
    let _ = check_head(bytes);
    let Some(end) = find_head_end(bytes) else {
        assert!(check_head(bytes).is_err(), "a head without an end was taken");
        return;
    };
    let head = &bytes[..end];
    assert_eq!(find_head_end(head), Some(end), "what follows a head moves its end");
    assert_eq!(find_head_end(&head[..end - 1]), None, "a head ends before its end");
    if let Ok(said) = check_head(head) {
        compare_with_httparse(head, said);
    }
}

/// hyper parses with httparse: what is taken here must not mean another thing there.
fn compare_with_httparse(head: &[u8], said: Head) {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(head).expect("httparse takes what we take");
    assert_eq!(parsed, httparse::Status::Complete(head.len()), "httparse sees another end");
    assert_eq!(request.version, Some(u8::from(!said.http_10)));
    let target = request.path.expect("a complete head has a target");
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
    let values = |name: &str| -> Vec<&[u8]> {
        let named = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value.trim_ascii()).collect()
    };
    let hosts = values("host").len();
    assert!(hosts == 1 || (hosts == 0 && said.http_10), "{hosts} Host fields");
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    match said.framing {
        Framing::None => assert!(lengths.is_empty() && codings.is_empty()),
        Framing::Length(length) => {
            assert!(codings.is_empty());
            assert_eq!(lengths, [length.to_string().as_bytes()]);
        }
        Framing::Chunked => {
            assert!(lengths.is_empty() && !said.http_10);
            assert!(matches!(codings[..], [coding] if coding.eq_ignore_ascii_case(b"chunked")));
        }
    }
}

fn body(bytes: &[u8], size: usize) {
    let whole = ChunkScanner::new().advance(bytes);
    assert_eq!(in_pieces(bytes, size), whole, "pieces of {size}");
    assert_eq!(in_pieces(bytes, 1), whole, "byte by byte");
    let Ok(Progress { consumed, is_finished: true }) = whole else {
        assert!(whole.is_err() || whole == Ok(Progress { consumed: bytes.len(), is_finished: false }));
        return;
    };
    assert_eq!(ChunkScanner::new().advance(&bytes[..consumed]), whole, "what follows a body moves its end");
    assert_eq!(naive_end(bytes), Some(consumed), "another reader sees another end");
}

fn in_pieces(bytes: &[u8], size: usize) -> Result<Progress, Violation> {
    let mut scanner = ChunkScanner::new();
    let mut sum = Progress { consumed: 0, is_finished: false };
    for piece in bytes.chunks(size) {
        let step = scanner.advance(piece)?;
        assert!(!sum.is_finished || step.consumed == 0, "a finished body went on");
        sum = Progress { consumed: sum.consumed + step.consumed, is_finished: step.is_finished };
    }
    Ok(sum)
}

/// Returns where a body ends to somebody who reads lines, cuts extensions off, and believes every size.
fn naive_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = line_at(bytes, at)?;
        at += line.len() + 2;
        let digits = line.split(|&byte| byte == b';').next()?;
        let size = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        at += size;
        assert_eq!(bytes.get(at..at + 2), Some(&b"\r\n"[..]), "a chunk of {size} has no end");
        at += 2;
    }
    loop {
        let line = line_at(bytes, at)?;
        at += line.len() + 2;
        if line.is_empty() {
            return Some(at);
        }
    }
}

fn line_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    rest.windows(2).position(|pair| pair == b"\r\n").map(|end| &rest[..end])
}
