//! The published schema and examples of the DSL, which are read from beside the repository.

use flame_testkit::open_workflow;

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
