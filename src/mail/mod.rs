//! Mail on its way out: where the server is, what a letter says, and handing it over. Decides nothing about who gets one: that is
//! `account`'s, which also keeps what waits. A link in a letter is made of the public URL and nothing that a request said.

pub mod letter;
pub mod link;
pub mod server;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

pub use letter::Letter;
pub use lettre::message::Mailbox;
pub use link::Link;
pub use server::{Security, SmtpServer};

/// For each step of the conversation with the server.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);
/// For all of it.
pub const TIMEOUT: Duration = Duration::from_secs(45);

/// Why a letter is not on its way. The texts are the server's or the system's; none has a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no such recipient, or it may not be written to: trying again would change nothing.
    #[error("the mail server refuses the recipient: {0}")]
    Recipient(String),
    /// The server can't be reached, or not now, or not so.
    #[error("{0}")]
    Server(String),
}

/// Hands letters over.
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Memory(Arc<Mutex<Vec<Letter>>>, Replies),
}

/// When letters that are kept in memory count as sent.
enum Replies {
    AtOnce,
    /// Each when it is given a permit.
    #[cfg(test)]
    Permitted(Arc<tokio::sync::Semaphore>),
}

impl fmt::Debug for Mailer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Mailer(from {})", self.from)
    }
}

impl Mailer {
    /// Returns the way to `server`, which is called `name` in our greeting unless the URL says how.
    pub fn smtp(server: &SmtpServer, from: Mailbox, name: &str) -> Result<Self, SendError> {
        let tls = || TlsParameters::new(server.host.clone()).map_err(|error| SendError::Server(told(&error)));
        let tls = match server.security {
            Security::Wrapped => Tls::Wrapper(tls()?),
            Security::StartTls => Tls::Required(tls()?),
            Security::Opportunistic => Tls::Opportunistic(tls()?),
            Security::None => Tls::None,
        };
        let builder: AsyncSmtpTransportBuilder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.clone());
        let mut builder = builder
            .port(server.port)
            .tls(tls)
            .timeout(Some(STEP_TIMEOUT))
            .hello_name(ClientId::Domain(server.hello.clone().unwrap_or_else(|| name.to_owned())));
        if let Some((user, password)) = &server.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().clone()));
        }
        Ok(Self { from, way: Way::Smtp(builder.build()) })
    }

    /// Returns one that keeps its letters, for tests to look at, and where.
    pub fn memory() -> (Self, Arc<Mutex<Vec<Letter>>>) {
        Self::memory_with(Replies::AtOnce)
    }

    /// The same, which takes each letter at once and says so when it has one of `permits`.
    #[cfg(test)]
    pub(crate) fn memory_replying(permits: Arc<tokio::sync::Semaphore>) -> (Self, Arc<Mutex<Vec<Letter>>>) {
        Self::memory_with(Replies::Permitted(permits))
    }

    fn memory_with(replies: Replies) -> (Self, Arc<Mutex<Vec<Letter>>>) {
        let letters = Arc::<Mutex<Vec<Letter>>>::default();
        let from = "Gate <gate@example.com>".parse().expect("an address");
        (Self { from, way: Way::Memory(Arc::clone(&letters), replies) }, letters)
    }

    /// Succeeds when the server has taken the letter into its care.
    pub async fn send(&self, letter: Letter) -> Result<(), SendError> {
        match &self.way {
            Way::Smtp(transport) => {
                let message = letter.message(&self.from)?;
                let sent = tokio::time::timeout(TIMEOUT, transport.send(message)).await;
                let late = |_| SendError::Server(format!("no answer within {} s", TIMEOUT.as_secs()));
                sent.map_err(late)?.map(drop).map_err(|error| judge(&error))
            }
            Way::Memory(letters, replies) => {
                letters.lock().expect("no holder of this lock can panic").push(letter);
                match replies {
                    Replies::AtOnce => {}
                    #[cfg(test)]
                    Replies::Permitted(permits) => permits.acquire().await.expect("nobody closes it").forget(),
                }
                Ok(())
            }
        }
    }
}

/// The replies of RFC 5321 section 4.2.3 that are about a mailbox; others of class 5 may be a fault of our configuration.
fn judge(error: &Error) -> SendError {
    let is_about_mailbox =
        error.status().is_some_and(|code| ["550", "551", "553"].contains(&code.to_string().as_str()));
    if is_about_mailbox { SendError::Recipient(told(error)) } else { SendError::Server(told(error)) }
}

/// Returns the error with what caused it: the library's own text leaves that out.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(300).collect()
}
