//! Arguments of the operations, and which paths may be written.

use flame_connector::{Fault, Invocation, arguments};
use flame_types::json;
use serde::Deserialize;
use serde_json::Value;

/// The connector's kind.
pub(crate) const KIND: &str = "file";

/// Largest content of one file.
pub(crate) const CONTENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest path, in bytes.
const PATH_BYTES_MAX: usize = 1024;
/// Longest name within a path, in bytes: what file systems take.
const NAME_BYTES_MAX: usize = 255;
/// Deepest path.
const FOLDERS_MAX: usize = 16;

/// `with` of `file.write`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteArguments {
    path: String,
    #[serde(deserialize_with = "json::read")]
    content: Value,
}

impl WriteArguments {
    /// Reads `with` into a checked path and the bytes to write.
    pub(crate) fn read(
        arguments: &Value,
        _invocation: &Invocation<'_>,
    ) -> Result<(OutputPath, Vec<u8>), Fault> {
        let read: Self = arguments::parse("file.write", arguments)?;
        let path = OutputPath::parse(&read.path)?;
        let bytes = bytes(read.content)?;
        if bytes.len() > CONTENT_BYTES_MAX {
            return Err(Fault::validation(format!(
                "The content for {:?} has {} bytes; at most {CONTENT_BYTES_MAX} are taken.",
                read.path,
                bytes.len()
            )));
        }
        Ok((path, bytes))
    }
}

/// Text is written as it is; anything else as indented JSON with a final newline.
fn bytes(content: Value) -> Result<Vec<u8>, Fault> {
    match content {
        Value::String(text) => Ok(text.into_bytes()),
        other => {
            let mut bytes = serde_json::to_vec_pretty(&other)
                .map_err(|error| Fault::runtime(format!("The content is not JSON: {error}.")))?;
            bytes.push(b'\n');
            Ok(bytes)
        }
    }
}

/// A relative path of plain names: nothing in it can point out of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputPath {
    /// Names of the folders, outermost first.
    pub(crate) folders: Vec<String>,
    pub(crate) file: String,
}

impl OutputPath {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let refuse = |problem: &str| {
            Err(Fault::validation(format!(
                "{text:?} can't be written: {problem}."
            )))
        };
        if text.is_empty() {
            return refuse("the path is empty");
        }
        if text.len() > PATH_BYTES_MAX {
            return refuse("the path is longer than 1024 bytes");
        }
        if text.starts_with('/') || text.contains(['\\', ':']) {
            return refuse(
                "only a path relative to the output folder is taken, with `/` between its names",
            );
        }
        let mut names: Vec<String> = Vec::new();
        for name in text.split('/') {
            if let Some(problem) = name_problem(name) {
                return refuse(problem);
            }
            names.push(name.to_owned());
        }
        if names.len() > FOLDERS_MAX {
            return refuse("the path is deeper than 16 folders");
        }
        let Some(file) = names.pop() else {
            return refuse("the path is empty");
        };
        Ok(Self {
            folders: names,
            file,
        })
    }

    /// With `/` between the names, on every system.
    pub(crate) fn display(&self) -> String {
        let names: Vec<&str> = self
            .folders
            .iter()
            .map(String::as_str)
            .chain([self.file.as_str()])
            .collect();
        names.join("/")
    }
}

fn name_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it has an empty name between slashes or at its end")
    } else if name == ".." || name == "." {
        Some("`.` and `..` are not taken; files stay inside the output folder")
    } else if name.len() > NAME_BYTES_MAX {
        Some("a name in it is longer than 255 bytes")
    } else if name.chars().any(char::is_control) {
        Some("it has a control character")
    } else {
        None
    }
}
