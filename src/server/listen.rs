//! Opens the listening sockets. Decides socket options and nothing else; called once per listener at start, so that
//! a port that can't be had stops the program before it serves anything.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A listener could not be opened: exit code 71.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {reason}")]
pub struct BindError {
    pub address: SocketAddr,
    #[source]
    pub reason: io::Error,
}

/// Returns one non-blocking listener per address, in order, or the first address that can't be had.
pub fn bind_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let bind_one =
        |address: &SocketAddr| bind(*address, addresses).map_err(|reason| BindError { address: *address, reason });
    addresses.iter().map(bind_one).collect()
}

fn bind(address: SocketAddr, all: &[SocketAddr]) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server must not wait until the connections of the old one have left TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` takes IPv4 too, unless the same port is asked for on an IPv4 address of its own.
        let has_ipv4_twin = all.iter().any(|other| other.is_ipv4() && other.port() == address.port());
        socket.set_only_v6(has_ipv4_twin && address.port() != 0)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_named_in_the_error() {
        let taken = bind_all(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = taken[0].local_addr().unwrap();
        let error = bind_all(&[address]).unwrap_err();
        assert_eq!(error.address, address);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }

    #[test]
    fn both_families_can_have_the_same_port() {
        let free = bind_all(&["127.0.0.1:0".parse().unwrap()]).unwrap()[0].local_addr().unwrap().port();
        let both = [SocketAddr::from(([0, 0, 0, 0], free)), SocketAddr::from(([0u16; 8], free))];
        assert_eq!(bind_all(&both).unwrap().len(), 2);
    }
}
