//! `vestibule healthcheck`: one HTTP/1.1 request to the ops listener, without a runtime, within three seconds.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::command::Healthcheck;
use super::context::load;
use super::failure::{Failure, Result, USAGE};
use crate::clock::Clock;

const PATIENCE: Duration = Duration::from_secs(3);
/// A status line is short; whoever sends more is not our ops listener.
const LONGEST_LINE: usize = 256;

pub fn run(arguments: &Healthcheck) -> Result<()> {
    let question = Question::of(arguments)?;
    match question.ask(PATIENCE) {
        Ok(200..=299) => Ok(()),
        Ok(status) => Err(Failure::other(format!("{} answers {status}", question.url()))),
        Err(error) => Err(Failure::other(format!("{}: {error}", question.url()))),
    }
}

/// Returns where a listener of this machine can be reached: one on every address, on the loopback.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Who is asked for what.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    /// Host and port.
    authority: String,
    path: String,
}

impl Question {
    fn of(arguments: &Healthcheck) -> Result<Self> {
        if let Some(url) = &arguments.url {
            return Self::parse(url);
        }
        let (_, settings) = load(&arguments.file)?;
        let listen = settings.server.ops_listen.ok_or_else(|| {
            Failure::usage("server.ops_listen is empty, so nobody can be asked; set it, or give --url")
        })?;
        let path = if arguments.ready { "/readyz" } else { "/healthz" };
        Ok(Self { authority: reachable(listen).to_string(), path: path.to_owned() })
    }

    fn parse(url: &str) -> Result<Self> {
        let wrong = || Failure::new(USAGE, format!("`{}` is not an http:// URL", url.escape_debug()));
        let uri: http::Uri = url.parse().map_err(|_| wrong())?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
        if authority.as_str().contains('@') {
            return Err(wrong());
        }
        let authority = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        Ok(Self { authority, path })
    }

    fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.path)
    }

    /// Returns the status of the answer, if it comes within `patience`.
    fn ask(&self, patience: Duration) -> io::Result<u16> {
        let deadline = Deadline(Clock::monotonic() + patience);
        self.ask_before(&deadline).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {patience:?}"))
            }
            _ => error,
        })
    }

    fn ask_before(&self, deadline: &Deadline) -> io::Result<u16> {
        let authority = self.authority.clone();
        // The system's resolver asks its servers for as long as it is configured to.
        let addresses = within(deadline.left()?, move || authority.to_socket_addrs().map(Vec::from_iter))?;
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, deadline.left()?) {
                Ok(stream) => return self.ask_on(stream, deadline),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn ask_on(&self, mut stream: TcpStream, deadline: &Deadline) -> io::Result<u16> {
        let Self { authority, path } = self;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
        stream.set_write_timeout(Some(deadline.left()?))?;
        stream.write_all(request.as_bytes())?;
        let (mut line, mut piece) = (Vec::new(), [0; LONGEST_LINE]);
        while line.len() < LONGEST_LINE && !line.contains(&b'\n') {
            // A timeout is for one read, and whoever sends an octet now and then meets it every time.
            stream.set_read_timeout(Some(deadline.left()?))?;
            match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => line.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        status(&line).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP/1.1"))
    }
}

/// When the whole of it must be over.
struct Deadline(Instant);

impl Deadline {
    /// Returns the time that is left, which is never zero: to a socket that would be no limit.
    fn left(&self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Clock::monotonic());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// Returns what `work` comes to, if it does within `limit`; else it is left to a thread that ends with the process.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (tell, told) = mpsc::channel();
    thread::Builder::new().spawn(move || tell.send(work()))?;
    told.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Returns the status that a status line (RFC 9112 section 4) carries.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let digits = rest.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;

    use super::*;

    /// Returns the address of a server that answers one request so.
    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            assert_eq!(head.next().unwrap().unwrap(), "GET /healthz HTTP/1.1");
            while !head.next().unwrap().unwrap().is_empty() {}
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    fn check(address: SocketAddr) -> Result<()> {
        run(&Healthcheck {
            file: super::super::command::ConfigFile::default(),
            url: Some(format!("http://{address}/healthz")),
            ready: false,
        })
    }

    #[test]
    fn a_200_is_well_and_a_503_is_not() {
        assert_eq!(check(answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")), Ok(()));
        let sick = check(answering("HTTP/1.1 503 Service Unavailable\r\n\r\n")).unwrap_err();
        assert_eq!(sick.code, 1);
        assert!(sick.message.ends_with("/healthz answers 503"), "{}", sick.message);
    }

    #[test]
    fn whoever_does_not_speak_http_is_not_well() {
        assert_eq!(check(answering("SSH-2.0-OpenSSH_9.2\r\n")).unwrap_err().code, 1);
    }

    /// Returns the address of a server that sends an octet whenever it has waited a while for the client to leave.
    fn dripping() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            loop {
                match stream.read(&mut [0; 256]) {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.write_all(b"H").unwrap(),
                    Err(_) => return,
                }
            }
        });
        address
    }

    #[test]
    fn whoever_answers_octet_by_octet_is_late() {
        let question = Question { authority: dripping().to_string(), path: "/healthz".to_owned() };
        let error = question.ask(Duration::from_millis(200)).unwrap_err();
        assert_eq!(error.to_string(), "no answer within 200ms");
    }

    #[test]
    fn a_name_that_is_not_found_in_time_is_late() {
        let (_kept, hang) = mpsc::channel::<()>();
        let found = within(Duration::from_millis(20), move || hang.recv().map_err(io::Error::other));
        assert_eq!(found.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn nobody_there_is_not_well() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(check(address).unwrap_err().code, 1);
    }

    #[test]
    fn a_url_that_is_not_http_is_a_wrong_command_line() {
        for url in ["https://127.0.0.1:1/", "127.0.0.1:1", "http://", "http://u:p@h/"] {
            assert_eq!(Question::parse(url).unwrap_err().code, 64, "{url}");
        }
        let question = Question::parse("http://localhost/readyz?x").unwrap();
        assert_eq!((question.authority.as_str(), question.path.as_str()), ("localhost:80", "/readyz?x"));
    }

    #[test]
    fn a_listener_on_every_address_is_asked_on_the_loopback() {
        assert_eq!(reachable("0.0.0.0:9901".parse().unwrap()), "127.0.0.1:9901".parse().unwrap());
        assert_eq!(reachable("[::]:9901".parse().unwrap()), "[::1]:9901".parse().unwrap());
        assert_eq!(reachable("192.0.2.1:1".parse().unwrap()), "192.0.2.1:1".parse().unwrap());
    }
}
