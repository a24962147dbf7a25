//! Which server of an upstream takes the next request.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Server, Upstream};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// The server with the fewest requests under way; ties take turns.
    #[default]
    LeastRequests,
    RoundRobin,
    /// Always the same server for a client, while the list of servers stays.
    ClientHash,
}

impl Upstream {
    /// Returns the server for the first try of a request from `client`.
    pub(super) fn pick(&self, client: IpAddr) -> &Arc<Server> {
        if let [only] = &self.servers[..] {
            return only;
        }
        let count = self.servers.len();
        let place = match self.balance {
            Balance::RoundRobin => self.turn.fetch_add(1, Ordering::Relaxed) % count,
            Balance::ClientHash => place_of(client, count),
            Balance::LeastRequests => self.least_loaded(),
        };
        &self.servers[place]
    }

    /// Returns the server for the next try after `tried`: another one if there is one, whatever other requests do meanwhile.
    pub(super) fn next_after(&self, tried: &Arc<Server>) -> &Arc<Server> {
        let place = self.servers.iter().position(|server| Arc::ptr_eq(server, tried));
        &self.servers[place.map_or(0, |place| (place + 1) % self.servers.len())]
    }

    fn least_loaded(&self) -> usize {
        let count = self.servers.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        (0..count)
            .map(|step| (turn + step) % count)
            .min_by_key(|index| self.servers[*index].in_flight.load(Ordering::Relaxed))
            .expect("an upstream has servers")
    }
}

fn place_of(client: IpAddr, count: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    client.hash(&mut hasher);
    usize::try_from(hasher.finish() % count as u64).expect("smaller than a usize")
}

#[cfg(test)]
mod tests {
    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    use std::collections::HashSet;
    use std::time::Duration;

    use super::super::{Address, InFlight, Patience, Scheme};
    use super::*;

    fn upstream(balance: Balance) -> Upstream {
        let address = |port| Address { scheme: Scheme::Http, host: "127.0.0.1".into(), port };
        let second = Duration::from_secs(1);
        let patience = Patience { connect: second, response: second, idle: second, retries: 1 };
        Upstream::new("app".into(), (1..=3).map(address).collect(), balance, patience)
    }

    #[test]
    fn round_robin_gives_every_server_its_turn() {
        let app = upstream(Balance::RoundRobin);
        let ports: Vec<u16> = (0..6).map(|_| app.pick(CLIENT).address.port).collect();
        assert_eq!(ports, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn least_requests_avoids_the_busy_servers() {
        let app = upstream(Balance::LeastRequests);
        let _busy = [InFlight::begin(&app.servers[0]), InFlight::begin(&app.servers[2])];
        assert!((0..6).all(|_| app.pick(CLIENT).address.port == 2));
    }

    #[test]
    fn a_client_stays_with_its_server() {
        let app = upstream(Balance::ClientHash);
        let ports: HashSet<u16> = (0..6).map(|_| app.pick(CLIENT).address.port).collect();
        assert_eq!(ports.len(), 1);
    }

    #[test]
    fn a_second_try_goes_to_another_server() {
        for balance in [Balance::RoundRobin, Balance::ClientHash, Balance::LeastRequests] {
            let app = upstream(balance);
            for _ in 0..6 {
                let first = app.pick(CLIENT);
                assert_ne!(first.address.port, app.next_after(first).address.port, "{balance:?}");
            }
        }
    }
}
