//! What the answers of both protocols have in common: whether a body follows, what is said of its length, and the date.

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http_body::Body;

use crate::clock::Clock;
use crate::http::fields::Fields;
use crate::http::outgoing::Left;
use crate::http::response::ClientResponse;

/// How one answer's body goes out.
pub struct Plan {
    pub left: Left,
    /// What `Content-Length` says.
    told: Option<u64>,
    keeps_told: bool,
}

impl Plan {
    /// Returns how a body goes out, whatever the fields say. HTTP/1.0 knows no chunks.
    pub fn new(response: &ClientResponse<impl Body>, is_head: bool, is_http_10: bool) -> Self {
        let length = response.body.size_hint().exact();
        let may_have_content = !response.status.is_informational()
            && !matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let left = match length {
            _ if is_head || !may_have_content => Left::Nothing,
            Some(0) => Left::Nothing,
            Some(length) => Left::Length(length),
            None if is_http_10 => Left::UntilClose,
            None => Left::Chunks,
        };
        let told = if is_head { length.filter(|length| *length > 0) } else { length };
        let keeps_told = is_head || response.status == StatusCode::NOT_MODIFIED;
        Self { left, told: told.filter(|_| may_have_content), keeps_told }
    }

    /// Takes out what the fields say of the framing, unless it is about what is not sent; returns the length to say instead.
    pub fn settle(&self, fields: &mut Fields) -> Option<u64> {
        fields.remove(&TRANSFER_ENCODING);
        if self.keeps_told && fields.contains(&CONTENT_LENGTH) {
            return None;
        }
        fields.remove(&CONTENT_LENGTH);
        match self.left {
            Left::Nothing | Left::Length(_) => self.told,
            Left::Chunks | Left::UntilClose => None,
        }
    }
}

/// Hands the date on (RFC 9110 section 6.6.1), which is written once a second.
pub fn with_date(take: impl FnOnce(&str)) {
    thread_local! {
        static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = u64::try_from(Clock::system().now().as_secs()).unwrap_or_default();
    DATE.with_borrow_mut(|(second, date)| {
        if *second != now {
            *second = now;
            *date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
        }
        take(date);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_one() {
        let mut date = String::new();
        with_date(|now| now.clone_into(&mut date));
        assert!(httpdate::parse_http_date(&date).is_ok(), "{date}");
    }
}
