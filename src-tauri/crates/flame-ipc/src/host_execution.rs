//! What workflows may run on this computer outside of containers.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{Moment, Whole};

/// What a workflow's saved text would run on this computer, and whether it may. Of this device alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HostExecution {
    /// `namespace/name`.
    pub workflow: String,
    /// In the order of the text; empty where it runs nothing of the kind, or can't be read.
    pub programs: Vec<HostProgram>,
    /// All of them may run.
    pub allowed: bool,
    /// Something was allowed, but not all that the text would run now.
    pub changed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HostProgram {
    pub kind: HostProgramKind,
    /// Name of the task.
    pub name: String,
    /// Reference of the task, such as `/do/2/pack`.
    pub task: String,
    /// The command, the code, or the address that the code is fetched from.
    pub text: String,
    /// What it is given as the document writes it, such as `arguments: ["a"]`.
    pub given: Vec<String>,
    /// Stands for the program with its arguments, environment and standard input.
    pub digest: String,
    pub allowed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum HostProgramKind {
    Shell,
    Python,
    PythonSource,
    McpServer,
}

/// A workflow that may run something on this computer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct HostPermission {
    /// `namespace/name`.
    pub workflow: String,
    /// None where there is no such document any more.
    pub document_id: Option<String>,
    /// How many programs were allowed.
    pub programs: Whole,
    pub allowed_at: Moment,
}
