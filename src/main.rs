//! The program: everything it does is in the library's `cli`.

use std::process::ExitCode;

/// Takes less CPU per proxied request than the system's allocator: measured with one thread per core.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    vestibule::cli::run(std::env::args_os())
}
