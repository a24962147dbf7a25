//! `vestibule token …`: what a token says and whether it would be taken; tokens for scripts and tests.

mod inspect;

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use serde_json::json;

use super::command::{InspectToken, IssueToken, TokenCommand};
use super::context::{now, stdout, with_store, write_json};
use super::failure::{Failure, OTHER, Result};
use super::table::{printable, write_pairs};
use super::view;
use crate::account::admin::Issue;
use crate::clock::Timestamp;
use crate::identity::Scope;
use inspect::{Decoded, Verdict};

pub fn run(command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Inspect(arguments) => inspect(&arguments),
        TokenCommand::Issue(arguments) => issue(&arguments),
    }
}

/// Longer than any token that fits a header.
const LONGEST_TOKEN: u64 = 64 * 1024;

fn inspect(arguments: &InspectToken) -> Result<()> {
    let token = read_token(&arguments.token)?;
    with_store(&arguments.file, async |context| {
        let decoded = Decoded::read(&token);
        let verdict = inspect::judge(context, &decoded, &token).await?;
        let mut out = stdout();
        if arguments.json {
            write_json(&mut out, &inspect::to_json(&decoded, &verdict))?;
        } else {
            write_text(&mut out, &decoded, &verdict, now())?;
        }
        if verdict.is_good { Ok(()) } else { Err(Failure::silent(OTHER)) }
    })
}

fn read_token(argument: &str) -> Result<String> {
    let mut token = argument.to_owned();
    if argument == "-" {
        token.clear();
        io::stdin().lock().take(LONGEST_TOKEN).read_to_string(&mut token)?;
    }
    let token = token.trim();
    Ok(token.strip_prefix("Bearer ").unwrap_or(token).trim().to_owned())
}

fn write_text(out: &mut impl io::Write, decoded: &Decoded, verdict: &Verdict, now: Timestamp) -> io::Result<()> {
    for (name, part) in [("header", &decoded.header), ("claims", &decoded.claims)] {
        let Some(part) = part else { continue };
        writeln!(out, "{name}")?;
        for line in format!("{part:#}").lines() {
            writeln!(out, "  {}", printable(line))?;
        }
    }
    let mut pairs = Vec::new();
    for (name, claim) in [("issued", "iat"), ("begins", "nbf"), ("expires", "exp")] {
        if let Some(at) = decoded.time(claim) {
            pairs.push((name, format!("{} UTC, {}", view::moment(at), distance(at, now))));
        }
    }
    let good = if verdict.is_good { "good" } else { "refused" };
    pairs.push(("verdict", format!("{good}: {}", verdict.why)));
    write_pairs(out, &pairs)
}

/// Returns `3m ago` or `in 2h`, in the largest unit that fits.
fn distance(at: Timestamp, now: Timestamp) -> String {
    let spelt = |span: Duration| match span.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    };
    if at > now { format!("in {}", spelt(at.since(now))) } else { format!("{} ago", spelt(now.since(at))) }
}

fn issue(arguments: &IssueToken) -> Result<()> {
    with_store(&arguments.file, async |context| {
        let user = context.admin.find_user(&arguments.who).await?;
        let trust = context.trust().await?;
        let auth = &context.settings.auth;
        let issue = Issue {
            trust: &trust,
            access_ttl: access_ttl(arguments.ttl, auth.access_ttl)?,
            refresh_ttl: auth.refresh_ttl.min(auth.session_max),
            scopes: context.scopes_of(&user.roles),
        };
        let tokens = context.admin.issue_tokens(&user, &issue, now()).await?;
        let mut out = stdout();
        if arguments.json {
            let scope = issue.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ");
            let answer = json!({
                "user_id": user.id.as_str(),
                "session_id": tokens.session.to_string(),
                "access_token": tokens.access_token.expose(),
                "refresh_token": tokens.refresh_token.expose(),
                "token_type": "bearer",
                "expires_in": issue.access_ttl.as_secs(),
                "scope": scope,
            });
            return Ok(write_json(&mut out, &answer)?);
        }
        writeln!(out, "{}", tokens.access_token.expose())?;
        if arguments.refresh {
            writeln!(out, "{}", tokens.refresh_token.expose())?;
        }
        Ok(())
    })
}

/// Returns how long the access token lives. What has been revoked is remembered for `auth.access_ttl`: a token that lives
/// longer could outlive the loss of a role.
fn access_ttl(asked: Option<Duration>, configured: Duration) -> Result<Duration> {
    let ttl = asked.unwrap_or(configured);
    if ttl > configured {
        let (asked, configured) = (ttl.as_secs(), configured.as_secs());
        return Err(Failure::usage(format!(
            "--ttl is {asked}s and auth.access_ttl {configured}s; no token may live longer, since what is revoked is \
             remembered that long. Use --refresh, or raise auth.access_ttl"
        )));
    }
    Ok(ttl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_come_with_its_scheme_and_white_space() {
        assert_eq!(read_token(" Bearer a.b.c\n").unwrap(), "a.b.c");
        assert_eq!(read_token("a.b.c").unwrap(), "a.b.c");
    }

    #[test]
    fn no_token_outlives_the_memory_of_its_revocation() {
        let configured = Duration::from_mins(15);
        assert_eq!(access_ttl(None, configured), Ok(configured));
        assert_eq!(access_ttl(Some(Duration::from_secs(1)), configured), Ok(Duration::from_secs(1)));
        assert_eq!(access_ttl(Some(configured + Duration::from_secs(1)), configured).unwrap_err().code, 64);
    }

    #[test]
    fn distances_are_told_in_the_largest_unit_that_fits() {
        let now = Timestamp::from_secs(1_000_000);
        assert_eq!(distance(Timestamp::from_secs(1_000_059), now), "in 59s");
        assert_eq!(distance(Timestamp::from_secs(1_000_000 - 7_300), now), "2h ago");
        assert_eq!(distance(Timestamp::from_secs(1_000_000 - 86_400 * 3), now), "3d ago");
    }
}
