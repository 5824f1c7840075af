//! What holds for every run: a crash changes nothing, keys are unique and stable, a prefix folds.

use std::collections::BTreeMap;
use std::sync::Arc;

use flame_engine::{Entry, NotRestorable, Record, Run, Timeline};
use serde_json::json;

use crate::driver::{Driver, Invocation, RUN, run_id, workflow};
use crate::simulation::World;

const GET: &str = "call: http, with: {method: get, endpoint: 'http://x.test/'}";

/// A saga in small: a loop, a fork, retries with jitter, a handler, a wait, an event.
pub(crate) fn saga() -> String {
    format!(
        "do:
  - orders:
      for: {{each: o, in: .orders}}
      do:
        - reserve:
            try:
              - stock: {{{GET}, output: {{as: '{{orders: $input.orders, n: (($input.n // 0) + $o)}}'}}}}
              - both: {{fork: {{branches: [{{pay: {{{GET}}}}}, {{ship: {{do: [{{w: {{wait: {{seconds: 2}}}}}}, {{label: {{{GET}}}}}]}}}}]}}, output: {{as: $input}}}}
            catch:
              errors: {{with: {{status: 503}}}}
              retry: {{delay: {{seconds: 1}}, jitter: {{from: {{seconds: 0}}, to: {{seconds: 3}}}}, limit: {{attempt: {{count: 2}}}}}}
              do:
                - undo: {{{GET}, output: {{as: $input}}, export: {{as: '{{undone: (($context.undone // 0) + 1)}}'}}}}
        - note: {{run: {{shell: {{command: note}}, return: all}}, output: {{as: $input}}}}
        - child: {{run: {{workflow: {{namespace: n, name: child, version: latest}}}}, output: {{as: $input}}}}
        - tell: {{emit: {{event: {{with: {{type: t.order, data: '${{ $o }}'}}}}}}, output: {{as: $input}}}}
  - sum: {{set: {{n: '${{ .n }}', undone: '${{ $context.undone // 0 }}'}}}}
"
    )
}

fn play(world: &mut World, mut crash_after: impl FnMut(usize) -> bool) -> Driver {
    let mut driver = Driver::new(workflow(&saga()));
    driver.start(json!({"orders": [1, 2, 3]}));
    for step in 0.. {
        if crash_after(step) {
            driver.crash();
        }
        if world.advance(&mut driver).is_none() {
            break;
        }
    }
    driver
}

#[test]
fn a_crash_between_any_two_steps_changes_nothing() {
    for seed in 0..10 {
        let whole = play(&mut World::new(seed), |_| false);
        assert!(whole.run.status().is_terminal(), "seed {seed}");
        for place in 0..whole.commits.len() {
            let crashed = play(&mut World::new(seed), |step| step == place);
            assert_eq!(
                crashed.journal, whole.journal,
                "seed {seed}, crash after step {place}"
            );
            assert_eq!(crashed.run.output(), whole.run.output());
            assert_eq!(
                distinct(&crashed.invoked),
                distinct(&whole.invoked),
                "seed {seed}"
            );
        }
        let always = play(&mut World::new(seed), |_| true);
        assert_eq!(
            always.journal, whole.journal,
            "seed {seed}, a crash after every step"
        );
    }
}

fn distinct(invoked: &[Invocation]) -> Vec<&str> {
    let mut keys: Vec<&str> = invoked.iter().map(|call| call.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The live states are kept as they are, before anybody folds: a fold that forgets something shows at the first
/// prefix that ends with it.
#[test]
fn every_prefix_folds_to_the_state_of_its_time() {
    let mut world = World::new(3);
    let mut driver = Driver::new(workflow(&saga()));
    driver.start(json!({"orders": [1, 2, 3]}));
    let mut states = BTreeMap::from([(driver.journal.len(), driver.run.snapshot())]);
    while world.advance(&mut driver).is_some() {
        states.insert(driver.journal.len(), driver.run.snapshot());
    }
    let records = driver.records();
    assert_eq!(states.keys().last(), Some(&records.len()));
    for length in 0..=records.len() {
        let prefix = records[..length].to_vec();
        let folded = Run::resume(run_id(RUN), Arc::clone(&driver.workflow), prefix).unwrap();
        assert_eq!(folded.sequence(), length as u64);
        // Within a commit nobody sees the state.
        if let Some(live) = states.get(&length) {
            let live = Run::restore(run_id(RUN), Arc::clone(&driver.workflow), live).unwrap();
            assert!(folded == live, "after {length} records");
        }
    }
}

/// Wherever the snapshot is taken: the records behind it give the same state and the same timeline.
#[test]
fn a_snapshot_and_its_tail_are_the_whole_journal() {
    for seed in 0..3 {
        let whole = play(&mut World::new(seed), |_| false);
        let records = whole.records();
        let workflow = Arc::clone(&whole.workflow);
        let mut timeline = Timeline::new(Arc::clone(&workflow));
        let entries: Vec<Entry> = records
            .iter()
            .map(|record| timeline.push(record).unwrap())
            .collect();
        let mut folded = Run::new(run_id(RUN), Arc::clone(&workflow));
        for (place, record) in records.iter().enumerate() {
            let snapshot = folded.snapshot();
            let mut restored = Run::restore(run_id(RUN), Arc::clone(&workflow), &snapshot).unwrap();
            assert_eq!(restored.sequence(), place as u64);
            let mut page = Timeline::restore(Arc::clone(&workflow), &snapshot).unwrap();
            for (tail, expected) in records[place..].iter().zip(&entries[place..]) {
                restored.fold(tail).unwrap();
                assert_eq!(&page.push(tail).unwrap(), expected, "seed {seed}, {place}");
            }
            assert!(restored == whole.run, "seed {seed}, a snapshot at {place}");
            folded.fold(record).unwrap();
        }
    }
}

#[test]
fn a_snapshot_of_another_format_is_not_read() {
    let whole = play(&mut World::new(1), |_| false);
    let text = String::from_utf8(whole.run.snapshot()).unwrap();
    let restore = |text: &str| {
        Run::restore(run_id(RUN), Arc::clone(&whole.workflow), text.as_bytes()).map(|_| ())
    };
    let newer = text.replacen("\"format\":1", "\"format\":2", 1);
    assert_eq!(restore(&newer), Err(NotRestorable::Format { found: 2 }));
    for damaged in ["", "{}", &text[..text.len() / 2]] {
        let refused = restore(damaged);
        assert!(
            matches!(refused, Err(NotRestorable::Unreadable(_))),
            "{damaged}"
        );
    }
}

/// One key per task, iteration and visit; the same in each attempt.
#[test]
fn keys_are_unique_and_stable() {
    for seed in 0..10 {
        let driver = play(&mut World::new(seed), |_| false);
        let mut places: BTreeMap<String, (String, u32)> = BTreeMap::new();
        let mut iteration = 0;
        let mut references: BTreeMap<u64, String> = BTreeMap::new();
        for record in driver.records() {
            match record {
                Record::IterationStarted { index, .. } => iteration = index,
                Record::TaskStarted {
                    frame, reference, ..
                } => {
                    references.insert(frame.0, reference.to_string());
                }
                Record::EffectRequested {
                    frame,
                    key,
                    attempt,
                    ..
                } => {
                    let place = format!("{}@{iteration}", references[&frame.0]);
                    let known = places
                        .entry(key.as_str().to_owned())
                        .or_insert((place.clone(), attempt));
                    assert_eq!(known.0, place, "seed {seed}: a key of two places");
                    assert!(known.1 <= attempt, "seed {seed}");
                }
                _ => {}
            }
        }
        let mut by_place: Vec<&String> = places.values().map(|(place, _)| place).collect();
        by_place.sort();
        by_place.dedup();
        assert_eq!(
            by_place.len(),
            places.len(),
            "seed {seed}: a place with two keys"
        );
    }
}
