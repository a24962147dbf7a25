//! How upstreams may read a canonical path more freely than we do: parameters dropped, escapes read once more, ends trimmed.
//! The target has refused whatever would move within the tree; here is what may still make one segment pass for another,
//! so that [`super::table`] can see whether it would matter. Never used to choose a route.

use crate::http::path::comparable;

/// How often an upstream that decodes too eagerly is followed; the target has refused what is nested deeper.
const NESTING: usize = 3;

/// Whether everybody reads the path as it stands: most paths, proven in one pass.
pub(super) fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let is_loose = |(at, &byte): (usize, &u8)| match byte {
        b'%' | b';' => true,
        b'.' => matches!(bytes.get(at + 1), None | Some(b'/')),
        _ => false,
    };
    !bytes.iter().enumerate().any(is_loose)
}

/// Returns the freer readings of a comparable path, each built upon the one before. Slashes that are still escaped stay so.
pub(super) fn free_readings(key: &str) -> [String; 3] {
    let mut decoded = key.to_owned();
    for _ in 0..NESTING {
        let next = comparable(&decoded.replace("%25", "%")).into_owned();
        if next == decoded {
            break;
        }
        decoded = next;
    }
    let before_query = decoded.split('?').next().unwrap_or_default();
    let without_parameters = rebuild(before_query, |segment| segment.split(';').next().unwrap_or_default());
    let trimmed = rebuild(&without_parameters, trim);
    [decoded, without_parameters, trimmed]
}

/// Returns the path with `%2F` read as a slash.
pub(super) fn with_slashes_read(key: &str) -> String {
    rebuild(&key.replace("%2F", "/"), |segment| segment)
}

/// Windows drops final dots and spaces of a name; careless routers trim.
fn trim(segment: &str) -> &str {
    segment.trim().trim_end_matches(|last: char| last == '.' || last.is_whitespace())
}

fn rebuild(path: &str, read: impl Fn(&str) -> &str) -> String {
    let mut result = String::with_capacity(path.len());
    for segment in path.split('/').map(read).filter(|segment| !segment.is_empty()) {
        result.push('/');
        result.push_str(segment);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_plain() {
        for path in ["/", "/api/v1.2/x.js", "/.well-known/x", "/@a/~b,c"] {
            assert!(is_plain(path), "{path}");
        }
        for path in ["/a;x", "/a%20", "/a.", "/a./b"] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn readings_go_from_strict_to_careless() {
        let readings = |path| free_readings(&comparable(path));
        assert_eq!(readings("/admin%20;x=1/b."), ["/admin ;x=1/b.", "/admin /b.", "/admin/b"]);
        assert_eq!(readings("/%2561dmin"), ["/admin"; 3]);
        assert_eq!(readings("/%252561"), ["/a"; 3]);
        assert_eq!(readings("/;x/admin%3Fy/z"), ["/;x/admin?y/z", "/admin", "/admin"]);
        assert_eq!(readings("/%20.%20%20/100%25"), ["/ .  /100%", "/ .  /100%", "/100%"]);
        assert_eq!(with_slashes_read("/a%2F%2Fb/c"), "/a/b/c");
    }
}
