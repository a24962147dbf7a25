//! Our own endpoints as JSON: parse, call `account`, answer. No rule lives here, and nothing of the store.
//! Runs on the office; the gateway hands over requests whose canonical path [`Api::owns`], with their bodies read.

mod answer;
mod api_keys;
mod credential;
mod discovery;
mod error;
mod input;
mod me;
mod oauth;
mod object;
mod openapi;
mod password;
mod routes;
mod sessions;
mod shape;
mod sign_in;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, Method, Request, Response};

use crate::account::{AccountError, Accounts, Context};
use crate::auth::bearer::BearerSettings;
use crate::auth::{Authenticator, Trust};
use crate::http::answers::Answers;
use crate::http::client::ClientAddr;
use crate::http::response::left_out;
use crate::identity::Caller;
use crate::live::Live;

use answer::Reply;
use error::Refusal;
use routes::{Found, Needs, Operation, RouteTable};

pub use routes::Mail;

/// Sessions keep this much of a `User-Agent`.
const MAX_USER_AGENT_CHARS: usize = 256;

/// What the endpoints are told by the configuration.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// `auth.prefix`, such as `/auth`.
    pub prefix: String,
    /// `[auth.paths]`: further absolute paths, each under a name of [`endpoint_names`].
    pub extra_paths: Vec<(String, String)>,
    pub bearer: BearerSettings,
    /// What register, login and refresh call the access token.
    pub access_token_name: String,
    pub answers: Answers,
    pub refresh_from: RefreshPlaces,
    /// The grant that a token request means which names none.
    pub default_grant: Option<&'static str>,
    /// Members that requests may carry without effect.
    pub ignored_fields: BTreeSet<String>,
    /// The origin that metadata points to, without a final slash.
    pub public_url: String,
    pub mail: Mail,
}

/// Where a refresh token may stand in a request that trades it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPlaces {
    pub json: bool,
    pub form: bool,
    pub query: bool,
}

/// Returns the names that `[auth.paths]` may give further paths to; some come twice.
pub fn endpoint_names() -> impl Iterator<Item = &'static str> {
    routes::resources().map(|resource| resource.name)
}

/// The endpoints; one for each configuration.
pub struct Api {
    accounts: Arc<Accounts>,
    authenticator: Arc<Authenticator>,
    trust: Live<Trust>,
    settings: ApiSettings,
    routes: RouteTable,
}

/// One request on its way through a handler.
struct Call<'a> {
    headers: &'a HeaderMap,
    query: &'a str,
    body: &'a [u8],
    parameter: Option<&'a str>,
    context: Context,
}

impl Api {
    pub fn new(
        accounts: Arc<Accounts>,
        authenticator: Arc<Authenticator>,
        trust: Live<Trust>,
        settings: ApiSettings,
    ) -> Self {
        let routes = RouteTable::new(&settings.prefix, &settings.extra_paths, settings.mail);
        Self { accounts, authenticator, trust, settings, routes }
    }

    /// Returns whether a canonical path is ours: the prefix and all below it, further paths, and the well-known ones.
    pub fn owns(&self, path: &str) -> bool {
        self.routes.owns(path)
    }

    /// Returns what logs show in place of a path of ours that holds a token; `None` if it holds none.
    pub fn path_without_secrets(&self, path: &str) -> Option<String> {
        self.routes.path_without_secrets(path)
    }

    /// Returns the answer to a request whose URI is canonical and whose body is within its limit. An answer to somebody known
    /// carries their `Arc<Caller>` as an extension, for the access line.
    pub async fn answer(&self, client: ClientAddr, request_id: &str, request: Request<Bytes>) -> Response<Bytes> {
        let (endpoint, answered) = match self.routes.find(request.method(), request.uri().path()) {
            Found::Operation { endpoint, operation, needs, parameter } => {
                let headers = request.headers();
                let context = context(client, request_id, headers);
                let query = request.uri().query().unwrap_or_default();
                let call = Call { headers, query, body: request.body(), parameter, context };
                (endpoint, self.perform(operation, needs, &call).await)
            }
            Found::OtherMethods(resource) => (resource.name, Err(Refusal::OtherMethods(resource))),
            Found::Nothing => ("", Err(Refusal::NotFound)),
        };
        let response = answer::finish(match answered {
            Ok(reply) => self.settings.shape(endpoint, reply),
            Err(refusal) => refusal.into_response(endpoint, &self.settings.answers),
        });
        if request.method() == Method::HEAD { left_out(response) } else { response }
    }

    async fn perform(&self, operation: Operation, needs: Needs, call: &Call<'_>) -> Result<Reply, Refusal> {
        self.must_be_open(operation)?;
        let caller = match needs {
            Needs::Nothing => return self.answer_anyone(operation, call).await,
            Needs::Bearer => self.require_caller(call.headers)?,
            Needs::Account => self.require_account(call.headers).await?,
        };
        let mut reply = self.answer_caller(operation, call, &caller).await?;
        reply.extensions_mut().insert(caller);
        Ok(reply)
    }

    /// Refuses, before the store has been heard of once, whatever could not be answered truly without it.
    fn must_be_open(&self, operation: Operation) -> Result<(), Refusal> {
        let needs_no_store = match operation {
            Operation::Metadata | Operation::Description => true,
            // An empty set would be believed, and kept.
            Operation::KeySet => self.trust.current().access.has_keys(),
            _ => false,
        };
        if needs_no_store || self.authenticator.is_open() {
            return Ok(());
        }
        Err(AccountError::Unavailable("it has not been heard of since the start".into()).into())
    }

    async fn answer_anyone(&self, operation: Operation, call: &Call<'_>) -> Result<Reply, Refusal> {
        match operation {
            Operation::Register => self.register(call).await,
            Operation::Login => self.login(call).await,
            Operation::Refresh => self.refresh(call).await,
            Operation::Logout => self.logout(call).await,
            Operation::ForgotPassword => self.forgot_password(call).await,
            Operation::ResetPassword => self.reset_password(call).await,
            Operation::VerifyEmail => self.verify_email(call).await,
            Operation::IssueToken => self.issue_token(call).await,
            Operation::VerifyGiven => self.verify_given(call).await,
            Operation::Revoke => Ok(self.revoke(call).await),
            Operation::KeySet => Ok(self.key_set()),
            Operation::Metadata => Ok(self.metadata()),
            Operation::Description => Ok(self.description()),
            Operation::LogoutAll
            | Operation::ShowMe
            | Operation::ChangeMe
            | Operation::DeleteMe
            | Operation::ListSessions
            | Operation::EndSession
            | Operation::ChangePassword
            | Operation::SendVerification
            | Operation::ListKeys
            | Operation::MakeKey
            | Operation::RevokeKey
            | Operation::VerifyBearer
            | Operation::Introspect => Err(Refusal::NoCredential),
        }
    }

    async fn answer_caller(&self, operation: Operation, call: &Call<'_>, caller: &Caller) -> Result<Reply, Refusal> {
        let principal = &caller.principal;
        match operation {
            Operation::LogoutAll => self.logout_all(call, principal).await,
            Operation::ShowMe => self.show_me(principal).await,
            Operation::ChangeMe => self.change_me(call, principal).await,
            Operation::DeleteMe => self.delete_me(call, principal).await,
            Operation::ListSessions => self.list_sessions(principal).await,
            Operation::EndSession => self.end_session(call, principal).await,
            Operation::ChangePassword => self.change_password(call, principal).await,
            Operation::SendVerification => self.send_verification(call, principal).await,
            Operation::ListKeys => self.list_api_keys(principal).await,
            Operation::MakeKey => self.make_api_key(call, principal).await,
            Operation::RevokeKey => self.revoke_api_key(call, principal).await,
            Operation::VerifyBearer => Ok(self.show_active(caller)),
            Operation::Introspect => Ok(self.introspect(call, principal).await),
            Operation::Register
            | Operation::Login
            | Operation::Refresh
            | Operation::Logout
            | Operation::ForgotPassword
            | Operation::ResetPassword
            | Operation::VerifyEmail
            | Operation::IssueToken
            | Operation::VerifyGiven
            | Operation::Revoke
            | Operation::KeySet
            | Operation::Metadata
            | Operation::Description => self.answer_anyone(operation, call).await,
        }
    }
}

fn context(client: ClientAddr, request_id: &str, headers: &HeaderMap) -> Context {
    let agent = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
    Context {
        ip: client.ip.to_canonical().to_string(),
        user_agent: agent.chars().take(MAX_USER_AGENT_CHARS).collect(),
        network: client.network(),
        request_id: request_id.to_owned(),
    }
}
