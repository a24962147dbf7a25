//! What reaches an app, what does not, and what comes back.

mod cleartext;
mod connections;
mod credentials;
mod failures;
mod forward_auth;
mod forward_auth_origin;
mod framing;
mod identity;
mod issuers;
mod origin;
mod routes;
