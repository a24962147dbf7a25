//! The certificates that the gateway has, and which of them a client is shown: by the exact name it asks for, else by a
//! wildcard over that name's first label, else the first one configured. A stranger's name never gets an error of its own,
//! so nobody learns from the handshake which names exist.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::{EndEntityCert, KeyUsage};

use super::TlsError;
use super::pem::{CertificateFiles, read_pair};
use crate::clock::Timestamp;
use crate::live::Live;

/// One chain with its key, and what it says of itself.
#[derive(Debug)]
pub struct Certificate {
    /// The file it came from; `None`: made by ourselves.
    pub source: Option<PathBuf>,
    /// The DNS names it is for, in lower case; a wildcard begins with `*.`.
    pub names: Vec<String>,
    key: Arc<CertifiedKey>,
}

/// Where `now` lies in a certificate's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    Current,
    NotYet,
    Expired,
}

impl Certificate {
    /// Returns the certificate in `files`. It may be expired: an old certificate is better than no gateway, so the
    /// caller warns and goes on.
    pub fn read(files: &CertificateFiles) -> Result<Self, TlsError> {
        let key = read_pair(files, &aws_lc_rs::default_provider())?;
        Self::describe(key, Some(files.cert.clone()))
    }

    pub(super) fn made(key: CertifiedKey) -> Result<Self, TlsError> {
        Self::describe(key, None)
    }

    fn describe(key: CertifiedKey, source: Option<PathBuf>) -> Result<Self, TlsError> {
        let unreadable = |_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding);
        let parsed = EndEntityCert::try_from(key.end_entity_cert()?).map_err(unreadable)?;
        let names = parsed.valid_dns_names().map(canonical).collect();
        Ok(Self { source, names, key: Arc::new(key) })
    }

    pub fn validity(&self, now: Timestamp) -> Validity {
        let moment = u64::try_from(now.as_secs()).unwrap_or(0);
        match self.refusal_at(moment) {
            Some(webpki::Error::CertExpired { .. }) => Validity::Expired,
            Some(webpki::Error::CertNotValidYet { .. }) => Validity::NotYet,
            // Without any root it is refused for its issuer as well, but only after its times were found good.
            Some(_) | None => Validity::Current,
        }
    }

    /// Returns when it expires; `None` if it says "never".
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self.refusal_at(u64::MAX) {
            Some(webpki::Error::CertExpired { not_after, .. }) => {
                i64::try_from(not_after.as_secs()).ok().map(Timestamp::from_secs)
            }
            Some(_) | None => None,
        }
    }

    /// Returns webpki's first objection at that second since 1970. It is the only way it tells a certificate's times.
    fn refusal_at(&self, seconds: u64) -> Option<webpki::Error> {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let parsed = self.parsed()?;
        parsed.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    }

    fn is_for(&self, address: IpAddr) -> bool {
        self.parsed().is_some_and(|parsed| {
            parsed.verify_is_valid_for_subject_name(&ServerName::IpAddress(address.into())).is_ok()
        })
    }

    fn parsed(&self) -> Option<EndEntityCert<'_>> {
        let first: &CertificateDer<'_> = self.key.cert.first()?;
        EndEntityCert::try_from(first).ok()
    }
}

/// All certificates of one moment. There is at least one.
#[derive(Debug)]
pub struct CertificateTable {
    certificates: Vec<Certificate>,
    exact: HashMap<String, usize>,
    /// By what follows `*.`.
    wildcard: HashMap<String, usize>,
}

impl CertificateTable {
    /// Returns the table in which the first certificate is the default; of two for one name the earlier is shown.
    pub fn new(certificates: Vec<Certificate>) -> Result<Self, TlsError> {
        if certificates.is_empty() {
            return Err(TlsError::NothingConfigured);
        }
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        for (index, certificate) in certificates.iter().enumerate() {
            for name in &certificate.names {
                match name.strip_prefix("*.") {
                    Some(parent) => wildcard.entry(parent.to_owned()).or_insert(index),
                    None => exact.entry(name.clone()).or_insert(index),
                };
            }
        }
        Ok(Self { certificates, exact, wildcard })
    }

    pub fn read(files: &[CertificateFiles]) -> Result<Self, TlsError> {
        Self::new(files.iter().map(Certificate::read).collect::<Result<_, _>>()?)
    }

    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Returns every DNS name that a certificate is for, wildcards as `*.example.com`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.certificates.iter().flat_map(|certificate| certificate.names.iter().map(String::as_str))
    }

    /// Whether a client that calls us `host` (a name or an IP address, without port) would accept one of our certificates
    /// for that name.
    pub fn covers(&self, host: &str) -> bool {
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => self.certificates.iter().any(|certificate| certificate.is_for(address)),
            Err(_) => self.find(&canonical(host)).is_some(),
        }
    }

    /// Returns the certificate for the name that a client asked for.
    fn choose(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let chosen = name.and_then(|name| self.find(&canonical(name))).unwrap_or(0);
        Arc::clone(&self.certificates[chosen].key)
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.exact.get(name).or_else(|| self.wildcard.get(name.split_once('.')?.1)).copied()
    }
}

/// Host names are compared without regard to case and to the root's dot (RFC 4343, RFC 6066 section 3).
fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// What rustls asks for a certificate; it looks at the table of that moment.
pub struct Resolver(Live<CertificateTable>);

impl Resolver {
    pub fn new(table: Live<CertificateTable>) -> Self {
        Self(table)
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Resolver").field(&self.0.current().names().collect::<Vec<_>>()).finish()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current().choose(hello.server_name()))
    }
}

#[cfg(test)]
mod tests;
