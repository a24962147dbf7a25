//! What a letter says, as text and as HTML. Nothing that a user chose stands in it but the address that it goes to: whoever
//! registers a stranger's address must not be able to write to them.

use std::fmt::Write as _;
use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};

use super::SendError;
use crate::secret::random_bytes;

/// A letter to one address. It can't be printed, because it holds a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What a letter with a link is made of.
#[derive(Clone, Copy)]
pub struct Invitation<'a> {
    pub to: &'a str,
    /// The public URL.
    pub origin: &'a str,
    pub url: &'a str,
    /// How long the link works.
    pub lifetime: Duration,
}

impl Letter {
    pub fn reset_password(invitation: &Invitation<'_>) -> Self {
        let why = format!("Somebody asked for a new password for {} at {}.", invitation.to, invitation.origin);
        let otherwise = "If it was not you, there is nothing to do: the password stays as it is.";
        Self::with_link(invitation, "Choose a new password", &why, otherwise)
    }

    pub fn verify_email(invitation: &Invitation<'_>) -> Self {
        let why = format!("The address {} was given for an account at {}.", invitation.to, invitation.origin);
        let otherwise = "If it was not you, there is nothing to do: without you the address stays unconfirmed.";
        Self::with_link(invitation, "Confirm your e-mail address", &why, otherwise)
    }

    fn with_link(invitation: &Invitation<'_>, action: &str, why: &str, otherwise: &str) -> Self {
        let Invitation { to, origin, url, lifetime } = *invitation;
        let site = origin.split_once("://").map_or(origin, |(_, site)| site);
        let lifetime = in_words(lifetime);
        let text =
            format!("{why}\n\n{action} by this link, which works once and for {lifetime}:\n\n{url}\n\n{otherwise}\n");
        let (why, url, otherwise) = (escaped(why), escaped(url), escaped(otherwise));
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{action}</title></head>\n<body>\n\
             <p>{why}</p>\n<p><a href=\"{url}\">{action}</a></p>\n<p>The link works once and for {lifetime}.</p>\n\
             <p>{otherwise}</p>\n</body>\n</html>\n"
        );
        Self { to: to.to_owned(), subject: format!("{action} ({site})"), text, html }
    }

    /// Returns the letter as it goes out.
    pub(super) fn message(self, from: &Mailbox) -> Result<Message, SendError> {
        let unfit = |error: &dyn std::error::Error| SendError::Recipient(error.to_string());
        let to: Mailbox = Mailbox::new(None, self.to.parse().map_err(|error| unfit(&error))?);
        let mut id = String::new();
        for byte in random_bytes::<16>() {
            write!(id, "{byte:02x}").expect("a String takes every write");
        }
        let message = Message::builder()
            .from(from.clone())
            .to(to)
            .subject(self.subject)
            .date_now()
            .message_id(Some(format!("<{id}@{}>", from.email.domain())))
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(self.text, self.html));
        message.map_err(|error| unfit(&error))
    }
}

fn in_words(span: Duration) -> String {
    let (count, unit) = match span.as_secs() {
        secs if secs >= 2 * 86400 => (secs / 86400, "day"),
        secs if secs >= 3600 => (secs / 3600, "hour"),
        secs => (secs.div_ceil(60), "minute"),
    };
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{ending}")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://app.example.com/reset-password?a=1&token=T";

    fn letter(to: &str) -> Letter {
        let lifetime = Duration::from_hours(1);
        Letter::reset_password(&Invitation { to, origin: "https://app.example.com", url: URL, lifetime })
    }

    fn source(letter: Letter) -> String {
        String::from_utf8(letter.message(&"Gate <gate@example.com>".parse().unwrap()).unwrap().formatted()).unwrap()
    }

    #[test]
    fn both_parts_have_the_link_and_how_long_it_works() {
        let letter = letter("ada@example.com");
        assert!(letter.text.contains(&format!("\n{URL}\n")), "{}", letter.text);
        assert!(letter.html.contains("href=\"https://app.example.com/reset-password?a=1&amp;token=T\""));
        assert!(letter.text.contains("for 1 hour:") && letter.html.contains("for 1 hour."));
        assert_eq!(letter.subject, "Choose a new password (app.example.com)");
    }

    #[test]
    fn an_address_that_looks_like_markup_stays_text() {
        let letter = letter("a&'b@example.com");
        assert!(letter.html.contains("a&amp;&#39;b@example.com"), "{}", letter.html);
    }

    #[test]
    fn what_goes_out_says_that_a_machine_wrote_it_and_carries_both_parts() {
        let source = source(letter("ada@example.com"));
        for part in [
            "From: Gate <gate@example.com>\r\n",
            "To: ada@example.com\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "multipart/alternative",
            "text/plain",
            "text/html",
            "@example.com>\r\n",
        ] {
            assert!(source.contains(part), "no {part}:\n{source}");
        }
        assert!(source.lines().all(|line| line.len() <= 998));
    }

    #[test]
    fn lifetimes_are_said_in_the_largest_unit_that_fits() {
        for (secs, words) in
            [(60, "1 minute"), (90, "2 minutes"), (3600, "1 hour"), (86400, "24 hours"), (259_200, "3 days")]
        {
            assert_eq!(in_words(Duration::from_secs(secs)), words);
        }
    }
}
