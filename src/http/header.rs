//! Families of header names: hop-by-hop, identity aliases, and those by which an app would replace path or method.
