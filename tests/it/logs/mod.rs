//! What is written about what happened, and what never is.

mod access;
mod audit;
mod secrets;
mod unread;
