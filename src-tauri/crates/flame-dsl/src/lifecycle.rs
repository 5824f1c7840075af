//! The lifecycle events of DSL 1.0.3, and which of them a document asks for.

/// What happened to a workflow or a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lifecycle {
    WorkflowStarted,
    WorkflowSuspended,
    WorkflowResumed,
    WorkflowCorrelationStarted,
    WorkflowCorrelationCompleted,
    WorkflowCancelled,
    WorkflowFaulted,
    WorkflowCompleted,
    WorkflowStatusChanged,
    TaskCreated,
    TaskStarted,
    TaskSuspended,
    TaskResumed,
    TaskRetried,
    TaskCancelled,
    TaskFaulted,
    TaskCompleted,
    TaskStatusChanged,
}

impl Lifecycle {
    pub const ALL: [Self; 18] = [
        Self::WorkflowStarted,
        Self::WorkflowSuspended,
        Self::WorkflowResumed,
        Self::WorkflowCorrelationStarted,
        Self::WorkflowCorrelationCompleted,
        Self::WorkflowCancelled,
        Self::WorkflowFaulted,
        Self::WorkflowCompleted,
        Self::WorkflowStatusChanged,
        Self::TaskCreated,
        Self::TaskStarted,
        Self::TaskSuspended,
        Self::TaskResumed,
        Self::TaskRetried,
        Self::TaskCancelled,
        Self::TaskFaulted,
        Self::TaskCompleted,
        Self::TaskStatusChanged,
    ];

    /// The middle of the type, such as `task.created`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::WorkflowStarted => "workflow.started",
            Self::WorkflowSuspended => "workflow.suspended",
            Self::WorkflowResumed => "workflow.resumed",
            Self::WorkflowCorrelationStarted => "workflow.correlation-started",
            Self::WorkflowCorrelationCompleted => "workflow.correlation-completed",
            Self::WorkflowCancelled => "workflow.cancelled",
            Self::WorkflowFaulted => "workflow.faulted",
            Self::WorkflowCompleted => "workflow.completed",
            Self::WorkflowStatusChanged => "workflow.status-changed",
            Self::TaskCreated => "task.created",
            Self::TaskStarted => "task.started",
            Self::TaskSuspended => "task.suspended",
            Self::TaskResumed => "task.resumed",
            Self::TaskRetried => "task.retried",
            Self::TaskCancelled => "task.cancelled",
            Self::TaskFaulted => "task.faulted",
            Self::TaskCompleted => "task.completed",
            Self::TaskStatusChanged => "task.status-changed",
        }
    }

    /// The CloudEvents type, such as `io.serverlessworkflow.task.created.v1`.
    pub fn kind(self) -> String {
        format!("io.serverlessworkflow.{}.v1", self.word())
    }

    pub fn of_kind(kind: &str) -> Option<Self> {
        let word = kind
            .strip_prefix("io.serverlessworkflow.")?
            .strip_suffix(".v1")?;
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}

/// Some of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LifecycleSet(u32);

impl LifecycleSet {
    pub const ALL: Self = Self((1 << Lifecycle::ALL.len()) - 1);

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn contains(self, event: Lifecycle) -> bool {
        self.0 & (1 << event as u8) != 0
    }

    pub const fn insert(&mut self, event: Lifecycle) {
        self.0 |= 1 << event as u8;
    }

    pub const fn extend(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Bits that stand for no event are left out.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_found_by_its_name() {
        for event in Lifecycle::ALL {
            assert_eq!(Lifecycle::of_kind(&event.kind()), Some(event));
            let mut set = LifecycleSet::default();
            set.insert(event);
            assert!(set.contains(event) && LifecycleSet::ALL.contains(event));
            assert_eq!(LifecycleSet::from_bits(set.bits()), set);
        }
        assert_eq!(
            Lifecycle::of_kind("io.serverlessworkflow.task.created.v2"),
            None
        );
    }
}
