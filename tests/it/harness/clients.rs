//! Clients that trust the test authority alone and find every host on the loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, ClientBuilder};

use super::authority::Authority;

/// What a client speaks, over TLS by ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    H1,
    H2,
}

pub const BOTH: [Protocol; 2] = [Protocol::H1, Protocol::H2];

impl Protocol {
    pub fn client(self) -> Client {
        self.builder().build().unwrap()
    }

    pub fn builder(self) -> ClientBuilder {
        let builder = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(Loopback))
            .timeout(super::PATIENCE)
            .tls_certs_only([Certificate::from_pem(Authority::shared().pem().as_bytes()).unwrap()]);
        match self {
            Self::H1 => builder.http1_only(),
            // Over TLS this still is ALPN; in clear text it is prior knowledge.
            Self::H2 => builder.http2_prior_knowledge(),
        }
    }

    pub fn version(self) -> http::Version {
        match self {
            Self::H1 => http::Version::HTTP_11,
            Self::H2 => http::Version::HTTP_2,
        }
    }
}

/// Returns a client of HTTP/1.1.
pub fn h1() -> Client {
    Protocol::H1.client()
}

/// Returns a client of HTTP/2.
pub fn h2() -> Client {
    Protocol::H2.client()
}

struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], 0))));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
