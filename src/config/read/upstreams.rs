//! `[upstream.NAME]`, and the upstreams that routes give as a URL: each is read once and then known by its place.

use std::collections::BTreeSet;

use crate::config::document::{At, Fault};
use crate::config::problem::nearest;
use crate::config::section::Section;
use crate::config::settings::{Balance, Upstream, UpstreamId};
use crate::config::text::{self, Parsed};

const SERVER: &str = "a URL such as \"http://127.0.0.1:3000\" (http or https, without path)";

pub(super) struct Upstreams<'a> {
    section: Section<'a>,
    list: Vec<Upstream>,
    /// How many of the list have a section; the others are URLs.
    named: usize,
    used: BTreeSet<usize>,
}

impl<'a> Upstreams<'a> {
    pub(super) fn read(section: &Section<'a>) -> Self {
        let mut list = Vec::new();
        for (name, at) in section.keys() {
            let is_name = (1..=64).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            if !is_name {
                let fault = Fault::new(format!("an upstream named {name:.80?}"), "1 to 64 letters, digits, `-` or `_`");
                section.document.refuse(&at, &format!("upstream.{name:.80}"), fault);
            }
            let mut table = None;
            let is_table = section.document.is_clean(|| table = Some(section.table(&name)));
            // One that is no table is still a name, so that routes that use it are not blamed as well.
            list.push(
                table.filter(|_| is_table).map_or_else(|| Upstream::named(&name), |table| upstream(&table, &name)),
            );
        }
        Self { section: section.clone(), named: list.len(), list, used: BTreeSet::new() }
    }

    /// Returns the upstream that a route names or whose URL it gives.
    pub(super) fn find(&mut self, text: &str) -> Parsed<UpstreamId> {
        let index = if text.contains("://") { Some(self.find_url(text)?) } else { self.find_name(text) };
        let Some(index) = index else { return Err(Some(self.hint_for(text))) };
        self.used.insert(index);
        Ok(UpstreamId(index))
    }

    /// Returns the first upstream that has a server in common with this one; `None` for one that was refused.
    pub(super) fn same_servers(&self, id: UpstreamId) -> Option<usize> {
        let upstream = self.list.get(id.index())?;
        let shares = |other: &Upstream| other.servers.iter().any(|server| upstream.servers.contains(server));
        self.list.iter().position(shares).or(Some(id.index()))
    }

    fn find_name(&self, name: &str) -> Option<usize> {
        self.list[..self.named].iter().position(|upstream| upstream.name == name)
    }

    fn find_url(&mut self, url: &str) -> Parsed<usize> {
        let origin = text::origin(url)?;
        let known = self.list[self.named..].iter().position(|upstream| upstream.servers.contains(&origin));
        if let Some(place) = known {
            return Ok(self.named + place);
        }
        let mut upstream = Upstream::named(&origin.to_string());
        upstream.servers.push(origin);
        self.list.push(upstream);
        Ok(self.list.len() - 1)
    }

    fn hint_for(&self, name: &str) -> String {
        let names = || self.list[..self.named].iter().map(|upstream| upstream.name.as_str());
        if let Some(near) = nearest(name, names()) {
            return format!("did you mean {near:?}?");
        }
        let known: Vec<&str> = names().take(10).collect();
        if known.is_empty() {
            return "give a URL such as \"http://127.0.0.1:3000\", or add an [upstream.NAME] section".to_owned();
        }
        format!("there is {}", known.join(", "))
    }

    /// Returns every upstream, and warns of those that no route leads to.
    pub(super) fn finish(self) -> Vec<Upstream> {
        for (index, upstream) in self.list.iter().enumerate() {
            if !self.used.contains(&index) {
                let at = self.section.keys().into_iter().find(|(name, _)| *name == upstream.name);
                let at = at.map_or(At::File, |(_, at)| at);
                self.section.document.warn(&at, &format!("no route leads to the upstream `{}`", upstream.name));
            }
        }
        self.list
    }
}

fn upstream(section: &Section<'_>, name: &str) -> Upstream {
    let mut upstream = Upstream::named(name);
    let is_clean = section.document.is_clean(|| {
        section.list("servers", &mut upstream.servers, SERVER, text::origin);
    });
    if is_clean && upstream.servers.is_empty() {
        section
            .refuse("servers", Fault::new("an upstream without servers", format!("servers = [\"…\"], each {SERVER}")));
    }
    let choices = [
        ("least_requests", Balance::LeastRequests),
        ("round_robin", Balance::RoundRobin),
        ("client_hash", Balance::ClientHash),
    ];
    section.choice("balance", &mut upstream.balance, &choices);
    section.timeout("connect_timeout", &mut upstream.connect_timeout);
    section.timeout("response_timeout", &mut upstream.response_timeout);
    section.integer("retries", &mut upstream.retries, 0..=10);
    upstream
}
