//! What a machine may lack, and how a test says so. The harness keeps what passing tests print to itself, so this
//! goes past it.

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it is set, a test that finds a tool or a right missing fails: a green run then shows everything.
const MUST_RUN: &str = "MASTRA_MUST_RUN";

/// Says why a test does nothing here; the test returns then. A panic where nothing may be left out.
pub fn skipped(reason: impl Display) {
    assert!(
        std::env::var_os(MUST_RUN).is_none(),
        "{reason}; without {MUST_RUN} in the environment this test is left out"
    );
    tell(format_args!("skipped: {reason}"));
}

/// A line on standard error, also of a test that passes.
pub fn tell(line: impl Display) {
    // Nobody may be reading any more.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether anything can be traced here; says why where it can't.
pub fn may_trace() -> bool {
    let tried = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "--", "true"])
        .output();
    let reason = match tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    skipped(format_args!("nothing can be traced here: {reason}"));
    false
}

/// The folder with the schemas and examples of the workflow language, which lies beside the repository; `None`
/// after saying that it is absent. `MASTRA_SHARED` names its parent elsewhere.
pub fn open_workflow() -> Option<PathBuf> {
    let root = std::env::var_os("MASTRA_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared"),
        PathBuf::from,
    );
    let folder = root.join("open-workflow");
    if folder.is_dir() {
        return Some(folder);
    }
    skipped(format_args!(
        "{} is absent; MASTRA_SHARED can name its parent",
        folder.display()
    ));
    None
}
