//! A token taken apart without belief, and the verdict of the code that the gateway judges by.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::auth::Trust;
use crate::cli::context::{self, Context};
use crate::cli::failure::Result;
use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::store::UserKey;
use crate::token::claims::{RefreshClaims, TokenError, verify_access, verify_refresh};
use crate::token::refresh;

/// What can be read of a token; nothing in it has been verified.
#[derive(Debug)]
pub struct Decoded {
    pub header: Option<Value>,
    pub claims: Option<Value>,
}

/// Whether the token would be taken now, and why or why not.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub is_good: bool,
    pub why: String,
}

impl Verdict {
    fn good(why: impl Into<String>) -> Self {
        Self { is_good: true, why: why.into() }
    }

    fn refused(why: impl Into<String>) -> Self {
        Self { is_good: false, why: why.into() }
    }
}

impl Decoded {
    pub fn read(token: &str) -> Self {
        let mut parts = token.split('.').map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
        });
        Self { header: parts.next().flatten(), claims: parts.next().flatten() }
    }

    /// Returns a claim of whole seconds.
    pub fn time(&self, claim: &str) -> Option<Timestamp> {
        self.claims.as_ref()?.get(claim)?.as_i64().map(Timestamp::from_secs)
    }

    fn is_refresh(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.get("typ") == Some(&json!("rt+jwt")))
    }
}

pub fn to_json(decoded: &Decoded, verdict: &Verdict) -> Value {
    json!({ "header": decoded.header, "claims": decoded.claims, "good": verdict.is_good, "why": verdict.why })
}

/// Returns what would become of the token: first as any node would judge it, then by its session and user in the store.
pub async fn judge(context: &Context, decoded: &Decoded, token: &str) -> Result<Verdict> {
    let trust = context.trust().await?;
    let now = context::now();
    if decoded.is_refresh() {
        return match verify_refresh(&trust.refresh, &trust.expected, token, now) {
            Ok(claims) => judge_refresh(context, &claims).await,
            Err(error) => Ok(refused(error, &trust, decoded)),
        };
    }
    match verify_access(&trust.access, &trust.expected, token, now) {
        Ok(claims) => {
            let principal = claims.principal();
            let standing = standing(context, principal.session, &principal.user_id).await?;
            Ok(standing.unwrap_or_else(|| Verdict::good("an access token of a live session")))
        }
        Err(error) => Ok(refused(error, &trust, decoded)),
    }
}

async fn judge_refresh(context: &Context, claims: &RefreshClaims) -> Result<Verdict> {
    if let Some(refused) = standing(context, claims.session(), claims.user_id()).await? {
        return Ok(refused);
    }
    let Some(session) = context.store.find_session(claims.session()).await? else { return Ok(ended()) };
    let hash = refresh::hash(claims.jti());
    Ok(if session.refresh.current == hash {
        Verdict::good("the refresh token of a live session")
    } else if session.refresh.previous == Some(hash) {
        Verdict::refused("spent: its successor took its place; past the grace window it would end the session")
    } else {
        Verdict::refused("spent long ago: presenting it would end the session")
    })
}

/// Returns why a token of that session and user is refused, or `None`.
async fn standing(context: &Context, session: SessionId, user: &UserId) -> Result<Option<Verdict>> {
    let Some(user) = context.store.find_user(&UserKey::Id(user.clone())).await? else {
        return Ok(Some(Verdict::refused("its user is gone")));
    };
    if !user.is_active {
        return Ok(Some(Verdict::refused("its user is disabled")));
    }
    Ok(context.store.find_session(session).await?.is_none().then(ended))
}

fn ended() -> Verdict {
    Verdict::refused("its session has ended")
}

/// Returns the refusal, with what was found and what was expected where that helps.
fn refused(error: TokenError, trust: &Trust, decoded: &Decoded) -> Verdict {
    let claim = |name: &str| decoded.claims.as_ref().and_then(|claims| claims.get(name)).cloned().unwrap_or_default();
    let expected = &trust.expected;
    let why = match error {
        TokenError::WrongIssuer => format!("{error}: {} instead of {:?} (auth.issuer)", claim("iss"), expected.issuer),
        TokenError::WrongAudience => {
            format!("{error}: {} instead of {:?} (auth.audience)", claim("aud"), expected.audience)
        }
        TokenError::UnknownKey => format!("{error}; `vestibule key list` shows those that are"),
        TokenError::Malformed
        | TokenError::BadSignature
        | TokenError::WrongType
        | TokenError::InvalidClaims
        | TokenError::Expired
        | TokenError::NotYetValid => error.to_string(),
    };
    Verdict::refused(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn what_is_no_token_has_no_parts() {
        for text in ["", "hello", "a.b.c", "....", "e30", &token("[]", "1")] {
            let decoded = Decoded::read(text);
            assert!(decoded.claims.is_none(), "{text}");
        }
    }

    #[test]
    fn header_and_claims_are_read_without_belief() {
        let decoded = Decoded::read(&token(r#"{"alg":"none","typ":"rt+jwt"}"#, r#"{"exp":12}"#));
        assert_eq!(decoded.header.as_ref().unwrap()["alg"], "none");
        assert_eq!(decoded.time("exp"), Some(Timestamp::from_secs(12)));
        assert!(decoded.is_refresh());
    }
}
