//! How products like this one were broken, asked of the real binary. `README.md` beside this file says which advisory test
//! (T-number) stands where, in this folder or beside the code that it is about.

mod broken_frames;
mod cached;
mod disclosure;
mod floods;
mod forge;
mod frames;
mod header_spoofing;
mod http_layer;
mod limits;
mod origin;
mod path_corpus;
mod paths;
mod sessions;
mod tokens;

use crate::harness::clients::h1;
use crate::harness::command::add_user;
use crate::harness::{Gateway, HOST, PASSWORD, Person, Raw, Upstream, usual};

/// A gateway before an app, with the usual routes and what a test adds to them.
struct World {
    upstream: Upstream,
    gateway: Gateway,
}

impl World {
    async fn start() -> Self {
        Self::with("").await
    }

    /// Returns the world whose configuration holds `more` as well: whole tables that the usual one lacks.
    async fn with(more: &str) -> Self {
        let upstream = Upstream::start().await;
        let gateway = Gateway::start(&format!("{more}\n{}", usual(&upstream))).await;
        Self { upstream, gateway }
    }

    async fn person(&self, email: &str) -> Person {
        Person::register(&self.gateway, &h1(), email).await
    }

    /// Returns somebody with a role, signed in.
    async fn person_with(&self, email: &str, role: &str) -> Person {
        add_user(&self.gateway, email, PASSWORD, &["--role", role]);
        Person::log_in(&self.gateway, &h1(), email).await
    }

    /// Returns the answer to bytes on a connection of their own: status and body; 0 if the connection ends without one.
    async fn answer_to(&self, bytes: impl AsRef<[u8]>) -> (u16, String) {
        let mut raw = Raw::tls(&self.gateway).await;
        // Who is refused halfway may find the connection closed.
        let _ = raw.try_send(bytes).await;
        let Some(head) = raw.head().await else { return (0, String::new()) };
        let answer = raw.with_body(head).await;
        (answer.status, answer.text())
    }
}

/// Returns a request without a body, for `Raw::ask`; `fields` are lines, each with its end.
fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\nhost: {HOST}\n{fields}\n")
}
