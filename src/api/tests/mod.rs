//! The endpoints, asked in process over a real store, as a client sees them.

mod api_keys;
mod limits;
mod mail;
mod me;
mod oauth;
mod profile;
mod refresh;
mod routes;
mod shape;
mod sign_in;
mod strictness;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use super::{Api, ApiSettings, Mail, RefreshPlaces};
use crate::account::fixture::{PASSWORD, World};
use crate::auth::bearer::BearerSettings;
use crate::http::answers::Answers;
use crate::http::client::ClientAddr;
use crate::identity::UserId;

/// A gateway's endpoints and somebody who talks to them.
struct Client {
    world: World,
    api: Api,
    ip: IpAddr,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    fn text_of(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no text `{member}` in {}", self.text)).to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns status and code, which is what most tests are about.
    fn verdict(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// What a sign-in returned.
#[derive(Clone, Debug)]
struct Signed {
    user: String,
    access: String,
    refresh: String,
}

impl Client {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ApiSettings)) -> Self {
        let world = World::new();
        let mut settings = ApiSettings {
            mail: Mail::On,
            prefix: "/auth".into(),
            extra_paths: vec![("register".into(), "/create".into())],
            bearer: BearerSettings { header: AUTHORIZATION, schemes: vec!["Bearer".into()] },
            access_token_name: "access_token".into(),
            answers: Answers::default(),
            refresh_from: RefreshPlaces { json: true, form: false, query: false },
            default_grant: None,
            ignored_fields: BTreeSet::from(["is_active".to_owned()]),
            public_url: "https://gate.example.com".into(),
        };
        change(&mut settings);
        let api = Api::new(world.accounts.clone(), world.authenticator.clone(), world.trust.clone(), settings);
        Self { world, api, ip: IpAddr::from([192, 0, 2, 1]) }
    }

    async fn send(&self, request: Request<Bytes>) -> Answer {
        let client = ClientAddr { peer: SocketAddr::new(self.ip, 4000), ip: self.ip, behind_proxy: false };
        let (parts, body) = self.api.answer(client, "request-1", request).await.into_parts();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    async fn ask(&self, method: &str, path: &str, bearer: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.send(request.body(body).unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, None, Some(body)).await
    }

    async fn get(&self, path: &str, bearer: &str) -> Answer {
        self.ask("GET", path, Some(bearer), None).await
    }

    async fn form(&self, path: &str, bearer: Option<&str>, body: &str) -> Answer {
        let mut request = Request::builder().method("POST").uri(path);
        if let Some(token) = bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Bytes::from(body.to_owned())).unwrap()).await
    }

    async fn register(&self, email: &str) -> Signed {
        let answer = self.post("/auth/register", json!({"email": email, "password": PASSWORD})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        signed(&answer)
    }

    async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/auth/login", json!({"email": email, "password": password})).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.post("/auth/refresh", json!({"refresh_token": token})).await
    }

    /// Returns the status of `GET /me`: whether an access token still opens anything.
    async fn status_of(&self, access: &str) -> u16 {
        self.get("/auth/me", access).await.status
    }
}

fn signed(answer: &Answer) -> Signed {
    Signed {
        user: answer.text_of("user_id"),
        access: answer.text_of("access_token"),
        refresh: answer.text_of("refresh_token"),
    }
}

fn user_id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}
