//! What certificates a probe believes: the system's, one file's, or for a deployment that signs its own, any.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::cli::failure::{self, Failure};

/// Whom to believe.
pub enum Belief<'a> {
    System,
    File(&'a Path),
    Anyone,
}

pub fn client(belief: &Belief<'_>) -> failure::Result<Arc<ClientConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Failure::other)?;
    let config = match belief {
        Belief::System => return crate::tls::client_config().map_err(Failure::other),
        Belief::File(file) => builder.with_root_certificates(read_roots(file)?).with_no_client_auth(),
        Belief::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TakesAnyCertificate(provider)))
            .with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn read_roots(file: &Path) -> failure::Result<RootCertStore> {
    let wrong = |found: &dyn std::fmt::Display| {
        let file = crate::cli::context::shown(file);
        Failure::usage(format!("{file}: {found}, expected certificates in PEM"))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|_| wrong(&"a section that is no certificate"))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() { Err(wrong(&"no certificate")) } else { Ok(roots) }
}

/// Whoever says `--insecure` tests a gateway and not its certificate. That its key is its own is checked all the same.
#[derive(Debug)]
struct TakesAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for TakesAnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
