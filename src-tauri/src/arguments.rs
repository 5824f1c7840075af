//! The command line and the environment, read once at the start.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
Mastra: connect your systems and run durable workflows on this machine

Usage: mastra [--data-dir FOLDER]

  --data-dir FOLDER  keep workspace, runs and logs in this folder (or MASTRA_DATA_DIR)
  --version          print the version
  --help             print this

Environment: MASTRA_AGENT and MASTRA_STATIC_AGENT name other agent programs, MASTRA_PODMAN the socket of
Podman, MASTRA_LOG a log filter.
";

/// What a person asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Instead of the usual data folder.
    pub(crate) data_dir: Option<PathBuf>,
    /// Instead of the program beside this one.
    pub(crate) agent: Option<PathBuf>,
    pub(crate) static_agent: Option<PathBuf>,
    /// The socket of Podman, instead of the usual places.
    pub(crate) podman: Option<String>,
}

/// Something to print instead of starting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Answer(String),
    Refusal(String),
}

impl Told {
    pub(crate) fn print(&self) -> ExitCode {
        // The terminal may be gone; then there is nobody to tell.
        match self {
            Self::Answer(text) => {
                let _ = std::io::stdout().write_all(text.as_bytes());
                ExitCode::SUCCESS
            }
            Self::Refusal(text) => {
                let _ = std::io::stderr().write_all(text.as_bytes());
                ExitCode::from(2)
            }
        }
    }
}

impl Arguments {
    pub(crate) fn read(
        words: impl IntoIterator<Item = OsString>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Told> {
        let path = |name: &str| {
            variable(name)
                .filter(|text| !text.is_empty())
                .map(PathBuf::from)
        };
        let mut read = Self {
            data_dir: path("MASTRA_DATA_DIR"),
            agent: path("MASTRA_AGENT"),
            static_agent: path("MASTRA_STATIC_AGENT"),
            podman: path("MASTRA_PODMAN").map(|socket| socket.to_string_lossy().into_owned()),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("--help" | "-h") => return Err(Told::Answer(HELP.to_owned())),
                Some("--version" | "-V") => {
                    return Err(Told::Answer(format!(
                        "mastra {}\n",
                        env!("CARGO_PKG_VERSION")
                    )));
                }
                Some("--data-dir") => {
                    let folder = words.next().filter(|folder| !folder.is_empty());
                    let Some(folder) = folder else {
                        return Err(Told::Refusal("--data-dir needs a folder\n".to_owned()));
                    };
                    read.data_dir = Some(PathBuf::from(folder));
                }
                _ => {
                    let word = word.to_string_lossy();
                    return Err(Told::Refusal(format!(
                        "{word:?} is not an argument; mastra --help lists them\n"
                    )));
                }
            }
        }
        Ok(read)
    }

    /// Tells an app on another data folder from the usual one.
    pub(crate) fn instance(&self) -> Option<String> {
        let folder = self.data_dir.as_ref()?;
        let mut hasher = DefaultHasher::new();
        std::path::absolute(folder)
            .unwrap_or_else(|_| folder.clone())
            .hash(&mut hasher);
        Some(format!("io.mastra.desktop.d{:x}", hasher.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str], variables: &[(&str, &str)]) -> Result<Arguments, Told> {
        let variables = variables.to_vec();
        Arguments::read(words.iter().map(OsString::from), move |wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let variables = [("MASTRA_DATA_DIR", "/env"), ("MASTRA_AGENT", "")];
        let from_env = read(&[], &variables).unwrap();
        assert_eq!(from_env.data_dir, Some("/env".into()));
        assert_eq!(from_env.agent, None, "empty is not set");
        let from_words = read(&["--data-dir", "/words"], &variables).unwrap();
        assert_eq!(from_words.data_dir, Some("/words".into()));
        assert_ne!(from_words.instance(), from_env.instance());
        assert_eq!(read(&[], &[]).unwrap().instance(), None);
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_word() {
        assert_eq!(
            read(&["--data-dir"], &[]),
            Err(Told::Refusal("--data-dir needs a folder\n".to_owned()))
        );
        let Err(Told::Refusal(text)) = read(&["--dta-dir"], &[]) else {
            panic!("taken")
        };
        assert!(text.contains("--dta-dir"), "{text}");
        assert!(matches!(read(&["--version"], &[]), Err(Told::Answer(_))));
    }
}
