//! The law of the journal: it holds what was acknowledged, in order, and nothing else.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use flame_store::Error;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::values::{append, commit, create, create_ended, journal, open};

/// An append as a caller may try it: to which run, how far off its end, how many records.
fn attempts() -> impl Strategy<Value = Vec<(u64, i64, u32)>> {
    let offset = prop_oneof![6 => Just(0_i64), 1 => -3_i64..0, 1 => 1_i64..4];
    prop::collection::vec((0_u64..4, offset, 1_u32..5), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_is_what_was_acknowledged(attempts in attempts(), reopen_at in 0_usize..60) {
        let reactor = tokio::runtime::Builder::new_current_thread().build().unwrap();
        reactor.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut store = open(folder.path());
            let mut ends = BTreeMap::<u64, u64>::new();
            for (index, (run, offset, count)) in attempts.into_iter().enumerate() {
                if index == reopen_at {
                    store.close();
                    drop(store);
                    store = open(folder.path());
                }
                let end = match ends.entry(run) {
                    Entry::Occupied(known) => known.into_mut(),
                    // Half of them end with their first records, which stand elsewhere, and go on nevertheless.
                    Entry::Vacant(unknown) if run % 2 == 0 => {
                        store.commit(create(run)).await.unwrap();
                        unknown.insert(0)
                    }
                    Entry::Vacant(unknown) => {
                        let ended = commit([create_ended(run), append(run, 0, count)]);
                        store.commit(ended).await.unwrap();
                        unknown.insert(u64::from(count))
                    }
                };
                let first = end.saturating_add_signed(offset);
                let taken = store.commit(commit([append(run, first, count)])).await.is_ok();
                // A batch that is there already, byte for byte, counts as taken again.
                if taken && first == *end {
                    *end += u64::from(count);
                } else {
                    prop_assert!(first != *end, "an append at the end was refused");
                }
            }
            for (run, end) in ends {
                prop_assert_eq!(journal(&store, run).await, (0..end).collect::<Vec<_>>());
            }
            Ok(())
        })?;
    }
}

/// What happens beside each other in a folder whose lock is no help.
#[derive(Debug, Clone)]
enum Step {
    /// One more opens it.
    Open,
    /// One of those that have opened it writes.
    Write(Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![1 => Just(Step::Open), 4 => any::<Index>().prop_map(Step::Write)];
    prop::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The number that each opening raises fences those before it off: a journal has one writer at a time, also
    /// where the lock is gone.
    #[test]
    fn whoever_opened_last_writes_and_nobody_else(steps in steps()) {
        let reactor = tokio::runtime::Builder::new_current_thread().build().unwrap();
        reactor.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut stores = vec![open(folder.path())];
            stores[0].commit(create(1)).await.unwrap();
            let mut end = 0;
            for step in steps {
                let at = match step {
                    Step::Open => {
                        std::fs::remove_file(folder.path().join("lock")).unwrap();
                        stores.push(open(folder.path()));
                        continue;
                    }
                    Step::Write(which) => which.index(stores.len()),
                };
                let outcome = stores[at].commit(commit([append(1, end, 1)])).await;
                if at + 1 == stores.len() {
                    outcome.unwrap();
                    end += 1;
                } else {
                    assert!(matches!(outcome, Err(Error::Deposed { .. })), "{at}: {outcome:?}");
                }
            }
            let last = stores.last().unwrap();
            assert_eq!(journal(last, 1).await, (0..end).collect::<Vec<u64>>());
            for store in &stores {
                store.close();
            }
        });
    }
}
