//! How connections are secured: the provider named, TLS 1.2 with ephemeral keys and AEAD at the least, no early data.
//! Called by `app`, once for the listeners and once for the upstreams.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use super::{Resolver, TlsError};

/// The oldest protocol version that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    #[default]
    Tls12,
    Tls13,
}

static FROM_1_2: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
static FROM_1_3: [&SupportedProtocolVersion; 1] = [&version::TLS13];

impl MinVersion {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => &FROM_1_2,
            Self::Tls13 => &FROM_1_3,
        }
    }
}

/// Returns what the listeners speak: HTTP/2 or HTTP/1.1, with the certificates of `resolver`.
pub fn server_config(resolver: Arc<Resolver>, min_version: MinVersion) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(min_version.versions())?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // All suites are strong, so it is a matter of taste; auditors' tools rate a server without an order of its own as weak.
    config.ignore_client_order = true;
    // Sealed tickets resume a session on every worker and hold no memory here; their keys change every 6 hours.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    // Early data can be replayed by whoever recorded it (RFC 8446 section 8), and has slipped past checks elsewhere
    // (CVE-2024-39321). rustls takes none beside tickets either; this says so whatever becomes of those.
    config.max_early_data_size = 0;
    Ok(config)
}

/// Returns what `https` upstreams are spoken to with: the roots of this system, HTTP/1.1.
pub fn client_config() -> Result<Arc<ClientConfig>, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    // Not an error: most gateways have no upstream on https, and those that have are told by the handshake.
    if usable == 0 {
        let problems: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        tracing::warn!(reason = problems.join("; "), "this system has no root certificates, https upstreams will fail");
    }
    client_config_with(roots)
}

pub(super) fn client_config_with(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(MinVersion::Tls12.versions())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Named here and nowhere found by chance. All its suites of TLS 1.2 are ECDHE with AES-GCM or ChaCha20-Poly1305.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests;
