//! `vestibule key …`: the keys that sign tokens.

use std::fs;
use std::io::{self, Read as _, Write as _};

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::command::{ImportKey, KeyCommand, Listing, RotateKey};
use super::context::{now, stdout, with_store, write_json};
use super::failure::{Failure, Result};
use super::table::Table;
use super::view;
use crate::app::HEARD_EVERYWHERE;
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::token::key::KeyRecord;
use crate::token::rotation;

pub fn run(command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::List(arguments) => list(&arguments),
        KeyCommand::Rotate(arguments) => rotate(&arguments),
        KeyCommand::Import(arguments) => import(&arguments),
    }
}

fn list(arguments: &Listing) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let keys = context.admin.list_keys().await?;
        let algorithm = context.settings.auth.algorithm;
        let mut out = stdout();
        if arguments.json {
            for key in &keys {
                write_json(&mut out, &view::key(key))?;
            }
            return Ok(out.flush()?);
        }
        let mut table =
            Table::new(["KEY ID", "ALGORITHM", "STATE", "ENCRYPTED", "CREATED (UTC)", "SIGNS FROM", "SIGNS UNTIL"]);
        let now = now();
        // With a shared secret no key of the store signs.
        let signing = if algorithm.is_symmetric() { None } else { rotation::signing(&keys, algorithm, now) };
        for key in &keys {
            let sealed = if key.sealed { "yes" } else { "no" };
            let retired = key.retired_at.map(view::moment).unwrap_or_default();
            let created = view::moment(key.created_at);
            table.push([
                key.kid.clone(),
                key.algorithm.name().to_owned(),
                state(key, signing, now).to_owned(),
                sealed.to_owned(),
                created,
                view::moment(key.signs_from),
                retired,
            ]);
        }
        table.write(&mut out)?;
        if algorithm.is_symmetric() {
            writeln!(out, "auth.algorithm is {}: `auth.secret` signs.", algorithm.name())?;
        }
        Ok(())
    })
}

fn state(key: &KeyRecord, signing: Option<&KeyRecord>, now: Timestamp) -> &'static str {
    let will_sign = key.signs_from > now && key.retired_at.is_none();
    match signing {
        Some(signing) if signing.kid == key.kid => "signs",
        Some(_) if will_sign => "published",
        Some(_) | None => "verifies",
    }
}

fn rotate(arguments: &RotateKey) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let auth = &context.settings.auth;
        let sealing = auth.secrets.key_encryption.as_ref();
        let ahead = arguments.ahead.unwrap_or(HEARD_EVERYWHERE);
        let key = context.admin.rotate_key(auth.algorithm, sealing, ahead, now()).await?;
        tell(&key)
    })
}

fn import(arguments: &ImportKey) -> Result<()> {
    let pkcs8 = read_pkcs8(&arguments.key)?;
    let rotation = &arguments.rotation;
    with_store(&rotation.file, async |context| {
        let auth = &context.settings.auth;
        let sealing = auth.secrets.key_encryption.as_ref();
        let ahead = rotation.ahead.unwrap_or(HEARD_EVERYWHERE);
        let key = context.admin.import_key(auth.algorithm, &pkcs8, sealing, (now(), ahead)).await?;
        tell(&key)
    })
}

fn tell(key: &KeyRecord) -> Result<()> {
    let from = view::moment(key.signs_from);
    Ok(writeln!(stdout(), "{} is published and signs from {from} (UTC) on ({})", key.kid, key.algorithm.name())?)
}

/// Returns the key of a PEM file, or of stdin.
fn read_pkcs8(file: &str) -> Result<Secret<Vec<u8>>> {
    let mut text = Vec::new();
    let read = match file {
        "-" => io::stdin().read_to_end(&mut text).map(|_| text),
        _ => fs::read(file),
    };
    let text = Secret::new(read.map_err(|error| Failure::other(format!("can't read {file}: {error}")))?);
    let found = PrivatePkcs8KeyDer::from_pem_slice(text.expose()).map_err(|_| {
        Failure::other(format!(
            "{file} holds no private key as PKCS#8 in PEM (-----BEGIN PRIVATE KEY-----); `openssl pkcs8 -topk8 -nocrypt` makes \
             one of other forms"
        ))
    })?;
    Ok(Secret::new(found.secret_pkcs8_der().to_vec()))
}
