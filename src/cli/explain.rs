//! `vestibule explain`: what would become of a request, told by the code that decides it.

use std::io::Write as _;

use super::command::Explain;
use super::context::{load, stdout, with_settings};
use super::failure::Result;
use crate::app;
use crate::config::Settings;

pub fn run(arguments: &Explain) -> Result<()> {
    let (_, settings) = load(&arguments.file)?;
    let url = whole_url(&arguments.url, &settings);
    let Some(who) = &arguments.as_user else {
        return Ok(writeln!(stdout(), "{}", app::explain(&settings, &arguments.method, &url, None)?)?);
    };
    with_settings(settings, async |context| {
        let user = context.admin.find_user(who).await?;
        let explanation = app::explain(&context.settings, &arguments.method, &url, Some(&user))?;
        Ok(writeln!(stdout(), "{explanation}")?)
    })
}

/// Returns the URL that `typed` means: a path is one on our own host.
fn whole_url(typed: &str, settings: &Settings) -> String {
    if !typed.starts_with('/') {
        return typed.to_owned();
    }
    let host = settings.server.public_url.as_ref().map_or("localhost", |origin| origin.host());
    format!("https://{host}{typed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_on_our_own_host() {
        let settings = Settings::default();
        assert_eq!(whole_url("/a?b", &settings), "https://localhost/a?b");
        assert_eq!(whole_url("https://example.com/a", &settings), "https://example.com/a");
    }
}
