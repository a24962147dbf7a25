//! Paths that mean harm, and the most generous reading that an app could give to one: the reference that forwarded paths are
//! held against, written from what apps were seen to do and from nothing of the gateway's.

/// How somebody may write the way up.
const UP: [&str; 34] = [
    "..",
    "%2e%2e",
    "%2E%2E",
    "%2e.",
    ".%2e",
    ".%2E",
    "%252e%252e",
    "%252E.",
    "%25252e%25252e",
    "..;",
    "..;x=1",
    ".;/..",
    "%2e%2e;",
    "..%3b",
    "..%3bx",
    "..%00",
    "..%20",
    "%20..",
    "..%09",
    "..%0a",
    "%c0%ae%c0%ae",
    "%e0%80%ae%e0%80%ae",
    "%f0%80%80%ae.",
    "%u002e%u002e",
    "%uff0e%uff0e",
    "..%23",
    "..%3f",
    ".%00.",
    "..\\",
    "..%5c",
    "%ef%bc%8e%ef%bc%8e",
    "..%ff",
    "./..",
    ".%252e",
];

/// How somebody may write what stands between two segments.
const SLASH: [&str; 17] = [
    "/",
    "//",
    "/./",
    "\\",
    "%2f",
    "%2F",
    "%5c",
    "%5C",
    "%252f",
    "%255c",
    "%c0%af",
    "%e0%80%af",
    "%u2215",
    "/%2e/",
    "/;/",
    "%00/",
    "///",
];

/// Ways to write the protected segment itself, after `/`.
const PRIVATE: [&str; 31] = [
    "private",
    "%70rivate",
    "%50rivate",
    "privat%65",
    "p%72ivate",
    "%2570rivate",
    "private;",
    "private;x=1",
    "private%3b",
    "private%3bx",
    "private%20",
    "private%09",
    "%20private",
    "private.",
    "private%2e",
    "private%00",
    "private%00.css",
    "private%0d%0a",
    "private%23",
    "private%3f",
    "private%3fx",
    "private%2f",
    "private%5c",
    "private\\",
    "private%252f",
    "private/..;/private",
    "private/.",
    "private//",
    "pr%69vate%2fx",
    "private%ff",
    "private..",
];

/// Returns paths that lead, to one reader or another, from the public `/` to what is below `/private`.
pub fn hostile_paths() -> Vec<String> {
    let mut paths = Vec::new();
    for up in UP {
        paths.push(format!("/public/{up}/private"));
        paths.push(format!("/public/x/{up}/{up}/private/secret"));
        paths.push(format!("/{up}/private"));
    }
    for slash in SLASH {
        paths.push(format!("{slash}private"));
        paths.push(format!("/{slash}private"));
        paths.push(format!("/public{slash}..{slash}private"));
        paths.push(format!("/private{slash}x"));
        paths.push(format!("/public/..{slash}private"));
    }
    paths.extend(PRIVATE.iter().map(|private| format!("/{private}")));
    paths.extend(PRIVATE.iter().map(|private| format!("/{private}/x")));
    paths.extend(PRIVATE.iter().map(|private| format!("/public/../{private}")));
    paths
}

/// Returns whether some app could read `target` as something below `prefix` (one segment).
pub fn may_be_below(target: &str, prefix: &str) -> bool {
    let mut text = target.as_bytes().to_vec();
    for _ in 0..5 {
        let cuts: [&[u8]; 4] = [b"", b"?", b"#", b"\0"];
        for cut in cuts {
            let end = text.iter().position(|byte| cut.contains(byte)).unwrap_or(text.len());
            for resolves in [true, false] {
                let segments = read(&text[..end], resolves);
                if segments.first().is_some_and(|first| first.as_slice() == prefix.as_bytes()) {
                    return true;
                }
            }
        }
        text = decode(&text);
    }
    false
}

/// Returns the segments by the most generous reading: backslashes are slashes, parameters, spaces and final dots are nothing,
/// empty segments are none; dot segments are resolved, or dropped.
fn read(path: &[u8], resolves: bool) -> Vec<Vec<u8>> {
    let mut segments = Vec::new();
    for segment in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        let name: Vec<u8> = name.iter().copied().filter(|byte| !byte.is_ascii_control()).collect();
        let name = name.trim_ascii();
        if name == b".." {
            if resolves {
                segments.pop();
            }
            continue;
        }
        let end = name.iter().rposition(|byte| *byte != b'.').map_or(0, |at| at + 1);
        if end > 0 {
            segments.push(name[..end].to_vec());
        }
    }
    segments
}

/// Returns the text with each escape read once: `%XX`, `%uXXXX`, and overlong forms of `.` and `/`.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let hex = |from: usize, to: usize| {
            let digits = std::str::from_utf8(text.get(from..to)?).ok()?;
            u32::from_str_radix(digits, 16).ok()
        };
        let is_wide = matches!(text.get(at + 1), Some(b'u' | b'U'));
        let (value, length) = if text[at] != b'%' {
            (u32::from(text[at]), 1)
        } else if let Some(value) = hex(at + 2, at + 6).filter(|_| is_wide) {
            (value, 6)
        } else {
            hex(at + 1, at + 3).map_or((u32::from(b'%'), 1), |value| (value, 3))
        };
        out.push(match value {
            0x2024 | 0xff0e => b'.',
            0x2215 | 0xff0f => b'/',
            value => (value & 0xff) as u8,
        });
        at += length;
    }
    for (overlong, byte) in
        [(&b"\xc0\xae"[..], b'.'), (b"\xe0\x80\xae", b'.'), (b"\xf0\x80\x80\xae", b'.'), (b"\xc0\xaf", b'/')]
    {
        while let Some(at) = memchr::memmem::find(&out, overlong) {
            out.splice(at..at + overlong.len(), [byte]);
        }
    }
    out
}

#[test]
fn the_reference_finds_what_each_kind_of_reader_would() {
    for (target, expected) in [
        ("/private", true),
        ("/x/../private/y", true),
        ("/x/%2e%2e/private", true),
        ("/..;/private", true),
        ("/x\\..\\private", true),
        ("/%252e%252e/private", true),
        ("/private%00.css", true),
        ("/%c0%ae%c0%ae/private", true),
        ("//private;v=1", true),
        ("/private?x", true),
        ("/privatex", false),
        ("/public/private", false),
        ("/x?/private", false),
    ] {
        assert_eq!(may_be_below(target, "private"), expected, "{target}");
    }
}
