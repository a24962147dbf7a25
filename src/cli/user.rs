//! `vestibule user …`: accounts on the configured store.

mod export;
mod import;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use super::command::{AddUser, DeleteUser, Listing, NewPassword, PersonArgs, SetUser, ShowUser, UserCommand, Who};
use super::context::{Context, now, stdout, with_store, write_json};
use super::failure::{Failure, Result};
use super::table::{Table, printable, write_pairs};
use super::{password, view};
use crate::account::admin::Profile;
use crate::store::User;

pub fn run(command: UserCommand) -> Result<()> {
    match command {
        UserCommand::Add(arguments) => add(arguments),
        UserCommand::List(arguments) => list(&arguments),
        UserCommand::Show(arguments) => show(&arguments),
        UserCommand::Set(arguments) => set(arguments),
        UserCommand::Disable(arguments) => disable(&arguments),
        UserCommand::Enable(arguments) => enable(&arguments),
        UserCommand::Delete(arguments) => delete(&arguments),
        UserCommand::Passwd(arguments) => set_password(&arguments),
        UserCommand::Import(arguments) => import::run(&arguments),
        UserCommand::Export(arguments) => export::run(&arguments),
    }
}

fn add(arguments: AddUser) -> Result<()> {
    let AddUser { file, name, person, password, no_password, json } = arguments;
    let fields = person.field.clone();
    let mut profile = new_profile(name, person)?;
    with_store(&file, async |context| {
        profile.fields = declared(&fields, context)?;
        let called = profile.email.as_deref().or(profile.username.as_deref()).unwrap_or_default().to_owned();
        let password = (!no_password).then(|| password::read_new(password, &printable(&called))).transpose()?;
        let user = context.admin.add_user(&profile, password.as_ref(), &context.passwords(), now()).await?;
        if json {
            return Ok(write_json(&mut stdout(), &view::user(&user))?);
        }
        Ok(writeln!(stdout(), "added {} with the id {}", printable(view::name(&user)), user.id)?)
    })
}

/// Returns what is known of a new account: `name` is an e-mail address if it holds an `@`, else a user name.
fn new_profile(name: Option<String>, person: PersonArgs) -> Result<Profile> {
    let mut profile = profile(person);
    if let Some(name) = name {
        let place = if name.contains('@') { &mut profile.email } else { &mut profile.username };
        if place.replace(name).is_some() {
            return Err(Failure::usage("the same is said twice; give it once, with or without its option"));
        }
    }
    Ok(profile)
}

fn profile(person: PersonArgs) -> Profile {
    Profile {
        email: person.email,
        username: person.username,
        first_name: person.first_name,
        last_name: person.last_name,
        full_name: person.full_name,
        phone: person.phone,
        external_id: person.external_id,
        fields: BTreeMap::new(),
        roles: (!person.role.is_empty()).then_some(person.role),
    }
}

/// Returns the values that `NAME=VALUE` give fields of `[auth.user_fields]`; an empty one clears.
fn declared(fields: &[String], context: &Context) -> Result<BTreeMap<String, Option<Value>>> {
    let known = &context.settings.auth.user_fields;
    let read = |field: &String| {
        let (name, typed) = field.split_once('=').unwrap_or((field, ""));
        let declared = known.get(name).ok_or_else(|| {
            let names = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { "none".to_owned() } else { names };
            Failure::usage(format!("--field {}: no such field; [auth.user_fields] declares: {names}", printable(name)))
        })?;
        let value = declared.read(typed).map_err(|misfit| Failure::usage(format!("--field {name}: {misfit}")))?;
        Ok((name.to_owned(), value))
    };
    fields.iter().map(read).collect()
}

fn list(arguments: &Listing) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let mut out = stdout();
        let mut table = Table::new(["E-MAIL", "USER NAME", "ROLES", "STATE", "CREATED (UTC)", "ID"]);
        let mut after = None;
        loop {
            let users = context.admin.next_users(after.as_ref()).await?;
            let Some(last) = users.last() else { break };
            after = Some(last.id.clone());
            for user in &users {
                if arguments.json {
                    write_json(&mut out, &view::user(user))?;
                } else {
                    table.push(row(user));
                }
            }
        }
        if !arguments.json {
            table.write(&mut out)?;
        }
        Ok(out.flush()?)
    })
}

fn row(user: &User) -> [String; 6] {
    [
        user.email.clone().unwrap_or_default(),
        user.username.clone().unwrap_or_default(),
        view::roles(user),
        state(user).to_owned(),
        view::moment(user.created_at),
        user.id.to_string(),
    ]
}

fn state(user: &User) -> &'static str {
    match (user.is_active, user.password_hash.is_some()) {
        (true, true) => "active",
        (true, false) => "no password",
        (false, _) => "disabled",
    }
}

fn show(arguments: &ShowUser) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let user = context.admin.find_user(&arguments.who).await?;
        if arguments.json {
            return Ok(write_json(&mut stdout(), &view::user(&user))?);
        }
        let sessions = context.admin.list_sessions(Some(&user), now()).await?.len();
        let password_set =
            user.password_hash.as_ref().map(|_| view::moment(user.password_changed_at)).unwrap_or_default();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let verified = if user.email_verified { " (verified)" } else { "" };
        let pairs = [
            ("id", user.id.to_string()),
            ("e-mail", user.email.as_ref().map(|email| format!("{email}{verified}")).unwrap_or_default()),
            ("user name", text(&user.username)),
            ("first name", text(&user.first_name)),
            ("last name", text(&user.last_name)),
            ("full name", text(&user.full_name)),
            ("phone", text(&user.phone)),
            ("profile", view::profile(&user)),
            ("external id", user.external_id.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default()),
            ("roles", view::roles(&user)),
            ("state", state(&user).to_owned()),
            ("sessions", sessions.to_string()),
            ("created", view::moment(user.created_at)),
            ("changed", view::moment(user.updated_at)),
            ("password set", password_set),
        ];
        Ok(write_pairs(&mut stdout(), &pairs)?)
    })
}

fn set(arguments: SetUser) -> Result<()> {
    let SetUser { file, who, person, no_roles } = arguments;
    let fields = person.field.clone();
    let mut change = profile(person);
    if no_roles {
        change.roles = Some(Vec::new());
    }
    if change == Profile::default() && fields.is_empty() {
        return Err(Failure::usage("nothing to set; see `vestibule user set --help`"));
    }
    with_store(&file, async |context| {
        change.fields = declared(&fields, context)?;
        let user = context.admin.find_user(&who).await?;
        let user = context.admin.set_user(&user, &change, now()).await?;
        let roles = if user.roles.is_empty() { "none".to_owned() } else { view::roles(&user) };
        Ok(writeln!(stdout(), "changed {}; roles: {roles}", printable(view::name(&user)))?)
    })
}

fn disable(arguments: &Who) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let user = context.admin.find_user(&arguments.who).await?;
        context.admin.disable_user(&user, now()).await?;
        Ok(writeln!(stdout(), "disabled {}; every session has ended", printable(view::name(&user)))?)
    })
}

fn enable(arguments: &Who) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let user = context.admin.find_user(&arguments.who).await?;
        context.admin.enable_user(&user, now()).await?;
        Ok(writeln!(stdout(), "enabled {}", printable(view::name(&user)))?)
    })
}

fn delete(arguments: &DeleteUser) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let user = context.admin.find_user(&arguments.who).await?;
        let name = printable(view::name(&user));
        if !arguments.yes && !is_confirmed(context, &user, &name).await? {
            return Err(Failure::other("nothing was deleted"));
        }
        context.admin.delete_user(&user, now()).await?;
        Ok(writeln!(stdout(), "deleted {name}")?)
    })
}

/// Returns whether a person at the terminal says yes; a script has said it by calling.
async fn is_confirmed(context: &Context, user: &User, name: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let sessions = context.admin.list_sessions(Some(user), now()).await?.len();
    write!(io::stderr(), "Delete {name} ({sessions} live sessions) for good? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn set_password(arguments: &NewPassword) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let user = context.admin.find_user(&arguments.who).await?;
        let name = printable(view::name(&user));
        let password = password::read_new(arguments.password, &name)?;
        context.admin.set_password(&user, &password, &context.passwords(), now()).await?;
        Ok(writeln!(stdout(), "{name} has a new password; every session has ended")?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_accounts_name_with_an_at_sign_is_its_address() {
        let profile = new_profile(Some("ada@example.com".to_owned()), PersonArgs::default()).unwrap();
        assert_eq!((profile.email, profile.username), (Some("ada@example.com".to_owned()), None));
        let profile = new_profile(Some("ada".to_owned()), PersonArgs::default()).unwrap();
        assert_eq!((profile.email, profile.username), (None, Some("ada".to_owned())));
    }

    #[test]
    fn two_addresses_for_one_account_are_a_mistake() {
        let person = PersonArgs { email: Some("a@example.com".to_owned()), ..PersonArgs::default() };
        assert_eq!(new_profile(Some("b@example.com".to_owned()), person).unwrap_err().code, 64);
    }
}
