//! One thread that owns the runs whose ids fall to it. Everything that happens to a run happens here,
//! in order, so nothing about a run is locked.
//!
//! Its queue has no limit of its own; what can be in it has: runs in flight, each with one commit and its
//! effects under way, and the requests that the HTTP side admits.

mod timers;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use flame_engine::{Action, Arrived, Call, Event, FrameId, Receipt, TimerId};
use flame_store::{Commit, Refused};
use flame_types::{RunId, RunStatus, Timestamp};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::oneshot;

use super::Error;
use super::brief::{Brief, UnderWay};
use super::calls::Invoked;
use super::lanes::Queue;
use super::live::{Item, Live, Pending, Rest, Turn};
use super::load::{Hold, Resting};
use super::message::{Command, Loaded, Message};
use super::process::Stored;
use super::shared::{Shared, now};
use super::start::Begin;
use super::streams::Stream;
use super::subflow;
use super::value::{Change, CurrentTask, Inspection};

/// Deep expressions need room; untouched pages of it cost nothing.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// Until a resting run whose journal could not be read is tried again.
const LOAD_INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// The wall clock may jump: with timers armed nobody sleeps longer without a look.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// Resting runs that are read at once after the clock went back.
const TURNED_BACK_AT_ONCE: usize = 64;

pub(super) struct Shard {
    shared: Arc<Shared>,
    number: usize,
    this: Sender<Message>,
    live: HashMap<RunId, Live>,
    /// Runs with nothing to do for a while: their journals are on disk, their next timers in `timers`.
    resting: HashMap<RunId, Resting>,
    /// Runs whose journals are being read, with what came for them meanwhile.
    loading: HashMap<RunId, Loading>,
    /// While runs of before are taken up: those that somebody asked for earlier. What the recovery read
    /// of them is old.
    asked_early: Option<HashSet<RunId>>,
    timers: BinaryHeap<Reverse<(Timestamp, RunId, TimerId)>>,
    /// When commits that found no space or a full queue are tried again.
    held: BinaryHeap<Reverse<(Instant, RunId)>>,
    /// What the clock showed when it was last looked at.
    looked: Timestamp,
    /// Resting runs that are to be read, since the clock went back.
    turned_back: Vec<RunId>,
    /// Told once nothing is under way.
    draining: Option<oneshot::Sender<()>>,
    is_draining: bool,
    briefs: Arc<UnderWay>,
}

/// A run whose journal is being read.
#[derive(Default)]
struct Loading {
    waiting: Vec<Message>,
    /// It goes back to rest where its journal can't be read.
    was_resting: bool,
}

/// Starts the thread.
pub(super) fn spawn(
    shared: Arc<Shared>,
    queue: Queue,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let shard = Shard::new(shared, queue.number, queue.sender.clone());
    std::thread::Builder::new()
        .name(format!("runs-{}", queue.number))
        .stack_size(STACK_BYTES)
        .spawn(move || shard.work(&queue))
}

impl Shard {
    fn new(shared: Arc<Shared>, number: usize, this: Sender<Message>) -> Self {
        Self {
            shared,
            number,
            this,
            live: HashMap::new(),
            resting: HashMap::new(),
            loading: HashMap::new(),
            asked_early: Some(HashSet::new()),
            timers: BinaryHeap::new(),
            held: BinaryHeap::new(),
            looked: now(),
            turned_back: Vec::new(),
            draining: None,
            is_draining: false,
            briefs: Arc::default(),
        }
    }

    fn work(mut self, queue: &Queue) {
        loop {
            match queue.next(|| self.pause()) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.look_at_the_clock();
            self.fire_timers();
            self.send_held();
            self.tell_idle();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Begin(begin) => self.begin(*begin),
            Message::Recover { run } => self.recover(run),
            Message::Rest { run, rest } => self.recover_resting(run, rest),
            Message::Recovered => self.asked_early = None,
            Message::Loaded { run, outcome } => self.loaded(run, outcome),
            Message::Event { run, event, stored } => self.event(run, event, stored),
            Message::Events {
                run,
                frame,
                events,
                bytes,
            } => self.events(run, frame, events, bytes),
            Message::Answer {
                run,
                frame,
                event,
                reply,
            } => self.answer(run, frame, event, reply),
            Message::Continue { run } => self.event(run, Event::Continue, None),
            Message::Command {
                run,
                command,
                reply,
            } => self.command(run, command, reply),
            Message::Watch { run, ended } => self.watch(run, ended),
            Message::Inspect { run, reply } => self.inspect(run, reply),
            Message::Awaits { run, child, reply } => self.awaits(run, child, reply),
            Message::Committed { run, outcome } => self.committed(run, outcome),
            Message::Drain { idle } => {
                self.is_draining = true;
                // They never end by themselves; the next start opens them again.
                self.live.values_mut().for_each(|live| live.streams.clear());
                self.draining = Some(idle);
                self.briefs.wait();
            }
            // What waits for it is looked at after each message.
            Message::BriefsEnded => {}
            // Ends the loop before it comes here.
            Message::Stop => {}
        }
    }

    fn begin(&mut self, mut begin: Begin) {
        let id = begin.run.id();
        if self.is_draining {
            // The reply is dropped with it: whoever waits is told that the agent stops.
            return;
        }
        let Some(place) = begin.place.take() else {
            return;
        };
        let (mut live, opening) = Live::begin(begin, place);
        self.shared.equip(&mut live.run);
        let turn = match live.turn(Some(opening)) {
            Turn::Store(commit) => match live.only_begun() {
                Some(begun) => return self.store_brief(Brief::of(live, begun), *commit),
                None => Turn::Store(commit),
            },
            turn => turn,
        };
        self.live.insert(id, live);
        self.turned(id, turn);
    }

    fn recover(&mut self, run: RunId) {
        if !self.live.contains_key(&run) && !self.loading.contains_key(&run) {
            self.load(run, Vec::new());
        }
    }

    fn recover_resting(&mut self, run: RunId, rest: Rest) {
        let is_known = self
            .asked_early
            .as_ref()
            .is_some_and(|early| early.contains(&run));
        if !is_known {
            self.rest_until(run, rest);
        }
    }

    /// Out of memory, with a timer of its own.
    fn rest_until(&mut self, run: RunId, rest: Rest) {
        if let Rest::Until(at) = rest {
            // Which timer it is, the journal knows.
            self.timers.push(Reverse((at, run, TimerId(0))));
        }
        self.lay_to_rest(run, rest);
    }

    fn lay_to_rest(&mut self, run: RunId, rest: Rest) {
        let resting = self.shared.counters.rest(rest == Rest::UntilAsked);
        self.resting.insert(run, resting);
    }

    /// Lets a run out of memory that has nothing to do for a while. Its next timer stays armed.
    fn rest(&mut self, run: RunId) {
        let Some(rest) = self
            .live
            .get_mut(&run)
            .and_then(|live| live.rest(self.shared.options.rest_least))
        else {
            return;
        };
        self.live.remove(&run);
        self.lay_to_rest(run, rest);
    }

    /// Reads a run's journal; until it is here, what comes for the run waits.
    fn load(&mut self, run: RunId, waiting: Vec<Message>) {
        let was_resting = self.resting.remove(&run).is_some();
        if let Some(early) = &mut self.asked_early {
            early.insert(run);
        }
        self.loading.insert(
            run,
            Loading {
                waiting,
                was_resting,
            },
        );
        self.read(run);
    }

    fn read(&self, run: RunId) {
        let (shared, this) = (Arc::clone(&self.shared), self.this.clone());
        self.shared.reactor.spawn(async move {
            let outcome = shared.load(run).await;
            // The thread may have ended; then nobody wants the run.
            let _ = this.send(Message::Loaded { run, outcome });
        });
    }

    fn loaded(&mut self, run: RunId, outcome: Result<Box<Loaded>, Error>) {
        let Loading {
            waiting,
            was_resting,
        } = self.loading.remove(&run).unwrap_or_default();
        let loaded = match outcome {
            Ok(loaded) => *loaded,
            Err(error) if self.live.contains_key(&run) => return self.park(run, &error),
            Err(error) => {
                tracing::error!(%run, %error, "A run could not be taken up");
                if was_resting {
                    let later = now().saturating_add(LOAD_INTERVAL);
                    self.rest_until(run, Rest::Until(later.unwrap_or(Timestamp::MAX)));
                }
                return refuse_all(waiting, &error);
            }
        };
        if let Some(live) = self.live.get_mut(&run) {
            live.go_back(loaded);
            return self.turn(run);
        }
        let ended = loaded.run.status().is_terminal();
        let place = self.shared.counters.readmit();
        let mut live = Live::loaded(loaded, place);
        live.place.show(live.summary.status);
        self.live.insert(run, live);
        for message in waiting {
            self.take(message);
        }
        self.turn(run);
        if ended {
            self.let_go(run);
        }
    }

    fn event(&mut self, run: RunId, event: Event, stored: Option<Stored>) {
        if self.resting.contains_key(&run) {
            return self.load(run, vec![Message::Event { run, event, stored }]);
        }
        if let Some(loading) = self.loading.get_mut(&run) {
            loading.waiting.push(Message::Event { run, event, stored });
            return;
        }
        let Some(live) = self.live.get_mut(&run) else {
            return;
        };
        if let Event::EffectDone { effect, .. } = &event {
            live.effects.remove(effect);
            live.children.remove(effect);
            live.streams.remove(effect);
        }
        // Each is the only one of its effect or timer: without it the run would wait for ever.
        live.inbox.push_back(Item::Event(event, stored));
        self.turn(run);
    }

    /// Events for a run that is not here were for a task of it that has ended.
    fn events(&mut self, run: RunId, frame: FrameId, events: Vec<Arrived>, bytes: usize) {
        let Some(live) = self.live.get_mut(&run) else {
            return self.shared.events.unlisten(run, frame);
        };
        live.inbox.push_back(Item::Events {
            frame,
            events,
            bytes,
        });
        self.turn(run);
    }

    fn answer(
        &mut self,
        run: RunId,
        frame: FrameId,
        event: Arc<Value>,
        reply: oneshot::Sender<Result<bool, Error>>,
    ) {
        let Some(live) = self.live.get_mut(&run) else {
            self.shared.people.unlisten(run, frame);
            // Whoever asked may have gone.
            let _ = reply.send(Ok(false));
            return;
        };
        live.inbox.push_back(Item::Answer {
            frame,
            event,
            reply,
        });
        self.turn(run);
    }

    fn command(&mut self, run: RunId, command: Command, reply: oneshot::Sender<Result<(), Error>>) {
        if let Some(loading) = self.loading.get_mut(&run) {
            loading.waiting.push(Message::Command {
                run,
                command,
                reply,
            });
            return;
        }
        let Some(live) = self.live.get_mut(&run) else {
            return self.load(
                run,
                vec![Message::Command {
                    run,
                    command,
                    reply,
                }],
            );
        };
        if let Some(hold) = &live.hold {
            // Whoever asked may have gone.
            let _ = reply.send(Err(hold.why().clone().into()));
            return;
        }
        live.inbox.push_back(Item::Command(command, reply));
        self.turn(run);
    }

    fn watch(&mut self, run: RunId, ended: oneshot::Sender<()>) {
        if let Some(live) = self.live.get_mut(&run) {
            live.watchers.retain(|watcher| !watcher.is_closed());
            live.watchers.push(ended);
        } else if let Some(loading) = self.loading.get_mut(&run) {
            loading.waiting.push(Message::Watch { run, ended });
        } else {
            self.load(run, vec![Message::Watch { run, ended }]);
        }
    }

    fn awaits(&mut self, run: RunId, child: RunId, reply: oneshot::Sender<bool>) {
        if self.resting.contains_key(&run) {
            return self.load(run, vec![Message::Awaits { run, child, reply }]);
        }
        if let Some(loading) = self.loading.get_mut(&run) {
            loading.waiting.push(Message::Awaits { run, child, reply });
        } else if let Some(live) = self.live.get(&run) {
            // Whoever asked may have gone.
            let _ = reply.send(live.run.awaits(child));
        }
    }

    fn inspect(&mut self, run: RunId, reply: oneshot::Sender<Result<Inspection, Error>>) {
        if self.resting.contains_key(&run) {
            return self.load(run, vec![Message::Inspect { run, reply }]);
        }
        if let Some(loading) = self.loading.get_mut(&run) {
            loading.waiting.push(Message::Inspect { run, reply });
            return;
        }
        let inspection = self.live.get(&run).map(|live| {
            let at_work = live.run.at_work().into_iter();
            let tasks = at_work
                .map(|task| CurrentTask {
                    reference: task.reference,
                    name: task.name,
                    status: if task.due.is_some() || task.parked.is_some() {
                        RunStatus::Waiting
                    } else {
                        RunStatus::Running
                    },
                    due: task.due,
                    parked: task.parked,
                })
                .collect();
            Inspection {
                tasks,
                compensation: live.run.compensation(),
            }
        });
        // Whoever asked may have gone.
        let _ = reply.send(Ok(inspection.unwrap_or_default()));
    }

    /// Lets a run decide what waits for it, unless its last decision is still being stored.
    fn turn(&mut self, run: RunId) {
        let Some(live) = self.live.get_mut(&run) else {
            return;
        };
        if live.pending.is_some() {
            return;
        }
        self.shared.equip(&mut live.run);
        let turn = live.turn(None);
        self.turned(run, turn);
    }

    fn turned(&mut self, run: RunId, turn: Turn) {
        match turn {
            Turn::Free(pending) => self.follow(run, pending),
            Turn::Store(commit) => self.store(run, *commit),
            Turn::Broken(error) => self.broken(run, &error),
        }
    }

    fn store(&self, run: RunId, commit: Commit) {
        let this = self.this.clone();
        self.shared
            .store
            .submit_from(self.number, commit, move |outcome| {
                // The thread may have ended; what is on disk is taken up at the next start.
                let _ = this.send(Message::Committed { run, outcome });
            });
    }

    fn store_brief(&self, brief: Brief, commit: Commit) {
        let (shared, briefs) = (Arc::clone(&self.shared), Arc::clone(&self.briefs));
        let this = self.this.clone();
        briefs.begin();
        self.shared
            .store
            .submit_from(self.number, commit, move |outcome| {
                brief.committed(&shared, outcome);
                if briefs.end() {
                    // The thread may have ended meanwhile.
                    let _ = this.send(Message::BriefsEnded);
                }
            });
    }

    fn committed(&mut self, run: RunId, outcome: Result<(), Refused>) {
        let Some(live) = self.live.get_mut(&run) else {
            return;
        };
        match outcome {
            Ok(()) => {
                live.hold = None;
                if let Some(pending) = live.pending.take() {
                    let summary = &live.summary;
                    self.shared
                        .announce(|| Change::Run(Arc::new(summary.clone())));
                    self.follow(run, pending);
                }
            }
            Err(Refused { error, commit }) => self.refused(run, error, commit),
        }
    }

    fn refused(&mut self, run: RunId, error: flame_store::Error, commit: Commit) {
        let Some(live) = self.live.get_mut(&run) else {
            return;
        };
        let begun = live
            .pending
            .as_mut()
            .and_then(|pending| pending.begun.take());
        if let Some(begun) = begun {
            // Nobody was told of this run yet, so it does not exist.
            let _ = begun.reply.send(Err(error.into()));
            self.live.remove(&run);
            return;
        }
        if error.is_transient() {
            live.held = Some(commit);
            if self.shared.counters.hold(&mut live.hold, &error) {
                tracing::info!(%run, %error, "A run waits for the store");
            }
            let pause = live.hold.as_ref().map_or(Duration::ZERO, Hold::pause);
            self.held.push(Reverse((Instant::now() + pause, run)));
            return;
        }
        self.broken(run, &error.into());
    }

    /// What a run decided is not in its journal and won't be.
    fn broken(&mut self, run: RunId, error: &Error) {
        let Some(live) = self.live.get_mut(&run).filter(|_| error.is_for_good()) else {
            return self.park(run, error);
        };
        if let Some(begun) = live
            .pending
            .as_mut()
            .and_then(|pending| pending.begun.take())
        {
            // Nobody was told of this run yet, so it does not exist.
            let _ = begun.reply.send(Err(error.clone()));
            self.live.remove(&run);
            return;
        }
        tracing::warn!(%run, %error, "A run faults: what it decided can't be kept");
        for frame in live.run.listeners() {
            self.shared.events.unlisten(run, frame);
        }
        live.give_up(error);
        self.read(run);
    }

    /// Sends commits again whose time has come.
    fn send_held(&mut self) {
        while let Some(Reverse((at, run))) = self.held.peek().copied() {
            if at > Instant::now() {
                return;
            }
            self.held.pop();
            let commit = self.live.get_mut(&run).and_then(|live| live.held.take());
            if let Some(commit) = commit {
                self.store(run, commit);
            }
        }
    }

    /// What was waiting for the commit: answers, then actions.
    fn follow(&mut self, run: RunId, pending: Pending) {
        let ends = |action: &Action| matches!(action, Action::Finish { .. });
        if pending.actions.iter().any(ends)
            && let Some(live) = self.live.get_mut(&run)
        {
            live.place.vacate();
        }
        for reply in pending.replies {
            // Whoever asked may have gone.
            let _ = reply.send(Ok(()));
        }
        let mut ended = None;
        let mut emitted = false;
        let Some(live) = self.live.get_mut(&run) else {
            return;
        };
        if let Some(begun) = pending.begun {
            self.shared.counters.started();
            live.tell_begun(begun);
        }
        for reply in pending.answered {
            // Whoever answered may have gone.
            let _ = reply.send(Ok(true));
        }
        for stored in pending.stored {
            // Whoever ran the container may have gone.
            let _ = stored.send(());
        }
        for frame in pending.heard {
            self.shared.events.done(run, frame);
        }
        for action in pending.actions {
            match action {
                Action::Finish { status } => ended = Some(status),
                Action::Emit { .. } | Action::Publish { .. } => emitted = true,
                action => self.act(run, action),
            }
        }
        if emitted {
            self.shared.log_grown();
            self.shared.announce(|| Change::Events);
        }
        match ended {
            Some(status) => self.end(run, status),
            None => {
                self.turn_if_waiting(run);
                self.rest(run);
            }
        }
    }

    fn turn_if_waiting(&mut self, run: RunId) {
        if self
            .live
            .get(&run)
            .is_some_and(|live| !live.inbox.is_empty())
        {
            self.turn(run);
        }
    }

    fn act(&mut self, run: RunId, action: Action) {
        let Some(live) = self.live.get_mut(&run) else {
            return;
        };
        match action {
            Action::Invoke {
                effect,
                key,
                reference,
                call,
            } => {
                if self.is_draining {
                    // The intent is on disk: the next start makes the call, under the same key.
                    return;
                }
                let workflow = Arc::clone(live.run.workflow());
                let invoked = Invoked {
                    run,
                    effect,
                    workflow,
                    reference,
                    key,
                    call,
                };
                if matches!(&invoked.call, Call::Protocol(request)
                    if matches!(request.receipt, Some(Receipt::Singly { .. })))
                {
                    let stream = Stream::open(&self.shared, self.this.clone(), invoked);
                    live.streams.insert(effect, stream);
                    return;
                }
                let (shared, this) = (Arc::clone(&self.shared), self.this.clone());
                if let Call::Workflow(call) = invoked.call {
                    let (abandon, abandoned) = oneshot::channel();
                    live.children.insert(effect, abandon);
                    self.shared.reactor.spawn(async move {
                        if let Some(outcome) = subflow::run(&shared, &call, abandoned).await {
                            let event = Event::EffectDone { effect, outcome };
                            // As below: the next start finds the child.
                            let _ = this.send(Message::Event {
                                run,
                                event,
                                stored: None,
                            });
                        }
                    });
                    return;
                }
                let task = self.shared.reactor.spawn(async move {
                    let (outcome, stored) = shared.calls.invoke(&invoked).await;
                    let event = Event::EffectDone { effect, outcome };
                    // The thread may have ended; the call is made again at the next start.
                    let _ = this.send(Message::Event { run, event, stored });
                });
                live.effects.insert(effect, task.abort_handle());
            }
            Action::Next { effect } => {
                if let Some(stream) = live.streams.get(&effect) {
                    stream.ask();
                }
            }
            Action::Abort { effect } => {
                live.streams.remove(&effect);
                if let Some(task) = live.effects.remove(&effect) {
                    task.abort();
                }
                if let Some(abandon) = live.children.remove(&effect) {
                    // An error means that the child has just ended.
                    let _ = abandon.send(());
                }
            }
            Action::Arm { timer, due } => {
                live.timers.insert(timer);
                self.timers.push(Reverse((due, run, timer)));
            }
            Action::Disarm { timer } => {
                live.timers.remove(&timer);
            }
            Action::Listen { frame, interest } => {
                let workflow = live.run.workflow();
                self.shared.people.listen(run, frame, workflow, &interest);
                self.shared.events.listen(run, frame, interest);
            }
            Action::Unlisten { frame } => {
                self.shared.people.unlisten(run, frame);
                self.shared.events.unlisten(run, frame);
            }
            Action::Yield if !self.is_draining => {
                // To the end of the queue: others come first.
                let _ = self.this.send(Message::Continue { run });
            }
            // Emitted events were stored with the records; `Finish` ends the run elsewhere.
            Action::Yield
            | Action::Emit { .. }
            | Action::Publish { .. }
            | Action::Finish { .. } => {}
        }
    }

    fn end(&mut self, run: RunId, status: RunStatus) {
        self.shared.counters.ended(status);
        if let Some(live) = self.live.get_mut(&run) {
            self.shared.schedules.ended(live.run.workflow());
            live.tell_end();
        }
        self.let_go(run);
    }

    /// Forgets a run that has ended, after what still waits for it was answered.
    fn let_go(&mut self, run: RunId) {
        self.turn_if_waiting(run);
        let ended = self
            .live
            .get(&run)
            .is_some_and(|live| live.run.status().is_terminal() && live.pending.is_none());
        if ended && let Some(mut live) = self.live.remove(&run) {
            live.tell_end();
            live.effects
                .values()
                .for_each(tokio::task::AbortHandle::abort);
        }
    }

    /// Sets a run aside that can't go on here: its journal is as it was, and the next start tries again.
    fn park(&mut self, run: RunId, error: &Error) {
        tracing::error!(%run, %error, "A run is parked until the next start");
        let Some(live) = self.live.remove(&run) else {
            return;
        };
        for frame in live.run.listeners() {
            self.shared.people.unlisten(run, frame);
            self.shared.events.unlisten(run, frame);
        }
        live.effects
            .values()
            .for_each(tokio::task::AbortHandle::abort);
        let Some(pending) = live.pending else { return };
        for reply in pending.replies {
            let _ = reply.send(Err(error.clone()));
        }
        for reply in pending.answered {
            let _ = reply.send(Err(error.clone()));
        }
        if let Some(begun) = pending.begun {
            let _ = begun.reply.send(Err(error.clone()));
        }
    }

    /// While draining: says so once no call and no commit is under way.
    fn tell_idle(&mut self) {
        let busy = |live: &Live| {
            !live.effects.is_empty() || (live.pending.is_some() && live.held.is_none())
        };
        if self.draining.is_some()
            && self.loading.is_empty()
            && self.briefs.is_empty()
            && !self.live.values().any(busy)
            && let Some(idle) = self.draining.take()
        {
            // Whoever drains may have lost patience.
            let _ = idle.send(());
        }
    }
}

fn refuse_all(waiting: Vec<Message>, error: &Error) {
    for message in waiting {
        // Whoever asked may have gone. A watcher is told by the sender that is dropped here.
        match message {
            Message::Command { reply, .. } => drop(reply.send(Err(error.clone()))),
            Message::Inspect { reply, .. } => drop(reply.send(Err(error.clone()))),
            Message::Answer { reply, .. } => drop(reply.send(Err(error.clone()))),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
