//! Gateways over one MongoDB: what one of them acknowledges counts on all, and what they do while it is away.

mod answers;
mod away;
mod importing;
mod killed;
mod moving;
mod revocation;
mod secured;

use reqwest::Client;

use crate::harness::fault_proxy::FaultProxy;
use crate::harness::mongodb::{self, Deployment};
use crate::harness::{Gateway, Upstream, usual};

/// Returns the section of a store.
fn store(url: &str) -> String {
    format!("[store]\nurl = \"{url}\"\n")
}

/// Returns a gateway before `upstream` whose store is at `url`.
async fn gateway(url: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(&format!("{}{}", store(url), usual(upstream))).await
}

/// A gateway that reaches its store through a proxy, and an app behind it.
struct Faulty {
    proxy: FaultProxy,
    upstream: Upstream,
    gateway: Gateway,
}

impl Faulty {
    /// Returns `None`, having said so, where there is no server.
    async fn start() -> Option<Self> {
        Some(Self::before(mongodb::stand_in()?).await)
    }

    async fn before(deployment: &Deployment) -> Self {
        let proxy = FaultProxy::before(&deployment.address()).await;
        let upstream = Upstream::start().await;
        let gateway = gateway(&proxy.url(&Deployment::new_database()), &upstream).await;
        Self { proxy, upstream, gateway }
    }

    async fn is_ready(&self, client: &Client) -> bool {
        client.get(self.gateway.ops_url("/readyz")).send().await.unwrap().status().is_success()
    }
}
