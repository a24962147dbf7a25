//! Starting, changing, stopping, and what is left after a power cut.

mod certificates;
mod draining;
mod operations;
mod redirect;
mod reloading;
mod starting;
