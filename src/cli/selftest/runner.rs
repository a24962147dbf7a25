//! Sends probe after probe, one at a time, and says what came of each as it comes.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::probe::Verdict::{Failed, Passed, Skipped};
use super::probe::{Baseline, Family, Probe, Verdict};
use super::site::Site;
use super::wire::{Reply, Until};
use crate::cli::table::printable;

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default();

/// Wide enough for most names; a longer one moves its line's reason to the right.
const NAME_WIDTH: usize = 48;

/// What is known so far.
pub struct Runner<'a> {
    pub site: &'a Site,
    pub baseline: Baseline,
    out: &'a mut dyn Write,
    is_json: bool,
    family: Option<Family>,
    outcomes: Vec<(Family, String, Verdict)>,
}

/// How many probes came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl<'a> Runner<'a> {
    pub fn new(site: &'a Site, out: &'a mut dyn Write, is_json: bool) -> Self {
        Self { site, baseline: Baseline::default(), out, is_json, family: None, outcomes: Vec::new() }
    }

    pub async fn run_all(&mut self, probes: &[Probe]) -> io::Result<()> {
        for probe in probes {
            self.run(probe).await?;
        }
        Ok(())
    }

    pub async fn run(&mut self, probe: &Probe) -> io::Result<()> {
        let verdict = match self.site.wire.send(&probe.request, probe.until()).await {
            Ok(reply) => probe.judge(self.site, &self.baseline, &reply),
            Err(error) => Failed(format!("no connection: {error}")),
        };
        self.say(probe.family, &probe.name, verdict)
    }

    /// Returns the body of a success that `request` is answered with.
    pub async fn fetch(&self, request: &[u8]) -> Option<Vec<u8>> {
        match self.site.wire.send(request, Until::Answered).await {
            Ok(Reply::Answer(answer)) if answer.is_success() => Some(answer.body),
            Ok(Reply::Answer(_) | Reply::Closed | Reply::Silence) | Err(_) => None,
        }
    }

    pub fn skip(&mut self, family: Family, why: &str) -> io::Result<()> {
        self.say(family, "all", Skipped(why.to_owned()))
    }

    pub fn say(&mut self, family: Family, name: &str, verdict: Verdict) -> io::Result<()> {
        if !self.is_json {
            if self.family != Some(family) {
                writeln!(self.out, "{BOLD}{}{BOLD:#}", family.name())?;
                self.family = Some(family);
            }
            let (style, word, reason) = shown(&verdict);
            let (name, reason) = (printable(name), printable(reason));
            writeln!(self.out, "  {style}{word}{style:#}  {name:NAME_WIDTH$}  {FAINT}{reason}{FAINT:#}")?;
        }
        self.outcomes.push((family, name.to_owned(), verdict));
        Ok(())
    }

    pub fn last_failed(&self) -> bool {
        matches!(self.outcomes.last(), Some((.., Failed(_))))
    }

    /// Returns how many came out how, and says so.
    pub fn finish(self) -> io::Result<Counts> {
        let mut counts = Counts::default();
        for (.., verdict) in &self.outcomes {
            match verdict {
                Passed(_) => counts.passed += 1,
                Failed(_) => counts.failed += 1,
                Skipped(_) => counts.skipped += 1,
            }
        }
        let Counts { passed, failed, skipped } = counts;
        if self.is_json {
            let probes: Vec<Value> = self.outcomes.iter().map(to_json).collect();
            let url = self.site.url();
            writeln!(
                self.out,
                "{}",
                json!({ "url": url, "passed": passed, "failed": failed, "skipped": skipped, "probes": probes })
            )?;
            return Ok(counts);
        }
        let style = if failed == 0 { GOOD } else { BAD };
        writeln!(self.out, "\n{passed} passed, {style}{failed} failed{style:#}, {skipped} skipped")?;
        for (family, name, verdict) in &self.outcomes {
            if let Failed(reason) = verdict {
                writeln!(self.out, "  {}: {}: {}", family.name(), printable(name), printable(reason))?;
            }
        }
        Ok(counts)
    }
}

fn shown(verdict: &Verdict) -> (Style, &'static str, &str) {
    match verdict {
        Passed(reason) => (GOOD, "pass", reason),
        Failed(reason) => (BAD, "FAIL", reason),
        Skipped(reason) => (OPEN, "skip", reason),
    }
}

fn to_json((family, name, verdict): &(Family, String, Verdict)) -> Value {
    let (result, reason) = match verdict {
        Passed(reason) => ("passed", reason),
        Failed(reason) => ("failed", reason),
        Skipped(reason) => ("skipped", reason),
    };
    json!({ "family": family.name(), "probe": name, "result": result, "reason": reason })
}
