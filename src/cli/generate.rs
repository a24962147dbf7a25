//! `vestibule completions` and `vestibule man`: made from the same definitions as `--help`.

use std::io::Write as _;

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::command::{Cli, Completions};
use super::failure::Result;

pub fn completions(arguments: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "vestibule", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}

/// Prints the page of the program and those of all its commands, one after the other.
pub fn manual() -> Result<()> {
    Ok(std::io::stdout().write_all(&pages()?)?)
}

fn pages() -> Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut out = Vec::new();
    render(&command, &mut out)?;
    Ok(out)
}

fn render(command: &clap::Command, out: &mut Vec<u8>) -> Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    Man::new(command.clone()).title(name.to_uppercase()).manual("Vestibule").render(out)?;
    command.get_subcommands().filter(|command| !command.is_hide_set()).try_for_each(|command| render(command, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_a_page_for_every_command() {
        let text = String::from_utf8(pages().unwrap()).unwrap();
        let titles: Vec<_> = text.lines().filter(|line| line.starts_with(".TH ")).collect();
        assert!(titles.len() > 25, "{titles:?}");
        for title in ["VESTIBULE ", "VESTIBULE-SERVE ", "VESTIBULE-USER-ADD ", "VESTIBULE-TOKEN-ISSUE "] {
            assert!(titles.iter().any(|line| line.contains(title)), "{title} is missing: {titles:?}");
        }
    }
}
