//! One run in memory: what it waits for, and the commits that its steps become.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use flame_engine::{
    Action, Arrived, EffectId, Event, FrameId, Moment, Record, Run as EngineRun, StandardError,
    Step, TimerId,
};
use flame_store::{Commit, JournalBatch, NewRun, Operation, Run, RunState, RunSummary, Snapshot};
use flame_types::{RunStatus, Timestamp};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::Error;
use super::depth::{JOURNAL_DEPTH_MAX, is_unreadable};
use super::events;
use super::load::{Hold, Place};
use super::message::{Command, Loaded};
use super::process::Stored;
use super::shared::now;
use super::snapshots::{HISTORY_RECORDS, Pace};
use super::start::{Begin, First, entropy};
use super::streams::Stream;

/// Records after which a commit is closed; what waits becomes the next one.
const COMMIT_RECORDS_MAX: usize = 5_000;
/// Bytes of events after which it is closed too.
const COMMIT_EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Payload after which it is closed too.
const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Told about the outcome of a command.
pub(super) type Reply = oneshot::Sender<Result<(), Error>>;

/// Told whether an answer was taken.
pub(super) type AnswerReply = oneshot::Sender<Result<bool, Error>>;

pub(super) struct Live {
    pub(super) run: EngineRun,
    /// As the store has it, or will have it after the commit that is under way.
    pub(super) summary: RunSummary,
    pub(super) inbox: VecDeque<Item>,
    pub(super) pending: Option<Pending>,
    /// A commit that the store could not take yet.
    pub(super) held: Option<Commit>,
    /// From the first time that the store could not take a commit until it has.
    pub(super) hold: Option<Hold>,
    pub(super) effects: BTreeMap<EffectId, AbortHandle>,
    /// Child runs that are waited for; told where the run has no use for them any more.
    pub(super) children: BTreeMap<EffectId, oneshot::Sender<()>>,
    /// Subscriptions whose messages are taken one by one.
    pub(super) streams: BTreeMap<EffectId, Stream>,
    pub(super) timers: BTreeSet<TimerId>,
    /// Tasks that have a place in the store from which they listen.
    listening: BTreeSet<FrameId>,
    pub(super) watchers: Vec<oneshot::Sender<()>>,
    /// Who waits for the run from its start on, with the input that the answer holds.
    pub(super) end: Option<(Vec<u8>, oneshot::Sender<Run>)>,
    pub(super) place: Place,
    pace: Pace,
}

/// How long a run stays out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Until(Timestamp),
    UntilAsked,
}

impl Rest {
    /// Of a run with this status that wakes at this time; `None` where that is sooner than `least`, or was
    /// decided by a clock that was ahead: `updated` has not come yet.
    pub(super) fn of(
        summary: &RunSummary,
        wakes: Option<Timestamp>,
        least: Duration,
    ) -> Option<Self> {
        let now = now();
        match (summary.status, wakes) {
            (RunStatus::Suspended, _) => Some(Self::UntilAsked),
            (RunStatus::Waiting, Some(at)) if summary.updated <= now => {
                Duration::try_from(at.duration_since(now))
                    .is_ok_and(|left| left > least)
                    .then_some(Self::Until(at))
            }
            _ => None,
        }
    }
}

/// What waits for the run's turn.
pub(super) enum Item {
    Event(Event, Option<Stored>),
    /// Events of the log for a task that listens.
    Events {
        frame: FrameId,
        events: Vec<Arrived>,
        bytes: usize,
    },
    /// The answer of a person.
    Answer {
        frame: FrameId,
        event: Arc<Value>,
        reply: AnswerReply,
    },
    /// Decided elsewhere; only the first of a run.
    Step(Step),
    /// What is at work after a load.
    Pending,
    Command(Command, Reply),
}

/// What follows once the commit that is under way is on disk.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) actions: Vec<Action>,
    pub(super) replies: Vec<Reply>,
    /// Tasks that are done with the events that they were given.
    pub(super) heard: Vec<FrameId>,
    /// Persons whose answers were taken.
    pub(super) answered: Vec<AnswerReply>,
    /// Workers whose containers came to something.
    pub(super) stored: Vec<Stored>,
    /// Of a run that begins.
    pub(super) begun: Option<Begun>,
}

pub(super) struct Begun {
    pub(super) reply: oneshot::Sender<Result<Run, Error>>,
    pub(super) end: Option<oneshot::Sender<Run>>,
    pub(super) input: Vec<u8>,
}

/// What a turn came to.
pub(super) enum Turn {
    /// Nothing to store; these follow at once.
    Free(Pending),
    /// `pending` is set; this is to be stored first.
    Store(Box<Commit>),
    /// The engine failed; the journal is as it was.
    Broken(Error),
}

/// The parts of a first commit.
pub(super) struct Opening {
    operations: Vec<Operation>,
    new: NewRun,
    begun: Option<Begun>,
}

impl Live {
    /// A run that begins, and what its first commit holds beside the journal.
    pub(super) fn begin(begin: Begin, place: Place) -> (Self, Opening) {
        let input = written(&begin.input);
        let workflow = begin.run.workflow();
        let summary = RunSummary {
            id: begin.run.id(),
            workflow: workflow.id.clone(),
            hash: workflow.hash.to_string(),
            trigger: begin.trigger.as_str().to_owned(),
            subject: begin.subject,
            replay_of: begin.replay_of,
            parent: begin
                .child
                .as_ref()
                .map(|child| (child.parent, child.task.clone())),
            created: begin.created,
            status: RunStatus::Pending,
            task: None,
            updated: begin.created,
            ended: None,
            wakes: None,
            error: None,
            records: 0,
        };
        let mut operations = Vec::with_capacity(begin.extra.len() + 4);
        operations.extend(begin.claim.map(Operation::ClaimKey));
        operations.extend(begin.extra);
        operations.extend(begin.child.map(Operation::AddChild));
        let new = NewRun {
            id: summary.id,
            workflow: summary.workflow.clone(),
            hash: summary.hash.clone(),
            trigger: summary.trigger.clone(),
            subject: summary.subject.clone(),
            replay_of: summary.replay_of.clone(),
            created: summary.created,
            input: input.clone(),
            state: state(&begin.run, &summary),
        };
        let begun = begin.reply.map(|reply| Begun {
            reply,
            end: begin.end,
            input,
        });
        let mut live = Self::new(begin.run, summary, place);
        live.inbox.push_back(match begin.first {
            First::Event(event) => Item::Event(event, None),
            First::Step(step) => Item::Step(step),
        });
        (
            live,
            Opening {
                operations,
                new,
                begun,
            },
        )
    }

    /// A run out of its journal.
    pub(super) fn loaded(loaded: Loaded, place: Place) -> Self {
        let mut live = Self::new(loaded.run, loaded.summary, place);
        live.pace = Pace::since(loaded.snapshot);
        live.inbox.push_back(Item::Pending);
        live
    }

    fn new(run: EngineRun, summary: RunSummary, place: Place) -> Self {
        Self {
            listening: run.listeners(),
            run,
            summary,
            inbox: VecDeque::new(),
            pending: None,
            held: None,
            hold: None,
            effects: BTreeMap::new(),
            children: BTreeMap::new(),
            streams: BTreeMap::new(),
            timers: BTreeSet::new(),
            watchers: Vec::new(),
            end: None,
            place,
            pace: Pace::default(),
        }
    }

    /// Forgets what was decided and can't be kept, and tells those who wait for it why. Nothing is decided
    /// until [`Live::go_back`].
    pub(super) fn give_up(&mut self, error: &Error) {
        self.effects.values().for_each(AbortHandle::abort);
        self.effects.clear();
        self.streams.clear();
        self.timers.clear();
        self.hold = None;
        let pending = self.pending.replace(Pending::default());
        for reply in pending.into_iter().flat_map(|pending| pending.replies) {
            // Whoever asked may have gone.
            let _ = reply.send(Err(error.clone()));
        }
        let fault = StandardError::Runtime.with("The run's data can't be kept", error.to_string());
        self.inbox
            .push_front(Item::Event(Event::Fault { error: fault }, None));
    }

    /// Stands on the journal again.
    pub(super) fn go_back(&mut self, loaded: Loaded) {
        self.listening = loaded.run.listeners();
        self.run = loaded.run;
        self.summary = loaded.summary;
        self.pace = Pace::since(loaded.snapshot);
        self.pending = None;
    }

    /// Decides everything that waits and puts it into one commit.
    pub(super) fn turn(&mut self, opening: Option<Opening>) -> Turn {
        let first = self.summary.records;
        let (begun, operations, new) = match opening {
            Some(opening) => (opening.begun, opening.operations, Some(opening.new)),
            None => (None, Vec::new(), None),
        };
        let mut made = Made::default();
        let mut outcome = Ok(());
        while outcome.is_ok()
            && made.records.len() < COMMIT_RECORDS_MAX
            && made.event_bytes < COMMIT_EVENT_BYTES_MAX
            && made.bytes < COMMIT_BYTES_MAX
        {
            let Some(item) = self.inbox.pop_front() else {
                break;
            };
            outcome = self.decide(item, &mut made);
        }
        let pending = Pending {
            actions: made.actions,
            replies: made.replies,
            heard: made.heard,
            answered: made.answered,
            stored: made.stored,
            begun,
        };
        let commit = match outcome {
            Ok(()) if made.records.is_empty() => return Turn::Free(pending),
            Ok(()) => self.commit(
                first,
                &made.records,
                &pending.actions,
                operations,
                new,
                made.reopened,
            ),
            Err(error) => Err(error),
        };
        // Also where it failed: whoever waits for the outcome is told when the run is parked.
        self.pending = Some(pending);
        match commit {
            Ok(commit) => Turn::Store(Box::new(commit)),
            Err(error) => Turn::Broken(error),
        }
    }

    fn decide(&mut self, item: Item, made: &mut Made) -> Result<(), Error> {
        let moment = Moment {
            now: now(),
            entropy: entropy(),
        };
        if let Item::Events { frame, bytes, .. } = &item {
            made.event_bytes += bytes;
            made.heard.push(*frame);
        }
        let mut item = item;
        if let Item::Event(_, stored) = &mut item {
            made.stored.extend(stored.take());
        }
        let item = match item {
            Item::Answer {
                frame,
                event,
                reply,
            } => return self.take_answer(frame, event, reply, made),
            item => item,
        };
        let run = &mut self.run;
        // A panic in here would take all runs of this thread along; the run alone is parked instead.
        let step = catch_unwind(AssertUnwindSafe(|| match item {
            Item::Event(event, _) => Ok((run.handle(event, moment), None)),
            Item::Events { frame, events, .. } => {
                let event = Event::EventsArrived { frame, events };
                Ok((run.handle(event, moment), None))
            }
            Item::Answer { .. } => Ok((Step::default(), None)),
            Item::Step(step) => Ok((step, None)),
            Item::Pending => Ok((run.pending(moment), None)),
            Item::Command(command, reply) => match command.allowed(run) {
                Ok(()) => Ok((run.handle(command.event(), moment), Some((command, reply)))),
                Err(error) => Err((error, reply)),
            },
        }));
        match step {
            Ok(Ok((step, commanded))) => {
                made.add(step);
                if let Some((command, reply)) = commanded {
                    made.reopened |= command == Command::Retry;
                    made.replies.push(reply);
                }
                Ok(())
            }
            Ok(Err((error, reply))) => {
                // Whoever asked may have gone.
                let _ = reply.send(Err(error));
                Ok(())
            }
            Err(_) => Err(Error::Internal {
                detail: format!(
                    "the engine panicked in run {}; the run is parked",
                    self.run.id()
                ),
            }),
        }
    }

    /// Whoever answered is told once the answer is on disk, or at once where the task takes none.
    fn take_answer(
        &mut self,
        frame: FrameId,
        event: Arc<Value>,
        reply: AnswerReply,
        made: &mut Made,
    ) -> Result<(), Error> {
        let before = made.records.len();
        let events = vec![Arrived {
            sequence: None,
            event,
        }];
        let arrived = Event::EventsArrived { frame, events };
        self.decide(Item::Event(arrived, None), made)?;
        let taken = |record: &Record| matches!(record, Record::EventConsumed { .. });
        if made.records[before..].iter().any(taken) {
            made.answered.push(reply);
        } else {
            // Whoever answered may have gone.
            let _ = reply.send(Ok(false));
        }
        Ok(())
    }

    fn commit(
        &mut self,
        first: u64,
        records: &[Record],
        actions: &[Action],
        mut operations: Vec<Operation>,
        new: Option<NewRun>,
        reopened: bool,
    ) -> Result<Commit, Error> {
        let id = self.run.id();
        let bytes = serde_json::to_vec(records).map_err(|error| Error::Internal {
            detail: format!("writing the journal of {id}: {error}"),
        })?;
        if is_unreadable(&bytes) {
            return Err(Error::TooDeep {
                what: "the run's data",
                levels: JOURNAL_DEPTH_MAX,
            });
        }
        let count = u32::try_from(records.len()).map_err(|_| Error::Internal {
            detail: format!("{} records at once", records.len()),
        })?;
        let before = (self.summary.status, self.summary.wakes);
        self.summary.records = first + u64::from(count);
        let state = self.renew(records.last().map_or(self.summary.updated, Record::at));
        match new {
            Some(new) => operations.push(Operation::CreateRun(Box::new(NewRun { state, ..new }))),
            None if before != (state.status, state.wakes)
                || reopened
                || state.status.is_terminal() =>
            {
                operations.push(Operation::UpdateRun {
                    id,
                    state: Box::new(state),
                    reopen: reopened,
                });
            }
            None => {}
        }
        let (end, written) = (self.summary.records, bytes.len());
        operations.push(Operation::Append(JournalBatch {
            run: id,
            first,
            count,
            records: bytes,
        }));
        if !self.run.status().is_terminal() && self.pace.is_due(end, written) {
            let state = self.run.snapshot();
            self.pace.taken(end, state.len());
            operations.push(Operation::PutSnapshot(Box::new(Snapshot {
                run: id,
                sequence: end,
                state,
            })));
        }
        let continued = |record: &Record| matches!(record, Record::RunContinued { .. });
        if records.iter().any(continued) {
            operations.push(Operation::Compact {
                run: id,
                keep: HISTORY_RECORDS,
            });
        }
        self.events(records, actions, &mut operations);
        Ok(Commit { operations })
    }

    /// What is emitted, and who listens from which place of the log on: in the order in which it happened.
    fn events(&mut self, records: &[Record], actions: &[Action], operations: &mut Vec<Operation>) {
        let run = self.run.id();
        let mut emitted = actions.iter().filter_map(|action| match action {
            Action::Emit { event } => Some(event),
            _ => None,
        });
        for record in records {
            match record {
                Record::EventEmitted { .. } => operations.extend(
                    emitted
                        .next()
                        .map(|event| events::appended(event, Some(run), self.summary.updated))
                        .map(|event| Operation::AppendEvent(Box::new(event))),
                ),
                Record::ListenStarted {
                    frame, ask: None, ..
                } => {
                    self.listening.insert(*frame);
                    operations.push(Operation::OpenListener {
                        run,
                        frame: frame.0,
                    });
                }
                _ => {}
            }
        }
        let published = actions.iter().filter_map(|action| match action {
            Action::Publish { event } => Some(event),
            _ => None,
        });
        operations.extend(
            published
                .map(|event| events::appended(event, Some(run), self.summary.updated))
                .map(|event| Operation::AppendEvent(Box::new(event))),
        );
        let still = self.run.listeners();
        self.listening.retain(|frame| {
            let listens = still.contains(frame);
            if !listens {
                operations.push(Operation::CloseListener {
                    run,
                    frame: frame.0,
                });
            }
            listens
        });
    }

    /// Brings the summary in line with the run.
    fn renew(&mut self, updated: Timestamp) -> RunState {
        self.summary.updated = updated;
        let state = state(&self.run, &self.summary);
        self.summary.status = state.status;
        self.summary.task.clone_from(&state.task);
        self.summary.ended = state.ended;
        self.summary.wakes = state.wakes;
        self.summary.error.clone_from(&state.error);
        self.place.show(state.status);
        state
    }

    /// Until when the run needs no place in memory: its next timer, or for a suspended run whenever a
    /// person says so. `None` where it is needed now or soon.
    pub(super) fn rest(&mut self, least: Duration) -> Option<Rest> {
        let is_idle = self.pending.is_none()
            && self.held.is_none()
            && self.inbox.is_empty()
            && self.effects.is_empty()
            && self.children.is_empty()
            && self.streams.is_empty();
        if !is_idle {
            return None;
        }
        self.watchers.retain(|watcher| !watcher.is_closed());
        let is_awaited =
            !self.watchers.is_empty() || self.end.as_ref().is_some_and(|(_, end)| !end.is_closed());
        if is_awaited {
            return None;
        }
        Rest::of(&self.summary, self.run.wakes(), least)
    }

    /// Tells whoever began the run that it is on disk. Who waits for its end waits on, unless this is it.
    pub(super) fn tell_begun(&mut self, begun: Begun) {
        let Begun { reply, end, input } = begun;
        if !self.run.status().is_terminal() {
            self.end = end.map(|end| (input.clone(), end));
        }
        // Whoever asked may have gone.
        let _ = reply.send(Ok(self.as_stored(input)));
    }

    /// Who is to be told, where that is all that follows the first commit: the run ends with it.
    pub(super) fn only_begun(&mut self) -> Option<Begun> {
        let is_over = self.run.status().is_terminal() && self.inbox.is_empty();
        let is_all = |pending: &mut Pending| {
            let ends = matches!(pending.actions[..], [Action::Finish { .. }]);
            is_over && ends && pending.begun.is_some()
        };
        self.pending.take_if(is_all)?.begun
    }

    /// The run as a reader would see it.
    pub(super) fn as_stored(&self, input: Vec<u8>) -> Run {
        Run {
            summary: self.summary.clone(),
            input,
            output: output(&self.run),
        }
    }

    /// Tells everybody who waits that the run has ended.
    pub(super) fn tell_end(&mut self) {
        if let Some((input, end)) = self.end.take() {
            // Whoever waited may have gone, here and below.
            let _ = end.send(self.as_stored(input));
        }
        for watcher in self.watchers.drain(..) {
            let _ = watcher.send(());
        }
    }
}

/// What the items of one turn came to.
#[derive(Default)]
struct Made {
    records: Vec<Record>,
    bytes: usize,
    actions: Vec<Action>,
    replies: Vec<Reply>,
    heard: Vec<FrameId>,
    answered: Vec<AnswerReply>,
    stored: Vec<Stored>,
    event_bytes: usize,
    reopened: bool,
}

impl Made {
    fn add(&mut self, step: Step) {
        self.records.extend(step.records);
        self.bytes += step.bytes;
        for action in step.actions {
            match &action {
                // What was asked for in this very turn and is not wanted any more never begins.
                Action::Abort { effect } => self.actions.retain(
                    |earlier| !matches!(earlier, Action::Invoke { effect: asked, .. } if asked == effect),
                ),
                Action::Yield => self.actions.retain(|earlier| !matches!(earlier, Action::Yield)),
                _ => {}
            }
            self.actions.push(action);
        }
    }
}

fn state(run: &EngineRun, summary: &RunSummary) -> RunState {
    let status = run.status();
    let error = run.error().and_then(|error| serde_json::to_vec(error).ok());
    let at_work = if status.is_terminal() {
        Vec::new()
    } else {
        run.at_work()
    };
    let task = match run.error() {
        Some(error) => error.instance.clone(),
        None => at_work.first().map(|task| task.reference.to_string()),
    };
    RunState {
        status,
        task,
        updated: summary.updated,
        ended: run.ended_at(),
        wakes: run.wakes(),
        output: output(run),
        error,
    }
}

fn output(run: &EngineRun) -> Option<Vec<u8>> {
    run.output().map(written)
}

/// JSON text. Writing it into memory can't fail.
fn written(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
