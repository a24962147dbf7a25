//! A workshop for tokens: it signs whatever it is told, with a secret that a gateway may even share.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::harness::people::part;

/// The secret of the HS256 gateways here.
pub const SECRET: &str = "a secret of more than 32 bytes for the tests";

pub fn hs256_config() -> String {
    format!("[auth]\nalgorithm = \"HS256\"\nsecret = \"{SECRET}\"")
}

/// The two parts of a token that a signature covers.
#[derive(Clone, Debug)]
pub struct Forge {
    pub header: Value,
    pub claims: Value,
}

impl Forge {
    /// Returns a copy of a real token, to be bent.
    pub fn of(token: &str) -> Self {
        Self { header: part(token, 0), claims: part(token, 1) }
    }

    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub fn without_header(mut self, name: &str) -> Self {
        self.header.as_object_mut().unwrap().remove(name);
        self
    }

    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self
    }

    /// Returns the token as the holder of [`SECRET`] signs it.
    pub fn signed(&self) -> String {
        self.signed_with(SECRET.as_bytes())
    }

    pub fn signed_with(&self, secret: &[u8]) -> String {
        sign(hmac::HMAC_SHA256, &self.header.to_string(), &self.claims.to_string(), secret)
    }
}

/// Returns the token of two texts, which need not be JSON.
pub fn sign(algorithm: hmac::Algorithm, header: &str, claims: &str, secret: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
