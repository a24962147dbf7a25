//! `vestibule explain`: what would become of a request, told by the code that decides it.

use std::io::Write as _;

use super::command::Explain;
use super::context::{load, stdout, with_settings};
use super::failure::{Failure, Result};
use crate::app;
use crate::config::Settings;
use crate::store::User;

pub fn run(arguments: &Explain) -> Result<()> {
    let (_, settings) = load(&arguments.file)?;
    let Some(who) = &arguments.as_user else { return tell(arguments, &settings, None) };
    with_settings(settings, async |context| {
        let user = context.admin.find_user(who).await?;
        tell(arguments, &context.settings, Some(&user))
    })
}

fn tell(arguments: &Explain, settings: &Settings, user: Option<&User>) -> Result<()> {
    let explanation = app::explain(settings, &arguments.method, &arguments.url, user).map_err(Failure::usage)?;
    Ok(write!(stdout(), "{explanation}")?)
}
