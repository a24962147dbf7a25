//! Stands between a gateway and its MongoDB and plays what one server alone can't show: lost and silent connections, a primary
//! that steps down, a majority that is missing, an answer that gets lost after the write was applied. It reads the protocol's
//! messages, because some faults strike single commands; how a node describes itself it changes so that it is itself the node.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mongodb::bson::{Document, doc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const OP_MSG: u32 = 2013;

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Whole,
    /// Open connections are closed, new ones at once.
    Cut,
    /// The same, by a reset.
    Reset,
    /// Nothing goes through for as long as this lasts; then all of it does.
    Stalled,
    /// Open connections are silent for ever, new ones work: the peer rebooted, and nobody told.
    HalfOpen,
    Delayed(Duration),
}

/// What happens to answers, and how often.
#[derive(Clone, Debug)]
pub struct Trick {
    /// The commands it strikes; empty: all but those by which the driver looks at the node.
    pub commands: &'static [&'static str],
    pub times: usize,
    pub does: Does,
}

#[derive(Clone, Debug)]
pub enum Does {
    /// The server never sees the command; it is refused with this code and name.
    Refuse(i32, &'static str),
    /// The server applies the command, and says that no majority has it.
    LackMajority,
    /// The server applies the command, and the connection breaks before its answer.
    LoseAnswer,
    /// The server applies the command, and the line is cut before its answer.
    CutLine,
}

pub struct FaultProxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    tricks: Arc<Mutex<Vec<Trick>>>,
    _tasks: JoinSet<()>,
}

impl FaultProxy {
    /// Stands before the server at `server`, a loopback address.
    pub async fn before(server: &str) -> Self {
        let server: SocketAddr = server.parse().unwrap();
        let listener = loop {
            // Its port has as many digits as the server's, because one takes the other's place in messages.
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if listener.local_addr().unwrap().to_string().len() == server.to_string().len() {
                break listener;
            }
        };
        let address = listener.local_addr().unwrap();
        let (line, lines) = watch::channel(Line::Whole);
        let tricks = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared { server, address, line: line.clone(), tricks: Arc::clone(&tricks) };
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, lines, shared));
        Self { address, line, tricks, _tasks: tasks }
    }

    /// Returns the URL of a database behind it.
    pub fn url(&self, database: &str) -> String {
        format!("mongodb://{}/{database}?replicaSet=secantus", self.address)
    }

    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    pub fn play(&self, trick: Trick) {
        self.tricks.lock().unwrap().push(trick);
    }

    /// Returns whether all tricks have been played as often as asked for.
    pub fn has_played(&self) -> bool {
        self.tricks.lock().unwrap().iter().all(|trick| trick.times == 0)
    }

    pub fn stop_playing(&self) {
        self.tricks.lock().unwrap().clear();
    }
}

#[derive(Clone)]
struct Shared {
    server: SocketAddr,
    address: SocketAddr,
    line: watch::Sender<Line>,
    tricks: Arc<Mutex<Vec<Trick>>>,
}

impl Shared {
    /// Takes the trick that is due for a command.
    fn due(&self, command: &str) -> Option<Does> {
        let is_look = matches!(command, "hello" | "isMaster" | "ismaster" | "endSessions" | "");
        let strikes = |trick: &&mut Trick| {
            trick.times > 0 && if trick.commands.is_empty() { !is_look } else { trick.commands.contains(&command) }
        };
        let mut tricks = self.tricks.lock().unwrap();
        let trick = tricks.iter_mut().find(strikes)?;
        trick.times -= 1;
        Some(trick.does.clone())
    }
}

async fn accept(listener: TcpListener, lines: watch::Receiver<Line>, shared: Shared) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let line = *lines.borrow();
        if line == Line::Reset {
            reset(&client);
        }
        if matches!(line, Line::Cut | Line::Reset) {
            continue;
        }
        connections.spawn(carry(client, lines.clone(), shared.clone()));
    }
}

fn reset(client: &TcpStream) {
    let _ = socket2::SockRef::from(client).set_linger(Some(Duration::ZERO));
}

/// Carries one connection until it ends or is made to.
async fn carry(client: TcpStream, mut lines: watch::Receiver<Line>, shared: Shared) {
    let Ok(server) = TcpStream::connect(shared.server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    lines.mark_unchanged();
    let socket = socket2::SockRef::from(&client).try_clone().unwrap();
    let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
    let asked = Arc::new(Mutex::new(HashMap::new()));
    let client_out = Arc::new(tokio::sync::Mutex::new(client_out));
    let requests = Requests {
        from: client_in,
        to: server_out,
        back: Arc::clone(&client_out),
        asked: Arc::clone(&asked),
        lines: lines.clone(),
        shared: shared.clone(),
    };
    let answers = Answers { from: server_in, to: client_out, asked, lines: lines.clone(), shared };
    tokio::select! {
        _ = requests.carry() => {}
        _ = answers.carry() => {}
        () = broken(&mut lines) => {
            if *lines.borrow() == Line::Reset {
                let _ = socket.set_linger(Some(Duration::ZERO));
            }
        }
    }
}

/// Returns when open connections break.
async fn broken(lines: &mut watch::Receiver<Line>) {
    while lines.changed().await.is_ok() {
        let line = *lines.borrow_and_update();
        match line {
            Line::Cut | Line::Reset => return,
            // It is as good as gone, and looks whole from the other side.
            Line::HalfOpen => std::future::pending().await,
            Line::Whole | Line::Stalled | Line::Delayed(_) => {}
        }
    }
}

/// Waits as long as the line makes a message wait; a connection that was open when the line became half-open waits for ever.
async fn pass(lines: &mut watch::Receiver<Line>) {
    loop {
        let line = *lines.borrow();
        match line {
            Line::Delayed(by) => return tokio::time::sleep_until(tokio::time::Instant::now() + by).await,
            Line::HalfOpen if lines.has_changed().unwrap_or(true) => std::future::pending().await,
            Line::Whole | Line::HalfOpen | Line::Cut | Line::Reset => return,
            Line::Stalled => {
                let _ = lines.wait_for(|line| *line != Line::Stalled).await;
            }
        }
    }
}

/// Commands under way by the number of their message.
type Asked = Arc<Mutex<HashMap<u32, Does>>>;

struct Requests {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    back: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    asked: Asked,
    lines: watch::Receiver<Line>,
    shared: Shared,
}

impl Requests {
    async fn carry(mut self) -> Option<()> {
        loop {
            let message = read(&mut self.from).await?;
            pass(&mut self.lines).await;
            let command = command(&message);
            let name = command.as_ref().and_then(|command| command.keys().next().cloned()).unwrap_or_default();
            match self.shared.due(&name) {
                Some(Does::Refuse(code, said)) => {
                    let refusal = refusal(&command.unwrap_or_default(), &name, (code, said));
                    self.back.lock().await.write_all(&answer(&message, &refusal)).await.ok()?;
                    continue;
                }
                Some(does) => {
                    self.asked.lock().unwrap().insert(number(&message, 4), does);
                }
                None => {}
            }
            self.to.write_all(&message).await.ok()?;
        }
    }
}

struct Answers {
    from: OwnedReadHalf,
    to: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    asked: Asked,
    lines: watch::Receiver<Line>,
    shared: Shared,
}

impl Answers {
    async fn carry(mut self) -> Option<()> {
        let (theirs, ours) = (self.shared.server.to_string(), self.shared.address.to_string());
        loop {
            let mut message = read(&mut self.from).await?;
            pass(&mut self.lines).await;
            let does = self.asked.lock().unwrap().remove(&number(&message, 8));
            match does {
                Some(Does::LoseAnswer) => return None,
                Some(Does::CutLine) => {
                    self.shared.line.send_replace(Line::Cut);
                    return None;
                }
                Some(Does::LackMajority) => {
                    let mut said = command(&message).unwrap_or_default();
                    said.insert(
                        "writeConcernError",
                        doc! { "code": 64, "codeName": "WriteConcernTimeout", "errmsg": "" },
                    );
                    let number = number(&message, 8).to_le_bytes();
                    message[4..8].copy_from_slice(&number);
                    message = answer(&message, &said);
                }
                Some(Does::Refuse(..)) | None => replace(&mut message, theirs.as_bytes(), ours.as_bytes()),
            }
            self.to.lock().await.write_all(&message).await.ok()?;
        }
    }
}

/// Returns one message, its header included.
async fn read(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut message = vec![0; 16];
    from.read_exact(&mut message).await.ok()?;
    let length = usize::try_from(number(&message, 0)).unwrap();
    message.resize(length, 0);
    from.read_exact(&mut message[16..]).await.ok()?;
    Some(message)
}

fn number(message: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(message[at..at + 4].try_into().unwrap())
}

/// Returns the document of a message, if it is of the kind that has one first.
fn command(message: &[u8]) -> Option<Document> {
    let is_document_first = number(message, 12) == OP_MSG && message.get(20) == Some(&0);
    is_document_first.then(|| Document::from_reader(&message[21..]).ok()).flatten()
}

/// Returns a message that answers `to` with `document`.
fn answer(to: &[u8], document: &Document) -> Vec<u8> {
    let mut body = Vec::new();
    document.to_writer(&mut body).unwrap();
    let length = u32::try_from(21 + body.len()).unwrap();
    let (own, flags) = (0_u32, 0_u32);
    let mut message = Vec::new();
    for part in [length, own, number(to, 4), OP_MSG, flags] {
        message.extend(part.to_le_bytes());
    }
    message.push(0);
    message.extend(body);
    message
}

/// Returns the refusal with the labels that a server gives it.
fn refusal(command: &Document, name: &str, (code, said): (i32, &str)) -> Document {
    let mut refusal = doc! { "ok": 0.0, "code": code, "codeName": said, "errmsg": said };
    let label = match (name, command.contains_key("autocommit"), command.contains_key("txnNumber")) {
        ("commitTransaction" | "abortTransaction", ..) | (_, false, true) => "RetryableWriteError",
        (_, true, _) => "TransientTransactionError",
        (_, false, false) => return refusal,
    };
    refusal.insert("errorLabels", vec![label]);
    refusal
}

/// Puts one address in place of another of the same length.
fn replace(message: &mut [u8], theirs: &[u8], ours: &[u8]) {
    let places: Vec<usize> =
        message.windows(theirs.len()).enumerate().filter(|(_, part)| *part == theirs).map(|(place, _)| place).collect();
    for place in places {
        message[place..place + ours.len()].copy_from_slice(ours);
    }
}
