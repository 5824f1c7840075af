//! The only code that talks to Podman: where it is, what is wrong with it, the agent's container, and those
//! that workflows ask for.
//!
//! Deliberately absent: what runs inside the container, and when to switch. Every object made here
//! carries the label [`LABEL`]; nothing without it is ever stopped, changed or deleted.

mod agent;
mod archive;
mod doctor;
mod error;
mod hardening;
mod image;
mod job;
mod job_spec;
mod locate;
mod output;
mod raw;
mod service;
mod spec;

pub use agent::{AgentContainer, ContainerState, LogLine, Stats};
pub use doctor::{Diagnosis, diagnose};
pub use error::Error;
pub use image::{AgentImage, Program};
pub use job::{Ended, Job, JobOptions, Jobs, Leftover, Pull};
pub use locate::{Locator, Place};
pub use service::OwnService;
pub use spec::{Limits, Spec};

/// Label of everything Mastra makes; its value is the workspace.
pub const LABEL: &str = "io.mastra.workspace";
