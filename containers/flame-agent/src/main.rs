//! Hands the command line over.

use std::process::ExitCode;

fn main() -> ExitCode {
    flame_agent::cli::main(std::env::args_os())
}
