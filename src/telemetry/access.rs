//! The access line: one for every request that was answered, refused ones too.
//! It shows the path without its query, ids without names, and no header: a secret can't be where it is not asked for.

use std::net::IpAddr;
use std::time::Duration;

use super::json::{Object, escape_into, push_ip, push_millis, push_number, push_time};
use crate::clock::Timestamp;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    H1,
    H2,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Self::H1 => "h1",
            Self::H2 => "h2",
        }
    }
}

/// What lines look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Json,
    Text,
}

/// What is known of a request when its answer is complete.
#[derive(Clone, Copy, Debug)]
pub struct AccessLine<'a> {
    pub time: Timestamp,
    pub request_id: &'a [u8],
    pub client: IpAddr,
    pub protocol: Protocol,
    pub method: &'a str,
    /// As it came when it could not be read; any bytes.
    pub host: &'a [u8],
    /// The canonical path, or what came in its place when the target was refused; never the query.
    pub path: &'a [u8],
    pub status: u16,
    /// The route's name; `None` when none matched.
    pub route: Option<&'a str>,
    pub user_id: Option<&'a str>,
    /// The server that was asked.
    pub upstream: Option<&'a str>,
    pub duration: Duration,
    /// Until the upstream's response headers.
    pub upstream_duration: Option<Duration>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Why there was no answer from upstream: `no_route`, `invalid_token`, …
    pub refused: Option<&'a str>,
}

impl AccessLine<'_> {
    /// Appends the line with its end.
    pub fn write(&self, format: Format, out: &mut Vec<u8>) {
        match format {
            Format::Json => self.write_json(out),
            Format::Text => self.write_text(out),
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.time("time", self.time);
        object.text("request_id", self.request_id);
        object.ip("client", self.client);
        object.text("protocol", self.protocol.name().as_bytes());
        object.text("method", self.method.as_bytes());
        object.text("host", self.host);
        object.text("path", self.path);
        object.number("status", u64::from(self.status));
        for (name, value) in self.names() {
            if let Some(value) = value {
                object.text(name, value.as_bytes());
            }
        }
        object.millis("duration_ms", self.duration);
        if let Some(duration) = self.upstream_duration {
            object.millis("upstream_ms", duration);
        }
        object.number("bytes_in", self.bytes_in);
        object.number("bytes_out", self.bytes_out);
        object.end();
    }

    /// `2026-01-02T03:04:05.678Z 192.0.2.1 "GET h2 example.com /path" 200 1.234ms in=0 out=12 route="/" … id="…"`
    fn write_text(&self, out: &mut Vec<u8>) {
        push_time(out, self.time);
        out.push(b' ');
        push_ip(out, self.client);
        out.extend_from_slice(b" \"");
        for part in [self.method.as_bytes(), self.protocol.name().as_bytes(), self.host] {
            escape_into(out, part);
            out.push(b' ');
        }
        escape_into(out, self.path);
        out.extend_from_slice(b"\" ");
        push_number(out, u64::from(self.status));
        out.push(b' ');
        push_millis(out, self.duration);
        out.extend_from_slice(b"ms in=");
        push_number(out, self.bytes_in);
        out.extend_from_slice(b" out=");
        push_number(out, self.bytes_out);
        if let Some(duration) = self.upstream_duration {
            out.extend_from_slice(b" upstream_ms=");
            push_millis(out, duration);
        }
        let names = self.names().into_iter().filter_map(|(name, value)| Some((name, value?.as_bytes())));
        for (name, value) in names.chain([("request_id", self.request_id)]) {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"=\"");
            escape_into(out, value);
            out.push(b'"');
        }
        out.push(b'\n');
    }

    fn names(&self) -> [(&'static str, Option<&str>); 4] {
        [("route", self.route), ("user_id", self.user_id), ("upstream", self.upstream), ("refused", self.refused)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn line() -> AccessLine<'static> {
        AccessLine {
            time: Timestamp::from_millis(1_700_000_000_007),
            request_id: b"r1",
            client: [192, 0, 2, 1].into(),
            protocol: Protocol::H2,
            method: "GET",
            host: b"example.com",
            path: b"/private",
            status: 200,
            route: Some("/private"),
            user_id: Some("u1"),
            upstream: Some("http://127.0.0.1:3000"),
            duration: Duration::from_micros(1_234),
            upstream_duration: Some(Duration::from_micros(900)),
            bytes_in: 0,
            bytes_out: 12,
            refused: None,
        }
    }

    fn written(line: &AccessLine<'_>, format: Format) -> String {
        let mut out = Vec::new();
        line.write(format, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_json_line_has_every_known_field_under_its_name() {
        let expected = json!({"time": "2023-11-14T22:13:20.007Z", "request_id": "r1", "client": "192.0.2.1",
            "protocol": "h2", "method": "GET", "host": "example.com", "path": "/private", "status": 200,
            "route": "/private", "user_id": "u1", "upstream": "http://127.0.0.1:3000", "duration_ms": 1.234,
            "upstream_ms": 0.9, "bytes_in": 0, "bytes_out": 12});
        assert_eq!(serde_json::from_str::<Value>(&written(&line(), Format::Json)).unwrap(), expected);
    }

    #[test]
    fn a_text_line_reads_from_left_to_right() {
        let refused = AccessLine {
            route: None,
            user_id: None,
            upstream: None,
            upstream_duration: None,
            refused: Some("no_route"),
            status: 404,
            ..line()
        };
        assert_eq!(
            written(&refused, Format::Text),
            "2023-11-14T22:13:20.007Z 192.0.2.1 \"GET h2 example.com /private\" 404 1.234ms in=0 out=12 \
             refused=\"no_route\" request_id=\"r1\"\n"
        );
    }

    proptest! {
        #[test]
        fn whatever_bytes_come_a_json_line_is_exactly_one_object(host: Vec<u8>, path: Vec<u8>, method: String, id: String) {
            let line = AccessLine { host: &host, path: &path, method: &method, request_id: id.as_bytes(), ..line() };
            let text = written(&line, Format::Json);
            prop_assert_eq!(text.bytes().filter(|&byte| byte == b'\n').count(), 1);
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["host"].as_str().unwrap(), String::from_utf8_lossy(&host));
            prop_assert_eq!(value["status"].as_u64(), Some(200));
            prop_assert_eq!(value.as_object().unwrap().len(), 15);
        }

        #[test]
        fn whatever_bytes_come_a_text_line_is_one_line_of_printable_ascii(host: Vec<u8>, path: Vec<u8>, id: String) {
            let line = AccessLine { host: &host, path: &path, request_id: id.as_bytes(), ..line() };
            let text = written(&line, Format::Text);
            let (body, end) = text.split_at(text.len() - 1);
            prop_assert_eq!(end, "\n");
            prop_assert!(body.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
