//! The caller's own credential: read where a route wants one, and kept from upstreams in `Authorization` and the configured header.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, header};

use super::refuse::Refusal;
use super::rules::Rules;
use crate::auth::Authenticator;
use crate::auth::bearer::{self, Accepted, Place, Presented};
use crate::clock::Timestamp;
use crate::http::fields::{Fields, Lookup};
use crate::identity::Caller;

/// Somebody who is asking, and where their credential stood.
pub struct Identified {
    pub caller: Arc<Caller>,
    pub place: Place,
}

/// Returns whom the headers' credential stands for; `None` if there is none of ours.
pub async fn identify(
    fields: &Fields,
    rules: &Rules,
    accepted: Accepted,
    authenticator: &Authenticator,
    now: Timestamp,
) -> Result<Option<Identified>, Refusal> {
    match bearer::read(fields, &rules.bearer, accepted) {
        Presented::Nothing | Presented::Foreign => Ok(None),
        Presented::Repeated => Err(Refusal::RepeatedCredential),
        Presented::Token(place, token) => {
            let caller = authenticator.verify_any(&token, now).await?;
            Ok(Some(Identified { caller, place }))
        }
    }
}

/// Removes every credential of ours; an `Authorization` that is the app's own passes where the route did not use it. `used` is
/// where the route found its caller's.
pub fn remove_ours(fields: &mut Fields, used: Option<Place>, rules: &Rules, authenticator: &Authenticator) {
    if rules.pass_authorization {
        return;
    }
    if used == Some(Place::Bearer) {
        // A single field is all there was.
        fields.remove(&rules.bearer.header);
    }
    for name in [&header::AUTHORIZATION, &bearer::API_KEY] {
        remove_signed_by_us(fields, name, authenticator);
    }
    if rules.bearer.header != header::AUTHORIZATION {
        remove_signed_by_us(fields, &rules.bearer.header, authenticator);
    }
}

fn remove_signed_by_us(fields: &mut Fields, name: &HeaderName, authenticator: &Authenticator) {
    let is_ours = |field: &[u8]| {
        words(field).any(|word| authenticator.is_ours(word))
            || bearer::basic_key(field).is_some_and(|key| authenticator.is_ours(&key))
    };
    if !fields.values(name).any(is_ours) {
        return;
    }
    let foreign = fields.values(name).filter(|field| !is_ours(field)).map(HeaderValue::from_bytes);
    let foreign: Vec<HeaderValue> = foreign.filter_map(Result::ok).collect();
    fields.remove(name);
    for field in foreign {
        fields.append(name.clone(), field);
    }
}

/// What is shorter is no credential of ours: the header alone of a token that names a key takes more, a key of a user has 41.
const SHORTEST: usize = 16;

/// Returns what may be a credential in a field, whatever scheme and whatever other bytes are around it. Each is looked into, so
/// what can't be one is left out: HTTP/2 repeats a field of thousands of empty words in a single octet.
fn words(field: &[u8]) -> impl Iterator<Item = &str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let words = field.split(move |byte| !is_part(byte)).filter(|word| word.len() >= SHORTEST);
    words.filter_map(|word| std::str::from_utf8(word).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_whatever_stands_around_it_and_nothing_short_is_looked_at() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJ4IjoxfQ.s_-1";
        for field in ["Bearer T", "T", "token=\"T\"", "a:'T';b", "x/T/y", "Bearer\tT,", "T=="] {
            let mut field = field.replace('T', token).into_bytes();
            assert_eq!(words(&field).collect::<Vec<_>>(), [token]);
            field.insert(0, b'\xff');
            field.push(b'\xff');
            assert_eq!(words(&field).collect::<Vec<_>>(), [token], "between bytes that are no text");
        }
        assert_eq!(words(&b"=".repeat(32_000)).count(), 0);
        assert!(words(&b"aaaaaaaaaaaaaaa ".repeat(2_000)).next().is_none());
    }
}
