//! `vestibule key …`: the keys that sign tokens.

use std::io::Write as _;

use super::command::{KeyCommand, Listing, RotateKey};
use super::context::{now, stdout, with_store, write_json};
use super::failure::Result;
use super::table::Table;
use super::view;
use crate::app::HEARD_EVERYWHERE;
use crate::clock::Timestamp;
use crate::token::key::KeyRecord;
use crate::token::rotation;

pub fn run(command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::List(arguments) => list(&arguments),
        KeyCommand::Rotate(arguments) => rotate(&arguments),
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
        let from = if ahead.is_zero() { "now".to_owned() } else { format!("{} (UTC)", view::moment(key.signs_from)) };
        Ok(writeln!(stdout(), "{} is published and signs from {from} on ({})", key.kid, auth.algorithm.name())?)
    })
}
