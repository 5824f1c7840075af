//! The samples that a new workspace starts with.

use std::path::Path;

use flame_ipc::ErrorView;
use flame_workspace::{CUSTOMERS, DocumentKind, NewDocument, SAMPLES, Sample, Workspace};

use super::deploy::{self, Deployment};
use super::facts::facts_of;
use crate::app::{new_id, now};
use crate::failure::OrView;

/// Where the workspace's name is kept, and what it is called at first.
pub(crate) const NAME_FACT: &str = "workspace:name";
pub(crate) const NAME_FIRST: &str = "My workspace";

/// The file to drop into a folder, below the data folder, and the pipeline that it is for.
const CUSTOMERS_FILE: &str = "samples/customers.csv";
const CUSTOMERS_PIPELINE: &str = "samples/folder-to-table";

/// Puts the samples in, deployed, so that the first one can be run at once, and a file to drop into
/// the inbox beside it.
pub(crate) fn seed(workspace: &Workspace, data_dir: &Path) -> Result<(), ErrorView> {
    let file = data_dir.join(CUSTOMERS_FILE);
    let folder = file.parent().unwrap_or(data_dir);
    if let Err(error) =
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, CUSTOMERS))
    {
        tracing::warn!(%error, "the sample file could not be written");
    }
    workspace.set_fact(NAME_FACT, NAME_FIRST).or_view()?;
    for sample in SAMPLES {
        let new = NewDocument {
            id: new_id(),
            kind: sample.kind,
            name: sample.name,
            body: sample.body,
            sample: true,
        };
        let document = workspace.create(&new, now()).or_view()?;
        if sample.kind == DocumentKind::Connection {
            continue;
        }
        let facts = facts_of(sample.kind, sample.body, sample.name);
        if let Some(id) = facts.id {
            deploy::remember(workspace, document.id, &Deployment::new(&id, sample.body))?;
        } else {
            tracing::error!(
                sample = sample.name,
                "a sample has errors and is not deployed"
            );
        }
    }
    Ok(())
}

/// The input that comes with a sample.
pub(super) fn sample_input(name: &str) -> Option<&'static str> {
    SAMPLES
        .iter()
        .find(|sample| sample.name == name)
        .and_then(|sample| sample.input)
}

/// The file that comes with a pipeline, below the data folder. One that was changed may want other columns.
pub(crate) fn sample_file(name: &str, text: &str) -> Option<&'static str> {
    let is_sample = |sample: &&Sample| sample.name == name && sample.body == text;
    let sample = SAMPLES.iter().find(is_sample)?;
    (sample.name == CUSTOMERS_PIPELINE).then_some(CUSTOMERS_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_without_errors_and_carries_its_own_name() {
        for sample in SAMPLES
            .iter()
            .filter(|sample| sample.kind != DocumentKind::Connection)
        {
            let facts = facts_of(sample.kind, sample.body, "");
            assert_eq!(facts.errors, 0, "{}", sample.name);
            assert_eq!(facts.full_name(), sample.name);
            if let Some(input) = sample.input {
                serde_json::from_str::<serde_json::Value>(input).unwrap();
            }
        }
    }
}
