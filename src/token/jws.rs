//! JWS compact serialisation (RFC 7515) over aws-lc: strict base64url, strict JSON, one signature, no surprises.
