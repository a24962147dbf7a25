//! Tokens: JWS compact form over aws-lc, claims, key sets, and what a presented refresh token means.
//! Pure: never awaits, never reads the clock. The algorithm is a property of the key, never of a token's header.

mod algorithm;
pub mod api_key;
mod claim_path;
pub mod claims;
pub mod foreign;
pub mod jwk;
pub mod jws;
pub mod key;
pub mod key_set_url;
mod material;
mod object;
pub mod one_time;
mod payload;
mod public_key;
pub mod refresh;
pub mod rotation;
mod seal;
mod set;
#[cfg(test)]
mod testing;
mod verifier;
