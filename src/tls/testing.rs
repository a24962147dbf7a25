//! What the tests of this room share: certificates on disk, and handshakes over a pipe in memory.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::CertificateFiles;

/// Writes a new certificate for `names` with its key into `folder`, over what was there; the certificate's DER.
pub(super) fn write_pair(folder: &Path, stem: &str, names: &[&str]) -> (CertificateFiles, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let files = CertificateFiles { cert: folder.join(format!("{stem}.pem")), key: folder.join(format!("{stem}.key")) };
    fs::write(&files.cert, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    (files, certificate.der().clone())
}

/// Returns a client that takes any certificate, to see which one it is shown.
pub(super) fn curious_client(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TakesAnything))
        .with_no_client_auth()
}

/// Returns the client's end after a handshake in which it asked for `name`, and one byte went each way.
/// The other end echoes one more byte and closes.
pub(super) async fn shake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> io::Result<TlsStream<DuplexStream>> {
    let (here, there) = duplex(64 * 1024);
    let acceptor = TlsAcceptor::from(Arc::clone(server));
    tokio::spawn(async move {
        let mut stream = acceptor.accept(there).await?;
        // The second byte, if there is one, shows that the connection still lives.
        for _ in 0..2 {
            let byte = stream.read_u8().await?;
            stream.write_u8(byte).await?;
            stream.flush().await?;
        }
        stream.shutdown().await
    });
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(Arc::clone(client)).connect(name, here).await?;
    stream.write_u8(7).await?;
    stream.flush().await?;
    assert_eq!(stream.read_u8().await?, 7);
    Ok(stream)
}

/// Returns the certificate that a client is shown who asks for `name`; an IP address is not asked for by name.
pub(super) async fn shown(server: &Arc<ServerConfig>, name: &str) -> CertificateDer<'static> {
    let stream = shake(server, &Arc::new(curious_client(rustls::DEFAULT_VERSIONS)), name).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[derive(Debug)]
struct TakesAnything;

impl ServerCertVerifier for TakesAnything {
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
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
