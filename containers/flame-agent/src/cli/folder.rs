//! `backup` and `restore`: a data folder without a serving agent.

use flame_store::{Options, Store};
use flame_types::Timestamp;

use super::arguments::{Backup, Restore};
use super::{Exit, stopped, terminal};

pub(super) async fn backup(arguments: Backup) -> Exit {
    match try_backup(&arguments).await {
        Ok(()) => {
            terminal::print(&arguments.file.display().to_string());
            Exit::Done
        }
        Err(detail) => {
            terminal::complain(&detail);
            Exit::Stopped
        }
    }
}

async fn try_backup(arguments: &Backup) -> Result<(), String> {
    if arguments.file.exists() {
        return Err(format!(
            "{} exists; choose another name",
            arguments.file.display()
        ));
    }
    if !arguments.data_dir.join(flame_store::FILE_NAME).is_file() {
        return Err(format!(
            "{} holds no database of an agent",
            arguments.data_dir.display()
        ));
    }
    let store = Store::open(&Options::new(&arguments.data_dir, Timestamp::now)).map_err(stopped)?;
    let written = store.backup_to(&arguments.file).await;
    store.close();
    written.map_err(stopped)
}

pub(super) fn restore(arguments: Restore) -> Exit {
    match flame_store::restore(
        &arguments.data_dir,
        arguments.from.as_deref(),
        Timestamp::now(),
    ) {
        Ok(done) => {
            terminal::print(&format!(
                "{} is in place; what was there is in {}",
                done.restored.display(),
                done.damaged.display()
            ));
            Exit::Done
        }
        Err(error) => {
            terminal::complain(&stopped(error));
            Exit::Stopped
        }
    }
}
