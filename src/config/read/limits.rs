//! `[limits]` and `[password]`: how much and how often, and what a password and its hash must be.

use super::server::per_core;
use crate::config::document::Fault;
use crate::config::section::Section;
use crate::config::settings::{Limits, Password};

pub(super) fn limits(section: &Section<'_>) -> Limits {
    let mut limits = Limits::default();
    section.rate("login", &mut limits.login);
    section.rate("login_account", &mut limits.login_account);
    section.rate("login_network", &mut limits.login_network);
    section.rate("register", &mut limits.register);
    section.rate("mail", &mut limits.mail);
    section.rate("mail_account", &mut limits.mail_account);
    section.rate("mail_network", &mut limits.mail_network);
    section.rate("requests", &mut limits.requests);
    // RFC 9112 section 3 asks for targets of 8,000 bytes at least.
    section.size("header_size", &mut limits.header_size, "8KiB"..="1MiB");
    section.timeout("header_timeout", &mut limits.header_timeout);
    section.timeout("idle_timeout", &mut limits.idle_timeout);
    section.integer("connections", &mut limits.connections, 1..=10_000_000);
    section.timeout("body_timeout", &mut limits.body_timeout);
    // HTTP/2 windows have 31 bits (RFC 9113 section 6.9.1), and start at 64 KiB - 1.
    section.size("h2_stream_window", &mut limits.h2_stream_window, "64KiB"..="1GiB");
    section.size("h2_connection_window", &mut limits.h2_connection_window, "64KiB"..="1GiB");
    limits
}

pub(super) fn password(section: &Section<'_>) -> Password {
    let mut password = Password::default();
    let rules = &mut password.rules;
    section.integer("min_length", &mut rules.min_length, 1..=4096);
    section.integer("max_length", &mut rules.max_length, 1..=4096);
    if rules.min_length > rules.max_length {
        let key = if section.is_set("min_length") { "min_length" } else { "max_length" };
        let fault = Fault::new(
            format!("min_length {} above max_length {}", rules.min_length, rules.max_length),
            "a shortest length up to the longest",
        );
        section.refuse(key, fault);
    }
    section.bool("deny_common", &mut rules.deny_common);
    cost(section, &mut password);
    password.hash_concurrency = per_core(section, "hash_concurrency");
    password
}

fn cost(section: &Section<'_>, password: &mut Password) {
    let cost = &mut password.cost;
    let mut memory = cost.memory_kib as usize * 1024;
    section.size("memory", &mut memory, "8KiB"..="2GiB");
    cost.memory_kib = u32::try_from(memory / 1024).expect("at most 2 GiB");
    section.integer("iterations", &mut cost.iterations, 1..=1000);
    section.integer("parallelism", &mut cost.parallelism, 1..=64);
    // RFC 9106 section 3.1: eight blocks of 1 KiB for every lane.
    let least = 8 * cost.parallelism;
    if cost.memory_kib < least {
        let key = if section.is_set("memory") { "memory" } else { "parallelism" };
        let found = format!("{} KiB for a parallelism of {}", cost.memory_kib, cost.parallelism);
        section.refuse(key, Fault::new(found, format!("at least 8 KiB for each, {least}KiB")));
    }
}
