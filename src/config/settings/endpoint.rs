//! Our own endpoints, as keys of `[auth.paths]` and `[auth.answers]` name them.

/// Endpoints of ours that may have a second path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    Register,
    Login,
    Refresh,
    Logout,
    LogoutAll,
    Me,
    Sessions,
    PasswordChange,
    PasswordForgot,
    PasswordReset,
    EmailVerify,
    EmailVerifySend,
    Keys,
    Token,
    TokenVerify,
    Introspect,
    Revoke,
    Forward,
    Jwks,
    Metadata,
    Openapi,
}

impl Endpoint {
    /// Returns what `[auth.paths]` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Logout => "logout",
            Self::LogoutAll => "logout_all",
            Self::Me => "me",
            Self::Sessions => "sessions",
            Self::PasswordChange => "password_change",
            Self::PasswordForgot => "password_forgot",
            Self::PasswordReset => "password_reset",
            Self::EmailVerify => "email_verify",
            Self::EmailVerifySend => "email_verify_send",
            Self::Keys => "keys",
            Self::Token => "token",
            Self::TokenVerify => "token_verify",
            Self::Introspect => "introspect",
            Self::Revoke => "revoke",
            Self::Forward => "forward",
            Self::Jwks => "jwks",
            Self::Metadata => "metadata",
            Self::Openapi => "openapi",
        }
    }
}
