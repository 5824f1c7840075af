//! Containers that runs ask for: what a worker is ordered to run, and how it ended.
//!
//! A worker holds Podman's socket, the agent never does. Orders are given again whenever a worker comes
//! back; their ids let it find the container that runs already.

use std::collections::BTreeMap;

use flame_errors::Code;
use flame_types::RunId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schemas;
use crate::workflow::WorkflowRef;

/// A word to the worker: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerOrder {
    /// Run this, unless a container with this id runs or has ended already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<ContainerJob>>,
    /// End the container of this id: nobody waits for it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// A container to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerJob {
    /// 32 hex digits: the same after a crash, others in each attempt of the task.
    pub id: String,
    #[schema(value_type = String, format = Uuid)]
    pub run: RunId,
    pub workflow: WorkflowRef,
    /// JSON pointer of the task.
    pub task: String,
    pub image: String,
    /// What the container is called, where the document says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In place of the image's own; empty keeps that.
    pub entrypoint: Vec<String>,
    /// In place of the image's own; empty keeps that.
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    pub ports: Vec<ContainerPort>,
    pub volumes: Vec<ContainerVolume>,
    /// Whether it may reach the network.
    pub network: bool,
    pub pull: ContainerPull,
    /// Whether its end is awaited; else its start is what is told.
    pub awaits: bool,
    /// Milliseconds after its end at which it is removed; it stays without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_after_ms: Option<u64>,
    /// The longest that it may run.
    pub timeout_ms: u64,
    /// The most that it may write to its standard output and to its standard error, each.
    pub output_bytes_max: u64,
}

/// A port of this machine, on loopback, and the port of the container behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPort {
    pub host: u16,
    pub container: u16,
}

/// A path on this machine, and where the container has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerVolume {
    pub host: String,
    pub container: String,
}

/// When the image is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ContainerPull {
    Always,
    IfNotPresent,
    Never,
}

/// How it came out: `ended` or `fault`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerOutcome {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<ContainerEnd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<ContainerFault>,
}

/// A container that has ended or, where its end is not awaited, has started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerEnd {
    pub code: i64,
    pub stdout: String,
    pub stderr: String,
}

/// Why there is no end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerFault {
    /// Whose help page says what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Code>)]
    pub code: Option<Code>,
    pub title: String,
    pub detail: String,
}
