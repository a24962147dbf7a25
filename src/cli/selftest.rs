//! `vestibule selftest`: attacks a running deployment with what gateways of its kind were broken by, and says what got through.
//! It works from the outside alone, so it holds for the whole of what stands there: the proxies before the gateway too.
//! Nothing it sends changes anything but the sessions that it begins itself.

mod answer;
mod credentials;
mod endpoints;
mod framing;
mod headers;
mod hosts;
mod paths;
mod probe;
mod runner;
mod secure;
mod session;
mod site;
mod wire;

#[cfg(test)]
mod tests;

use std::io;

use super::command::{PasswordArgs, Selftest};
use super::context::{block_on, stdout};
use super::failure::{Failure, OTHER, Result, UNAVAILABLE};
use super::password::{read_first_line, read_new};
use probe::{Expect, Family, Probe};
use runner::{Counts, Runner};
use session::{Account, Grant};
use site::Site;
use wire::Until;

pub fn run(arguments: &Selftest) -> Result<()> {
    let site = Site::of(arguments)?;
    let caller = caller(arguments)?;
    let mut out = stdout();
    let counts = block_on(attack(site, &caller, &mut out, arguments.json))??;
    if counts.failed > 0 { Err(Failure::silent(OTHER)) } else { Ok(()) }
}

const UNTOLD: &str = "say --protected PATH (or -c FILE) to have what is protected attacked";

/// Who may see the protected path.
enum Caller {
    Nobody,
    Token(String),
    Account(Account),
}

fn caller(arguments: &Selftest) -> Result<Caller> {
    if let Some(email) = &arguments.email {
        let password = read_new(PasswordArgs { password_stdin: true }, email)?;
        return Ok(Caller::Account(Account { email: email.clone(), password }));
    }
    if !arguments.token_stdin {
        return Ok(Caller::Nobody);
    }
    let token = read_first_line()?;
    let token = token.expose().trim();
    let is_token = token.len() > 2 && token.is_ascii() && !token.contains(char::is_whitespace);
    if is_token { Ok(Caller::Token(token.to_owned())) } else { Err(Failure::usage("stdin holds no token")) }
}

async fn attack(mut site: Site, caller: &Caller, out: &mut dyn io::Write, is_json: bool) -> Result<Counts> {
    let hello = site.get(&site.public).bytes();
    let nobody = |error| Failure::new(UNAVAILABLE, format!("{}: {error}", site.url()));
    site.wire.send(&hello, Until::Answered).await.map_err(nobody)?;
    let is_echo = site.is_echo && {
        let echo = headers::echo_probe(&site, &site.public, None);
        let mut scratch = io::sink();
        let mut runner = Runner::new(&site, &mut scratch, is_json);
        runner.run(&echo).await?;
        !runner.last_failed()
    };
    let wants_echo = std::mem::replace(&mut site.is_echo, is_echo);
    let mut runner = Runner::new(&site, out, is_json);
    if wants_echo && !is_echo {
        let why = "the app behind shows no headers; leave --echo out".to_owned();
        runner.say(Family::Basics, "the app behind shows what it received", probe::Verdict::Failed(why))?;
    }
    runner.attack_all(caller).await?;
    Ok(runner.finish()?)
}

impl Runner<'_> {
    async fn attack_all(&mut self, caller: &Caller) -> io::Result<()> {
        let granted = self.greet(caller).await?;
        let token = match caller {
            Caller::Token(token) => Some(token.as_str()),
            Caller::Nobody | Caller::Account(_) => granted.as_ref().map(|grant| grant.access.as_str()),
        };
        self.learn_bodies(token).await;
        if self.site.protected.is_some() {
            self.run_all(&credentials::probes(self.site, token)).await?;
        } else {
            self.skip(Family::Credentials, UNTOLD)?;
        }
        self.forge_headers(token).await?;
        if self.site.protected.is_some() {
            self.run_all(&paths::probes(self.site)).await?;
        } else {
            self.skip(Family::Paths, UNTOLD)?;
        }
        self.run_all(&hosts::host_probes(self.site)).await?;
        self.run_all(&hosts::method_probes(self.site)).await?;
        self.run_all(&framing::probes(self.site)).await?;
        self.try_endpoints(caller, granted.as_ref()).await
    }

    /// Sees that the paths are what they are said to be, and signs in.
    async fn greet(&mut self, caller: &Caller) -> io::Result<Option<Grant>> {
        let public = self.site.get(&self.site.public);
        let name = format!("everybody gets through to {}", self.site.public);
        // Only told from a protected path is it public.
        if self.site.protected.as_ref() != Some(&self.site.public) {
            self.run(&Probe::new(Family::Basics, name, &public, Expect::Passes)).await?;
        }
        if let Some(path) = &self.site.protected {
            let name = format!("nobody gets through to {path}");
            self.run(&Probe::new(Family::Basics, name, &self.site.get(path), Expect::Challenge(None))).await?;
        }
        match caller {
            Caller::Account(account) => self.sign_in(account).await,
            Caller::Nobody | Caller::Token(_) => Ok(None),
        }
    }

    async fn learn_bodies(&mut self, token: Option<&str>) {
        let missing = format!("{}/selftest-finds-nothing-here", self.site.public.trim_end_matches('/'));
        for path in [self.site.public.as_str(), &missing] {
            let body = self.fetch(&self.site.get(path).bytes()).await;
            self.baseline.harmless.extend(body);
        }
        if let (Some(path), Some(token)) = (&self.site.protected, token) {
            self.baseline.content = self.fetch(&self.site.get(path).bearer(self.site, token).bytes()).await;
        }
    }

    async fn forge_headers(&mut self, token: Option<&str>) -> io::Result<()> {
        if !self.site.is_echo {
            let why = "only an app that shows what it received can tell: put one behind and say --echo";
            return self.skip(Family::Headers, why);
        }
        self.run_all(&headers::probes(self.site, &self.site.public, None)).await?;
        match (&self.site.protected, token) {
            (Some(path), Some(token)) => self.run_all(&headers::probes(self.site, path, Some(token))).await,
            (Some(_) | None, _) => Ok(()),
        }
    }

    async fn try_endpoints(&mut self, caller: &Caller, granted: Option<&Grant>) -> io::Result<()> {
        let keys = self.site.get(&format!("{}/.well-known/jwks.json", self.site.prefix));
        if self.fetch(&keys.bytes()).await.is_none() {
            let why = format!("there are no endpoints of Vestibule below {}", self.site.prefix);
            self.skip(Family::Endpoints, &why)?;
            return self.skip(Family::Sessions, &why);
        }
        self.run_all(&endpoints::probes(self.site)).await?;
        match caller {
            Caller::Account(account) => self.play_sessions(account, granted).await,
            Caller::Nobody | Caller::Token(_) => {
                self.skip(Family::Sessions, "say --email and --password-stdin to have sessions played through")
            }
        }
    }
}
