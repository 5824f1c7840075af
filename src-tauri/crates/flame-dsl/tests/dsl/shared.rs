//! The published schema and examples of the DSL, which are read from beside the repository.

use std::path::PathBuf;

/// The folder of the standard's files, or `None` after saying that it is absent.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn open_workflow() -> Option<PathBuf> {
    let root = std::env::var_os("MASTRA_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared"),
        PathBuf::from,
    );
    let folder = root.join("open-workflow");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "skipped: {} is absent; MASTRA_SHARED can name its parent",
        folder.display()
    );
    None
}

/// The names and texts of the examples of a release, sorted by name.
pub(crate) fn examples(release: &str) -> Vec<(String, String)> {
    let Some(folder) = open_workflow() else {
        return Vec::new();
    };
    let folder = folder.join(release).join("examples");
    let mut examples: Vec<(String, String)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    examples.sort();
    examples
}
