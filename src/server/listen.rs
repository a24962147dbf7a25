//! Opens the listening sockets, one per address and worker. Decides socket options and nothing else; called at start, so that
//! a port that can't be had stops the program before it serves anything.

use std::io;
use std::net::{SocketAddr, TcpListener};

#[cfg(target_os = "linux")]
use socket2::SockRef;
use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Stands in an error for an address that the system would not tell.
const UNKNOWN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// A listener could not be opened: exit code 71.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {reason}")]
pub struct BindError {
    pub address: SocketAddr,
    #[source]
    pub reason: io::Error,
}

/// Returns for each worker one non-blocking listener per address, in order, or the first address that can't be had.
pub fn bind_all(addresses: &[SocketAddr], workers: usize) -> Result<Vec<Vec<TcpListener>>, BindError> {
    let first: Vec<TcpListener> =
        addresses.iter().map(|address| bind(*address, addresses, workers)).collect::<Result<_, _>>()?;
    let mut all = Vec::with_capacity(workers);
    for _ in 1..workers {
        all.push(first.iter().map(join).collect::<Result<_, _>>()?);
    }
    all.push(first);
    Ok(all)
}

/// Returns a listener at an address that nobody else listens on.
fn bind(address: SocketAddr, all: &[SocketAddr], workers: usize) -> Result<TcpListener, BindError> {
    let open = || {
        let socket = socket_for(address)?;
        if address.is_ipv6() {
            // `[::]` takes IPv4 too, unless the same port is asked for on an IPv4 address of its own.
            let has_ipv4_twin = all.iter().any(|other| other.is_ipv4() && other.port() == address.port());
            socket.set_only_v6(has_ipv4_twin && address.port() != 0)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    };
    let socket = open().map_err(|reason| BindError { address, reason })?;
    // Only now: with it from the start a second gateway would get the port as well, and half of the clients.
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(workers > 1).map_err(|reason| BindError { address, reason })?;
    Ok(socket.into())
}

/// Returns another listener where `first` listens, with a queue of its own: the kernel wakes one worker for a connection.
#[cfg(target_os = "linux")]
fn join(first: &TcpListener) -> Result<TcpListener, BindError> {
    let address = first.local_addr().map_err(|reason| BindError { address: UNKNOWN, reason })?;
    let open = || {
        let socket = socket_for(address)?;
        if address.is_ipv6() {
            socket.set_only_v6(SockRef::from(first).only_v6()?)?;
        }
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    open().map_err(|reason| BindError { address, reason })
}

/// Returns the same listener again: elsewhere sockets that share a port don't share its clients, and all workers wake for each.
#[cfg(not(target_os = "linux"))]
fn join(first: &TcpListener) -> Result<TcpListener, BindError> {
    first.try_clone().map_err(|reason| BindError { address: first.local_addr().unwrap_or(UNKNOWN), reason })
}

fn socket_for(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server must not wait until the connections of the old one have left TIME_WAIT.
    socket.set_reuse_address(true)?;
    // Connections inherit it: small answers must not wait for the client's delayed acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_port() -> [SocketAddr; 1] {
        ["127.0.0.1:0".parse().unwrap()]
    }

    #[test]
    fn a_port_that_is_taken_is_named_in_the_error() {
        // By two listeners that share it with each other, as another gateway's do.
        let taken = bind_all(&any_port(), 2).unwrap();
        let address = taken[0][0].local_addr().unwrap();
        let error = bind_all(&[address], 2).unwrap_err();
        assert_eq!(error.address, address);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }

    #[test]
    fn both_families_can_have_the_same_port() {
        let free = bind_all(&any_port(), 1).unwrap()[0][0].local_addr().unwrap().port();
        let both = [SocketAddr::from(([0, 0, 0, 0], free)), SocketAddr::from(([0u16; 8], free))];
        let of_workers = bind_all(&both, 3).unwrap();
        assert!(of_workers.iter().all(|listeners| listeners.len() == 2));
        assert_eq!(of_workers.len(), 3);
    }

    #[test]
    fn connections_send_small_answers_at_once() {
        let listeners = bind_all(&any_port(), 2).unwrap();
        let address = listeners[0][0].local_addr().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        // Whichever of the two the kernel chose.
        let all = listeners.iter().flatten();
        let accepted = all.cycle().find_map(|listener| listener.accept().ok()).expect("somebody is waiting");
        assert!(accepted.0.nodelay().unwrap());
    }
}
