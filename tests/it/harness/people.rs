//! People with accounts, signed in over HTTP.

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use super::gateway::Gateway;

pub const PASSWORD: &str = "correct horse battery staple";

/// Somebody with an account and a session.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub email: String,
    pub access: String,
    pub refresh: String,
}

impl Person {
    /// Returns a new person with the password [`PASSWORD`].
    pub async fn register(gateway: &Gateway, client: &Client, email: &str) -> Self {
        Self::grant(gateway, client, "register", email, StatusCode::CREATED).await
    }

    /// Returns the person with another session.
    pub async fn log_in(gateway: &Gateway, client: &Client, email: &str) -> Self {
        Self::grant(gateway, client, "login", email, StatusCode::OK).await
    }

    async fn grant(gateway: &Gateway, client: &Client, endpoint: &str, email: &str, expected: StatusCode) -> Self {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = post(gateway, client, &format!("/auth/{endpoint}"), &body).await;
        assert_eq!(answer.status(), expected, "{endpoint} of {email}");
        Self::from_grant(email, &answer.json().await.unwrap())
    }

    /// Returns the person whom register, login or refresh has answered.
    pub fn from_grant(email: &str, grant: &Value) -> Self {
        let text = |name: &str| grant[name].as_str().unwrap_or_else(|| panic!("no {name}: {grant}")).to_owned();
        Self {
            id: text("user_id"),
            email: email.to_owned(),
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// Returns a request with this person's access token.
    pub fn request(&self, gateway: &Gateway, client: &Client, method: Method, path: &str) -> RequestBuilder {
        client.request(method, gateway.url(path)).bearer_auth(&self.access)
    }

    pub async fn get(&self, gateway: &Gateway, client: &Client, path: &str) -> Response {
        self.request(gateway, client, Method::GET, path).send().await.unwrap()
    }

    /// Ends the session; fails unless that is acknowledged.
    pub async fn log_out(&self, gateway: &Gateway, client: &Client) {
        let answer = self.request(gateway, client, Method::POST, "/auth/logout").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }

    /// Returns the session's id, as the token says it.
    pub fn session(&self) -> String {
        claims(&self.access)["sid"].as_str().unwrap().to_owned()
    }
}

/// Returns the answer to a JSON body.
pub async fn post(gateway: &Gateway, client: &Client, path: &str, body: &Value) -> Response {
    client.post(gateway.url(path)).json(body).send().await.unwrap()
}

/// Returns an unverified part of a JWT: 0 is the header, 1 the claims.
pub fn part(token: &str, index: usize) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// Returns the `code` of a problem document, checking that it is one.
pub async fn problem_code(answer: Response) -> String {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["status"], status, "{problem}");
    problem["code"].as_str().unwrap().to_owned()
}
