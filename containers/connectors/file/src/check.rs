//! Trying the output folder: it is there and can be written.

use std::time::Instant;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cap_tempfile::TempFile;
use flame_connector::{Check, Fault, Folders};

/// One step; the file that is tried has no name and leaves nothing behind.
pub(crate) async fn run(folders: &Folders) -> Check {
    let mut check = Check::default();
    let output = folders.output.clone();
    let begun = Instant::now();
    let tried = tokio::task::spawn_blocking(move || {
        let written = Dir::open_ambient_dir(&output, ambient_authority())
            .and_then(|folder| TempFile::new(&folder).map(drop));
        let shown = output.display();
        match written {
            Ok(()) => Ok(((), format!("{shown} can be written."))),
            Err(error) => Err(Fault::configuration(format!(
                "{shown} can't be written: {error}. Check that it exists and belongs to you."
            ))),
        }
    })
    .await
    .unwrap_or_else(|_| Err(Fault::runtime("The check was stopped.")));
    check.step("Write to the output folder", begun.elapsed(), tried);
    check
}
