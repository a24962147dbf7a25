//! Passwords: which are strong enough, their argon2id hashes, and those that users bring along from elsewhere. Pure and slow:
//! callers run it on the hashers.

pub mod foreign;
pub mod hash;
pub mod rules;
