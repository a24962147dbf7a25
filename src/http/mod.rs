//! Pieces of HTTP that know no user: canonical targets, header families, cookies, client addresses, problem documents, bodies.
//! Leaf room: imports none of ours but other leaves.

pub mod answers;
pub mod authority;
pub mod body;
pub mod client;
pub mod cookie;
pub mod cors;
pub mod fields;
pub mod header;
pub mod hpack;
pub mod method;
pub mod outgoing;
pub mod path;
pub mod problem;
pub mod request;
pub mod response;
pub mod stream;
pub mod target;
pub mod websocket;
pub mod wire;
