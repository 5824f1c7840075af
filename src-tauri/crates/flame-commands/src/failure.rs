//! Every room's errors in the one shape that reaches a person.

use flame_agent_client::Error as AgentError;
use flame_errors::Code;
use flame_ipc::ErrorView;
use flame_launcher::agent::Failure;
use flame_types::InvalidId;

const RUNS_ARE_SAFE: &str = "Runs are safe on disk and go on when the agent is back.";
const MENDED_BY_DOCTOR: &str =
    "Open Doctor: it goes back to the last backup and keeps the damaged file.";
const DAMAGED_IS_KEPT: &str = "The damaged file was not touched.";

/// An error that knows how to speak to a person.
pub(crate) trait View {
    fn view(self) -> ErrorView;
}

/// `result.or_view()?` in a command's body.
pub(crate) trait OrView<T> {
    fn or_view(self) -> Result<T, ErrorView>;
}

impl<T, E: View> OrView<T> for Result<T, E> {
    fn or_view(self) -> Result<T, ErrorView> {
        self.map_err(View::view)
    }
}

/// An error's text with every cause behind it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl View for AgentError {
    fn view(self) -> ErrorView {
        let code = self.code();
        let detail = chain(&self);
        let Self::Problem(problem) = self else {
            let view = ErrorView::new(code, detail);
            return match code {
                Code::AgentDown => view
                    .with_hint("Restart the agent in Settings, Runtime.")
                    .with_kept(RUNS_ARE_SAFE),
                _ => view,
            };
        };
        let mut view = ErrorView::new(code, problem.detail.clone());
        view.hint.clone_from(&problem.hint);
        if let Some(first) = problem.problems.first() {
            view.detail = format!("{}: {}", problem.detail, first.message);
            view.value.clone_from(&first.value);
            view.hint = first.hint.clone().or(view.hint);
        }
        view
    }
}

impl View for flame_workspace::Error {
    fn view(self) -> ErrorView {
        use flame_workspace::Error;
        let view = ErrorView::new(self.code(), chain(&self));
        match &self {
            Error::Conflict { .. } => view
                .with_hint("Open the document again to see the other change, then save yours.")
                .with_kept("Your text is still in the editor and nothing was overwritten."),
            Error::NameTaken(name) => view.with_value(name).with_hint("Choose another name."),
            Error::Corrupt { .. } => view.with_hint(MENDED_BY_DOCTOR).with_kept(DAMAGED_IS_KEPT),
            Error::Newer { .. } => view.with_hint("Open it with the newer version of Mastra."),
            Error::Locked { .. } => {
                view.with_hint("Close the other Mastra, or start this one with --data-dir.")
            }
            Error::Full { .. } => view.with_hint("Make room on this disk, then try again."),
            _ => view,
        }
    }
}

impl View for flame_vault::Error {
    fn view(self) -> ErrorView {
        use flame_vault::Error;
        let view = ErrorView::new(self.code(), chain(&self));
        match self {
            Error::New => view.with_hint("Choose a passphrase for the secrets of this computer."),
            Error::Locked => view.with_hint("Enter the passphrase of this computer's secrets."),
            Error::WrongPassphrase => view.with_hint("Check the keyboard layout and try again."),
            _ => view,
        }
    }
}

impl View for Failure {
    fn view(self) -> ErrorView {
        let view = ErrorView::new(self.code, self.detail).with_kept(RUNS_ARE_SAFE);
        match self.code {
            Code::AgentMissing => {
                view.with_hint("Install Mastra again; flame-agent belongs beside the program.")
            }
            Code::StorageCorrupt => view.with_hint(MENDED_BY_DOCTOR).with_kept(DAMAGED_IS_KEPT),
            Code::StorageNewer => view.with_hint("Open it with the newer version of Mastra."),
            Code::StorageFull => view.with_hint("Make room on this disk, then restart the agent."),
            _ => view.with_hint("Look at the log in Settings, Runtime, then restart the agent."),
        }
    }
}

impl View for flame_podman::Error {
    fn view(self) -> ErrorView {
        ErrorView::new(self.code(), chain(&self))
            .with_hint("Open the doctor; it names the command that repairs Podman.")
    }
}

impl View for InvalidId {
    fn view(self) -> ErrorView {
        ErrorView::new(Code::ParameterInvalid, self.to_string()).with_value(&self.value)
    }
}

impl View for tokio::task::JoinError {
    fn view(self) -> ErrorView {
        ErrorView::new(Code::Internal, self.to_string())
    }
}

/// JSON that a person typed.
pub(crate) fn read_json(what: &str, text: &str) -> Result<serde_json::Value, ErrorView> {
    flame_types::json::from_str(text).map_err(|error| {
        ErrorView::new(Code::BodyInvalid, format!("{what} is not JSON: {error}")).with_hint(
            format!("Look at line {}, column {}.", error.line(), error.column()),
        )
    })
}
