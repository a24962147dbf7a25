//! From checked settings to the way out for mail.

use std::sync::Arc;

use crate::account::MailSettings;
use crate::config::Settings;
use crate::mail::{Mailer, SendError};

/// Returns how mail is sent; `None` while it is off.
pub(super) fn settings(settings: &Settings) -> Result<Option<MailSettings>, SendError> {
    let mail = &settings.mail;
    let (Some(smtp), Some(from), Some(origin)) = (&mail.smtp, &mail.from, &settings.server.public_url) else {
        return Ok(None);
    };
    Ok(Some(MailSettings {
        mailer: Arc::new(Mailer::smtp(smtp, from.clone(), origin.host())?),
        origin: origin.to_string(),
        reset_link: mail.reset_link.clone(),
        verify_link: mail.verify_link.clone(),
        reset_ttl: mail.reset_ttl,
        verify_ttl: mail.verify_ttl,
    }))
}
