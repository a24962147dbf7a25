//! The commands, as somebody at a shell meets them.

mod check;
mod demo;
mod explain;
mod front;
mod moving;
mod tokens;
mod users;
mod written;
