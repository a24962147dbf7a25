//! A MongoDB that wants to know who asks, over TLS: signed in to by SCRAM, held to its certificate, and its password told to nobody.

use mongodb::bson::doc;
use reqwest::StatusCode;
use tempfile::TempDir;

use super::{gateway, store};
use crate::harness::clients::h1;
use crate::harness::mongodb::{self as deployments, Deployment, Server};
use crate::harness::people::post;
use crate::harness::{Authority, Gateway, PATIENCE, Person, Upstream, eventually_within, usual};

const PASSWORD: &str = "hunter2-of-the-store";

/// A server with one user, `front`, and the file of the authority that signed its certificate.
struct Secured {
    server: Server,
    folder: TempDir,
    database: String,
}

impl Secured {
    async fn start() -> Option<Self> {
        let mut server = deployments::own()?;
        let (folder, database) = (TempDir::new().unwrap(), Deployment::new_database());
        let client = mongodb::Client::with_uri_str(server.deployment().url("admin")).await.unwrap();
        let role = doc! { "role": "readWrite", "db": &database };
        let user = doc! { "createUser": "front", "pwd": PASSWORD, "roles": [role] };
        client.database("admin").run_command(user).await.unwrap();
        let (files, _) = Authority::shared().issue(folder.path(), "mongodb", &["localhost", "127.0.0.1"]);
        std::fs::write(folder.path().join("authority.pem"), Authority::shared().pem()).unwrap();
        let server = tokio::task::spawn_blocking(move || {
            let (cert, key) = (files.cert.display().to_string(), files.key.display().to_string());
            server.kill();
            server.restart_with(&["--auth", "--tls-cert-file", &cert, "--tls-key-file", &key]);
            server
        });
        Some(Self { server: server.await.unwrap(), folder, database })
    }

    fn url(&self, password: &str, more: &str) -> String {
        let (address, database) = (self.server.deployment().address(), &self.database);
        format!("mongodb://front:{password}@{address}/{database}?replicaSet=secantus&authSource=admin{more}")
    }

    fn trusting(&self) -> String {
        format!("&tls=true&tlsCAFile={}", self.folder.path().join("authority.pem").display())
    }
}

async fn log_in(gateway: &Gateway) -> StatusCode {
    let body = serde_json::json!({ "email": "ada@example.com", "password": "correct horse battery staple" });
    post(gateway, &h1(), "/auth/login", &body).await.status()
}

#[tokio::test]
async fn who_signs_in_over_tls_is_served_and_the_password_is_in_no_line() {
    let Some(secured) = Secured::start().await else { return };
    let upstream = Upstream::start().await;
    let settings = store(&secured.url(PASSWORD, &secured.trusting()));
    let gateway = Gateway::start(&format!("{settings}[log]\nlevel = \"debug\"\n{}", usual(&upstream))).await;
    let ada = Person::register(&gateway, &h1(), "ada@example.com").await;
    assert_eq!(ada.get(&gateway, &h1(), "/private").await.status(), StatusCode::OK);
    let said = format!("{}{}", gateway.stdout().text(), gateway.stderr().text());
    assert!(!said.is_empty() && !said.contains(PASSWORD), "{said}");
}

#[tokio::test]
async fn a_wrong_password_or_a_certificate_of_nobody_is_a_store_that_is_away() {
    let Some(secured) = Secured::start().await else { return };
    let upstream = Upstream::start().await;
    let wrong = PASSWORD.replace("hunter2", "hunter3");
    for url in [secured.url(&wrong, &secured.trusting()), secured.url(PASSWORD, "&tls=true")] {
        let gateway = gateway(&url, &upstream).await;
        assert_eq!(log_in(&gateway).await, StatusCode::SERVICE_UNAVAILABLE);
        let ready = gateway.ops_url("/readyz");
        let unready = async || h1().get(&ready).send().await.unwrap().status() == StatusCode::SERVICE_UNAVAILABLE;
        eventually_within(PATIENCE, "not ready", unready).await;
        let said = format!("{}{}", gateway.stdout().text(), gateway.stderr().text());
        assert!(!said.contains("hunter"), "{said}");
    }
}
