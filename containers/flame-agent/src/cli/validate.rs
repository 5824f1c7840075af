//! `validate`: every problem of every file, and nothing is kept.

use std::path::{Path, PathBuf};

use flame_dsl::{DocumentKind, Format, Problem, Severity};

use super::{Exit, source, terminal};

/// All files are checked, also after one that can't be read.
pub(super) fn validate(files: &[PathBuf]) -> Exit {
    let (mut invalid, mut unread) = (false, false);
    for file in files {
        match source::definition(file) {
            Err(detail) => {
                terminal::complain(&detail);
                unread = true;
            }
            Ok(bytes) => {
                let problems = problems(&bytes, source::format(file));
                tell(file, &problems);
                let refused = problems
                    .iter()
                    .any(|problem| problem.severity == Severity::Error);
                if !refused {
                    terminal::print(&format!("{}: valid", file.display()));
                }
                invalid |= refused;
            }
        }
    }
    match (unread, invalid) {
        (true, _) => Exit::Stopped,
        (false, true) => Exit::Invalid,
        (false, false) => Exit::Done,
    }
}

/// One problem is one line, with its hint below.
pub(super) fn tell(file: &Path, problems: &[Problem]) {
    let name = file.display().to_string();
    for problem in problems {
        terminal::say(&problem.in_file(&name).to_string());
    }
}

fn problems(bytes: &[u8], format: Format) -> Vec<Problem> {
    // What is too large or not UTF-8 is told by the reader of bytes.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return flame_dsl::parse_bytes(bytes, format)
            .err()
            .unwrap_or_default();
    };
    match flame_dsl::document_kind(text, format) {
        DocumentKind::Pipeline => flame_dsl::examine_pipeline(text, format).problems,
        DocumentKind::Workflow => flame_dsl::examine(text, format).problems,
    }
}
