//! A mail server that keeps what it is given: in clear text, behind STARTTLS or wrapped in TLS, with a password or without.
//! It can be away, and it can refuse a recipient.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::authority::Authority;
use super::eventually;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    Clear,
    StartTls,
    Wrapped,
}

/// A mail as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub from: String,
    pub to: String,
    /// User and password, as the client gave them.
    pub credentials: Option<String>,
    pub is_secured: bool,
    /// Headers and body, with transfer encodings undone.
    pub text: String,
}

impl Received {
    /// Returns the link of the text part.
    pub fn link(&self) -> String {
        let at = self.text.find("\nhttps://").unwrap_or_else(|| panic!("no link in:\n{}", self.text));
        self.text[at + 1..].lines().next().unwrap().to_owned()
    }

    /// Returns what the link carries.
    pub fn token(&self) -> String {
        self.link().split_once("token=").unwrap().1.to_owned()
    }
}

#[derive(Default)]
struct State {
    received: Mutex<Vec<Received>>,
    is_away: AtomicBool,
    refuses_recipients: AtomicBool,
    /// While somebody holds it, no mail that came is said to be taken.
    replies: tokio::sync::RwLock<()>,
}

pub struct Smtp {
    pub address: SocketAddr,
    security: Security,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Smtp {
    pub async fn start(security: Security) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let kept = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&kept);
                // A client that goes in the middle of a sentence ends its conversation and nothing else.
                tokio::spawn(async move { drop(converse(stream, security, &state).await) });
            }
        });
        Self { address, security, state, task }
    }

    /// Returns the section `[mail]` by which a gateway sends here, and the public URL that it needs.
    pub fn configuration(&self, credentials: &str) -> String {
        let (scheme, option) = match self.security {
            Security::Clear => ("smtp", ""),
            Security::StartTls => ("smtp", "?tls=required"),
            Security::Wrapped => ("smtps", ""),
        };
        // By name: a certificate for an address would do as well, but nobody has one.
        let port = self.address.port();
        format!(
            "[server]\npublic_url = \"https://app.example.com\"\n\
             [mail]\nsmtp = \"{scheme}://{credentials}localhost:{port}{option}\"\nfrom = \"Gate <gate@example.com>\"\n"
        )
    }

    pub fn go_away(&self) {
        self.state.is_away.store(true, Ordering::SeqCst);
    }

    pub fn come_back(&self) {
        self.state.is_away.store(false, Ordering::SeqCst);
    }

    pub fn refuse_recipients(&self) {
        self.state.refuses_recipients.store(true, Ordering::SeqCst);
    }

    /// Takes mails and does not say so until what comes back is dropped.
    pub async fn hold_replies(&self) -> impl Drop {
        self.state.replies.write().await
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// Returns the mail number `index`, from 0, to that address, once there is one.
    pub async fn mail(&self, to: &str, index: usize) -> Received {
        let find = || self.received().into_iter().filter(|mail| mail.to == to).nth(index);
        eventually(&format!("mail {index} to {to}"), || find().is_some()).await;
        find().unwrap()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

fn acceptor() -> TlsAcceptor {
    TlsAcceptor::from(Authority::shared().server_config(&["localhost"]))
}

async fn converse(stream: TcpStream, security: Security, state: &State) -> std::io::Result<()> {
    let mut client: BufReader<Box<dyn Stream>> = match security {
        Security::Wrapped => BufReader::new(Box::new(acceptor().accept(stream).await?)),
        Security::Clear | Security::StartTls => BufReader::new(Box::new(stream)),
    };
    if state.is_away.load(Ordering::SeqCst) {
        return client.write_all(b"421 away\r\n").await;
    }
    client.write_all(b"220 mail.example.com\r\n").await?;
    let mut mail = Received {
        from: String::new(),
        to: String::new(),
        credentials: None,
        is_secured: security == Security::Wrapped,
        text: String::new(),
    };
    loop {
        let Some(line) = line(&mut client).await? else { return Ok(()) };
        let answer = match line.split([' ', ':']).next().unwrap_or_default().to_uppercase().as_str() {
            "EHLO" if security == Security::StartTls && !mail.is_secured => "250-hello\r\n250 STARTTLS",
            "EHLO" => "250-hello\r\n250 AUTH PLAIN",
            "STARTTLS" => {
                client.write_all(b"220 go on\r\n").await?;
                client = BufReader::new(Box::new(acceptor().accept(client.into_inner()).await?));
                mail.is_secured = true;
                continue;
            }
            "AUTH" => {
                let decoded = STANDARD.decode(line.split(' ').nth(2).unwrap_or_default()).unwrap_or_default();
                mail.credentials = Some(String::from_utf8_lossy(&decoded).replace('\0', " ").trim().to_owned());
                "235 welcome"
            }
            "MAIL" => {
                mail.from = between_brackets(&line);
                "250 ok"
            }
            "RCPT" if state.refuses_recipients.load(Ordering::SeqCst) => "550 no such user here",
            "RCPT" => {
                mail.to = between_brackets(&line);
                "250 ok"
            }
            "DATA" => {
                client.write_all(b"354 go on\r\n").await?;
                mail.text = decoded(&data(&mut client).await?);
                state.received.lock().unwrap().push(mail.clone());
                let _said_at_last = state.replies.read().await;
                "250 taken"
            }
            "QUIT" => return client.write_all(b"221 bye\r\n").await,
            _ => "250 ok",
        };
        client.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

async fn line(client: &mut BufReader<Box<dyn Stream>>) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let count = client.read_line(&mut line).await?;
    Ok((count > 0).then(|| line.trim_end().to_owned()))
}

/// Returns the lines up to the single dot, with the dots that were doubled for the way undone (RFC 5321 section 4.5.2).
async fn data(client: &mut BufReader<Box<dyn Stream>>) -> std::io::Result<String> {
    let mut text = String::new();
    while let Some(line) = line(client).await?.filter(|line| line != ".") {
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
    Ok(text)
}

fn between_brackets(line: &str) -> String {
    let address = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    address.map(|(address, _)| address.to_owned()).unwrap_or_default()
}

/// Returns the text with quoted-printable undone where it is said to be so.
fn decoded(text: &str) -> String {
    if !text.contains("quoted-printable") {
        return text.to_owned();
    }
    let joined = text.replace("=\n", "");
    let mut parts = joined.split('=');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(byte) = part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()) {
            out.push(char::from(byte));
            out.push_str(&part[2..]);
        } else {
            out.push('=');
            out.push_str(part);
        }
    }
    out
}
