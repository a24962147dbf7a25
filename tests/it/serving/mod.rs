//! What reaches an app, what does not, and what comes back.

mod api_keys;
mod cleartext;
mod connections;
mod credentials;
mod cross_origin;
mod failures;
mod forward_auth;
mod forward_auth_origin;
mod framing;
mod identity;
mod issuers;
mod old_tokens;
mod origin;
mod over_tls;
mod routes;
