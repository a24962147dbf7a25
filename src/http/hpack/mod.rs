//! Packs and unpacks field blocks (RFC 7541). Decides which blocks no decoder can read, and nothing about fields:
//! names, values and their number are for the caller to judge. Never allocates what a peer claims, only in proportion
//! to what it sent, and for the dynamic table no more than its limit. What we write has no dynamic table and no
//! Huffman codes: both take more time than they save. Pure; called by the HTTP/2 server.

mod decode;
mod encode;
mod huffman;
mod table;

pub use decode::Decoder;
pub use encode::{NO_TABLE, encode_field, encode_status};

/// A block that no decoder can read: RFC 9113 section 4.3 has the connection end with `COMPRESSION_ERROR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable;

#[cfg(test)]
mod tests;
