//! Accounts, sessions and tokens, over HTTP and by commands beside a running gateway.

mod discovery;
mod oauth;
mod operator;
mod own_record;
mod refusals;
mod sign_in;
