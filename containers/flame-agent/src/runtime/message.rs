//! What a shard is told.

use std::sync::Arc;

use flame_engine::{Arrived, Event, FrameId, Run as EngineRun};
use flame_store::{Refused, RunSummary};
use flame_types::{RunId, RunStatus};
use serde_json::Value;
use tokio::sync::oneshot;

use super::Error;
use super::live::Rest;
use super::process::Stored;
use super::start::Begin;
use super::value::Inspection;

pub(super) enum Message {
    Begin(Box<Begin>),
    /// Take up a run of before, unless it is here already.
    Recover {
        run: RunId,
    },
    /// A run of before that needs no place in memory yet.
    Rest {
        run: RunId,
        rest: Rest,
    },
    /// No more runs of before are coming.
    Recovered,
    /// A run out of its journal, asked for by this shard.
    Loaded {
        run: RunId,
        outcome: Result<Box<Loaded>, Error>,
    },
    /// The answer of an effect; who is told once what it came to is on disk.
    Event {
        run: RunId,
        event: Event,
        stored: Option<Stored>,
    },
    /// Events of the log for a task that listens.
    Events {
        run: RunId,
        frame: FrameId,
        events: Vec<Arrived>,
        bytes: usize,
    },
    /// The answer of a person; the reply says whether the task took it.
    Answer {
        run: RunId,
        frame: FrameId,
        event: Arc<Value>,
        reply: oneshot::Sender<Result<bool, Error>>,
    },
    /// Pure work that gave way to other runs goes on.
    Continue {
        run: RunId,
    },
    Command {
        run: RunId,
        command: Command,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// `ended` is told, or dropped, when the run has ended.
    Watch {
        run: RunId,
        ended: oneshot::Sender<()>,
    },
    Inspect {
        run: RunId,
        reply: oneshot::Sender<Result<Inspection, Error>>,
    },
    /// Whether the run waits for that child; dropped where the run is not here.
    Awaits {
        run: RunId,
        child: RunId,
        reply: oneshot::Sender<bool>,
    },
    /// No commit of a brief run is under way any more.
    BriefsEnded,
    /// The store has answered.
    Committed {
        run: RunId,
        outcome: Result<(), Refused>,
    },
    /// Begin nothing new; `idle` is told when nothing is under way any more.
    Drain {
        idle: oneshot::Sender<()>,
    },
    /// End the thread.
    Stop,
}

pub(super) struct Loaded {
    pub(super) run: EngineRun,
    pub(super) summary: RunSummary,
    /// Records that its last snapshot stands for.
    pub(super) snapshot: u64,
}

/// What a person does to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Cancel,
    CancelAndCompensate,
    Suspend,
    Resume,
    Retry,
    /// Of the compensation with this number, and below.
    RetryCompensation(u64),
    SkipCompensation(u64),
}

impl Command {
    pub(super) const fn event(self) -> Event {
        match self {
            Self::Cancel => Event::Cancel,
            Self::CancelAndCompensate => Event::CancelAndCompensate,
            Self::RetryCompensation(number) => Event::RetryCompensation { number },
            Self::SkipCompensation(number) => Event::SkipCompensation { number },
            Self::Suspend => Event::Suspend,
            Self::Resume => Event::Resume,
            Self::Retry => Event::Retry,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Cancel | Self::CancelAndCompensate => "cancelling",
            Self::RetryCompensation(_) => "retrying a compensation",
            Self::SkipCompensation(_) => "skipping a compensation",
            Self::Suspend => "suspending",
            Self::Resume => "resuming",
            Self::Retry => "retrying",
        }
    }

    /// Whether it makes sense for this run.
    pub(super) fn allowed(self, run: &EngineRun) -> Result<(), Error> {
        let status = run.status();
        let (allowed, needed) = match self {
            Self::Cancel => (!status.is_terminal(), "not at its end"),
            Self::CancelAndCompensate => (
                !status.is_terminal() && run.compensation().is_none(),
                "not at its end and not undone already",
            ),
            Self::RetryCompensation(number) | Self::SkipCompensation(number) => (
                status == RunStatus::Waiting
                    && run.compensation().is_some_and(|c| c.parked == Some(number)),
                "waiting for a person with this compensation",
            ),
            Self::Suspend => (
                matches!(
                    status,
                    RunStatus::Pending | RunStatus::Running | RunStatus::Waiting
                ),
                "running or waiting",
            ),
            Self::Resume => (status == RunStatus::Suspended, "suspended"),
            Self::Retry => (
                run.retryable().is_ok(),
                "faulted, after its input was taken",
            ),
        };
        if allowed {
            return Ok(());
        }
        Err(Error::RunNotInState {
            run: run.id(),
            status,
            action: self.word(),
            needed,
        })
    }
}
