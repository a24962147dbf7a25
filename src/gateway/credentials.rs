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
        // Under whatever scheme it stands: the token is the last word.
        let text = std::str::from_utf8(field).unwrap_or_default();
        text.split([' ', '\t', ',', '=', '"']).any(|word| authenticator.is_ours(word))
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
