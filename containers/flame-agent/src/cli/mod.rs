//! The command line: `serve`, `run`, `validate` and what goes with a data folder.
//!
//! Results go to stdout, everything for people to stderr. The exit code tells what happened: 0 done, 1 the
//! run faulted or the agent is not well, 2 the definition is invalid, 3 the command itself was stopped.

mod arguments;
mod folder;
mod health;
mod loopback;
mod run;
mod serve;
mod signals;
mod source;
mod terminal;
mod test_plan;
mod tour;
mod validate;
mod warehouse;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use self::arguments::{Arguments, Command};
use crate::runtime::Error;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Done,
    /// The run faulted, or the agent is not well.
    Faulted,
    Invalid,
    /// Something kept the command from doing its work.
    Stopped,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0_u8,
            Exit::Faulted => 1,
            Exit::Invalid => 2,
            Exit::Stopped => 3,
        })
    }
}

/// What stopped a command, with its code and what to do.
fn stopped(error: impl Into<Error>) -> String {
    let error = error.into();
    let again = match &error {
        Error::Store(flame_store::Error::Full { .. }) => ", then give the command again",
        _ => "",
    };
    format!("{}: {error}{again}", error.code())
}

/// Runs the command that the arguments name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked = !error.use_stderr();
            // The terminal may be gone; then there is nobody to tell.
            let _ = error.print();
            return if asked { Exit::Done } else { Exit::Stopped }.into();
        }
    };
    let is_serving = matches!(arguments.command, Command::Serve(_));
    let _log = match terminal::start_log(arguments.log_filter(), is_serving) {
        Ok(log) => log,
        Err(detail) => {
            terminal::complain(&detail);
            return Exit::Stopped.into();
        }
    };
    let reactor = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(reactor) => reactor,
        Err(error) => {
            terminal::complain(&format!("threads can't be started: {error}"));
            return Exit::Stopped.into();
        }
    };
    let exit = reactor.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::serve(arguments).await,
            Command::Run(arguments) => run::run(arguments).await,
            Command::Validate(arguments) => validate::validate(&arguments.files),
            Command::Health(arguments) => health::health(arguments).await,
            Command::Backup(arguments) => folder::backup(arguments).await,
            Command::Restore(arguments) => folder::restore(arguments),
            Command::Tour => tour::tour().await,
            Command::Warehouse(arguments) => warehouse::warehouse(arguments).await,
        }
    });
    // What still blocks, such as a read of stdin, must not keep the process.
    reactor.shutdown_background();
    exit.into()
}
