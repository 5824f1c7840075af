//! The chores of the repository. Two of them are the README's: `run` and `test`.
//!
//! Deliberately small: it starts tools and reads their answers; what a chore means lives with the
//! code that it builds.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a terminal program"
)]

mod bench;
mod check;
mod codegen;
mod images;
mod pgo;
mod prune;
mod run;
mod scratch;
mod setup;
mod shell;
mod test;
mod times;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The chores of the Mastra repository"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install what is missing, build, and open the app (without a display: run the Orders sample)
    Run(run::Options),
    /// Install what the tests need and run all of them
    Test(test::Options),
    /// Formatting, lints, walls between the rooms, layout, licences
    Check,
    /// Write the generated files anew, or with --check fail where they are stale
    Codegen(codegen::Options),
    /// Build the static agent that the app puts into its container image
    Images(images::Options),
    /// Measure the agent in release mode
    Bench(bench::Options),
}

fn main() -> std::process::ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Run(options) => run::run(&options),
        Verb::Test(options) => test::run(&options),
        Verb::Check => check::run(),
        Verb::Codegen(options) => codegen::run(&options),
        Verb::Images(options) => images::run(&options),
        Verb::Bench(options) => bench::run(&options),
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
