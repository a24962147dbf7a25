//! `vestibule key …`: the keys that sign tokens.

use std::io::Write as _;

use super::command::{ConfigFile, KeyCommand, Listing};
use super::context::{now, stdout, with_store, write_json};
use super::failure::Result;
use super::table::Table;
use super::view;
use crate::token::key::{Algorithm, KeyRecord};

pub fn run(command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::List(arguments) => list(&arguments),
        KeyCommand::Rotate(file) => rotate(&file),
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
        let mut table = Table::new(["KEY ID", "ALGORITHM", "STATE", "ENCRYPTED", "CREATED (UTC)", "RETIRED (UTC)"]);
        for key in &keys {
            let sealed = if key.sealed { "yes" } else { "no" };
            let retired = key.retired_at.map(view::moment).unwrap_or_default();
            let created = view::moment(key.created_at);
            table.push([
                key.kid.clone(),
                key.algorithm.name().to_owned(),
                state(key, algorithm).to_owned(),
                sealed.to_owned(),
                created,
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

fn state(key: &KeyRecord, algorithm: Algorithm) -> &'static str {
    if key.retired_at.is_none() && key.algorithm == algorithm { "signs" } else { "verifies" }
}

fn rotate(file: &ConfigFile) -> Result<()> {
    with_store(file, async |context| {
        let auth = &context.settings.auth;
        let sealing = auth.secrets.key_encryption.as_ref();
        let kid = context.admin.rotate_key(auth.algorithm, sealing, now()).await?;
        Ok(writeln!(stdout(), "{kid} signs from now on ({})", auth.algorithm.name())?)
    })
}
