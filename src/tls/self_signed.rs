//! A certificate that we make ourselves, for trying the gateway out and for machines behind another proxy.
//! It lives in memory only: each start makes another, so its key can't be stolen from a disk.

use std::time::Duration;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

use super::{Certificate, TlsError};
use crate::clock::Timestamp;

/// Where a gateway on one's own machine is reached.
const ALWAYS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The most that browsers take from any certificate is 398 days.
const LIFETIME: Duration = Duration::from_hours(397 * 24);

/// Clients' clocks are a little slow.
const BACKDATE: Duration = Duration::from_hours(1);

/// A certificate with the text that makes clients trust it (`curl --cacert`).
#[derive(Debug)]
pub struct SelfSigned {
    pub certificate: Certificate,
    pub pem: String,
}

impl SelfSigned {
    /// Returns a new certificate for this machine and for the host names and IP addresses in `extra`.
    pub fn new(extra: &[String], now: Timestamp) -> Result<Self, TlsError> {
        let refused = |error: rcgen::Error| TlsError::SelfSigned(error.to_string());
        let key = KeyPair::generate().map_err(refused)?;
        let made = params(extra, now)?.self_signed(&key).map_err(refused)?;
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let certified = CertifiedKey::from_der(vec![made.der().clone()], private, &aws_lc_rs::default_provider())?;
        Ok(Self { certificate: Certificate::made(certified)?, pem: made.pem() })
    }
}

fn params(extra: &[String], now: Timestamp) -> Result<CertificateParams, TlsError> {
    let mut names: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
    for name in extra {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let mut params = CertificateParams::new(names).map_err(|error| TlsError::SelfSigned(error.to_string()))?;
    params.distinguished_name.push(DnType::CommonName, "Vestibule, self-signed");
    params.not_before = moment(now.minus(BACKDATE))?;
    params.not_after = moment(now.plus(LIFETIME))?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn moment(at: Timestamp) -> Result<OffsetDateTime, TlsError> {
    OffsetDateTime::from_unix_timestamp(at.as_secs()).map_err(|error| TlsError::SelfSigned(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{CertificateTable, Validity};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn it_is_for_this_machine_and_the_names_asked_for() {
        let extra = ["gateway.example".to_owned(), "192.0.2.7".to_owned(), "localhost".to_owned()];
        let table = CertificateTable::new(vec![SelfSigned::new(&extra, NOW).unwrap().certificate]).unwrap();
        for host in ["localhost", "127.0.0.1", "[::1]", "Gateway.Example.", "192.0.2.7"] {
            assert!(table.covers(host), "{host}");
        }
        for host in ["example", "192.0.2.8", "[::2]", "x.gateway.example", ""] {
            assert!(!table.covers(host), "{host}");
        }
        assert_eq!(table.names().collect::<Vec<_>>(), ["localhost", "gateway.example"]);
    }

    #[test]
    fn it_is_valid_from_now_for_at_most_398_days() {
        let certificate = SelfSigned::new(&[], NOW).unwrap().certificate;
        assert_eq!(certificate.validity(NOW), Validity::Current);
        assert_eq!(certificate.validity(NOW.minus(Duration::from_hours(2))), Validity::NotYet);
        assert_eq!(certificate.validity(NOW.plus(Duration::from_hours(398 * 24))), Validity::Expired);
        assert_eq!(certificate.expires_at(), Some(NOW.plus(LIFETIME)));
    }

    #[test]
    fn a_name_that_no_certificate_can_carry_is_refused() {
        assert!(matches!(SelfSigned::new(&["zoë.example".to_owned()], NOW), Err(TlsError::SelfSigned(_))));
    }
}
