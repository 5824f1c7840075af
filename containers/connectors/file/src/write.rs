//! Replacing a file as a whole: written beside it, synced, then renamed into its place.
//!
//! Every step is relative to the open folder, so that a link or a rename made at the wrong moment
//! can't lead out of it.

use std::io::{self, Write};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cap_tempfile::TempFile;
use flame_connector::{Fault, FaultKind};

use crate::config::OutputPath;

/// Writes `bytes` to `path` below `output`; on disk when it returns.
pub(crate) fn replace(output: &Path, path: &OutputPath, bytes: &[u8]) -> Result<(), Fault> {
    let output = Dir::open_ambient_dir(output, ambient_authority()).map_err(|error| {
        Fault::configuration(format!("The output folder can't be opened: {error}."))
    })?;
    let failed = |error| fault(path, &error);
    let folder = enter(output, path).map_err(failed)?;
    if folder
        .symlink_metadata(&path.file)
        .is_ok_and(|there| there.is_dir())
    {
        return Err(Fault::validation(format!(
            "{:?} is a folder. Choose another name for the file.",
            path.display()
        )));
    }
    put(&folder, &path.file, bytes).map_err(failed)
}

/// Opens the innermost folder, made where missing; each new name is synced with its parent.
fn enter(output: Dir, path: &OutputPath) -> io::Result<Dir> {
    let mut folder = output;
    for name in &path.folders {
        match folder.create_dir(name) {
            Ok(()) => sync(&folder)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        folder = folder.open_dir(name)?;
    }
    Ok(folder)
}

fn put(folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = TempFile::new(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.replace(name)?;
    sync(folder)
}

/// Makes a rename survive a power cut; on Windows the file system does that by itself.
#[cfg(unix)]
fn sync(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

#[cfg(not(unix))]
fn sync(_folder: &Dir) -> io::Result<()> {
    Ok(())
}

fn fault(path: &OutputPath, error: &io::Error) -> Fault {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::runtime(format!(
            "The disk is full: {shown:?} was not written. Make room."
        ))
        .worth_retrying(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::new(
            FaultKind::Authorization,
            format!("{shown:?} can't be written: {error}. A link may not lead out of the folder."),
        ),
        io::ErrorKind::NotADirectory => Fault::validation(format!(
            "{shown:?} can't be written: a name in it is a file or a link where a folder is needed."
        )),
        _ => Fault::runtime(format!("{shown:?} was not written: {error}.")),
    }
}
