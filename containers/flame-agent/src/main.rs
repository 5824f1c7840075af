//! Hands the command line over.

use std::process::ExitCode;

/// The system's allocator is a tenth slower under load: its threads wait for each other. Huge pages are off: with
/// them an idle agent holds 30 MB more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    flame_agent::cli::main(std::env::args_os())
}
