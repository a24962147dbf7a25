//! Passwords: which are strong enough, and their argon2id hashes. Pure and slow: callers run it on the hashers.

pub mod hash;
pub mod rules;
