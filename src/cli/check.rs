//! `vestibule check`: every mistake of a configuration, without running it.

use std::io::Write as _;

use super::command::Check;
use super::context::{load, shown, stdout};
use super::failure::{CONFIG, Failure, Result};
use crate::app;

pub fn run(arguments: &Check) -> Result<()> {
    let (path, settings) = load(&arguments.file)?;
    for warning in &settings.warnings {
        anstream::eprintln!("warning: {warning}");
    }
    let problems = if arguments.deep { app::check_deep(&settings) } else { Vec::new() };
    if !problems.is_empty() {
        let list = problems.join("\n  ");
        return Err(Failure::new(CONFIG, format!("{} reads well, but does not work here:\n  {list}", shown(&path))));
    }
    let (routes, upstreams) = (settings.routes.len(), settings.upstreams.len());
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    Ok(writeln!(
        stdout(),
        "{} is good: {routes} route{} to {upstreams} upstream{}",
        shown(&path),
        plural(routes),
        plural(upstreams)
    )?)
}
