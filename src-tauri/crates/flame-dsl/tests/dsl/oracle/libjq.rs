//! libjq itself, through its Python binding: one child for the whole test, a line for a line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// What libjq makes of a program and an input.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub(super) enum Answer {
    /// The outputs as JSON text, one a line.
    Value(String),
    Failed(String),
    /// The program does not compile.
    Refused(String),
}

pub(super) struct Libjq {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Libjq {
    /// None, after saying so, where `cargo xtask test` has not installed it.
    pub(super) fn start() -> Option<Self> {
        let python = python();
        if !python.is_file() {
            let python = python.display();
            flame_testkit::skipped(format_args!(
                "libjq is not installed ({python}); `cargo xtask test` installs it"
            ));
            return None;
        }
        let mut child = Command::new(python)
            .args(["-c", include_str!("libjq.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let questions = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self {
            child,
            questions,
            answers,
        })
    }

    pub(super) fn ask(&mut self, program: &str, input: &Value) -> Answer {
        let question = serde_json::json!([program, input.to_string()]);
        writeln!(self.questions, "{question}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "libjq died of {program} with {input}");
        serde_json::from_str(&answer).unwrap()
    }
}

impl Drop for Libjq {
    fn drop(&mut self) {
        // It waits for a line and has nothing to save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `cargo xtask test` puts it: beside what is built.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    target.join("tools/jq-1.13.0/bin/python")
}
