//! A certificate authority for tests, one per run of the suite, that every client trusts and that nothing else does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate's files.
#[derive(Clone, Debug)]
pub struct Files {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn shared() -> &'static Self {
        &AUTHORITY
    }

    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Vestibule test authority");
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Writes a new certificate for `names` and its key to `folder`, over files of that stem; returns them and its DER.
    pub fn issue(&self, folder: &Path, stem: &str, names: &[&str]) -> (Files, CertificateDer<'static>) {
        let (certificate, key) = self.certificate(names);
        let files = Files { cert: folder.join(format!("{stem}.pem")), key: folder.join(format!("{stem}.key")) };
        // The key first: whoever watches sees a new certificate only beside its own key.
        fs::write(&files.key, key.serialize_pem()).unwrap();
        fs::write(&files.cert, certificate.pem()).unwrap();
        (files, certificate.der().clone())
    }

    fn certificate(&self, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Returns the TLS of a client that trusts this authority alone and offers `protocols` by ALPN.
    pub fn client_config(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }

    /// Returns the TLS of a server that shows a certificate for `names`.
    pub fn server_config(&self, names: &[&str]) -> Arc<ServerConfig> {
        let (certificate, key) = self.certificate(names);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let chain = vec![certificate.der().clone()];
        Arc::new(builder.with_no_client_auth().with_single_cert(chain, key.into()).unwrap())
    }
}
