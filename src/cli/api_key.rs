//! `vestibule api-key …`: keys that stand for users.

use std::io::Write as _;

use serde_json::json;

use super::command::{ApiKeyCommand, CreateApiKey, ListSessions, RevokeApiKey};
use super::context::{now, stdout, with_store, write_json};
use super::failure::Result;
use super::table::{Table, printable};
use super::view;
use crate::account::WantedKey;
use crate::identity::Scope;
use crate::store::ApiKey;

pub fn run(command: ApiKeyCommand) -> Result<()> {
    match command {
        ApiKeyCommand::List(arguments) => list(&arguments),
        ApiKeyCommand::Create(arguments) => create(arguments),
        ApiKeyCommand::Revoke(arguments) => revoke(&arguments),
    }
}

fn list(arguments: &ListSessions) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let user = match &arguments.who {
            Some(who) => Some(context.admin.find_user(who).await?),
            None => None,
        };
        let keys = context.admin.list_api_keys(user.as_ref()).await?;
        let mut out = stdout();
        if arguments.json {
            for key in &keys {
                write_json(&mut out, &view::api_key(key))?;
            }
            return Ok(out.flush()?);
        }
        let mut table = Table::new(["NAME", "SCOPES", "MADE (UTC)", "EXPIRES (UTC)", "LAST USED (UTC)", "USER", "ID"]);
        for key in &keys {
            table.push(row(key));
        }
        Ok(table.write(&mut out)?)
    })
}

fn row(key: &ApiKey) -> [String; 7] {
    [
        key.name.clone(),
        key.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "),
        view::moment(key.created_at),
        key.expires_at.map(view::moment).unwrap_or_default(),
        key.last_used_at.map(view::moment).unwrap_or_default(),
        key.user_id.to_string(),
        key.id.to_string(),
    ]
}

fn create(arguments: CreateApiKey) -> Result<()> {
    let CreateApiKey { file, who, name, scope, expires_in, json } = arguments;
    with_store(&file, async |context| {
        let user = context.admin.find_user(&who).await?;
        let wanted = WantedKey { name: Some(name), scopes: scope, expires_in };
        let made = context.admin.make_api_key(&user, &wanted, &context.scopes_of(&user.roles), now()).await?;
        if json {
            let mut shown = view::api_key(&made.record);
            shown["key"] = json!(made.key.expose());
            return Ok(write_json(&mut stdout(), &shown)?);
        }
        Ok(writeln!(stdout(), "{}", made.key.expose())?)
    })
}

fn revoke(arguments: &RevokeApiKey) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let key = context.admin.revoke_api_key(arguments.id, now()).await?;
        Ok(writeln!(stdout(), "took {} back", printable(&key.name))?)
    })
}
