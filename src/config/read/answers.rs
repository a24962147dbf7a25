//! `auth.response`, `[auth.answers]` and `[auth.errors]`: how our endpoints answer.

use std::collections::BTreeMap;

use http::StatusCode;

use super::auth::line;
use crate::config::document::Fault;
use crate::config::problem::nearest;
use crate::config::section::{Section, one_of};
use crate::http::answers::{Answer, Answers, ErrorWords, Shape, TokenErrors};

/// Endpoints whose answers may be shaped.
const SHAPED: [&str; 6] = ["register", "login", "refresh", "me", "token", "token_verify"];

/// Members that answers with tokens can have, then those of a user.
const GRANT: [&str; 6] = ["user_id", "access_token", "refresh_token", "token_type", "expires_in", "scope"];
const USER: [&str; 12] = [
    "id",
    "email",
    "username",
    "first_name",
    "last_name",
    "full_name",
    "phone",
    "profile",
    "is_active",
    "email_verified",
    "roles",
    "created_at",
];

/// Codes of refusals whose status and words may be others.
const CODES: [&str; 9] = [
    "email_taken",
    "username_taken",
    "invalid_credentials",
    "invalid_token",
    "unauthorized",
    "registration_closed",
    "too_many_requests",
    "required",
    "validation_failed",
];

pub(super) fn answers(section: &Section<'_>) -> Answers {
    let mut answers = Answers::default();
    section.choice("response", &mut answers.shape, &[("plain", Shape::Plain), ("envelope", Shape::Envelope)]);
    section.choice(
        "token_errors",
        &mut answers.token_errors,
        &[("oauth", TokenErrors::OAuth), ("response", TokenErrors::AsOthers)],
    );
    let of = section.table("answers");
    for (name, at) in of.keys() {
        let answer = of.table(&name);
        if SHAPED.contains(&name.as_str()) {
            answers.of.insert(name.clone(), read(&answer, &name));
        } else {
            let fault = Fault::new(format!("`{name:.80}`"), one_of(&SHAPED));
            section.document.refuse(&at, &of.path, fault.hint(hint(&name, &SHAPED)));
        }
    }
    answers.errors = errors(&section.table("errors"));
    answers
}

fn read(section: &Section<'_>, endpoint: &str) -> Answer {
    let mut answer = Answer { errors: errors(&section.table("errors")), ..Answer::default() };
    answer.status = status(section, 200..=202);
    let known: Vec<&str> = match endpoint {
        "token_verify" => {
            section.optional("message", &mut answer.message, "a text", line);
            return answer;
        }
        "me" => USER.to_vec(),
        _ => GRANT.into_iter().chain(USER).collect(),
    };
    if section.is_set("fields") {
        let mut fields = Vec::new();
        section.list("fields", &mut fields, &one_of(&known), |text| {
            if known.contains(&text) { Ok(text.to_owned()) } else { Err(None) }
        });
        answer.fields = Some(fields);
    }
    answer
}

fn errors(section: &Section<'_>) -> BTreeMap<String, ErrorWords> {
    let mut errors = BTreeMap::new();
    for (code, at) in section.keys() {
        let words = section.table(&code);
        let mut message = None;
        words.optional("message", &mut message, "a text", line);
        let words = ErrorWords { status: status(&words, 400..=499), message };
        if CODES.contains(&code.as_str()) {
            errors.insert(code, words);
        } else {
            let fault = Fault::new(format!("`{code:.80}`"), one_of(&CODES));
            section.document.refuse(&at, &section.path, fault.hint(hint(&code, &CODES)));
        }
    }
    errors
}

fn hint(typed: &str, names: &[&str]) -> Option<String> {
    nearest(typed, names.iter().copied()).map(|name| format!("did you mean `{name}`?"))
}

fn status(section: &Section<'_>, range: std::ops::RangeInclusive<u16>) -> Option<StatusCode> {
    let mut status = 0;
    section.integer("status", &mut status, range);
    StatusCode::from_u16(status).ok()
}
