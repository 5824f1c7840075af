//! Programs that a workflow would start on the machine of its runtime: shell commands, Python scripts and
//! MCP servers over stdio. What a person is asked about, and what is then held against each attempt.
//!
//! Deliberately absent: JavaScript and containers, which touch nothing of the machine, and who has allowed what.

use std::sync::Arc;

use flame_types::ProgramDigest;
use serde_json::{Value, json};

use crate::expression::{Part, split_command};
use crate::hash::definition_hash;
use crate::model::{Protocol, Task, TaskKind, TaskList, Workflow};
use crate::process::{Process, ScriptCode, ScriptLanguage};

/// One program as the document writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostProgram {
    pub kind: HostProgramKind,
    /// Reference of the task; of several that start the same program the first.
    pub task: Arc<str>,
    /// Name of that task.
    pub name: Arc<str>,
    /// The command, the code, or where the code is fetched from.
    pub text: String,
    /// What it is given as the document writes it, a line for each of arguments, environment and standard input.
    pub given: Vec<String>,
    /// Of the program with its arguments, environment and standard input as the document writes them. Where an
    /// expression decides which program it is, of the whole document too.
    pub digest: ProgramDigest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostProgramKind {
    Shell,
    Python,
    /// Python code that is fetched when the task runs.
    PythonSource,
    McpServer,
}

impl Workflow {
    /// Every program that the document itself names, each once, in its order. Functions that are fetched are
    /// part of it once they are linked.
    pub fn host_programs(&self) -> Vec<HostProgram> {
        let mut programs = Vec::new();
        self.collect(&self.tasks, &mut programs);
        programs
    }

    fn collect(&self, tasks: &TaskList, programs: &mut Vec<HostProgram>) {
        for task in &tasks.0 {
            let own = self.host_program(task);
            programs.extend(own.filter(|own| programs.iter().all(|p| p.digest != own.digest)));
            for list in task.lists() {
                self.collect(list, programs);
            }
        }
    }

    /// The program that one of its tasks starts.
    pub fn host_program(&self, task: &Task) -> Option<HostProgram> {
        let (kind, at) = match &task.kind {
            TaskKind::Run(run) => match &run.process {
                Process::Shell(_) => (HostProgramKind::Shell, "/run/shell"),
                Process::Script(script) if script.language == ScriptLanguage::Python => {
                    match script.code {
                        ScriptCode::Inline(_) => (HostProgramKind::Python, "/run/script"),
                        ScriptCode::Source(_) => (HostProgramKind::PythonSource, "/run/script"),
                    }
                }
                _ => return None,
            },
            TaskKind::CallProtocol(call) if call.protocol == Protocol::Mcp => {
                (HostProgramKind::McpServer, "/with/transport/stdio")
            }
            _ => return None,
        };
        // A call of an MCP server behind an address has none.
        let written = task.definition.pointer(at)?;
        let program = json!({
            "kind": at,
            "program": written,
            "document": is_computed(kind, written).then_some(&*self.hash),
        });
        Some(HostProgram {
            kind,
            task: Arc::clone(&task.reference),
            name: Arc::clone(&task.name),
            text: text(kind, written),
            given: given(kind, written),
            digest: definition_hash(&program)
                .try_into()
                .expect("a SHA-256 has 64 hex digits"),
        })
    }
}

fn text(kind: HostProgramKind, written: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match kind {
        HostProgramKind::Shell => plain(&written["command"]),
        HostProgramKind::Python => plain(&written["code"]),
        HostProgramKind::PythonSource => plain(endpoint(written)),
        HostProgramKind::McpServer => {
            let arguments = written["arguments"].as_array();
            let parts = std::iter::once(&written["command"]).chain(arguments.into_iter().flatten());
            parts.map(plain).collect::<Vec<_>>().join(" ")
        }
    }
}

fn given(kind: HostProgramKind, written: &Value) -> Vec<String> {
    let names: &[&str] = match kind {
        // Its arguments stand in its text.
        HostProgramKind::McpServer => &["environment"],
        _ => &["arguments", "environment", "stdin"],
    };
    names
        .iter()
        .filter_map(|name| Some(format!("{name}: {}", written.get(name)?)))
        .collect()
}

fn endpoint(script: &Value) -> &Value {
    let endpoint = &script["source"]["endpoint"];
    endpoint.get("uri").unwrap_or(endpoint)
}

/// Whether data decides what is started, and not only what it is given: then any other change of the document may
/// be one of the program.
fn is_computed(kind: HostProgramKind, written: &Value) -> bool {
    let expression = |value: &Value| value.to_string().contains("${");
    // PATH and its like say which program a name stands for, and what that loads.
    if expression(&written["environment"]) {
        return true;
    }
    match kind {
        HostProgramKind::Shell => {
            let command = written["command"].as_str().unwrap_or_default();
            !matches!(
                split_command(command).as_deref(),
                Ok([] | [Part::Literal(_)])
            )
        }
        // It has a `${ }` of its own, and none of ours.
        HostProgramKind::Python => false,
        HostProgramKind::PythonSource => endpoint(written).to_string().contains('{'),
        HostProgramKind::McpServer => {
            expression(&written["command"]) || expression(&written["arguments"])
        }
    }
}
