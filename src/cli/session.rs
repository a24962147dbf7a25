//! `vestibule session …`: who is signed in where, and the end of it.

use std::collections::HashMap;
use std::io::Write as _;

use super::command::{ListSessions, RevokeSessions, SessionCommand};
use super::context::{Context, now, stdout, with_store, write_json};
use super::failure::{Failure, Result};
use super::table::{Table, printable};
use super::view;
use crate::identity::UserId;
use crate::store::{Session, UserKey};

pub fn run(command: SessionCommand) -> Result<()> {
    match command {
        SessionCommand::List(arguments) => list(&arguments),
        SessionCommand::Revoke(arguments) => revoke(&arguments),
    }
}

fn list(arguments: &ListSessions) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let user = match &arguments.who {
            Some(who) => Some(context.admin.find_user(who).await?),
            None => None,
        };
        let sessions = context.admin.list_sessions(user.as_ref(), now()).await?;
        let mut out = stdout();
        if arguments.json {
            for session in &sessions {
                write_json(&mut out, &view::session(session))?;
            }
            return Ok(out.flush()?);
        }
        let names = names_of(context, &sessions).await?;
        let mut table = Table::new(["USER", "BEGUN (UTC)", "LAST USED (UTC)", "ADDRESS", "USER AGENT", "ID"]);
        for session in &sessions {
            table.push(row(session, &names));
        }
        Ok(table.write(&mut out)?)
    })
}

fn row(session: &Session, names: &HashMap<UserId, String>) -> [String; 6] {
    [
        names.get(&session.user_id).cloned().unwrap_or_else(|| session.user_id.to_string()),
        view::moment(session.created_at),
        view::moment(session.last_used_at),
        session.origin.ip.clone(),
        session.origin.user_agent.chars().take(40).collect(),
        session.id.to_string(),
    ]
}

/// Returns what people call the users of `sessions`.
async fn names_of(context: &Context, sessions: &[Session]) -> Result<HashMap<UserId, String>> {
    let mut names = HashMap::new();
    for session in sessions {
        let id = &session.user_id;
        if names.contains_key(id) {
            continue;
        }
        if let Some(user) = context.store.find_user(&UserKey::Id(id.clone())).await? {
            names.insert(id.clone(), view::name(&user).to_owned());
        }
    }
    Ok(names)
}

fn revoke(arguments: &RevokeSessions) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let now = now();
        // A session's id and a user's look alike; a user name that copies a session's id must not shield that session.
        if let Some(id) = arguments.session()
            && context.store.find_session(id).await?.is_some()
        {
            context.admin.revoke_session(id, now).await?;
            return Ok(writeln!(stdout(), "ended session {id}")?);
        }
        let who = arguments.user.as_ref().or(arguments.what.as_ref());
        let who = who.ok_or_else(|| Failure::usage("name a session or a user"))?;
        let user = context.admin.find_user(who).await.map_err(|error| not_found(arguments, error.into()))?;
        let ended = context.admin.revoke_sessions(&user, now).await?.len();
        let plural = if ended == 1 { "" } else { "s" };
        Ok(writeln!(stdout(), "ended {ended} session{plural} of {}", printable(view::name(&user)))?)
    })
}

/// Returns `failure`, in words that fit a session's id if that is what was typed.
fn not_found(arguments: &RevokeSessions, failure: Failure) -> Failure {
    match arguments.session() {
        Some(id) => Failure { message: format!("no live session and no user has the id {id}"), ..failure },
        None => failure,
    }
}
