//! `[mail]` as it was read.

use std::time::Duration;

use crate::mail::{Link, Mailbox, SmtpServer};

#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// `None`: no mail is sent. Otherwise there is a `from`, and a `server.public_url`.
    pub smtp: Option<SmtpServer>,
    pub from: Option<Mailbox>,
    pub reset_link: Link,
    pub reset_ttl: Duration,
    pub verify_link: Link,
    pub verify_ttl: Duration,
}

impl Default for Mail {
    fn default() -> Self {
        let link = |text| Link::parse(text).expect("a path with a token");
        Self {
            smtp: None,
            from: None,
            reset_link: link("/reset-password#token={token}"),
            reset_ttl: Duration::from_hours(1),
            verify_link: link("/verify-email#token={token}"),
            verify_ttl: Duration::from_hours(24),
        }
    }
}
