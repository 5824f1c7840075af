//! Drives a run by a script, and holds it to the laws on the way: after every step the journal, read back
//! from its JSON, folds to the live state, and so does a snapshot.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use flame_dsl::{Format, LifecycleSet, Workflow};
use flame_engine::{
    Action, Arrived, Call, EffectId, Error, Event, FrameId, Interest, Limits, Mark, Moment, Record,
    Run, StandardError, Step, TimerId,
};
use flame_types::{RunId, RunStatus, Timestamp};
use serde_json::Value;

pub(crate) const RUN: &str = "0192d3a4-7c1e-7e6b-9a51-3f2b8c1d4e5f";

pub(crate) fn run_id(text: &str) -> RunId {
    RunId::from_str(text).unwrap()
}

/// A document with everything but its head.
pub(crate) fn workflow(rest: &str) -> Arc<Workflow> {
    let head = "document: {dsl: '1.0.3', namespace: test, name: sample, version: '1.0.0'}\n";
    let text = format!("{head}{rest}");
    match flame_dsl::parse(&text, Format::Yaml) {
        Ok(workflow) => Arc::new(workflow),
        Err(problems) => panic!("the document is refused: {problems:#?}\n{text}"),
    }
}

/// A call in flight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Invocation {
    pub(crate) effect: EffectId,
    pub(crate) key: String,
    pub(crate) reference: String,
    pub(crate) call: Call,
}

impl Invocation {
    /// The last part of the reference.
    pub(crate) fn name(&self) -> &str {
        self.reference.rsplit('/').next().unwrap()
    }

    pub(crate) fn http(&self) -> &flame_engine::HttpRequest {
        match &self.call {
            Call::Http(request) => request,
            other => panic!("not an HTTP call: {other:?}"),
        }
    }
}

pub(crate) type Answer = Result<Value, Error>;

pub(crate) fn communication(status: u16) -> Error {
    Error {
        status,
        ..StandardError::Communication.with("Refused", "the other side said no")
    }
}

#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) run: Run,
    /// One JSON text per record.
    pub(crate) journal: Vec<String>,
    /// The same, read back.
    read: Vec<Record>,
    pub(crate) now: Timestamp,
    entropy: u64,
    pub(crate) in_flight: BTreeMap<EffectId, Invocation>,
    /// Subscriptions that were asked for a message.
    pub(crate) receiving: BTreeSet<EffectId>,
    pub(crate) timers: BTreeMap<TimerId, Timestamp>,
    pub(crate) emitted: Vec<Value>,
    /// Lifecycle events.
    pub(crate) published: Vec<Value>,
    pub(crate) invoked: Vec<Invocation>,
    pub(crate) aborted: Vec<EffectId>,
    pub(crate) yielded: bool,
    pub(crate) finished: Vec<RunStatus>,
    /// The event log; the first event has the place 1.
    pub(crate) log: Vec<Arc<Value>>,
    /// Length of the log when each task began to listen. Outlives a crash, as the store's does.
    since: BTreeMap<FrameId, u64>,
    /// What was delivered to the tasks that listen.
    pub(crate) listening: BTreeMap<FrameId, u64>,
    /// Persons that are asked.
    pub(crate) asked: BTreeMap<FrameId, flame_engine::Ask>,
    /// Lengths of the journal at the ends of steps.
    pub(crate) commits: Vec<usize>,
    limits: Limits,
    wanted: LifecycleSet,
    /// Steps between two looks whether the journal folds to the live state; 1 is after each.
    fold_every: usize,
    /// Commits between two snapshots, where there are any.
    snapshot_every: Option<usize>,
    /// The last snapshot, and the records that it stands for. Outlives a crash.
    kept: Option<(usize, Vec<u8>)>,
    /// The clock and the dice before a step whose commit will not be.
    doomed: Option<(Timestamp, u64)>,
    /// What the last step came to, committed or not.
    pub(crate) last: Decided,
}

/// A step as its commit has it.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    pub(crate) records: Vec<Record>,
    /// A snapshot is in the same commit.
    pub(crate) snapshot: bool,
    /// It asks for a child run.
    pub(crate) bears: bool,
}

impl Driver {
    pub(crate) fn new(workflow: Arc<Workflow>) -> Self {
        let run = Run::new(run_id(RUN), Arc::clone(&workflow));
        Self::of(workflow, run)
    }

    pub(crate) fn of(workflow: Arc<Workflow>, run: Run) -> Self {
        Self {
            workflow,
            run,
            journal: Vec::new(),
            read: Vec::new(),
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            entropy: 7,
            in_flight: BTreeMap::new(),
            receiving: BTreeSet::new(),
            timers: BTreeMap::new(),
            emitted: Vec::new(),
            published: Vec::new(),
            invoked: Vec::new(),
            aborted: Vec::new(),
            yielded: false,
            finished: Vec::new(),
            log: Vec::new(),
            since: BTreeMap::new(),
            listening: BTreeMap::new(),
            asked: BTreeMap::new(),
            commits: Vec::new(),
            limits: Limits::default(),
            wanted: LifecycleSet::default(),
            fold_every: 1,
            snapshot_every: None,
            kept: None,
            doomed: None,
            last: Decided::default(),
        }
    }

    /// Folding anew is quadratic: many runs are held to the law now and then, and at every crash.
    pub(crate) fn folding_every(mut self, steps: usize) -> Self {
        self.fold_every = steps;
        self
    }

    /// A crash is recovered from the last snapshot and the records behind it.
    pub(crate) fn snapshot_every(mut self, commits: usize) -> Self {
        self.snapshot_every = Some(commits);
        self
    }

    pub(crate) fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.run = self.run.with_limits(limits);
        self
    }

    /// Lifecycle events that the run publishes from now on.
    pub(crate) fn publishing(mut self, wanted: LifecycleSet) -> Self {
        self.wanted = wanted;
        self.run.publish(wanted);
        self
    }

    pub(crate) fn moment(&mut self) -> Moment {
        self.entropy = self
            .entropy
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        Moment {
            now: self.now,
            entropy: self.entropy,
        }
    }

    pub(crate) fn start(&mut self, input: Value) {
        self.handle(Event::Start {
            input: Arc::new(input),
        });
    }

    pub(crate) fn handle(&mut self, event: Event) {
        match &event {
            Event::EffectDone { effect, .. } => {
                self.in_flight.remove(effect);
                self.receiving.remove(effect);
            }
            Event::TimerFired { timer } => {
                self.timers.remove(timer);
            }
            _ => {}
        }
        let moment = self.moment();
        let step = self.run.handle(event, moment);
        self.absorb(step);
    }

    /// The process dies in the next step: it is decided, and its commit never is.
    pub(crate) fn doom(&mut self) {
        self.doomed = Some((self.now, self.entropy));
    }

    pub(crate) fn absorb(&mut self, step: Step) {
        let commits = self.commits.len() + 1;
        let is_due = |every: usize| !step.records.is_empty() && commits.is_multiple_of(every);
        let bears = |action: &Action| {
            matches!(
                action,
                Action::Invoke {
                    call: Call::Workflow(_),
                    ..
                }
            )
        };
        self.last = Decided {
            records: step.records.clone(),
            snapshot: self.snapshot_every.is_some_and(is_due),
            bears: step.actions.iter().any(bears),
        };
        if let Some((now, entropy)) = self.doomed.take() {
            (self.now, self.entropy) = (now, entropy);
            return self.crash();
        }
        let mut places = self.log.len() as u64;
        for record in &step.records {
            match record {
                Record::EventEmitted { .. } => places += 1,
                Record::ListenStarted { frame, .. } => {
                    self.since.insert(*frame, places);
                }
                _ => {}
            }
            let line = serde_json::to_string(record).unwrap();
            self.read.push(serde_json::from_str(&line).unwrap());
            self.journal.push(line);
        }
        if !step.records.is_empty() {
            self.commits.push(self.journal.len());
        }
        if self.last.snapshot {
            self.kept = Some((self.journal.len(), self.run.snapshot()));
        }
        // Folding anew is quadratic: a long journal is held to the law now and then.
        let every = if self.journal.len() < 200 {
            self.fold_every
        } else {
            self.fold_every.max(32)
        };
        if self.commits.len().is_multiple_of(every) {
            self.assert_folds();
        }
        self.yielded = false;
        for action in step.actions {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Invoke {
                effect,
                key,
                reference,
                call,
            } => {
                let invocation = Invocation {
                    effect,
                    key: key.as_str().to_owned(),
                    reference: reference.to_string(),
                    call,
                };
                self.invoked.push(invocation.clone());
                assert!(
                    self.in_flight.insert(effect, invocation).is_none(),
                    "invoked twice"
                );
            }
            Action::Next { effect } => {
                assert!(self.in_flight.contains_key(&effect), "nothing receives");
                assert!(self.receiving.insert(effect), "asked for twice");
            }
            Action::Abort { effect } => {
                self.receiving.remove(&effect);
                assert!(
                    self.in_flight.remove(&effect).is_some(),
                    "{effect:?} was not in flight"
                );
                self.aborted.push(effect);
            }
            Action::Arm { timer, due } => {
                self.timers.insert(timer, due);
            }
            Action::Disarm { timer } => {
                assert!(
                    self.timers.remove(&timer).is_some(),
                    "{timer:?} was not armed"
                );
            }
            Action::Emit { event } => {
                self.emitted.push((*event).clone());
                self.log.push(event);
            }
            Action::Publish { event } => self.published.push((*event).clone()),
            Action::Listen {
                frame,
                interest: Interest::Log { taken, .. },
            } => {
                let known = self.listening.insert(frame, self.since[&frame].max(taken));
                assert!(known.is_none(), "asked for twice");
            }
            Action::Listen {
                frame,
                interest: Interest::Person { ask, .. },
            } => {
                self.asked.insert(frame, ask);
            }
            Action::Unlisten { frame } => {
                let known = self.listening.remove(&frame).is_some();
                assert!(known || self.asked.remove(&frame).is_some());
            }
            Action::Yield => self.yielded = true,
            Action::Finish { status } => {
                assert!(
                    self.in_flight.is_empty()
                        && self.timers.is_empty()
                        && self.listening.is_empty(),
                    "left in flight"
                );
                self.finished.push(status);
            }
        }
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.read.clone()
    }

    /// Takes another journal for the run's.
    pub(crate) fn rewrite(&mut self, journal: Vec<String>) {
        self.read = journal
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        self.journal = journal;
    }

    pub(crate) fn fold(&self) -> Run {
        Run::resume(self.run.id(), Arc::clone(&self.workflow), self.records()).unwrap()
    }

    pub(crate) fn assert_folds(&self) {
        assert!(
            self.fold() == self.run,
            "the journal folds to another state:
{self:#?}"
        );
        let snapshot = self.run.snapshot();
        let restored = Run::restore(self.run.id(), Arc::clone(&self.workflow), &snapshot);
        assert!(
            restored.as_ref() == Ok(&self.run),
            "the snapshot gives another state:
{self:#?}"
        );
    }

    /// The store refuses what follows from an event: the run goes on from what is on disk.
    pub(crate) fn refuse(&mut self, event: Event) {
        let moment = self.moment();
        self.run.handle(event, moment);
        self.crash();
    }

    /// Forgets all but the journal, as a killed process does, and goes on from there.
    pub(crate) fn crash(&mut self) {
        self.doomed = None;
        self.run = self.recovered().with_limits(self.limits);
        self.run.publish(self.wanted);
        self.in_flight.clear();
        self.receiving.clear();
        self.timers.clear();
        self.listening.clear();
        self.asked.clear();
        self.yielded = false;
        self.look_at_the_clock();
    }

    /// Sets the run going again, as after a crash or once the clock went back. It rolls no dice.
    pub(crate) fn look_at_the_clock(&mut self) {
        let step = self.run.pending(Moment {
            now: self.now,
            entropy: self.entropy,
        });
        let last = std::mem::take(&mut self.last);
        self.absorb(step);
        self.last = last;
    }

    fn recovered(&self) -> Run {
        let Some((at, snapshot)) = &self.kept else {
            return self.fold();
        };
        let mut run = Run::restore(self.run.id(), Arc::clone(&self.workflow), snapshot).unwrap();
        for record in &self.read[*at..] {
            run.fold(record).unwrap();
        }
        run
    }

    /// Puts an event into the log and delivers what is in it.
    pub(crate) fn post(&mut self, event: Value) {
        self.log.push(Arc::new(event));
        while self.deliver() {}
    }

    /// Delivers the next event that a task has not seen; `false` where there is none.
    pub(crate) fn deliver(&mut self) -> bool {
        let end = self.log.len() as u64;
        let Some((frame, place)) = self.listening.iter_mut().find(|(_, seen)| **seen < end) else {
            return false;
        };
        *place += 1;
        let (frame, sequence) = (*frame, *place);
        let event = Arc::clone(&self.log[usize::try_from(sequence).unwrap() - 1]);
        let event = Event::EventsArrived {
            frame,
            events: vec![Arrived {
                sequence: Some(sequence),
                event,
            }],
        };
        // An event that nobody took comes again after a crash: it rolls no dice that others miss then.
        let moment = Moment {
            now: self.now,
            entropy: sequence ^ (frame.0 << 32),
        };
        let step = self.run.handle(event, moment);
        self.absorb(step);
        true
    }

    /// Sets a run going that was read from its journal.
    pub(crate) fn resume(&mut self) {
        let step = self.run.pending(Moment {
            now: self.now,
            entropy: self.entropy,
        });
        for action in step.actions {
            self.act(action);
        }
    }

    /// Fires the timer that is due next, at its time.
    pub(crate) fn fire(&mut self) {
        let (timer, due) = self
            .timers
            .iter()
            .min_by_key(|(timer, due)| (**due, **timer))
            .map(|(timer, due)| (*timer, *due))
            .expect("a timer is armed");
        self.now = self.now.max(due);
        self.handle(Event::TimerFired { timer });
    }

    pub(crate) fn answer(&mut self, effect: EffectId, answer: Answer) {
        self.now += Duration::from_millis(10);
        self.handle(Event::EffectDone {
            effect,
            outcome: answer.map(Arc::new),
        });
    }

    /// Hands the subscription of this name a message that it has asked for.
    #[track_caller]
    pub(crate) fn message(&mut self, name: &str, message: Value, mark: Option<Mark>) {
        let effect = self.named(name).effect;
        assert!(self.receiving.remove(&effect), "{name} wants no message");
        self.handle(Event::MessageArrived {
            effect,
            message: Arc::new(message),
            mark,
        });
    }

    /// Answers the call of the task of this name.
    pub(crate) fn answer_named(&mut self, name: &str, answer: Answer) {
        let effect = self.named(name).effect;
        self.answer(effect, answer);
    }

    pub(crate) fn named(&self, name: &str) -> Invocation {
        let found = self
            .in_flight
            .values()
            .find(|invocation| invocation.name() == name);
        found
            .unwrap_or_else(|| panic!("{name} is not in flight: {:?}", self.in_flight))
            .clone()
    }

    /// Goes on until nothing is left to do, with the script's answers.
    pub(crate) fn settle(&mut self, mut script: impl FnMut(&Invocation) -> Answer) {
        for _ in 0..10_000 {
            if self.yielded {
                self.handle(Event::Continue);
            } else if let Some(invocation) = self.in_flight.values().next().cloned() {
                let answer = script(&invocation);
                self.answer(invocation.effect, answer);
            } else if !self.timers.is_empty() {
                self.fire();
            } else {
                return;
            }
        }
        panic!("the run does not come to an end");
    }

    pub(crate) fn status(&self) -> RunStatus {
        self.run.status()
    }

    #[track_caller]
    pub(crate) fn output(&self) -> Value {
        match self.run.output() {
            Some(output) => output.clone(),
            None => panic!("no output: {} {:?}", self.status(), self.run.error()),
        }
    }

    #[track_caller]
    pub(crate) fn error(&self) -> Error {
        match self.run.error() {
            Some(error) => error.clone(),
            None => panic!("no error: {} {:?}", self.status(), self.run.output()),
        }
    }

    /// How many records of a kind there are.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.records()
            .iter()
            .filter(|record| record.kind() == kind)
            .count()
    }
}

/// Runs a document without calls to its output.
#[track_caller]
pub(crate) fn output(rest: &str, input: Value) -> Value {
    ended(rest, input).output()
}

/// Runs a document without calls to its error.
#[track_caller]
pub(crate) fn error(rest: &str, input: Value) -> Error {
    ended(rest, input).error()
}

#[track_caller]
pub(crate) fn ended(rest: &str, input: Value) -> Driver {
    let mut driver = Driver::new(workflow(rest));
    driver.start(input);
    driver.settle(|invocation| panic!("an unexpected call: {invocation:?}"));
    driver
}

/// Runs a document whose calls get the scripted answers of their task's name, one after another.
#[track_caller]
pub(crate) fn scripted<const N: usize>(
    rest: &str,
    input: Value,
    script: [(&str, Vec<Answer>); N],
) -> Driver {
    let mut script: BTreeMap<&str, VecDeque<Answer>> = script
        .into_iter()
        .map(|(name, answers)| (name, answers.into()))
        .collect();
    let mut driver = Driver::new(workflow(rest));
    driver.start(input);
    driver.settle(|invocation| {
        let answers = script.get_mut(invocation.name());
        answers
            .and_then(VecDeque::pop_front)
            .unwrap_or_else(|| panic!("no answer for {invocation:?}"))
    });
    driver
}
