//! JavaScript in QuickJS, inside this process: a module with `console`, `process` and its standard input,
//! and nothing of the machine.
//!
//! A script has a thread, memory, a stack and time of its own, all bounded. It is asked to stop when its
//! time is over or nobody waits for it any more.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flame_engine::{Error, StandardError};
use rquickjs::loader::{BuiltinLoader, BuiltinResolver};
use rquickjs::{
    CatchResultExt, CaughtError, Coerced, Context, Ctx, Function, Module, Object, Runtime,
};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::{Ended, Given, ProcessOptions, timed_out, too_much_output};

const PRELUDE: &str = include_str!("prelude.js");
/// Far below a thread's own, so that deep recursion is an error of the script.
const STACK_BYTES: usize = 512 * 1024;
/// As what scripts may import their standard input.
const FILE_MODULES: [&str; 2] = ["node:fs", "fs"];

#[derive(Debug)]
pub(super) struct Scripts {
    permits: Arc<Semaphore>,
    options: ProcessOptions,
}

impl Scripts {
    pub(super) fn new(options: &ProcessOptions) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(options.scripts_max.max(1))),
            options: options.clone(),
        }
    }

    /// Runs a script to its end. Dropping the future asks it to stop.
    pub(super) async fn run(&self, code: Arc<str>, given: Given) -> Result<Ended, Error> {
        let shutting_down =
            || StandardError::Runtime.with("The script was not run", "the agent is shutting down");
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
            return Err(shutting_down());
        };
        let time = given
            .timeout
            .map_or(self.options.script_timeout, |timeout| {
                timeout.min(self.options.script_timeout)
            });
        let limits = Limits {
            memory_bytes: self.options.script_memory_bytes,
            output_bytes: self.options.output_bytes_max,
            deadline: Instant::now() + time,
            stop: Arc::default(),
        };
        let _stop = StopOnDrop(Arc::clone(&limits.stop));
        let ended = tokio::task::spawn_blocking(move || {
            // Held until the thread is free again, however long that takes.
            let _permit = permit;
            evaluate(&code, &given, &limits)
        });
        // A step of the engine that takes long, such as a sum of huge numbers, asks nobody: then the task
        // ends without its thread.
        match tokio::time::timeout(time + GRACE, ended).await {
            Ok(Ok(outcome)) => outcome.map_err(|stopped| match stopped {
                Stopped::Time => timed_out("the script", time),
                Stopped::Output => too_much_output(self.options.output_bytes_max),
                Stopped::Abandoned => shutting_down(),
                Stopped::Failed(detail) => {
                    StandardError::Runtime.with("The script can't be run", detail)
                }
            }),
            Ok(Err(_)) => Err(shutting_down()),
            Err(_) => Err(timed_out("the script", time)),
        }
    }
}

/// Past its time, until a script that hears nothing is left behind.
const GRACE: Duration = Duration::from_secs(1);

struct Limits {
    memory_bytes: usize,
    output_bytes: usize,
    deadline: Instant,
    stop: Arc<AtomicBool>,
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why a script was stopped before its end.
enum Stopped {
    Time,
    Output,
    Abandoned,
    Failed(String),
}

/// What a script has written and said about its end.
#[derive(Default)]
struct Said {
    stdout: RefCell<String>,
    stderr: RefCell<String>,
    bytes_left: Cell<usize>,
    exit: Cell<Option<i32>>,
    overflowed: Cell<bool>,
    timed_out: Cell<bool>,
    /// Promises that were rejected, and that nobody has looked at.
    rejections: Cell<usize>,
    rejection: RefCell<String>,
}

impl Said {
    fn write(&self, descriptor: i32, text: &str) {
        if self.exit.get().is_some() || self.overflowed.get() {
            return;
        }
        match self.bytes_left.get().checked_sub(text.len()) {
            Some(left) => {
                self.bytes_left.set(left);
                let to = if descriptor == 2 {
                    &self.stderr
                } else {
                    &self.stdout
                };
                to.borrow_mut().push_str(text);
            }
            None => self.overflowed.set(true),
        }
    }

    fn must_stop(&self, limits: &Limits) -> bool {
        if Instant::now() >= limits.deadline {
            self.timed_out.set(true);
        }
        self.timed_out.get()
            || self.overflowed.get()
            || self.exit.get().is_some()
            || limits.stop.load(Ordering::Relaxed)
    }

    /// `error` is what the script ended with, if not well.
    fn into_ended(
        self: Rc<Self>,
        limits: &Limits,
        error: Option<String>,
    ) -> Result<Ended, Stopped> {
        if self.overflowed.get() {
            return Err(Stopped::Output);
        }
        let error =
            error.or_else(|| (self.rejections.get() > 0).then(|| self.rejection.borrow().clone()));
        let code = match (self.exit.get(), error) {
            (Some(code), _) => code,
            (None, None) => 0,
            _ if self.timed_out.get() => return Err(Stopped::Time),
            _ if limits.stop.load(Ordering::Relaxed) => return Err(Stopped::Abandoned),
            (None, Some(error)) => {
                let mut stderr = self.stderr.borrow_mut();
                stderr.push_str(&error);
                stderr.push('\n');
                1
            }
        };
        Ok(Ended {
            code: i64::from(code),
            stdout: self.stdout.take(),
            stderr: self.stderr.take(),
        })
    }
}

fn evaluate(code: &str, given: &Given, limits: &Limits) -> Result<Ended, Stopped> {
    let failed = |error: rquickjs::Error| Stopped::Failed(error.to_string());
    let said = Rc::new(Said::default());
    said.bytes_left.set(limits.output_bytes);
    let error = {
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_memory_limit(limits.memory_bytes);
        runtime.set_max_stack_size(STACK_BYTES);
        let (asked, stop, deadline) = (Rc::clone(&said), Arc::clone(&limits.stop), limits.deadline);
        let bounds = Limits {
            stop,
            deadline,
            ..*limits
        };
        runtime.set_interrupt_handler(Some(Box::new(move || asked.must_stop(&bounds))));
        let rejected = Rc::clone(&said);
        runtime.set_host_promise_rejection_tracker(Some(Box::new(
            move |_, _, reason, is_handled| {
                let count = rejected.rejections.get();
                if is_handled {
                    rejected.rejections.set(count.saturating_sub(1));
                } else {
                    rejected.rejections.set(count + 1);
                    rejected.rejection.replace(shown(&reason));
                }
            },
        )));
        let (mut resolver, mut loader) = (BuiltinResolver::default(), BuiltinLoader::default());
        for name in FILE_MODULES {
            resolver.add_module(name);
            loader.add_module(name, file_module(given));
        }
        runtime.set_loader(resolver, loader);
        let context = Context::full(&runtime).map_err(failed)?;
        context.with(|ctx| {
            prepare(&ctx, given, &said).map_err(failed)?;
            let outcome = Module::evaluate(ctx.clone(), "script.js", code)
                .and_then(|promise| promise.finish::<()>())
                .catch(&ctx);
            // What the script began and did not wait for.
            while outcome.is_ok() && !said.must_stop(limits) && ctx.execute_pending_job() {}
            Ok(outcome.err().map(|error| described(&error)))
        })?
    };
    said.into_ended(limits, error)
}

/// Gives the script what it may use.
fn prepare(ctx: &Ctx<'_>, given: &Given, said: &Rc<Said>) -> rquickjs::Result<()> {
    let host = Object::new(ctx.clone())?;
    let writes = Rc::clone(said);
    host.set(
        "write",
        Function::new(
            ctx.clone(),
            move |descriptor: i32, text: Coerced<String>| {
                writes.write(descriptor, &text.0);
            },
        )?,
    )?;
    let exits = Rc::clone(said);
    host.set(
        "exit",
        Function::new(ctx.clone(), move |code: Coerced<i32>| {
            exits.exit.set(Some(code.0));
        })?,
    )?;
    let environment: Map<String, Value> = given
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let shown = serde_json::json!({"arguments": given.arguments, "environment": environment});
    host.set("given", ctx.json_parse(shown.to_string())?)?;
    ctx.globals().set("__host", host)?;
    ctx.eval::<(), _>(PRELUDE)
}

/// A file system that has the standard input alone.
fn file_module(given: &Given) -> String {
    let stdin = Value::from(given.stdin.as_deref().unwrap_or_default());
    format!(
        "const stdin = {stdin};\n\
         export function readFileSync(file) {{\n\
         if (file === 0 || file === '/dev/stdin') return stdin;\n\
         throw new Error(`${{file}} can't be read: a script reads its standard input (0) alone`);\n\
         }}\n\
         export default {{ readFileSync }};"
    )
}

fn described(error: &CaughtError<'_>) -> String {
    match error {
        CaughtError::Exception(exception) => shown(exception.as_value()),
        CaughtError::Value(value) => shown(value),
        CaughtError::Error(rquickjs::Error::WouldBlock) => {
            "the script waits for something that never comes".to_owned()
        }
        CaughtError::Error(error) => error.to_string(),
    }
}

/// An error with its place, or any other value, as text.
fn shown(value: &rquickjs::Value<'_>) -> String {
    let text =
        |object: &Object<'_>, name: &str| object.get::<_, Option<String>>(name).ok().flatten();
    if let Some(object) = value.as_object()
        && let Some(message) = text(object, "message")
    {
        let name = text(object, "name").unwrap_or_else(|| "Error".to_owned());
        let stack = text(object, "stack").unwrap_or_default();
        return format!("{name}: {message}\n{stack}").trim_end().to_owned();
    }
    value
        .get::<Coerced<String>>()
        .map_or_else(|_| "an error that can't be shown".to_owned(), |text| text.0)
}
