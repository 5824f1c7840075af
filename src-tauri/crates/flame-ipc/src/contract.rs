//! Every command the window may give: its name, its input (the struct itself) and its answer.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::*;

/// A command. The struct that implements it is its input.
pub trait Command: DeserializeOwned {
    /// The name it travels under.
    const NAME: &'static str;
    type Output: Serialize;
}

/// One command or event as the generator sees it.
#[cfg(test)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    /// `None` where there is nothing to give.
    pub(crate) input: Option<specta::datatype::DataType>,
    pub(crate) output: specta::datatype::DataType,
}

/// Declares the commands: wire name, struct with the input's fields, answer.
macro_rules! contract {
    ($($(#[doc = $doc:literal])* $name:literal $command:ident
        { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? } -> $output:ty;)*) => {
        $(
            $(#[doc = $doc])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
            #[serde(rename_all = "camelCase", deny_unknown_fields)]
            pub struct $command { $($(#[$attribute])* pub $field: $type,)* }

            impl Command for $command {
                const NAME: &'static str = $name;
                type Output = $output;
            }
        )*

        /// The wire names of all commands, in the order of the contract.
        pub const COMMAND_NAMES: &[&str] = &[$($name,)*];

        #[cfg(test)]
        pub(crate) fn command_shapes(types: &mut specta::Types) -> Vec<Shape> {
            vec![$(Shape {
                name: $name,
                doc: concat!($($doc),*).trim(),
                input: {
                    let fields: &[&str] = &[$(stringify!($field),)*];
                    (!fields.is_empty()).then(|| <$command as Type>::definition(types))
                },
                output: <$output as Type>::definition(types),
            },)*]
        }
    };
}

contract! {
    // The app
    /// Version, folders, whether this is the first start.
    "app_info" AppInfo {} -> AppInfoView;
    /// Opens one of the app's own folders in the file manager.
    "open_folder" OpenFolder { folder: Folder } -> ();
    /// Finds workflows, pipelines, connections and runs by words or id.
    "search" Search { text: String, limit: u32 } -> Vec<SearchHit>;
    /// Figures for Home.
    "overview" OverviewGet { window: OverviewWindow } -> Overview;

    // Documents
    /// All workflows and pipelines with their last 20 runs.
    "documents_list" DocumentsList {} -> Vec<DocumentSummary>;
    /// One document with its text.
    "document_get" DocumentGet { id: String } -> DocumentText;
    /// Saves a text, broken or not; MD-508 when it was changed since `baseRevision`.
    "document_save" DocumentSave { id: String, text: String, base_revision: Whole } -> DocumentSummary;
    /// Makes a new document of a text.
    "document_create" DocumentCreate { kind: DocumentKind, text: String } -> DocumentSummary;
    /// Makes a copy under a free name.
    "document_duplicate" DocumentDuplicate { id: String } -> DocumentSummary;
    /// Deletes a document and takes it off the agent; MD-104 while it has runs in flight.
    "document_delete" DocumentDelete { id: String } -> Undo;
    /// Undoes a delete.
    "document_restore" DocumentRestore { undo_token: String } -> DocumentSummary;
    /// What was saved before, newest first.
    "document_history" DocumentHistory { id: String } -> Vec<DocumentRevision>;
    /// The text of an earlier revision.
    "document_revision" DocumentRevisionGet { id: String, revision: Whole } -> String;
    /// Starts for new documents.
    "templates_list" TemplatesList {} -> Vec<DocumentTemplate>;
    /// All problems of a text.
    "validate" Validate { kind: DocumentKind, text: String } -> Vec<Problem>;
    /// The JSON Schema that the editor completes from.
    "editor_schema" EditorSchema { kind: DocumentKind } -> Json;
    /// Gives the saved text to the agent; MD-101 while it has errors.
    "document_deploy" DocumentDeploy { id: String } -> Deployed;
    /// An input to start from.
    "document_sample_input" DocumentSampleInput { id: String } -> SampleInput;
    /// Watched folders and their files.
    "feeds_list" FeedsList {} -> Vec<Feed>;
    /// Looks into the watched folders again, for files that no notice came for.
    "feeds_rescan" FeedsRescan {} -> ();
    /// Opens the folder that a deployed pipeline watches, made first where it is missing.
    "feed_open_folder" FeedOpenFolder { document_id: String } -> ();

    // Runs
    /// Starts a run of a document; it is deployed first when its text is newer and has no errors.
    "run_start" RunStart {
        document_id: String,
        /// JSON text.
        input: String,
    } -> RunSummary;
    /// Runs, newest first.
    "runs_list" RunsList {
        /// Empty: all.
        #[serde(default)]
        statuses: Vec<RunStatusView>,
        /// `namespace/name`.
        #[serde(default)]
        workflow: Option<String>,
        /// In the id, the subject, the name or the error; or conditions on fields of the input and
        /// output, such as `input/customer/id=42 and output/state~paid`.
        #[serde(default)]
        text: Option<String>,
        #[serde(default)]
        since: Option<Moment>,
        #[serde(default)]
        cursor: Option<String>,
        limit: u32,
    } -> RunPage;
    /// One run with its tasks.
    "run_get" RunGet { id: String } -> RunDetail;
    /// The journal, oldest first, after `after`.
    "run_journal" RunJournal { id: String, #[serde(default)] after: Option<Whole>, limit: u32 } -> JournalPage;
    /// The input and context of a task as they were, to edit and replay; without a task the run's input.
    "run_task_input" RunTaskInput { id: String, #[serde(default)] task: Option<String> } -> TaskInput;
    /// `run-entries` comes for this run until `run_unfollow`; at most 8 at once, the oldest ends.
    "run_follow" RunFollow { id: String } -> ();
    /// Ends `run_follow`.
    "run_unfollow" RunUnfollow { id: String } -> ();
    /// Ends a run that has not ended; with `compensate` what it did is undone first.
    "run_cancel" RunCancel { id: String, #[serde(default)] compensate: bool } -> RunSummary;
    /// Tries the compensation again that waits for a person, or gives it up.
    "run_compensation" RunCompensation { id: String, number: Whole, skip: bool } -> RunSummary;
    /// Halts a run until `run_resume`.
    "run_suspend" RunSuspend { id: String } -> RunSummary;
    /// Lets a suspended run go on where it was.
    "run_resume" RunResume { id: String } -> RunSummary;
    /// Goes on at the task that faulted.
    "run_retry" RunRetry { id: String } -> RunSummary;
    /// A new run from a task with edited input and context; without a task from the start.
    "run_replay" RunReplay {
        id: String,
        #[serde(default)]
        task: Option<String>,
        /// JSON text.
        input: String,
        /// JSON text; none: as it was.
        #[serde(default)]
        context: Option<String>,
    } -> RunSummary;

    /// A test run of one task of a run's workflow alone.
    "run_test" RunTest {
        id: String,
        /// Reference of the task.
        task: String,
        /// JSON text of what flows into the task.
        input: String,
        /// JSON text; none: the input.
        #[serde(default)]
        context: Option<String>,
    } -> RunSummary;

    // Tasks for people
    /// Tasks of all runs that wait for a person, oldest run first.
    "tasks_list" TasksList {} -> Vec<PersonTask>;
    /// Answers a task; MD-212 when it waits no more.
    "task_answer" TaskAnswer {
        run: String,
        /// Reference of the task.
        task: String,
        /// JSON text.
        data: String,
    } -> Answered;

    // Tests
    /// Outputs that are pinned for tests of a workflow.
    "pins_list" PinsList {
        /// `namespace/name`.
        workflow: String,
    } -> Vec<Pin>;
    /// Pins what a task of a run gave, for tests of the run's workflow.
    "pin_add" PinAdd {
        run: String,
        /// Key of the task's visit.
        task: String,
    } -> Vec<Pin>;
    /// Takes a pin away.
    "pin_remove" PinRemove {
        /// `namespace/name`.
        workflow: String,
        /// Reference of the task.
        task: String,
    } -> Vec<Pin>;
    /// Starts a test run of a document; it is deployed first when its text is newer and has no errors.
    "document_test" DocumentTest {
        document_id: String,
        /// JSON text.
        input: String,
        /// References of the tasks that give their pinned output.
        pins: Vec<String>,
    } -> RunSummary;

    // What may run on this computer
    /// What a document's saved text would run on this computer, and whether it may.
    "host_execution_get" HostExecutionGet { document_id: String } -> HostExecution;
    /// Allows what was shown; MD-508 when the saved text would run something else by now.
    "host_execution_allow" HostExecutionAllow {
        document_id: String,
        /// Digests of all programs that were shown.
        programs: Vec<String>,
    } -> HostExecution;
    /// Takes back everything that was allowed for a workflow; what runs already runs on.
    "host_execution_forbid" HostExecutionForbid {
        /// `namespace/name`.
        workflow: String,
    } -> Vec<HostPermission>;
    /// Workflows that may run something on this computer.
    "host_permissions_list" HostPermissionsList {} -> Vec<HostPermission>;

    // Connections
    /// What can be connected.
    "connection_kinds" ConnectionKinds {} -> Vec<ConnectionKind>;
    /// All connections with their last check.
    "connections_list" ConnectionsList {} -> Vec<Connection>;
    /// Saves a connection. MD-504 when a secret is given and the vault needs its passphrase.
    "connection_save" ConnectionSave {
        /// None: a new one.
        #[serde(default)]
        id: Option<String>,
        name: String,
        kind: String,
        settings: Json,
        /// None: the secret stays as it is.
        #[serde(default)]
        secret: Option<String>,
        #[serde(default)]
        base_revision: Option<Whole>,
    } -> Connection;
    /// Tries a connection, saved or not yet.
    "connection_check" ConnectionCheck {
        /// The saved one whose secret is used when none is given.
        #[serde(default)]
        id: Option<String>,
        name: String,
        kind: String,
        settings: Json,
        #[serde(default)]
        secret: Option<String>,
    } -> ConnectionReport;
    /// Deletes a connection; its secret is kept until the undo has gone.
    "connection_delete" ConnectionDelete { id: String } -> Undo;
    /// Undoes a delete.
    "connection_restore" ConnectionRestore { undo_token: String } -> Connection;

    // Secrets
    /// Where secrets are kept.
    "vault_status" VaultStatus {} -> VaultStatusView;
    /// Opens the vault, or makes it when there is none; MD-505 for a wrong passphrase.
    "vault_unlock" VaultUnlock { passphrase: String } -> VaultStatusView;

    // Dead letters and events
    /// Dead letters, newest first.
    "dead_letters_list" DeadLettersList {
        /// `namespace/name` of a pipeline.
        #[serde(default)]
        source: Option<String>,
        #[serde(default)]
        text: Option<String>,
        #[serde(default)]
        cursor: Option<String>,
        limit: u32,
    } -> DeadLetterPage;
    /// Keeps an edited record beside the original.
    "dead_letter_edit" DeadLetterEdit {
        id: String,
        /// In the content type of the letter.
        record: String,
    } -> DeadLetter;
    /// Sends records again; at most 1,000 at once.
    "dead_letters_send" DeadLettersSend { ids: Vec<String> } -> DeadLettersSent;
    /// Deletes dead letters for good; at most 1,000 at once.
    "dead_letters_discard" DeadLettersDiscard { ids: Vec<String> } -> Whole;
    /// Events that workflows emitted, oldest first.
    "events_list" EventsList {
        /// The CloudEvents type.
        #[serde(default)]
        kind: Option<String>,
        #[serde(default)]
        after: Option<Whole>,
        limit: u32,
    } -> EventPage;

    // Settings
    /// All settings.
    "settings_get" SettingsGet {} -> Settings;
    /// Changes the given ones; durability restarts the agent.
    "settings_set" SettingsSet { patch: SettingsPatch } -> Settings;

    // The agent
    /// Its state and figures now.
    "runtime_status" RuntimeStatusGet {} -> RuntimeStatus;
    /// Stops it, runs and all, and starts it again; runs go on where they were.
    "runtime_restart" RuntimeRestart {} -> RuntimeStatus;
    /// Its log, oldest first, after `after`; at most 2,000 lines are kept.
    "runtime_logs" RuntimeLogs { #[serde(default)] after: Option<Whole> } -> Vec<LogLine>;
    /// Moves it between native and Podman; `switch-progress` tells the steps.
    "runtime_switch" RuntimeSwitch { mode: RuntimeMode } -> ();
    /// Gives up a switch while that is still possible.
    "runtime_switch_cancel" RuntimeSwitchCancel {} -> ();
    /// The switch that is under way.
    "runtime_switch_progress" RuntimeSwitchProgress {} -> Option<SwitchProgress>;
    /// Whether Podman could be used.
    "podman_status" PodmanStatusGet {} -> PodmanStatus;
    /// The agent's container; none while it runs natively.
    "container_get" ContainerGet {} -> Option<ContainerView>;
    /// Every host that it called since it started, most recent first.
    "outbound_list" OutboundList {} -> Vec<OutboundHost>;
    /// Checks everything; takes seconds at most.
    "doctor_check" DoctorCheck {} -> DoctorReport;
    /// Repairs one thing and checks again.
    "doctor_repair" DoctorRepair { id: String } -> DoctorReport;

    // Help
    /// Every page: the kinds of tasks first, then the error codes.
    "help_pages" HelpPages {} -> Vec<HelpText>;
    /// One page, by the keyword of a task or by an error code.
    "help_page" HelpPage { id: String } -> HelpText;
}
