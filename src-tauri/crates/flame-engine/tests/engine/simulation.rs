//! Random workflows in a random world with crashes and interference, all from one seed.
//!
//! `ENGINE_SIMULATION_SEED=n` runs one seed, `ENGINE_SIMULATION_SEEDS=n` that many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flame_dsl::{Format, Workflow};
use flame_engine::{Event, Limits};
use flame_types::RunStatus;
use serde_json::{Map, Value, json};

use crate::driver::{Answer, Driver, communication};

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

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Answers calls as its seed says, by key and by how often the key was answered before.
#[derive(Debug)]
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

    fn answer(&mut self, key: &str) -> Answer {
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

    /// Does the next thing that is due, the same after a crash as without one; `false` when nothing is.
    pub(crate) fn advance(&mut self, driver: &mut Driver) -> bool {
        if driver.yielded {
            driver.handle(Event::Continue);
        } else if let Some(call) = driver.in_flight.values().next().cloned() {
            let answer = self.answer(&call.key);
            driver.answer(call.effect, answer);
        } else if driver.deliver() {
        } else if !driver.listening.is_empty() {
            let number = driver.log.len();
            driver.log.push(Arc::new(
                json!({"type": "t.tick", "id": number.to_string(), "data": {"n": number}}),
            ));
        } else if !driver.timers.is_empty() {
            driver.fire();
        } else {
            return false;
        }
        true
    }
}

/// Makes documents.
struct Author {
    dice: Dice,
    names: u64,
    tasks_left: u64,
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
        if self.dice.chance(20) {
            document["output"] = json!({"as": "{out: ., n: $context.n}"});
        }
        document
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
        let task = match self.dice.below(if leaf { 8 } else { 14 }) {
            0 => json!({"set": {"v": "${ (tojson | length) % 7 }", "k": "${ $context.n }"}}),
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
            8 => json!({"do": self.list(depth + 1, 3)}),
            9 => self.listen_to_each(depth),
            10 => json!({
                "for": {"in": "[range((tojson | length) % 4)]"}, "while": "$index < 3",
                "do": self.list(depth + 1, 2),
            }),
            11 => {
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

fn document(seed: u64) -> (Value, Arc<Workflow>) {
    let mut author = Author {
        dice: Dice::new(seed),
        names: 0,
        tasks_left: 12,
    };
    let document = author.document();
    let workflow = flame_dsl::parse(&document.to_string(), Format::Json)
        .unwrap_or_else(|problems| panic!("seed {seed}: {problems:#?}\n{document:#}"));
    (document, Arc::new(workflow))
}

const LIMITS: Limits = Limits {
    steps_per_turn: 7,
    bytes_per_turn: 4 << 20,
    steps_max: 2_000,
    generation_steps: 200,
};

fn begun(workflow: &Arc<Workflow>) -> Driver {
    let mut driver = Driver::new(Arc::clone(workflow)).with_limits(LIMITS);
    driver.start(json!({"k": 1}));
    driver
}

/// Crashes at random: the journal is the one of the run without crashes, byte for byte.
fn crashes_change_nothing(seed: u64) {
    let (_, workflow) = document(seed);
    let play = |crash_percent: u64| {
        let mut dice = Dice::new(seed ^ 0xC4A5);
        let mut world = World::new(seed);
        let mut driver = begun(&workflow);
        while world.advance(&mut driver) {
            if dice.chance(crash_percent) {
                driver.crash();
            }
        }
        driver
    };
    let whole = play(0);
    assert!(
        whole.status().is_terminal(),
        "it came to no end: {}",
        whole.status()
    );
    assert_eq!(whole.finished, [whole.status()], "it ended once");
    let crashed = play(40);
    assert_eq!(crashed.journal, whole.journal);
    assert_eq!(crashed.emitted, whole.emitted, "no event is emitted twice");
}

/// Answers in random order, crashes, and people who cancel, suspend, resume and retry.
fn interference_breaks_nothing(seed: u64) {
    let (_, workflow) = document(seed);
    let mut dice = Dice::new(seed ^ 0x1F7E);
    let mut world = World::new(seed);
    let mut driver = begun(&workflow);
    let mut answered = BTreeSet::new();
    for _ in 0..400 {
        match dice.below(100) {
            0 => driver.handle(Event::Cancel),
            1..=5 => driver.handle(Event::Suspend),
            6..=15 => driver.handle(Event::Resume),
            16..=20 => driver.handle(Event::Retry),
            21..=30 => driver.crash(),
            31..=45 if !driver.timers.is_empty() => driver.fire(),
            46..=60 if !driver.listening.is_empty() => {
                if !driver.deliver() {
                    let number = driver.log.len();
                    driver.post(json!({"type": "t.tick", "data": {"n": number}}));
                }
            }
            _ if driver.yielded => driver.handle(Event::Continue),
            roll => {
                let at = roll as usize % driver.in_flight.len().max(1);
                let Some(call) = driver.in_flight.values().nth(at).cloned() else {
                    continue;
                };
                assert!(answered.insert(call.effect), "{call:?} was answered before");
                let answer = world.answer(&call.key);
                driver.answer(call.effect, answer);
            }
        }
    }
    driver.handle(Event::Cancel);
    assert!(driver.status().is_terminal());
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
        (None, count) => (0..count.unwrap_or(200)).collect(),
    }
}

fn for_each_seed(check: fn(u64)) {
    for seed in seeds() {
        let result = std::panic::catch_unwind(|| check(seed));
        if let Err(cause) = result {
            let (document, _) = document(seed);
            let cause = cause.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("ENGINE_SIMULATION_SEED={seed} fails: {cause}\n{document:#}");
        }
    }
}

#[test]
fn random_crashes() {
    for_each_seed(crashes_change_nothing);
}

#[test]
fn random_interference() {
    for_each_seed(interference_breaks_nothing);
}
