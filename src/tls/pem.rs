//! Reads a chain and its key from PEM files, and says what is wrong with them by file, found and expected.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::TlsError;
use crate::secret::Secret;

/// Where a certificate chain and its key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Returns the chain with its key, if the two belong together.
pub(super) fn read_pair(files: &CertificateFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = read_chain(&files.cert)?;
    let key = read_key(&files.key)?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::KeyMismatch { cert: files.cert.clone(), key: files.key.clone() }
        }
        Error::InvalidCertificate(found) => TlsError::Malformed {
            file: files.cert.clone(),
            found: format!("its first certificate is invalid ({found})"),
            expected: "an X.509 certificate of version 3",
        },
        // rustls reports every fault of a key as text, and its enum is open.
        other => TlsError::UnusableKey { file: files.key.clone(), found: other.to_string() },
    })
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.expose()).collect();
    let chain = chain.map_err(|error| malformed(file, &error, "the certificate chain"))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: file.to_owned() });
    }
    Ok(chain)
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(file)?;
    match PrivateKeyDer::from_pem_slice(text.expose()) {
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey { file: file.to_owned() }),
        key => key.map_err(|error| malformed(file, &error, "a private key")),
    }
}

fn read(file: &Path) -> Result<Secret<Vec<u8>>, TlsError> {
    fs::read(file).map(Secret::new).map_err(|error| TlsError::Unreadable { file: file.to_owned(), error })
}

/// Describes the fault in our words: the library's repeat a line of the file, which may be a key's.
fn malformed(file: &Path, error: &pem::Error, expected: &'static str) -> TlsError {
    let found = match error {
        pem::Error::MissingSectionEnd { .. } => "a section without its END line",
        pem::Error::IllegalSectionStart { .. } => "a broken BEGIN line",
        pem::Error::Base64Decode(_) => "a section that is not base64",
        pem::Error::SectionTooLarge => "a section that is far too large",
        // The enum is open.
        _ => "text that is not PEM",
    };
    TlsError::Malformed { file: file.to_owned(), found: found.to_owned(), expected }
}
