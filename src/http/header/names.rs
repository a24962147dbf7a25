//! The lists of header names. All in lower case with `-` between words: compare folded.

/// Headers that tell an app who the caller is: ours, those of every preset, and those of the gateways people come from.
/// No client can send them and no setting lets them pass.
pub const IDENTITY: &[&str] = &[
    "remote-user",
    "remote-user-id",
    "remote-email",
    "remote-groups",
    "remote-group",
    "remote-name",
    "remote-roles",
    "remote-role",
    "x-remote-user",
    "x-remote-user-id",
    "x-remote-email",
    "x-remote-groups",
    "x-remote-group",
    "x-remote-name",
    "x-remote-roles",
    "x-user-id",
    "x-user-email",
    "x-user-name",
    "x-user-roles",
    "x-user-groups",
    "x-authenticated-user",
    "x-authenticated-email",
    "x-authenticated-groups",
    "x-authenticated-userid",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-roles",
    "x-forwarded-name",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
];

/// Families of which every member is such a header.
pub const IDENTITY_PREFIXES: &[&str] =
    &["x-vestibule-", "x-auth-request-", "x-webauth-", "x-authentik-", "x-openwebui-user-", "x-trusted-user-"];

/// Headers by which an app would replace the path, the method or the client it is told of, and what other edges put in for
/// the apps behind them. Removed unless the configuration lets one pass.
pub const OVERRIDES: &[&str] = &[
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-original-host",
    "x-rewrite-url",
    "x-rewrite-uri",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-method",
    "x-host",
    "x-script-name",
    "script-name",
    "path-info",
    "x-real-ip",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "remote-addr",
    "cf-connecting-ip",
    "cf-access-authenticated-user-email",
    "fastly-client-ip",
    "x-user",
    "x-username",
    "x-email",
    "x-groups",
    "x-roles",
    "front-end-https",
    "x-url-scheme",
    "x-scheme",
    "x-client-cert",
    "ssl-client-cert",
    // An app that runs as CGI takes it for its proxy setting (httpoxy, CVE-2016-5385).
    "proxy",
];

/// Families of such headers. Of `X-Forwarded-*` only [`REBUILT`] stays.
pub const OVERRIDE_PREFIXES: &[&str] = &[
    "x-forwarded-",
    "x-envoy-",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-amzn-oidc-",
    "x-ms-client-principal",
    "x-pomerium-",
    "x-token-user-",
    "x-ssl-client-",
    "tailscale-user-",
];

/// What the gateway rebuilds itself and must see first; under their own name only, aliases go.
pub const REBUILT: &[&str] = &["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "x-request-id"];

/// Fields of one connection (RFC 9110 7.6.1, with what old clients and HTTP/2 upgrades send). `Trailer` isn't among them:
/// it announces what goes through with the message.
pub const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Fields that a `Connection` field can't take away, beside identity: they say who asks, for what, and how much follows.
pub const NEVER_NOMINATED: &[&str] = &[
    "host",
    "authorization",
    "cookie",
    "set-cookie",
    "content-length",
    "content-type",
    "content-encoding",
    "forwarded",
    "via",
    "origin",
    "x-request-id",
    "x-real-ip",
    "traceparent",
    "tracestate",
    "cache-control",
    "www-authenticate",
    "strict-transport-security",
];

/// Fields that mean something before the body and nothing, or harm, after it (RFC 9110 6.5.1): framing, routing,
/// authentication, request modifiers, response control, content description.
pub const NEVER_IN_TRAILERS: &[&str] = &[
    "content-length",
    "host",
    "trailer",
    "authorization",
    "x-api-key",
    "authentication-info",
    "www-authenticate",
    "cookie",
    "set-cookie",
    "forwarded",
    "via",
    "origin",
    "x-request-id",
    "expect",
    "max-forwards",
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "cache-control",
    "pragma",
    "age",
    "expires",
    "date",
    "location",
    "retry-after",
    "vary",
    "content-encoding",
    "content-type",
    "content-range",
    "content-location",
    "strict-transport-security",
];
