//! Where a task execution stands among all of its run, and the key that follows from it.

use flame_types::{IdempotencyKey, RunId};
use sha2::{Digest, Sha256};

use crate::record::FrameId;
use crate::state::{Attempts, Progress, State};

/// Servers commonly take keys up to this long.
const LENGTH_MAX: usize = 255;

/// Run + reference + visits and iterations of the task and of every one around it.
///
/// Attempts of a `try` are left out on purpose, so that each attempt makes the same effect.
pub(crate) fn idempotency_key(
    run: RunId,
    state: &State,
    frame: FrameId,
    reference: &str,
) -> IdempotencyKey {
    let key = IdempotencyKey::new(&format!("{run}{}", place(state, frame, reference)));
    if key.as_str().len() <= LENGTH_MAX {
        return key;
    }
    let digest = Sha256::digest(key.as_str().as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    IdempotencyKey::new(&format!("{run}#{digest}"))
}

/// The key without its run.
pub(crate) fn place(state: &State, frame: FrameId, reference: &str) -> String {
    let mut levels: Vec<String> = state
        .outwards(frame)
        .filter(|(id, _)| *id != FrameId::ROOT)
        .map(|(id, level)| match &level.progress {
            Progress::Loop(progress) if id != frame => {
                format!("{}[{}]", level.visit, progress.index)
            }
            Progress::Listening(progress) if id != frame => {
                format!("{}[{}]", level.visit, progress.next)
            }
            Progress::Receiving(progress) if id != frame => {
                format!("{}[{}]", level.visit, progress.index())
            }
            _ => level.visit.to_string(),
        })
        .collect();
    levels.reverse();
    format!("{reference}#{}", levels.join("."))
}

/// Indices of the loops around a task execution, from the outside in.
pub(crate) fn iterations(state: &State, parent: FrameId) -> Vec<usize> {
    let mut found: Vec<usize> = state
        .outwards(parent)
        .filter_map(|(_, frame)| match &frame.progress {
            Progress::Loop(progress) if progress.pass.is_some() => Some(progress.index),
            Progress::Listening(progress) if progress.pass.is_some() => Some(progress.next),
            Progress::Receiving(progress) if progress.pass.is_some() => Some(progress.index()),
            _ => None,
        })
        .collect();
    found.reverse();
    found
}

/// The attempt of the innermost `try` around a task execution; 1 where there is none.
pub(crate) fn attempt(state: &State, frame: FrameId) -> u32 {
    state
        .frame(frame)
        .parent
        .map_or(1, |parent| own_attempt(state, parent))
}

/// The same, where a `try` counts as around itself.
pub(crate) fn own_attempt(state: &State, frame: FrameId) -> u32 {
    state
        .outwards(frame)
        .find_map(|(_, level)| match &level.progress {
            Progress::Try(Attempts { attempt, .. }) => Some(*attempt),
            _ => None,
        })
        .unwrap_or(1)
}
