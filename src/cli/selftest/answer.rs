//! What came back, read as leniently as it takes to judge it: status, fields, body, what follows, and whether it ended there.

/// The first final response on a connection. Interim ones (1xx) are passed over.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether another response followed, to a request that nobody sent as one.
    pub has_second: bool,
    /// Whether the server closed the connection.
    pub is_closed: bool,
}

impl Answer {
    /// Returns the values under a name in lower case, joined as RFC 9110 section 5.2 allows.
    pub fn field(&self, name: &str) -> Option<String> {
        let values: Vec<&str> =
            self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the answer that `bytes` begin with, and whether it is there whole; `None` while its head isn't.
    pub fn read(bytes: &[u8], is_head: bool, is_closed: bool) -> Option<(Self, bool)> {
        let (mut answer, mut rest) = read_head(bytes)?;
        while (100..200).contains(&answer.status) && answer.status != 101 {
            (answer, rest) = read_head(rest)?;
        }
        answer.is_closed = is_closed;
        let has_no_body = is_head || matches!(answer.status, 101 | 204 | 304);
        let chunked = answer.field("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
        let length = answer.field("content-length").and_then(|length| length.parse::<usize>().ok());
        let (body, rest, is_whole) = match length {
            _ if has_no_body => (Vec::new(), rest, true),
            _ if chunked => unchunk(rest),
            Some(length) if rest.len() >= length => (rest[..length].to_vec(), &rest[length..], true),
            Some(_) => (rest.to_vec(), &rest[..0], false),
            None => (rest.to_vec(), &rest[..0], is_closed),
        };
        answer.body = body;
        answer.has_second = rest.starts_with(b"HTTP/");
        Some((answer, is_whole))
    }
}

fn read_head(bytes: &[u8]) -> Option<(Answer, &[u8])> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let fields = lines.filter_map(field).collect();
    Some((Answer { status, fields, ..Answer::default() }, &bytes[end + 4..]))
}

/// Returns the body, what follows it, and whether its last chunk is there.
fn unchunk(mut rest: &[u8]) -> (Vec<u8>, &[u8], bool) {
    let mut body = Vec::new();
    while let Some(line) = memchr::memmem::find(rest, b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..line]);
        let size = size.split(';').next().unwrap_or_default().trim().to_owned();
        let Ok(size) = usize::from_str_radix(&size, 16) else { break };
        let data = &rest[line + 2..];
        if size == 0 {
            let end = memchr::memmem::find(&rest[line..], b"\r\n\r\n").map(|end| line + end + 4);
            return (body, end.map_or(&rest[..0], |end| &rest[end..]), end.is_some());
        }
        let Some(next) = size.checked_add(2).and_then(|end| data.get(end..)) else { break };
        body.extend_from_slice(&data[..size]);
        rest = next;
    }
    (body, &rest[..0], false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Answer, bool) {
        Answer::read(text.as_bytes(), false, false).unwrap()
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        let (answer, is_whole) = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n");
        assert_eq!((answer.text().as_str(), answer.has_second, is_whole), ("hi", true, true));
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x\r\nhi\r\n3\r\n ho\r\n0\r\n\r\n";
        let (answer, is_whole) = read(chunked);
        assert_eq!((answer.text().as_str(), answer.has_second, is_whole), ("hi ho", false, true));
        assert!(!read(&chunked[..chunked.len() - 3]).1);
        assert!(!read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi").1);
        assert!(read("HTTP/1.1 204 No Content\r\n\r\n").1);
    }

    #[test]
    fn interim_answers_are_passed_over_and_what_is_no_answer_is_none() {
        let (answer, _) = read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\nA: 1\r\nb: x\r\na:2\r\n\r\n");
        assert_eq!((answer.status, answer.field("a").as_deref()), (401, Some("1, 2")));
        for text in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 100 C\r\n\r\n"] {
            assert!(Answer::read(text.as_bytes(), false, true).is_none(), "{text}");
        }
    }

    #[test]
    fn no_chunk_size_overflows() {
        let (answer, is_whole) = read("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx");
        assert!(answer.body.is_empty() && !is_whole);
    }
}
