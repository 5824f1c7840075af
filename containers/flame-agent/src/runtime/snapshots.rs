//! When the state of a run is kept beside its journal, and how much of the journal then.

/// Records between two snapshots: what has to be folded to show a page of a timeline or to take a run up.
const RECORDS: u64 = 4_000;
/// A snapshot may take this many times what was written to the journal since the one before.
const SHARE: usize = 4;
/// Records that a run which continues as new keeps at least.
pub(super) const HISTORY_RECORDS: u64 = 50_000;

/// How far a run has come since its last snapshot.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Records that the last snapshot stands for.
    at: u64,
    /// What it took.
    bytes: usize,
    /// Bytes of journal since then.
    written: usize,
}

impl Pace {
    /// Of a run whose last snapshot stands for so many records.
    pub(super) fn since(at: u64) -> Self {
        Self {
            at,
            ..Self::default()
        }
    }

    /// Counts a batch; whether its end is the place for a snapshot.
    pub(super) fn is_due(&mut self, end: u64, written: usize) -> bool {
        self.written += written;
        end - self.at >= RECORDS && self.written.saturating_mul(SHARE) >= self.bytes
    }

    /// A snapshot stands here.
    pub(super) fn taken(&mut self, at: u64, bytes: usize) {
        *self = Self {
            at,
            bytes,
            written: 0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_is_written_less_often() {
        let mut pace = Pace::since(100);
        assert!(!pace.is_due(4_000, 100_000));
        assert!(pace.is_due(4_100, 100_000));
        pace.taken(4_100, 10_000_000);
        assert!(!pace.is_due(9_000, 1_000_000));
        assert!(!pace.is_due(13_000, 1_000_000));
        assert!(pace.is_due(18_000, 500_000));
    }
}
