//! A process that dies at every point at which it can: runs and their children over what a store keeps.
//!
//! Each step of a run is one commit. The process dies before it (all is decided, and nothing of it is kept: a
//! partner that was asked was asked for nothing) or after it (all is kept, and nothing was done about it: no call
//! made, no timer armed, nobody told). So "before the outside call" is after the intent's commit, and during and
//! after it are before the result's. Deliberately absent: the queue of starts, the folder's lock and migration,
//! which an engine does not know; a real agent is killed there. Journals of earlier builds are among the histories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use flame_dsl::Workflow;
use flame_engine::{Call, EffectId, Event, Record, Run, SubflowCall};
use flame_types::{RunId, RunStatus};
use serde_json::json;

use crate::driver::{Decided, Driver, workflow};
use crate::lifecycles::told;
use crate::simulation::{
    Dice, Happened, LIMITS, SEEDS, World, a_completed_task_never_runs_again,
    compensation_keeps_its_promise, document, for_each_seed, fresh,
};

/// Where a process can die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    Trigger,
    Intent,
    Result,
    TimerArmed,
    TimerFired,
    EventLogged,
    EventEmitted,
    EventDelivered,
    ChildAskedFor,
    ChildStarted,
    ChildEnded,
    ChildReturned,
    ChildCancelled,
    RetryScheduled,
    RetryBegun,
    CompensationBegun,
    CompensationEnded,
    End,
    Checkpoint,
}

const POINTS: [Point; 19] = [
    Point::Trigger,
    Point::Intent,
    Point::Result,
    Point::TimerArmed,
    Point::TimerFired,
    Point::EventLogged,
    Point::EventEmitted,
    Point::EventDelivered,
    Point::ChildAskedFor,
    Point::ChildStarted,
    Point::ChildEnded,
    Point::ChildReturned,
    Point::ChildCancelled,
    Point::RetryScheduled,
    Point::RetryBegun,
    Point::CompensationBegun,
    Point::CompensationEnded,
    Point::End,
    Point::Checkpoint,
];

/// Before or after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Death {
    Before,
    After,
}

/// How often a process died where.
type Tally = BTreeMap<(Point, Death), u64>;

/// A step of one run, for those who count.
struct Done {
    what: What,
    decided: Decided,
    of_child: bool,
}

enum What {
    Started,
    World(Happened),
    ChildStarted,
    ChildReturned,
    ChildCancelled,
}

struct Process {
    world: World,
    parent: Driver,
    children: BTreeMap<RunId, Child>,
    asked: BTreeMap<(RunId, EffectId), String>,
}

struct Child {
    driver: Driver,
    awaited: bool,
}

impl Child {
    fn is_alive(&self) -> bool {
        !self.driver.status().is_terminal()
    }

    fn is_awaited(&self) -> bool {
        self.awaited && self.is_alive()
    }

    /// It has done something.
    fn is_grown(&self) -> bool {
        self.driver.commits.len() > 1
    }
}

impl Process {
    fn new(seed: u64, workflow: &Arc<Workflow>) -> Self {
        Self {
            world: World::new(seed),
            parent: fresh(workflow).snapshot_every(5),
            children: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Does the next thing that is due; where it is doomed, none of it is kept. `None` when nothing is due.
    fn step(&mut self, doomed: bool) -> Option<Done> {
        self.note_calls();
        let before = doomed.then(|| self.world.clone());
        let whose = self.whose();
        let driver = match &whose {
            Whose::Child(run) => self.children.get_mut(run).map(|child| &mut child.driver),
            Whose::Birth(_) => None,
            _ => Some(&mut self.parent),
        };
        if let Some(driver) = driver.filter(|_| doomed) {
            driver.doom();
        }
        let done = self.act(whose, doomed);
        if let Some(before) = before {
            // The partner knows the key, and will say the same again.
            self.world = before;
            self.crash();
        }
        done
    }

    fn act(&mut self, whose: Whose, doomed: bool) -> Option<Done> {
        match whose {
            Whose::Start => {
                self.parent.start(json!({"k": 1}));
                Some(Done::of(&mut self.parent, What::Started, false))
            }
            Whose::World => {
                let happened = self.world.advance(&mut self.parent)?;
                if happened == Happened::Event && doomed {
                    // Its sender was not told that it is in the log, and sends it again.
                    self.parent.log.pop();
                }
                Some(Done::of(&mut self.parent, What::World(happened), false))
            }
            Whose::Alarm => {
                self.parent.fire();
                let fired = What::World(Happened::Timer);
                Some(Done::of(&mut self.parent, fired, false))
            }
            Whose::Birth(call) => Some(self.bear(&call, doomed)),
            Whose::Child(run) => self.raise(run, doomed),
            Whose::Return(effect, call) => {
                let child = &self.children[&call.run].driver;
                self.parent.now = self.parent.now.max(child.now);
                let outcome = match (call.awaits, child.status()) {
                    (false, _) => Ok(json!(null)),
                    (true, RunStatus::Completed) => Ok(child.output()),
                    (true, RunStatus::Faulted) => Err(child.error()),
                    (true, status) => panic!("a child that is waited for is {status}"),
                };
                self.parent.answer(effect, outcome);
                Some(Done::of(&mut self.parent, What::ChildReturned, false))
            }
        }
    }

    fn bear(&mut self, call: &SubflowCall, doomed: bool) -> Done {
        let workflow = child_workflow(call);
        let run = Run::new(call.run, Arc::clone(&workflow));
        let mut driver = Driver::of(workflow, run)
            .with_limits(LIMITS)
            .snapshot_every(2);
        driver.now = self.parent.now;
        if doomed {
            driver.doom();
        }
        driver.handle(Event::StartChild {
            input: Arc::clone(&call.input),
            parent: call.parent.clone(),
        });
        let done = Done::of(&mut driver, What::ChildStarted, true);
        if !doomed {
            let awaited = call.awaits;
            let known = self.children.insert(call.run, Child { driver, awaited });
            assert!(known.is_none(), "it was started before");
        }
        done
    }

    fn raise(&mut self, run: RunId, doomed: bool) -> Option<Done> {
        let is_abandoned = self.is_abandoned(run);
        let driver = &mut self.children.get_mut(&run)?.driver;
        if is_abandoned {
            driver.handle(Event::Cancel);
            return Some(Done::of(driver, What::ChildCancelled, true));
        }
        let happened = self.world.advance(driver)?;
        if happened == Happened::Event && doomed {
            driver.log.pop();
        }
        Some(Done::of(driver, What::World(happened), true))
    }

    /// Whose turn it is: follows from what is kept.
    fn whose(&self) -> Whose {
        if self.parent.status() == RunStatus::Pending {
            return Whose::Start;
        }
        if let Some(run) = self.children.keys().find(|run| self.is_abandoned(**run)) {
            return Whose::Child(*run);
        }
        if !self.parent.yielded
            && let Some(asked) = self.parent.in_flight.values().next()
            && let Call::Workflow(call) = &asked.call
        {
            return match self.children.get(&call.run) {
                None => Whose::Birth(call.clone()),
                // A task's timeout does not wait for the child.
                Some(child)
                    if child.is_awaited() && child.is_grown() && !self.parent.timers.is_empty() =>
                {
                    Whose::Alarm
                }
                Some(child) if child.is_awaited() => Whose::Child(call.run),
                Some(_) => Whose::Return(asked.effect, call.clone()),
            };
        }
        let orphan = self.children.iter().find(|(_, child)| child.is_alive());
        match orphan {
            Some((run, _)) if self.parent.status().is_terminal() => Whose::Child(*run),
            _ => Whose::World,
        }
    }

    /// Its parent has no use for it any more.
    fn is_abandoned(&self, run: RunId) -> bool {
        self.children[&run].is_awaited() && !self.parent.run.awaits(run)
    }

    fn crash(&mut self) {
        self.parent.crash();
        self.children
            .values_mut()
            .for_each(|child| child.driver.crash());
    }

    /// A call that is made again is the same one, under the same key.
    fn note_calls(&mut self) {
        let children = self.children.values().map(|child| &child.driver);
        for driver in children.chain([&self.parent]) {
            for call in driver.in_flight.values() {
                let known = self.asked.entry((driver.run.id(), call.effect));
                let known = known.or_insert_with(|| call.key.clone());
                assert_eq!(*known, call.key);
            }
        }
    }
}

/// What comes next.
enum Whose {
    Start,
    World,
    /// The parent's next timer.
    Alarm,
    /// A child begins.
    Birth(SubflowCall),
    Child(RunId),
    /// The parent hears of its child.
    Return(EffectId, SubflowCall),
}

impl Done {
    fn of(driver: &mut Driver, what: What, of_child: bool) -> Self {
        Self {
            what,
            decided: std::mem::take(&mut driver.last),
            of_child,
        }
    }

    /// The points at which a death in this step is.
    fn points(&self) -> BTreeSet<Point> {
        let Decided {
            records,
            snapshot,
            bears,
        } = &self.decided;
        let of_records = records.iter().filter_map(|record| match record {
            Record::EffectRequested { .. } => Some(Point::Intent),
            Record::TimerArmed { .. } => Some(Point::TimerArmed),
            Record::EventEmitted { .. } => Some(Point::EventEmitted),
            Record::EventConsumed { .. } => Some(Point::EventDelivered),
            Record::RetryScheduled { .. } => Some(Point::RetryScheduled),
            Record::AttemptStarted { .. } => Some(Point::RetryBegun),
            Record::CompensationBegan { .. } => Some(Point::CompensationBegun),
            Record::CompensationEnded { .. } => Some(Point::CompensationEnded),
            record if record.ends_run() && self.of_child => Some(Point::ChildEnded),
            record if record.ends_run() => Some(Point::End),
            _ => None,
        });
        let of_step = match self.what {
            What::Started => Some(Point::Trigger),
            What::ChildStarted => Some(Point::ChildStarted),
            What::ChildReturned => Some(Point::ChildReturned),
            What::ChildCancelled => Some(Point::ChildCancelled),
            What::World(Happened::Result) => Some(Point::Result),
            What::World(Happened::Timer) => Some(Point::TimerFired),
            What::World(Happened::Event) => Some(Point::EventLogged),
            What::World(Happened::Turn | Happened::Delivery | Happened::Command) => None,
        };
        let of_commit = [
            snapshot.then_some(Point::Checkpoint),
            bears.then_some(Point::ChildAskedFor),
        ];
        let of_commit = of_commit.into_iter().flatten();
        of_records.chain(of_step).chain(of_commit).collect()
    }
}

/// One that ends well or ill, as the partner answers, and takes its time.
fn child_workflow(call: &SubflowCall) -> Arc<Workflow> {
    const TASKS: [&str; 2] = [
        "do: [{a: {call: http, with: {method: post, endpoint: 'http://x.test/', body: '${ . }'}}}, {w: {wait: {seconds: 1}}}]",
        "do: [{l: {listen: {to: {one: {with: {type: t.tick}}}}}}, {s: {set: {heard: true}}}]",
    ];
    let kind = call.run.as_uuid().as_bytes()[15] % 2;
    workflow(TASKS[usize::from(kind)])
}

/// The process in a world of its seed, with deaths at random.
fn play(seed: u64, workflow: &Arc<Workflow>, deaths_percent: u64, tally: &Mutex<Tally>) -> Process {
    let mut dice = Dice::new(seed ^ 0xC4A5);
    let mut process = Process::new(seed, workflow);
    let mut died = Tally::new();
    loop {
        let death = dice.chance(deaths_percent).then(|| match dice.chance(50) {
            true => Death::Before,
            false => Death::After,
        });
        let Some(done) = process.step(death == Some(Death::Before)) else {
            break;
        };
        if death == Some(Death::After) {
            process.crash();
        }
        for (point, death) in done.points().into_iter().zip(std::iter::repeat(death)) {
            if let Some(death) = death {
                *died.entry((point, death)).or_default() += 1;
            }
        }
    }
    let mut tally = tally.lock().unwrap();
    for (place, times) in died {
        *tally.entry(place).or_default() += times;
    }
    process
}

/// The journals are those of the life without a death, byte for byte.
fn deaths_change_nothing(seed: u64, tally: &Mutex<Tally>) {
    let (_, workflow) = document(seed);
    let whole = play(seed, &workflow, 0, tally);
    let run = &whole.parent;
    assert!(
        run.status().is_terminal(),
        "it came to no end: {}",
        run.status()
    );
    assert_eq!(run.finished, [run.status()], "it ended once");
    compensation_keeps_its_promise(&workflow, run);
    a_completed_task_never_runs_again(run);
    assert_eq!(run.published, told(run));
    let died = play(seed, &workflow, 40, tally);
    assert_eq!(died.parent.journal, run.journal);
    assert_eq!(died.parent.published, run.published);
    assert_eq!(
        died.parent.emitted, run.emitted,
        "no event is emitted twice"
    );
    let children = |process: &Process| {
        let children = process.children.iter();
        children
            .map(|(run, child)| (*run, child.driver.journal.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(children(&died), children(&whole), "each child runs once");
    assert_eq!(
        died.asked, whole.asked,
        "the same calls under the same keys"
    );
}

#[test]
fn a_death_at_any_point_changes_nothing() {
    let tally = Mutex::default();
    let seeds = for_each_seed(|seed| deaths_change_nothing(seed, &tally));
    let tally = tally.into_inner().unwrap();
    for point in POINTS {
        for death in [Death::Before, Death::After] {
            let times = tally.get(&(point, death)).copied().unwrap_or_default();
            // One seed alone does not come by every point.
            assert!(
                times > 0 || (seeds as u64) < SEEDS,
                "no death {death:?} {point:?}"
            );
        }
    }
}
