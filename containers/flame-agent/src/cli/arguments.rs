//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use flame_dsl::Retention;
use flame_types::{Namespace, WorkflowName};

use super::test_plan::Test;
use crate::runtime::{
    HostExecution, Options, OutboundOptions, PYTHON_IMAGE, ProcessOptions, SHELL_IMAGE,
};

/// Runs durable workflows written in the Open Workflow DSL, on this machine.
#[derive(Debug, Parser)]
#[command(name = "flame-agent", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 the run faulted; 2 the definition is invalid; 3 the command was \
    stopped (folder in use, disk full, file missing, wrong arguments)."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
    /// What is logged to stderr, such as `debug` or `flame_agent=debug,warn` [default: info for
    /// serve, warn for the others]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

impl Arguments {
    pub(super) fn log_filter(&self) -> &str {
        match (&self.log, &self.command) {
            (Some(filter), _) => filter,
            (None, Command::Serve(_)) => "info",
            // It says in words of its own why nothing can be written.
            (None, Command::Run(_)) => "warn,flame_store::health=off",
            (None, _) => "warn",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the HTTP API until SIGTERM
    Serve(Serve),
    /// Run one workflow and print its output
    Run(Run),
    /// Check definitions of workflows and pipelines without running them
    Validate(Validate),
    /// Ask a serving agent whether it is well
    Health(Health),
    /// Write a copy of a data folder's database; no agent may use the folder meanwhile
    Backup(Backup),
    /// Put a backup in the place of a damaged database, which is kept beside it
    Restore(Restore),
    /// Serve in a temporary folder, send one order to the Orders sample and show what happens
    Tour,
    /// Serve the warehouse that the samples call, to try failures with them
    Warehouse(Warehouse),
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Folder for the database, made if it is not there
    #[arg(long, value_name = "FOLDER")]
    pub(super) data_dir: PathBuf,
    /// Address to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
    /// File (mode 0600) with the bearer token; without it one is made and written to FOLDER/token
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// A further Host (with port) that requests may name
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<String>,
    /// A further Origin whose pages may send requests
    #[arg(long, value_name = "ORIGIN")]
    pub(super) allow_origin: Vec<String>,
    /// Runs that may be in memory at once; more are refused. Those that wait for long are on disk alone
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = at_least_one())]
    in_flight_max: usize,
    /// Delete runs this many days after their end, where their workflow does not say
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u32>,
    /// Keep this many runs of each workflow, where it does not say
    #[arg(long, value_name = "COUNT")]
    keep_runs: Option<u64>,
    /// A workflow whose shell commands and Python scripts may run on this machine; may be given again
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = workflow_name)]
    allow_host_execution: Vec<(Namespace, WorkflowName)>,
    /// Let whoever has the token allow more workflows to do so while the agent runs; for agents of one person
    #[arg(long)]
    host_execution_by_api: bool,
    /// Image of Python scripts that run in a container; it must be there, nobody fetches it
    #[arg(long, value_name = "IMAGE", default_value = PYTHON_IMAGE)]
    python_image: String,
    /// Image of shell commands that run in a container; it must be there, nobody fetches it
    #[arg(long, value_name = "IMAGE", default_value = SHELL_IMAGE)]
    shell_image: String,
    /// End in order when stdin is closed, unless `keep` was its last line
    #[arg(long)]
    pub(super) exit_on_stdin_close: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Definition of the workflow, YAML or (with the ending .json) JSON
    pub(super) file: PathBuf,
    /// The input as JSON, `@FILE` to read it from a file, or `-` to read it from stdin
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(super) input: String,
    /// Folder for the database; what is unfinished in it goes on too. Without it, a temporary folder
    #[arg(long, value_name = "FOLDER")]
    pub(super) data_dir: Option<PathBuf>,
    /// A secret of `use.secrets`: NAME=@FILE, or NAME=- to read it from stdin. JSON in it is taken as
    /// such, so that one secret can hold all settings of an authentication. Kept in memory only
    #[arg(long, value_name = "NAME=@FILE", value_parser = secret)]
    pub(super) secret: Vec<(String, String)>,
    /// Let shell commands and Python scripts run on this machine
    #[arg(long)]
    allow_host_execution: bool,
    #[command(flatten)]
    pub(super) test: Test,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// What an acknowledgement promises [default: full; normal in a temporary folder]
    #[arg(long, value_enum)]
    durability: Option<Durability>,
    /// Folder for the files that workflows write [default: `files` in the data folder]
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Folder of the SQLite databases that workflows name by file [default: `databases` in the data folder]
    #[arg(long, value_name = "FOLDER")]
    databases_dir: Option<PathBuf>,
    /// Folder of the documents that workflows name by `file:` [default: `resources` in the data folder]
    #[arg(long, value_name = "FOLDER")]
    resources_dir: Option<PathBuf>,
    /// Certificates (PEM) to trust beside the public ones
    #[arg(long, value_name = "FILE")]
    ca_file: Vec<PathBuf>,
    /// Where calls to a host go instead, such as warehouse.example=127.0.0.1:7411
    #[arg(long, value_name = "HOST=ADDRESS", value_parser = stand_in)]
    stand_in: Vec<(String, SocketAddr)>,
    /// Longest wait for an answer where the task has no timeout, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    call_timeout: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Durability {
    /// Fsynced: survives a power cut
    Full,
    /// Written to the operating system: survives a crash of the process
    Normal,
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Definitions, YAML or (with the ending .json) JSON
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Health {
    /// Address of the agent, such as http://127.0.0.1:7410
    #[arg(
        long,
        value_name = "URL",
        required_unless_present = "data_dir",
        conflicts_with = "data_dir"
    )]
    pub(super) url: Option<String>,
    /// Data folder of the agent, where it wrote its address
    #[arg(long, value_name = "FOLDER")]
    pub(super) data_dir: Option<PathBuf>,
    /// Ask whether it takes new work, not only whether it lives
    #[arg(long)]
    pub(super) ready: bool,
}

#[derive(Debug, Args)]
pub(super) struct Backup {
    #[arg(long, value_name = "FOLDER")]
    pub(super) data_dir: PathBuf,
    /// File to write; must not exist
    pub(super) file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    #[arg(long, value_name = "FOLDER")]
    pub(super) data_dir: PathBuf,
    /// The backup to take [default: the newest of the folder]
    #[arg(long, value_name = "FILE")]
    pub(super) from: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Warehouse {
    /// Address to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
    /// Tries of every idempotency key that are answered with 503 before it works
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(super) fail_first: u32,
}

impl Serve {
    pub(super) fn options(&self) -> Options {
        let allowed = self.allow_host_execution.iter().cloned().collect();
        let options = Options {
            in_flight_max: self.in_flight_max,
            retention: Retention {
                days: self.keep_days,
                runs: self.keep_runs,
            },
            processes: ProcessOptions {
                host_execution: HostExecution::Of(allowed),
                host_execution_by_api: self.host_execution_by_api,
                python_image: self.python_image.clone(),
                shell_image: self.shell_image.clone(),
                ..ProcessOptions::default()
            },
            ..Options::new(&self.data_dir)
        };
        self.common.apply(options)
    }
}

impl Run {
    /// `folder` is the data folder, given or temporary. One workflow needs few threads.
    pub(super) fn options(&self, folder: PathBuf) -> Options {
        let mut options = Options {
            scheduling: false,
            shards: Some(2),
            // Nobody can put one here.
            connection_patience: Duration::ZERO,
            ..Options::new(folder)
        };
        if self.allow_host_execution {
            options.processes.host_execution = HostExecution::Any;
        }
        if self.data_dir.is_none() {
            // Nothing survives the command, so nothing needs to survive a power cut.
            options.durability = flame_types::Durability::Normal;
        }
        self.common.apply(options)
    }

    /// Whether files that the workflow writes go with the temporary folder.
    pub(super) fn loses_files(&self) -> bool {
        self.data_dir.is_none() && self.common.output_dir.is_none()
    }
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// The value itself is not taken: others on the machine can read a command line.
fn secret(text: &str) -> Result<(String, String), String> {
    let expected =
        "expected a name, `=` and where the secret is, such as apiKey=@key.txt or apiKey=-";
    match text.split_once('=') {
        Some((name, from)) if !name.is_empty() && (from == "-" || from.starts_with('@')) => {
            Ok((name.to_owned(), from.to_owned()))
        }
        // What follows the sign may be the secret.
        _ => Err(expected.to_owned()),
    }
}

fn workflow_name(text: &str) -> Result<(Namespace, WorkflowName), String> {
    let (namespace, name) = text
        .split_once('/')
        .ok_or("expected a namespace, `/` and a name, such as shop/orders")?;
    let wrong = |error: flame_types::InvalidId| error.to_string();
    Ok((
        namespace.parse().map_err(wrong)?,
        name.parse().map_err(wrong)?,
    ))
}

fn stand_in(text: &str) -> Result<(String, SocketAddr), String> {
    let expected = "expected a host, `=` and an address with its port, such as \
                    warehouse.example=127.0.0.1:7411";
    let (host, address) = text.split_once('=').ok_or(expected)?;
    let letter = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if host.is_empty() || !host.chars().all(letter) {
        return Err(format!("{host:?} is not a host; {expected}"));
    }
    let address = address
        .parse()
        .map_err(|_| format!("{address:?} is no address; {expected}"))?;
    Ok((host.to_owned(), address))
}

impl Common {
    fn apply(&self, options: Options) -> Options {
        let durability = match self.durability {
            Some(Durability::Full) => flame_types::Durability::Full,
            Some(Durability::Normal) => flame_types::Durability::Normal,
            None => options.durability,
        };
        Options {
            durability,
            output_folder: self.output_dir.clone().unwrap_or(options.output_folder),
            databases_folder: self
                .databases_dir
                .clone()
                .unwrap_or(options.databases_folder),
            resources_folder: self
                .resources_dir
                .clone()
                .unwrap_or(options.resources_folder),
            outbound: OutboundOptions {
                authorities: self.ca_file.clone(),
                stand_ins: self.stand_in.clone(),
                timeout: Duration::from_secs(self.call_timeout),
                ..options.outbound
            },
            ..options
        }
    }
}
