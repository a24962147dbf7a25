//! stub
use std::path::PathBuf;
use std::sync::Arc;
pub struct Resolver;
#[derive(Clone, Copy)]
pub enum MinVersion {
    Tls12,
    Tls13,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct CertificateError;
pub struct CertificateFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}
pub struct Table;
pub fn self_signed(_: &[String]) -> Result<Table, CertificateError> {
    todo!()
}
pub fn load(_: &[CertificateFiles]) -> Result<Table, CertificateError> {
    todo!()
}
impl Resolver {
    pub fn new(_: Table) -> Arc<Self> {
        todo!()
    }
    pub fn replace(&self, _: Table) {}
    pub fn serves(&self, _: &str) -> bool {
        false
    }
}
pub struct Watcher;
impl Watcher {
    pub fn new(_: impl Iterator<Item = PathBuf>) -> Self {
        Self
    }
    pub fn has_changed(&mut self) -> bool {
        false
    }
}
pub fn server_config(_: Arc<Resolver>, _: MinVersion) -> rustls::ServerConfig {
    todo!()
}
pub fn client_config() -> Arc<rustls::ClientConfig> {
    todo!()
}
