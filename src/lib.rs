//! Vestibule (architecture to be written when the rooms stand).

pub mod clock;
pub mod identity;
pub mod live;
pub mod secret;

pub mod http;
pub mod limit;
pub mod password;
pub mod policy;
pub mod route;
pub mod token;

pub mod store;
pub mod telemetry;
pub mod tls;
pub mod upstream;

pub mod account;
pub mod auth;

pub mod api;
pub mod gateway;
pub mod server;

pub mod app;
pub mod cli;
pub mod config;
