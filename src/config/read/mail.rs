//! `[mail]`: by which server mail goes out, from whom, and where its links lead. Nothing of the server's URL is ever shown.

use std::time::Duration;

use crate::config::document::Fault;
use crate::config::section::Section;
use crate::config::settings::{Mail, Server};
use crate::mail::{Link, SmtpServer};
use crate::secret::Secret;

/// A link that works for longer is a password that lies in a mailbox.
const LONGEST_RESET: Duration = Duration::from_hours(24);
const LONGEST_VERIFY: Duration = Duration::from_hours(30 * 24);

const URL: &str = "a mail server such as \"smtps://user:password@mail.example.com\", or \"\" for none";

pub(super) fn mail(section: &Section<'_>, server: &Server) -> Mail {
    let mut mail = Mail::default();
    smtp(section, &mut mail);
    let from = "an address such as \"Example <no-reply@example.com>\"";
    section.optional("from", &mut mail.from, from, |text| text.parse().map_err(|_| None));
    for (key, link) in [("reset_link", &mut mail.reset_link), ("verify_link", &mut mail.verify_link)] {
        section.parsed(
            key,
            link,
            "a path on server.public_url with {token} in it, such as \"/page#token={token}\"",
            |text| Link::parse(text).ok_or(None),
        );
    }
    let spans =
        [("reset_ttl", &mut mail.reset_ttl, LONGEST_RESET), ("verify_ttl", &mut mail.verify_ttl, LONGEST_VERIFY)];
    for (key, span, longest) in spans {
        section.timeout(key, span);
        if *span > longest {
            let expected = format!("at most {}h", longest.as_secs() / 3600);
            section.refuse(key, Fault::new("a longer time", expected));
        }
    }
    if mail.smtp.is_some() {
        refuse_what_is_missing(section, &mail, server);
    }
    mail
}

fn smtp(section: &Section<'_>, mail: &mut Mail) {
    let mut url: Option<Secret<Vec<u8>>> = None;
    section.secret("smtp", &mut url);
    let Some(url) = url else { return };
    let text = std::str::from_utf8(url.expose()).unwrap_or_default();
    match SmtpServer::parse(text) {
        Ok(server) => {
            if server.is_clear_text() {
                let warning = "mail goes to another machine in clear text, and its links with it: `smtps://`, or \
                               `?tls=required` after `smtp://`, protects them";
                section.document.warn(&section.at("smtp"), warning);
            }
            mail.smtp = Some(server);
        }
        Err(bad) => section.refuse("smtp", Fault::new(bad.found, URL).hint(Some(bad.hint.to_owned()))),
    }
}

fn refuse_what_is_missing(section: &Section<'_>, mail: &Mail, server: &Server) {
    if mail.from.is_none() && !section.is_set("from") {
        let hint = Some("add from = \"Example <no-reply@example.com>\"".to_owned());
        section.refuse("smtp", Fault::new("a mail server without a sender", "mail.from").hint(hint));
    }
    if server.public_url.is_none() {
        // Never from the Host of a request: whoever asks could choose where the link leads.
        let hint = Some("set server.public_url = \"https://app.example.com\", the origin that people use".to_owned());
        let fault = Fault::new("a mail server without server.public_url", "the origin that links in mails begin with");
        section.refuse("smtp", fault.hint(hint));
    }
}
