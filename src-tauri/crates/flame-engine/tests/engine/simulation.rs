//! Random workflows in a random world with crashes and interference, all from one seed.
//!
//! `ENGINE_SIMULATION_SEED=n` runs one seed, `ENGINE_SIMULATION_SEEDS=n` that many.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use flame_dsl::{Format, LifecycleSet, Workflow};
use flame_engine::{Call, Event, Limits, NotReplayable, Record, Slot};
use flame_types::RunStatus;
use serde_json::{Map, Value, json};

use crate::driver::{Answer, Driver, Invocation, communication};
use crate::lifecycles::told;
use crate::replays::{from, replay};

/// SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What a world did to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    /// It was its turn again.
    Turn,
    /// A call was answered.
    Result,
    /// An event came into the log; the run has not heard of it.
    Event,
    Delivery,
    Timer,
    /// A person said so.
    Command,
}

/// A key that `serde_json` has a meaning of its own for: data with it comes back as it went in.
const FOREIGN: &str = "$serde_json::private::RawValue";

/// Answers calls as its seed says, by key and by how often the key was answered before.
#[derive(Debug, Clone)]
pub(crate) struct World {
    seed: u64,
    answered: BTreeMap<String, u64>,
}

impl World {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            seed,
            answered: BTreeMap::new(),
        }
    }

    fn answer(&mut self, invocation: &Invocation) -> Answer {
        let answer = self.roll(&invocation.key);
        match (&invocation.call, &answer) {
            (Call::Process(_), Ok(number)) => {
                let code = u64::from(number == 9);
                Ok(json!({"code": code, "stdout": format!("{number}\n"), "stderr": ""}))
            }
            (_, answer) => answer.clone().map(|number| json!({FOREIGN: number})),
        }
    }

    fn roll(&mut self, key: &str) -> Answer {
        let times = self.answered.entry(key.to_owned()).or_default();
        let text = key.bytes().fold(self.seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        let mut dice = Dice::new(text.wrapping_add(*times));
        *times += 1;
        match dice.below(10) {
            0 | 1 => Err(communication(503)),
            2 => Err(communication(500)),
            number => Ok(json!(number)),
        }
    }

    /// Does the next thing that is due, the same after a crash as without one, and says what it was; `None`
    /// when nothing is.
    pub(crate) fn advance(&mut self, driver: &mut Driver) -> Option<Happened> {
        if driver.yielded {
            driver.handle(Event::Continue);
            Some(Happened::Turn)
        } else if let Some(call) = driver.in_flight.values().next().cloned() {
            let answer = self.answer(&call);
            driver.answer(call.effect, answer);
            Some(Happened::Result)
        } else if driver.deliver() {
            Some(Happened::Delivery)
        } else if !driver.listening.is_empty() {
            let number = driver.log.len();
            driver.log.push(Arc::new(
                json!({"type": "t.tick", "id": number.to_string(), "data": {FOREIGN: "{", "n": number}}),
            ));
            Some(Happened::Event)
        } else if !driver.timers.is_empty() {
            driver.fire();
            Some(Happened::Timer)
        } else if let Some(number) = driver
            .run
            .compensation()
            .and_then(|progress| progress.parked)
        {
            driver.handle(Event::SkipCompensation { number });
            Some(Happened::Command)
        } else {
            None
        }
    }
}

/// Makes documents.
struct Author {
    dice: Dice,
    names: u64,
    tasks_left: u64,
    /// Among tasks that undo another.
    undoing: bool,
}

impl Author {
    fn document(&mut self) -> Value {
        let tasks = self.list(0, 4);
        let mut document = json!({
            "document": {"dsl": "1.0.3", "namespace": "test", "name": "random", "version": "1.0.0"},
            "do": tasks,
        });
        if self.dice.chance(20) {
            document["timeout"] = json!({"after": {"seconds": self.dice.below(30) + 1}});
        }
        if self.dice.chance(30) {
            document["use"] = json!({"extensions": self.extensions()});
        }
        if self.dice.chance(20) {
            document["output"] = json!({"as": "{out: ., n: $context.n}"});
        }
        document
    }

    /// Of one or two kinds of task.
    fn extensions(&mut self) -> Value {
        let kinds = [
            "call",
            "composite",
            "for",
            "set",
            "try",
            "wait",
            "listen",
            "all",
        ];
        let undoing = std::mem::replace(&mut self.undoing, true);
        let extensions = (0..=self.dice.below(2)).map(|_| {
            let kind = kinds[self.dice.below(kinds.len() as u64) as usize];
            let mut extension = json!({"extend": kind});
            if self.dice.chance(30) {
                extension["when"] =
                    json!("($task.name | length) % 2 == 0 or ($task.set | length) > 1");
            }
            if self.dice.chance(70) {
                extension["before"] = self.list(3, 2);
            }
            if self.dice.chance(70) {
                extension["after"] = self.list(3, 2);
            }
            json!({ self.name(): extension })
        });
        let extensions = extensions.collect();
        self.undoing = undoing;
        extensions
    }

    fn list(&mut self, depth: u64, length_max: u64) -> Value {
        self.tasks(depth, length_max, true)
    }

    /// Without `jumps` no task goes on at another one of the list.
    fn tasks(&mut self, depth: u64, length_max: u64, jumps: bool) -> Value {
        let length = self.dice.below(length_max) + 1;
        let names: Vec<String> = (0..length).map(|_| self.name()).collect();
        let tasks = (0..names.len()).map(|place| {
            let mut task = self.task(depth);
            self.common(&mut task, if jumps { &names } else { &[] }, place);
            json!({ names[place].clone(): task })
        });
        tasks.collect()
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("t{}", self.names)
    }

    fn common(&mut self, task: &mut Map<String, Value>, names: &[String], place: usize) {
        if self.dice.chance(15) {
            task.insert("if".to_owned(), json!("(tojson | length) % 3 != 0"));
        }
        if self.dice.chance(15) {
            task.insert(
                "input".to_owned(),
                json!({"from": "{s: (tojson | length)}"}),
            );
        }
        if self.dice.chance(25) {
            task.insert(
                "output".to_owned(),
                json!({"as": "{l: (tojson | length), i: ($input | tojson | length)}"}),
            );
        }
        if self.dice.chance(15) {
            task.insert(
                "export".to_owned(),
                json!({"as": "{n: (($context.n // 0) + 1)}"}),
            );
        }
        if self.dice.chance(8) {
            task.insert(
                "timeout".to_owned(),
                json!({"after": {"seconds": self.dice.below(6) + 1}}),
            );
        }
        if self.dice.chance(15) && !self.undoing {
            self.undoing = true;
            let undo = self.tasks(3, 2, false);
            self.undoing = false;
            task.insert("metadata".to_owned(), json!({"mastra.io/compensate": undo}));
        }
        if self.dice.chance(12) {
            let left = names.len().saturating_sub(place).max(1);
            let ahead = place + self.dice.below(left as u64) as usize;
            let target = match self.dice.below(8) {
                0 => "exit",
                1 => "end",
                2 => "continue",
                _ => names.get(ahead + 1).map_or("continue", String::as_str),
            };
            task.insert("then".to_owned(), json!(target));
        }
    }

    fn task(&mut self, depth: u64) -> Map<String, Value> {
        self.tasks_left = self.tasks_left.saturating_sub(1);
        let leaf = depth >= 3 || self.tasks_left == 0;
        let task = match self.dice.below(if leaf { 10 } else { 16 }) {
            0 => json!({"set": {FOREIGN: "${ (tojson | length) % 7 }", "k": "${ $context.n }"}}),
            1 | 2 => {
                json!({"call": "http", "with": {"method": "post", "endpoint": "http://x.test/", "body": "${ . }"}})
            }
            3 => json!({"wait": {"seconds": self.dice.below(5)}}),
            4 => json!({"emit": {"event": {"with": {"type": "t.x", "data": "${ . }"}}}}),
            5 => {
                json!({"switch": [{"a": {"when": "(tojson | length) % 2 == 0", "then": "continue"}}, {"b": {"then": "continue"}}]})
            }
            6 if self.dice.chance(50) => {
                json!({"raise": {"error": {"type": "https://x.test/e", "status": if self.dice.chance(50) { 500 } else { 503 }}}})
            }
            6 => json!({"set": {"fixed": true}}),
            7 => self.listen(),
            8 => {
                json!({"run": {"shell": {"command": "x", "stdin": "${ . }"}, "await": self.dice.chance(80)}})
            }
            9 => {
                json!({"run": {"workflow": {"namespace": "n", "name": "child", "version": "latest", "input": {"of": "${ . }"}}, "await": self.dice.chance(80)}})
            }
            10 => json!({"do": self.list(depth + 1, 3)}),
            11 => self.listen_to_each(depth),
            12 => json!({
                "for": {"in": "[range((tojson | length) % 4)]"}, "while": "$index < 3",
                "do": self.list(depth + 1, 2),
            }),
            13 => {
                json!({"fork": {"compete": self.dice.chance(30), "branches": self.tasks(depth + 1, 3, false)}})
            }
            _ => self.attempt(depth),
        };
        match task {
            Value::Object(task) => task,
            _ => Map::new(),
        }
    }

    /// Ends with any few ticks.
    fn listen(&mut self) -> Value {
        let even = json!({"with": {"type": "t.tick", "data": "${ .n % 2 == 0 }"}});
        let tick = json!({"with": {"type": "t.tick"}});
        let alike = json!({
            "with": {"type": "t\\..*"}, "correlate": {"rest": {"from": "(.data.n // 0) % 3"}},
        });
        let to = match self.dice.below(5) {
            0 => json!({"one": even}),
            1 => json!({"all": [even, tick]}),
            2 => json!({"any": [tick], "until": "length >= 2"}),
            3 => json!({"any": [alike], "until": {"one": even}}),
            _ => json!({"all": [alike, alike]}),
        };
        let read = ["data", "envelope", "raw"][self.dice.below(3) as usize];
        json!({"listen": {"to": to, "read": read}})
    }

    fn listen_to_each(&mut self, depth: u64) -> Value {
        let mut task = self.listen();
        task["foreach"] = json!({
            "item": "tick", "do": self.list(depth + 1, 2),
            "output": {"as": "[., $tick, $index]"},
            "export": {"as": "{n: (($context.n // 0) + 1)}"},
        });
        task
    }

    fn attempt(&mut self, depth: u64) -> Value {
        let mut catch = json!({});
        if self.dice.chance(40) {
            catch["errors"] = json!({"with": {"status": 503}});
        }
        if self.dice.chance(60) {
            let mut retry = json!({"limit": {"attempt": {"count": self.dice.below(3) + 1}}});
            if self.dice.chance(70) {
                retry["delay"] = json!({"seconds": self.dice.below(3)});
                retry["backoff"] = json!({"exponential": {}});
                retry["jitter"] = json!({"from": {"seconds": 0}, "to": {"seconds": 2}});
            }
            if self.dice.chance(20) {
                retry["limit"]["attempt"]["duration"] = json!({"seconds": 3});
            }
            catch["retry"] = retry;
        }
        if self.dice.chance(60) {
            catch["do"] = self.list(depth + 1, 2);
        }
        json!({"try": self.list(depth + 1, 3), "catch": catch})
    }
}

pub(crate) fn document(seed: u64) -> (Value, Arc<Workflow>) {
    let mut author = Author {
        dice: Dice::new(seed),
        names: 0,
        tasks_left: 12,
        undoing: false,
    };
    let document = author.document();
    let workflow = flame_dsl::parse(&document.to_string(), Format::Json)
        .unwrap_or_else(|problems| panic!("seed {seed}: {problems:#?}\n{document:#}"));
    (document, Arc::new(workflow))
}

/// Seeds of a test run.
pub(crate) const SEEDS: u64 = 10_000;
/// Things that happen to a run under interference.
const STEPS: usize = 200;

pub(crate) const LIMITS: Limits = Limits {
    steps_per_turn: 7,
    bytes_per_turn: 4 << 20,
    steps_max: 2_000,
    generation_steps: 200,
};

/// A run that has not begun.
pub(crate) fn fresh(workflow: &Arc<Workflow>) -> Driver {
    Driver::new(Arc::clone(workflow))
        .with_limits(LIMITS)
        .publishing(LifecycleSet::ALL)
        .folding_every(16)
}

/// What completed is undone in reverse, each once, and all of it before the run ends.
pub(crate) fn compensation_keeps_its_promise(workflow: &Workflow, driver: &Driver) {
    let mut tasks = BTreeMap::new();
    let mut completed = Vec::new();
    let mut returned = BTreeSet::new();
    let (mut begun, mut ended) = (Vec::new(), BTreeSet::new());
    let mut started = false;
    for record in driver.records() {
        match record {
            Record::TaskStarted {
                frame, reference, ..
            } => {
                tasks.insert(frame, reference);
            }
            Record::TaskReturned { frame, .. } | Record::TaskCompleted { frame, .. }
                if !started && returned.insert(frame) =>
            {
                let reference = &tasks[&frame];
                let task = workflow.task(reference).unwrap();
                if task.compensation.is_some() {
                    completed.push(Arc::clone(reference));
                }
            }
            Record::CompensationStarted { .. } => started = true,
            Record::CompensationBegan {
                number, reference, ..
            } => {
                begun.push(reference);
                assert_eq!(number, begun.len() as u64);
                assert_eq!(ended.len() + 1, begun.len(), "one at a time");
            }
            Record::CompensationEnded { frame, .. } => {
                assert!(ended.insert(frame), "it was undone before");
            }
            Record::RunFaulted { compensation, .. } | Record::RunCancelled { compensation, .. } => {
                let settled = compensation.map_or(0, |end| end.undone + end.skipped);
                assert_eq!(settled, ended.len() as u64);
                if compensation.is_some_and(|end| end.left == 0) {
                    let undone: BTreeSet<_> = begun.iter().collect();
                    assert_eq!(undone, completed.iter().collect(), "nothing is left");
                }
            }
            _ => {}
        }
    }
    // An effect that a retried `try` made twice is undone once, so that some may be left out.
    let mut left = completed.iter().rev();
    let reversed = begun.iter().all(|undone| left.any(|task| task == undone));
    assert!(reversed, "{begun:?} is not the reverse of {completed:?}");
}

/// A call whose task has completed goes out again only where a `try` around it was retried, or a person retried
/// what is around it. A jump back to it is another visit, and so another key.
pub(crate) fn a_completed_task_never_runs_again(driver: &Driver) {
    let mut references = BTreeMap::new();
    let mut keys = BTreeMap::new();
    let mut completed: BTreeMap<_, Arc<str>> = BTreeMap::new();
    let mut faulted: Option<Arc<str>> = None;
    for record in driver.records() {
        let retried = match record {
            Record::TaskStarted {
                frame, reference, ..
            }
            | Record::CompensationBegan {
                frame, reference, ..
            } => {
                references.insert(frame, reference);
                None
            }
            Record::EffectRequested { frame, key, .. } => {
                let key = key.as_str().to_owned();
                assert!(!completed.contains_key(&key), "{key:?} goes out again");
                keys.insert(frame, key);
                None
            }
            Record::TaskCompleted { frame, .. } | Record::TaskReturned { frame, .. } => {
                let done = keys
                    .remove(&frame)
                    .map(|key| (key, Arc::clone(&references[&frame])));
                completed.extend(done);
                None
            }
            Record::RunFaulted { frame, .. } => {
                faulted = frame.and_then(|frame| references.get(&frame).cloned());
                None
            }
            Record::AttemptStarted { frame, .. } => references.get(&frame).cloned(),
            Record::RunRetried { .. } => faulted.take(),
            _ => None,
        };
        if let Some(around) = retried {
            completed.retain(|_, reference| !reference.starts_with(&*around));
        }
    }
}

/// Ten years, less than which no clock is off.
const JUMP: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// More than any random workflow waits for.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The wall clock goes to the other of three places: ten years back, right, ten years ahead. A run that waits looks
/// at it now and then.
fn jump(driver: &mut Driver, jumped: &mut i32, ahead: bool) {
    let (now, place) = match ahead {
        true => (driver.now + JUMP, *jumped + 1),
        false => (driver.now - JUMP, *jumped - 1),
    };
    if (-1..=1).contains(&place) {
        (driver.now, *jumped) = (now, place);
        driver.look_at_the_clock();
    }
}

/// Whatever clocks did, nothing waits for longer than it was asked to.
fn nothing_waits_for_years(driver: &Driver) {
    for (timer, due) in &driver.timers {
        assert!(
            *due <= driver.now + WAIT_MAX,
            "{timer:?} is due at {due}, and it is {}",
            driver.now
        );
    }
}

/// Answers in random order, crashes, a store that refuses, a clock that jumps, and people who cancel,
/// suspend, resume, retry and give compensations up.
fn interference_breaks_nothing(seed: u64) {
    let (_, workflow) = document(seed);
    let mut dice = Dice::new(seed ^ 0x1F7E);
    let mut world = World::new(seed);
    let mut driver = fresh(&workflow);
    driver.start(json!({FOREIGN: {FOREIGN: "1"}, "k": 1}));
    let mut answered = BTreeSet::new();
    let mut jumped = 0;
    for _ in 0..STEPS {
        nothing_waits_for_years(&driver);
        let number = dice.below(3) + 1;
        match dice.below(112) {
            0 => driver.handle(Event::Cancel),
            100..=101 => driver.handle(Event::CancelAndCompensate),
            102..=103 => driver.handle(Event::RetryCompensation { number }),
            104 => driver.handle(Event::SkipCompensation { number }),
            105..=106 => jump(&mut driver, &mut jumped, dice.chance(50)),
            107..=108 => {
                // A clock that went back wakes whoever waits too early.
                if let Some(timer) = driver.timers.keys().next().copied() {
                    driver.handle(Event::TimerFired { timer });
                }
            }
            109 => driver.refuse(Event::Suspend),
            110 => driver.refuse(Event::CancelAndCompensate),
            111 => {
                if let Some(call) = driver.in_flight.values().next().cloned() {
                    let outcome = Ok(Arc::new(json!(1)));
                    let effect = call.effect;
                    driver.refuse(Event::EffectDone { effect, outcome });
                }
            }
            1..=5 => driver.handle(Event::Suspend),
            6..=15 => driver.handle(Event::Resume),
            16..=20 => driver.handle(Event::Retry),
            21..=30 => driver.crash(),
            31..=45 if !driver.timers.is_empty() => driver.fire(),
            46..=60 if !driver.listening.is_empty() => {
                if !driver.deliver() {
                    let number = driver.log.len();
                    driver.post(json!({"type": "t.tick", "data": {FOREIGN: "{", "n": number}}));
                }
            }
            _ if driver.yielded => driver.handle(Event::Continue),
            roll => {
                let at = roll as usize % driver.in_flight.len().max(1);
                let Some(call) = driver.in_flight.values().nth(at).cloned() else {
                    continue;
                };
                assert!(answered.insert(call.effect), "{call:?} was answered before");
                let answer = world.answer(&call);
                driver.answer(call.effect, answer);
            }
        }
    }
    driver.assert_folds();
    driver.handle(Event::Cancel);
    assert!(driver.status().is_terminal());
    driver.assert_folds();
    compensation_keeps_its_promise(&workflow, &driver);
    a_completed_task_never_runs_again(&driver);
    assert_eq!(driver.published, told(&driver));
    let ended = driver
        .records()
        .into_iter()
        .filter(flame_engine::Record::ends_run);
    assert_eq!(
        ended.count(),
        driver.finished.len(),
        "an end is announced once"
    );
    if driver.status() != RunStatus::Faulted {
        assert!(driver.run.at_work().is_empty());
    }
}

/// A run can be replayed from any task that it began, by itself, and comes to an end; its effects are its own.
fn any_task_can_be_replayed(seed: u64) {
    let (_, workflow) = document(seed);
    let mut dice = Dice::new(seed ^ 0x4E71);
    let mut world = World::new(seed);
    let mut old = fresh(&workflow);
    old.start(json!({FOREIGN: {FOREIGN: "1"}, "k": 1}));
    while world.advance(&mut old).is_some() {}
    let records = old.records();
    let begun: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::TaskStarted {
                slot, reference, ..
            } if *slot != Slot::Undo => Some(Arc::clone(reference)),
            _ => None,
        })
        .collect();
    if begun.is_empty() {
        return;
    }
    let reference = &begun[dice.below(begun.len() as u64) as usize];
    let edited = dice.chance(50).then(|| json!({"edited": seed}));
    let new = replay(&old, &from(reference, edited));
    let mut new = match new {
        Ok(new) => new.with_limits(LIMITS).folding_every(16),
        // Tasks that undo another one, and those below them.
        Err(NotReplayable::Compensation(_)) => return,
        Err(error) => panic!("{reference}: {error}"),
    };
    new.assert_folds();
    while world.advance(&mut new).is_some() {
        if dice.chance(10) {
            new.crash();
        }
    }
    new.assert_folds();
    assert!(new.status().is_terminal(), "{reference}: {}", new.status());
    let keys: BTreeSet<&str> = old.invoked.iter().map(|call| &*call.key).collect();
    for call in &new.invoked {
        assert!(
            !keys.contains(&*call.key),
            "{call:?} has a key of the old run"
        );
    }
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    match (
        number("ENGINE_SIMULATION_SEED"),
        number("ENGINE_SIMULATION_SEEDS"),
    ) {
        (Some(seed), _) => vec![seed],
        (None, count) => (0..count.unwrap_or(SEEDS)).collect(),
    }
}

/// On all cores, since each seed is a world of its own. Gives how many there were.
pub(crate) fn for_each_seed(check: impl Fn(u64) + Sync) -> usize {
    let seeds = seeds();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = seeds.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        for part in seeds.chunks(share) {
            scope.spawn(|| each_seed(part, &check));
        }
    });
    seeds.len()
}

fn each_seed(seeds: &[u64], check: &(impl Fn(u64) + Sync)) {
    for seed in seeds.iter().copied() {
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| check(seed)));
        if let Err(cause) = result {
            let (document, _) = document(seed);
            let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| cause.downcast_ref::<String>().cloned());
            let cause = text.unwrap_or_else(|| "a panic that says nothing".to_owned());
            panic!("ENGINE_SIMULATION_SEED={seed} fails: {cause}\n{document:#}");
        }
    }
}

#[test]
fn random_interference() {
    for_each_seed(interference_breaks_nothing);
}

#[test]
fn random_replays() {
    for_each_seed(any_task_can_be_replayed);
}
