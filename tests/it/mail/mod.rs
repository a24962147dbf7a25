//! Mail, as its reader sees it: forgotten passwords, verified addresses, and servers that are away, refuse or want a password.

mod delivery;
mod reset;
mod server;
mod verify;

use reqwest::{Client, Response};
use serde_json::json;

use crate::harness::people::post;
use crate::harness::smtp::{Security, Smtp};
use crate::harness::{Gateway, Upstream, serve};

const NEW: &str = "quite another password";

/// Returns a gateway that sends in clear text to a mail server of its own.
async fn gateway_with_mail(more: &str) -> (Gateway, Upstream, Smtp) {
    let smtp = Smtp::start(Security::Clear).await;
    let (gateway, upstream) = serve(&format!("{}{more}", smtp.configuration(""))).await;
    (gateway, upstream, smtp)
}

async fn forgot(gateway: &Gateway, client: &Client, email: &str) -> Response {
    post(gateway, client, "/auth/password/forgot", &json!({ "email": email })).await
}

async fn reset(gateway: &Gateway, client: &Client, token: &str, password: &str) -> u16 {
    let body = json!({ "token": token, "new_password": password });
    post(gateway, client, "/auth/password/reset", &body).await.status().as_u16()
}

async fn verify(gateway: &Gateway, client: &Client, token: &str) -> u16 {
    post(gateway, client, "/auth/email/verify", &json!({ "token": token })).await.status().as_u16()
}

async fn log_in(gateway: &Gateway, client: &Client, email: &str, password: &str) -> u16 {
    let body = json!({ "email": email, "password": password });
    post(gateway, client, "/auth/login", &body).await.status().as_u16()
}
