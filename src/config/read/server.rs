//! `[server]`, `[tls]`, `[store]` and `[log]`: where we listen, with which certificates, where accounts are kept.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use ipnet::IpNet;
use mongodb::options::ConnectionString;

use crate::config::document::Fault;
use crate::config::section::Section;
use crate::config::settings::{
    CertificateFiles, Log, LogFormat, Origin, Scheme, Server, Store, Tls, TlsMode, TlsVersion,
};
use crate::config::text::{self, Parsed};
use crate::secret::Secret;

const ADDRESS: &str = "an IP address and a port, such as \"0.0.0.0:8443\"";

pub(super) fn server(section: &Section<'_>, tls: &Tls) -> Server {
    let mut server = Server::default();
    listeners(section, &mut server);
    let origin = "an origin such as \"https://app.example.com\" (http only with tls.mode = \"off\")";
    section.optional("public_url", &mut server.public_url, origin, |text| public_url(text, tls));
    let network = "an address or a network such as \"10.0.0.0/8\"";
    let places = section.list("trusted_proxies", &mut server.trusted_proxies, network, network_of);
    for (place, proxies) in places.iter().zip(&server.trusted_proxies) {
        if proxies.prefix_len() == 0 {
            section.document.warn(place, "every client is a trusted proxy: anyone may claim any address");
        }
    }
    server.workers = per_core(section, "workers");
    section.optional("via", &mut server.via, "a name of letters, digits, `-`, `.` or `_`", |text| {
        if text::is_token(text) { Ok(text.to_owned()) } else { Err(None) }
    });
    section.duration("drain", &mut server.drain);
    section.bool("watch", &mut server.watch);
    server
}

/// Returns a number of threads; zero, the default, is `None`: one per core.
pub(super) fn per_core(section: &Section<'_>, key: &str) -> Option<NonZeroUsize> {
    let mut count = 0_usize;
    section.integer(key, &mut count, 0..=1024);
    NonZeroUsize::new(count)
}

fn listeners(section: &Section<'_>, server: &mut Server) {
    let mut places = Vec::new();
    let is_clean = section.document.is_clean(|| {
        places = section.list("listen", &mut server.listen, ADDRESS, text::address);
    });
    if is_clean && server.listen.is_empty() {
        section.refuse("listen", Fault::new("no address to listen on", ADDRESS));
    }
    for (index, address) in server.listen.iter().enumerate() {
        if let Some(other) = server.listen[..index].iter().find(|other| clashes(**other, *address)) {
            let fault = Fault::new(format!("`{address}` beside `{other}`"), "each address and port once");
            section.refuse_item("listen", places.get(index), fault);
        }
    }
    section.optional("redirect_http", &mut server.redirect_http, ADDRESS, text::address);
    section.optional("ops_listen", &mut server.ops_listen, ADDRESS, text::address);
    let mut taken = server.listen.clone();
    for (key, address) in [("redirect_http", server.redirect_http), ("ops_listen", server.ops_listen)] {
        let Some(address) = address else { continue };
        if let Some(other) = taken.iter().find(|other| clashes(**other, address)) {
            // The default of the operations listener was not written by anyone: the other address is the new one.
            let key = if section.is_set(key) { key } else { "listen" };
            let fault = Fault::new(format!("`{address}`, while `{other}` is listened on"), "a port of its own");
            section.refuse(key, fault.hint(Some("choose another port".to_owned())));
        }
        taken.push(address);
    }
}

/// Whether the two can't be bound together. Port 0 is a free port, a new one each time.
fn clashes(one: SocketAddr, other: SocketAddr) -> bool {
    let same_family = one.is_ipv4() == other.is_ipv4();
    let overlap = one.ip() == other.ip() || (same_family && (one.ip().is_unspecified() || other.ip().is_unspecified()));
    one.port() == other.port() && one.port() != 0 && overlap
}

fn public_url(text: &str, tls: &Tls) -> Parsed<Origin> {
    let origin = text::origin(text)?;
    match origin.scheme {
        Scheme::Http if tls.mode != TlsMode::Off => Err(Some(format!("write `https://{}`", origin.authority))),
        Scheme::Http | Scheme::Https => Ok(origin),
    }
}

fn network_of(text: &str) -> Parsed<IpNet> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map(|network| network.trunc()).map_err(|_| None)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Files,
    SelfSigned,
    Off,
}

pub(super) fn tls(section: &Section<'_>) -> Tls {
    let mut tls = Tls::default();
    let mut mode = Mode::SelfSigned;
    let modes = [("files", Mode::Files), ("self-signed", Mode::SelfSigned), ("off", Mode::Off)];
    let mode_is_known = section.document.is_clean(|| section.choice("mode", &mut mode, &modes));
    let versions = [("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)];
    section.choice("min_version", &mut tls.min_version, &versions);
    let mut tables = Vec::new();
    let is_list = section.document.is_clean(|| tables = section.tables("certificate"));
    let certificates: Vec<CertificateFiles> = tables.iter().map(certificate).collect();
    if mode_is_known && is_list && mode == Mode::Files && tables.is_empty() {
        let hint = "add [[tls.certificate]] with cert = \"fullchain.pem\" and key = \"privkey.pem\"".to_owned();
        section
            .refuse("mode", Fault::new("\"files\" without a certificate", "at least one certificate").hint(Some(hint)));
    }
    if let Some(first) = tables.first().filter(|_| mode_is_known && mode != Mode::Files) {
        let hint = Some("set tls.mode = \"files\", or leave the certificates out".to_owned());
        first.refuse_whole(
            Fault::new("a certificate that nothing uses", "certificates only in mode \"files\"").hint(hint),
        );
    }
    tls.mode = match mode {
        Mode::Files => TlsMode::Files(certificates),
        Mode::SelfSigned => TlsMode::SelfSigned,
        Mode::Off => TlsMode::Off,
    };
    tls
}

fn certificate(section: &Section<'_>) -> CertificateFiles {
    let mut files = CertificateFiles::default();
    for (key, path) in [("cert", &mut files.cert), ("key", &mut files.key)] {
        let expected = "the path of a PEM file";
        section.parsed(key, path, expected, |text| if text.is_empty() { Err(None) } else { Ok(PathBuf::from(text)) });
        if !section.is_set(key) {
            section.refuse(key, Fault::new(format!("a certificate without `{key}`"), expected));
        }
    }
    files
}

pub(super) fn store(section: &Section<'_>) -> Store {
    let mut store = Store::default();
    let expected = "\"sqlite:PATH\" or \"mongodb://HOST,HOST/DATABASE?replicaSet=NAME\" or \"memory:\"";
    section.parsed("url", &mut store, expected, |text| match text.split_once(':') {
        Some(("sqlite", path)) => sqlite(path),
        Some(("memory", "")) => Ok(Store::Memory),
        Some(("mongodb" | "mongodb+srv", _)) => mongodb(text),
        Some(_) => Err(None),
        None if text == "memory" => Err(Some("write `memory:`".to_owned())),
        None => Err((!text.is_empty()).then(|| format!("write `sqlite:{text}`"))),
    });
    let mut given = String::new();
    let expected = "up to 32 letters, digits or `_`, not beginning with a digit";
    section.parsed("prefix", &mut given, expected, |text| {
        let is_name = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let begins_well = !text.starts_with(|first: char| first.is_ascii_digit());
        if is_name && begins_well { Ok(text.to_owned()) } else { Err(None) }
    });
    match &mut store {
        Store::MongoDb { prefix, .. } => *prefix = given,
        Store::Memory | Store::Sqlite { .. } if !given.is_empty() => {
            let hint = "leave it out: a database file is Vestibule's alone".to_owned();
            let fault = Fault::new("a prefix for an embedded store", "a prefix only with a MongoDB store");
            section.refuse("prefix", fault.hint(Some(hint)));
        }
        Store::Memory | Store::Sqlite { .. } => {}
    }
    store
}

fn sqlite(path: &str) -> Parsed<Store> {
    match path {
        "" => Err(None),
        ":memory:" => Err(Some("name a file, or write `memory:` if accounts need not outlive the process".to_owned())),
        _ if path.starts_with("//") => Err(Some(format!("write `sqlite:/{}`", path.trim_start_matches('/')))),
        _ => Ok(Store::Sqlite { path: PathBuf::from(path) }),
    }
}

/// Judges by the driver's own reading; what it says is not repeated, because it may hold a part of the password.
fn mongodb(url: &str) -> Parsed<Store> {
    let hint = "characters such as `@`, `:` and `/` in a user name or password are written as %40, %3A and %2F";
    match ConnectionString::parse(url) {
        Ok(_) => Ok(Store::MongoDb { url: Secret::new(url.to_owned()), prefix: String::new() }),
        Err(_why) => Err(Some(hint.to_owned())),
    }
}

pub(super) fn log(section: &Section<'_>) -> Log {
    let mut log = Log::default();
    section.choice("format", &mut log.format, &[("json", LogFormat::Json), ("text", LogFormat::Text)]);
    let levels = [
        ("error", tracing::Level::ERROR),
        ("warn", tracing::Level::WARN),
        ("info", tracing::Level::INFO),
        ("debug", tracing::Level::DEBUG),
        ("trace", tracing::Level::TRACE),
    ];
    section.choice("level", &mut log.level, &levels);
    section.bool("access", &mut log.access);
    log
}
