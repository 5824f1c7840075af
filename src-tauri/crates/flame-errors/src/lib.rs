//! Stable error codes. A code exists because somebody matches on it or needs its help page.
//!
//! Every code has a page under `help/`: what it means, then what to do. Callers match codes, never
//! text.

use serde::{Deserialize, Serialize};

/// Declares the codes: variant, public code, HTTP status, title. The help page is `help/<code>.md`.
macro_rules! codes {
    ($($variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// A stable error code. The number never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $(#[serde(rename = $code)] $variant,)* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The public form, such as `MD-201`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status that goes with it; 0 where it never crosses HTTP.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// A few words that name the problem, without its particulars.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The offline help page, Markdown: meaning, then what to do.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("help/", $code, ".md")),)* }
            }
        }
    };
}

codes! {
    // 1xx: a definition that can't be taken
    DefinitionInvalid = "MD-101", 422, "The definition has problems";
    DefinitionTooLarge = "MD-102", 413, "The definition is too large";
    PathMismatch = "MD-103", 422, "The path and the document name different workflows";
    WorkflowInUse = "MD-104", 409, "The workflow has runs in flight";
    // 2xx: a request that can't be taken
    NotFound = "MD-201", 404, "There is nothing at this address";
    Unauthorized = "MD-202", 401, "The token is missing or wrong";
    ForeignHost = "MD-203", 403, "The Host header names another machine";
    ForeignOrigin = "MD-204", 403, "A web page of another origin asked";
    UnsupportedMediaType = "MD-205", 415, "The content type is not one this address takes";
    BodyTooLarge = "MD-206", 413, "The body is too large";
    BodyInvalid = "MD-207", 400, "The body can't be read";
    InputInvalid = "MD-208", 422, "The input does not fit the workflow's schema";
    IdempotencyConflict = "MD-209", 422, "The idempotency key was used with another body";
    MethodNotAllowed = "MD-210", 405, "This address does not take that method";
    ParameterInvalid = "MD-211", 400, "A parameter has a value that can't be used";
    RunNotInState = "MD-212", 409, "The run is not in a state that allows this";
    SignatureInvalid = "MD-213", 401, "The webhook's secret or signature is wrong";
    HookConflict = "MD-214", 409, "Another workflow already answers at this webhook path";
    TooManyRequests = "MD-215", 429, "More work waits than the agent may hold";
    BodySlow = "MD-216", 408, "The body comes too slowly";
    // 3xx: storage
    StorageFull = "MD-301", 507, "The disk is full";
    StorageCorrupt = "MD-302", 500, "The database file is damaged";
    StorageNewer = "MD-303", 500, "The data folder was written by a newer version";
    StorageLocked = "MD-304", 409, "Another agent uses this data folder";
    StorageFailed = "MD-305", 500, "The database refused the work";
    PortTaken = "MD-306", 0, "The port is taken";
    ShuttingDown = "MD-307", 503, "The agent is shutting down";
    // 4xx: runs and the outside
    ConnectionUnknown = "MD-401", 422, "There is no connection of that name";
    ConnectionRefused = "MD-402", 502, "The other side can't be reached";
    ConnectionDenied = "MD-403", 502, "The other side refused the credentials";
    ExpressionBudget = "MD-404", 422, "An expression used more than it may";
    FeedOffset = "MD-405", 409, "The feed does not start where the last one stopped";
    RunFaulted = "MD-406", 502, "The run that was to answer has no output";
    HostExecutionOff = "MD-407", 403, "Scripts and shell commands are off";
    // 5xx: the shell
    AgentMissing = "MD-501", 0, "The flame-agent program was not found";
    AgentDown = "MD-502", 0, "The agent does not answer";
    AgentRestarting = "MD-503", 0, "The agent stopped too often and is not started again";
    VaultLocked = "MD-504", 0, "Secrets need the passphrase";
    VaultPassphrase = "MD-505", 0, "The passphrase is wrong";
    WorkspaceFailed = "MD-506", 0, "The workspace database refused the work";
    WatchFailed = "MD-507", 0, "A watched folder can't be read";
    DocumentConflict = "MD-508", 0, "The document was changed since it was opened";
    // 6xx: Podman
    PodmanMissing = "MD-601", 0, "Podman is not installed";
    PodmanNotRunning = "MD-602", 0, "Podman is installed but its service does not answer";
    PodmanUnsupported = "MD-603", 0, "This Podman version does not work with Mastra";
    PodmanPermission = "MD-604", 0, "The Podman socket can't be opened";
    PodmanHardening = "MD-605", 0, "The container did not start with the required protection";
    PodmanImage = "MD-606", 0, "The agent's image is missing or was changed";
    PodmanFailed = "MD-607", 0, "Podman refused the work";
    ContainerImage = "MD-608", 0, "The image of a container is not on this machine";
    ContainerVolume = "MD-609", 0, "A container may not have this folder";
    // 9xx
    Internal = "MD-901", 500, "A fault in Mastra itself";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_page_says_what_it_means_and_what_to_do() {
        for code in Code::ALL {
            let (meaning, advice) = sections(*code);
            assert!(meaning.len() >= 80, "{code}: the page says what it means");
            assert!(
                advice.starts_with("1. "),
                "{code}: the advice is a list of steps"
            );
            let fences = advice.matches("```").count();
            assert_eq!(fences % 2, 0, "{code}: every block of commands is closed");
        }
    }

    /// The text before and after "What to do".
    fn sections(code: Code) -> (&'static str, &'static str) {
        let title = format!("# {code}: {}\n", code.title());
        let page = code.help().strip_prefix(&title);
        let page = page.unwrap_or_else(|| panic!("{code}: the page begins with {title:?}"));
        let parts = page.split_once("\n## What to do\n");
        let (meaning, advice) =
            parts.unwrap_or_else(|| panic!("{code}: a section says what to do"));
        (meaning.trim(), advice.trim())
    }

    #[test]
    fn codes_are_unique() {
        let mut seen: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        seen.sort_unstable();
        let all = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
