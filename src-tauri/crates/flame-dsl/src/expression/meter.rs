//! What an evaluation, or a check by a schema, may use, counted per thread: steps, memory, stack. Whoever uses too much
//! is unwound, so that no code in between (jaq's, a sort's) has to know.
//!
//! Steps are counted, never time: an evaluation that is within its budget once is so on every replay.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::ExpressionError;

/// Steps of one evaluation. About half a second at worst.
pub(super) const STEPS_MAX: u64 = 10_000_000;

/// Steps of running one term; an item or a comparison is one step.
pub(super) const TERM_STEPS: u64 = 3;

/// Steps of following a path by one name. Such a step may stay behind in a list of jaq's that is dropped
/// recursively, so there must not be too many; see [`STACK_BYTES`].
pub(super) const INDEX_STEPS: u64 = 20;

/// Steps of calling a function that takes filters, for the same reason.
pub(super) const CLOSURE_STEPS: u64 = 40;

/// Bytes that the values and unfinished streams of one evaluation may hold at a time.
pub(super) const MEMORY_BYTES_MAX: usize = 96 * 1024 * 1024;

/// Bytes that one value may have when everything it shares is written out. Exponential growth by sharing
/// (`[., .]` again and again) ends here, before anything walks over it.
pub(super) const VALUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Levels of arrays and objects that a value may have. `serde_json` reads 127 levels at most; the rest is
/// for the records that carry the value.
pub const DEPTH_MAX: usize = 100;

/// Stack of an evaluation that needs much. Address space until it is touched.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// What the evaluation itself may use of [`STACK_BYTES`]. The rest is for dropping what it leaves behind:
/// jaq drops its lists (contexts, paths) recursively, and a list is as long as there are steps to make it:
/// 400 bytes for each element at worst, in a build that is not optimised.
const STACK_BYTES_MAX: usize = 48 * 1024 * 1024;

/// Steps of the first try, on the caller's own stack. So few that no list gets long enough to matter.
const TRY_STEPS_MAX: u64 = 12_000;

/// Stack of the first try.
const TRY_STACK_BYTES_MAX: usize = 256 * 1024;

/// Stack that the caller must have left for the first try, which leaves half for drops.
const TRY_STACK_BYTES_MIN: usize = 768 * 1024;

/// What was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Steps,
    Memory,
    ValueSize,
    Depth,
    Stack,
}

impl Resource {
    /// What it is called, and how much of it there is.
    pub(crate) fn told(self) -> (&'static str, String) {
        const MEBIBYTE: usize = 1024 * 1024;
        match self {
            Self::Steps => ("steps", STEPS_MAX.to_string()),
            Self::Memory => ("memory", format!("{} MiB", MEMORY_BYTES_MAX / MEBIBYTE)),
            Self::ValueSize => (
                "memory",
                format!("{} MiB for one value", VALUE_BYTES_MAX / MEBIBYTE),
            ),
            Self::Depth => ("nesting", format!("{DEPTH_MAX} levels")),
            Self::Stack => (
                "recursion",
                format!("{} MiB of stack", STACK_BYTES_MAX / MEBIBYTE),
            ),
        }
    }
}

impl From<Resource> for ExpressionError {
    fn from(resource: Resource) -> Self {
        let (resource, limit) = resource.told();
        Self::Budget { resource, limit }
    }
}

struct Meter {
    steps: Cell<u64>,
    bytes: Cell<usize>,
    /// The address that the stack may not grow below.
    floor: Cell<usize>,
    /// Counts the evaluations of the thread.
    evaluation: Cell<u64>,
}

thread_local! {
    static METER: Meter = const {
        Meter {
            steps: Cell::new(0),
            bytes: Cell::new(0),
            floor: Cell::new(0),
            evaluation: Cell::new(0),
        }
    };
}

/// Counts steps and looks at the stack.
#[inline]
pub(crate) fn tick(steps: u64) {
    METER.with(|meter| {
        match meter.steps.get().checked_sub(steps) {
            Some(left) => meter.steps.set(left),
            None => exceed(Resource::Steps),
        }
        if stack_pointer() < meter.floor.get() {
            exceed(Resource::Stack);
        }
    });
}

/// Counts the steps of going over that many bytes: some nanoseconds for each of them, where text is escaped or decoded.
#[inline]
pub(super) fn tick_bytes(bytes: usize) {
    tick(bytes as u64 / 32);
}

/// Takes memory; what took it gives it back with [`release`].
#[inline]
pub(super) fn charge(bytes: usize) {
    METER.with(|meter| match meter.bytes.get().checked_sub(bytes) {
        Some(left) => meter.bytes.set(left),
        None => exceed(Resource::Memory),
    });
}

#[inline]
pub(super) fn release(bytes: usize) {
    METER.with(|meter| meter.bytes.set(meter.bytes.get().saturating_add(bytes)));
}

/// The number of the evaluation that is going on in this thread.
pub(super) fn evaluation() -> u64 {
    METER.with(|meter| meter.evaluation.get())
}

/// Ends the evaluation. The panic hook does not see it.
#[cold]
#[inline(never)]
pub(super) fn exceed(resource: Resource) -> ! {
    resume_unwind(Box::new(resource))
}

#[inline(always)]
fn stack_pointer() -> usize {
    let marker = 0_u8;
    std::ptr::from_ref(&marker).addr()
}

/// How an evaluation failed to return.
pub(crate) enum Broken {
    Exceeded(Resource),
    Stackless,
    /// A panic inside jaq or a library.
    Panicked(String),
}

/// Runs on the caller's stack with a small budget. [`Broken::Exceeded`] with steps or stack means that
/// [`run_large`] may still succeed.
pub(crate) fn run_small<T>(run: impl FnOnce() -> T) -> Result<T, Broken> {
    if stacker::remaining_stack().is_none_or(|bytes| bytes < TRY_STACK_BYTES_MIN) {
        return Err(Broken::Exceeded(Resource::Stack));
    }
    run_metered(TRY_STEPS_MAX, TRY_STACK_BYTES_MAX, run)
}

/// Runs on a stack of its own with the whole budget.
pub(crate) fn run_large<T>(run: impl FnOnce() -> T) -> Result<T, Broken> {
    run_on_large_stack(|| run_metered(STEPS_MAX, STACK_BYTES_MAX, run))
        .unwrap_or(Err(Broken::Stackless))
}

/// The system did not give a large stack.
#[derive(Debug, thiserror::Error)]
#[error(
    "the system has no {} MiB of address space for a large stack: end programs that use much memory, or raise the \
     limit of this one",
    STACK_BYTES / 1024 / 1024
)]
pub(crate) struct Stackless;

/// Runs on a large stack what recurses over source, say.
pub(crate) fn run_on_large_stack<T>(run: impl FnOnce() -> T) -> Result<T, Stackless> {
    let mut begun = false;
    let result = catch_unwind(AssertUnwindSafe(|| {
        stacker::grow(STACK_BYTES, || {
            begun = true;
            run()
        })
    }));
    // It panics where the mapping fails.
    result.map_err(|panic| {
        if begun {
            resume_unwind(panic)
        }
        Stackless
    })
}

impl From<Stackless> for ExpressionError {
    fn from(stackless: Stackless) -> Self {
        Self::Failed {
            message: stackless.to_string(),
        }
    }
}

fn run_metered<T>(steps: u64, stack_bytes: usize, run: impl FnOnce() -> T) -> Result<T, Broken> {
    METER.with(|meter| {
        meter.steps.set(steps);
        meter.bytes.set(MEMORY_BYTES_MAX);
        meter.evaluation.set(meter.evaluation.get() + 1);
        meter.floor.set(stack_pointer().saturating_sub(stack_bytes));
    });
    let result = catch_unwind(AssertUnwindSafe(run));
    // Whatever is dropped after an evaluation must not be able to exceed anything.
    METER.with(|meter| meter.floor.set(0));
    result.map_err(broken)
}

fn broken(payload: Box<dyn Any + Send>) -> Broken {
    if let Some(resource) = payload.downcast_ref::<Resource>() {
        return Broken::Exceeded(*resource);
    }
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    Broken::Panicked(text.unwrap_or_else(|| "a panic without a message".to_owned()))
}
