//! `vestibule user export`: every account as a line of JSON that `import` reads back. It holds password hashes, nothing else
//! that is secret, and no session.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::cli::command::ExportUsers;
use crate::cli::context::{stdout, with_store, write_json};
use crate::cli::failure::Result;
use crate::identity::{ExternalId, Role};
use crate::store::User;

pub fn run(arguments: &ExportUsers) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let mut out = stdout();
        let mut after = None;
        loop {
            let users = context.admin.next_users(after.as_ref()).await?;
            let Some(last) = users.last() else { return Ok(out.flush()?) };
            after = Some(last.id.clone());
            for user in &users {
                write_json(&mut out, &line(user))?;
            }
        }
    })
}

fn line(user: &User) -> Value {
    json!({
        "id": user.id.as_str(),
        "external_id": user.external_id.as_ref().map(ExternalId::as_str),
        "email": user.email,
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "full_name": user.full_name,
        "phone": user.phone,
        "roles": user.roles.iter().map(Role::as_str).collect::<Vec<_>>(),
        "is_active": user.is_active,
        "email_verified": user.email_verified,
        "password_hash": user.password_hash,
        "created_at": user.created_at.to_rfc3339(),
        "profile": user.profile,
    })
}
