//! Grammar of an HTTP/1.1 request head and of chunked framing (RFC 9112), checked before the HTTP library sees the bytes.
