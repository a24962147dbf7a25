//! The embedded store: one file, one writer thread with group commit, readers beside it.
