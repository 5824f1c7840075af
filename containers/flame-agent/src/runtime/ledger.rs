//! Every host that was called, for people to see.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use flame_types::Timestamp;

use super::value::OutboundHost;

/// Hosts and callers that are told apart; what comes later is counted under `others`.
const HOSTS_MAX: usize = 10_000;
const CALLERS_MAX: usize = 100;
const OTHERS: &str = "others";

#[derive(Debug, Default)]
pub(super) struct Ledger {
    hosts: Mutex<HashMap<String, OutboundHost>>,
}

impl Ledger {
    pub(super) fn record(&self, host: &str, caller: &str, failed: bool, now: Timestamp) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = if hosts.len() < HOSTS_MAX || hosts.contains_key(host) {
            host
        } else {
            OTHERS
        };
        let entry = hosts
            .entry(host.to_owned())
            .or_insert_with(|| OutboundHost {
                host: host.to_owned(),
                calls: 0,
                failures: 0,
                last: now,
                callers: Vec::new(),
            });
        entry.calls += 1;
        entry.failures += u64::from(failed);
        entry.last = now;
        let known = entry.callers.iter().any(|known| known == caller);
        if !known && entry.callers.len() < CALLERS_MAX {
            entry.callers.push(caller.to_owned());
        }
    }

    /// Most recent first.
    pub(super) fn list(&self) -> Vec<OutboundHost> {
        let mut list: Vec<OutboundHost> = self
            .hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect();
        list.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.host.cmp(&b.host)));
        list
    }
}
