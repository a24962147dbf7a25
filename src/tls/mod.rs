//! TLS on both sides: which certificate a client is shown, how connections are secured, when files are read again.
//! It never opens a socket and decides nothing about a request. `app` builds from it what `server` and `upstream` use;
//! a certificate changes under running connections, which keep the one they began with.

pub mod certificates;
mod config;
mod pem;
pub mod self_signed;
pub mod watch;

#[cfg(test)]
mod testing;

use std::path::PathBuf;

pub use certificates::{Certificate, CertificateTable, Resolver, Validity};
pub use config::{MinVersion, client_config, server_config};
pub use pem::CertificateFiles;
pub use self_signed::SelfSigned;
pub use watch::{CertificateWatch, Reload, Watcher};

/// Why there is no certificate to show, by what whoever runs the gateway must mend. No text repeats what a file holds.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: can't be read ({error}), expected a PEM file", file.display())]
    Unreadable { file: PathBuf, error: std::io::Error },
    #[error("{}: {found}, expected PEM text with {expected}", file.display())]
    Malformed { file: PathBuf, found: String, expected: &'static str },
    #[error("{}: holds no certificate, expected the chain in PEM, the server's own certificate first", file.display())]
    NoCertificate { file: PathBuf },
    #[error("{}: holds no private key, expected one in PEM without a passphrase", file.display())]
    NoKey { file: PathBuf },
    #[error("{}: this key can't be used ({found}), expected RSA, ECDSA P-256, P-384, P-521, or Ed25519", file.display())]
    UnusableKey { file: PathBuf, found: String },
    #[error(
        "{}: belongs to another certificate than the first one in {}, expected the key that it was issued for",
        key.display(), cert.display()
    )]
    KeyMismatch { cert: PathBuf, key: PathBuf },
    #[error("no certificate is configured, expected at least one pair of `cert` and `key`")]
    NothingConfigured,
    #[error("a self-signed certificate can't be made for these names: {0}")]
    SelfSigned(String),
    #[error("the TLS library refused its settings: {0}")]
    Library(#[from] rustls::Error),
}
