//! The one table of addresses: what each takes, answers and refuses.

mod agent;
mod compensations;
mod connections;
mod containers;
mod dead_letters;
mod description;
mod events;
mod host_execution;
pub mod media;
mod people;
mod pipelines;
mod runs;
mod workflows;

pub use description::{
    Access, Answer, Body, Description, Method, Parameter, ParameterPlace, Shape,
};

/// Declares the operations once: variant, its description and `ALL`.
macro_rules! operations {
    ($($variant:ident => $description:path;)*) => {
        /// Every operation of the agent's HTTP interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation { $($variant,)* }

        impl Operation {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// What it takes, answers and refuses.
            pub const fn description(self) -> &'static Description {
                match self { $(Self::$variant => &$description,)* }
            }
        }
    };
}

operations! {
    Live => agent::LIVE;
    Ready => agent::READY;
    Metrics => agent::METRICS;
    OpenApi => agent::OPENAPI;
    Status => agent::STATUS;
    Changes => agent::CHANGES;
    ListOutbound => agent::OUTBOUND;
    Validate => workflows::VALIDATE;
    ListWorkflows => workflows::LIST;
    GetWorkflow => workflows::GET;
    PutWorkflow => workflows::PUT;
    DeleteWorkflow => workflows::DELETE;
    StartRun => runs::START;
    StartTest => runs::TEST;
    ListRuns => runs::LIST;
    GetRun => runs::GET;
    GetJournal => runs::JOURNAL;
    GetLifecycle => runs::LIFECYCLE;
    FollowRun => runs::EVENTS;
    CancelRun => runs::CANCEL;
    SuspendRun => runs::SUSPEND;
    ResumeRun => runs::RESUME;
    RetryRun => runs::RETRY;
    ReplayRun => runs::REPLAY;
    RetryCompensation => compensations::RETRY;
    SkipCompensation => compensations::SKIP;
    ListConnectors => connections::CONNECTORS;
    ListConnections => connections::LIST;
    GetConnection => connections::GET;
    PutConnection => connections::PUT;
    DeleteConnection => connections::DELETE;
    CheckConnection => connections::CHECK;
    ListDeadLetters => dead_letters::LIST;
    GetDeadLetter => dead_letters::GET;
    PutDeadLetter => dead_letters::PUT;
    SendDeadLetter => dead_letters::SEND;
    DiscardDeadLetter => dead_letters::DISCARD;
    ListEvents => events::LIST;
    PostEvents => events::POST;
    ListPersonTasks => people::LIST;
    Answer => people::ANSWER;
    TakeContainerOrders => containers::ORDERS;
    TellContainerOutcome => containers::TELL;
    PutHostExecution => host_execution::PUT;
    ListPipelines => pipelines::LIST;
    GetPipeline => pipelines::GET;
    PutPipeline => pipelines::PUT;
    DeletePipeline => pipelines::DELETE;
    Feed => pipelines::FEED;
    ListFeeds => pipelines::FEEDS;
    Hook => events::HOOK;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Access, Operation};

    #[test]
    fn no_two_operations_share_an_id_or_an_address() {
        let mut ids = HashSet::new();
        let mut addresses = HashSet::new();
        for operation in Operation::ALL {
            let description = operation.description();
            assert!(ids.insert(description.id), "{}", description.id);
            assert!(
                addresses.insert((description.method.as_str(), description.path)),
                "{}",
                description.path
            );
        }
    }

    #[test]
    fn only_health_and_hooks_need_no_token() {
        for operation in Operation::ALL {
            let description = operation.description();
            let open =
                description.path.starts_with("/health/") || description.path.starts_with("/hooks/");
            assert_eq!(
                description.access == Access::Token,
                !open,
                "{}",
                description.path
            );
        }
    }
}
