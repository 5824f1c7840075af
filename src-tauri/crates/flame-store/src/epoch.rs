//! Who owns the file: each opening raises a number, and a commit stands under the number of its opening.
//!
//! The folder's lock keeps a second agent out. This keeps out one that has lost its lock and does not know
//! it: a folder on a network, a process that was frozen, a copy of a virtual machine.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::Error;
use crate::file::translate;

/// Takes the file over; whoever had it before writes no more.
pub(crate) fn raise(connection: &Connection, path: &Path) -> Result<i64, Error> {
    let take = || {
        // By itself the statement would be committed once its row is read, and nobody would hear of a failure.
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let raise = "UPDATE owner SET epoch = epoch + 1 RETURNING epoch";
        let epoch = transaction.query_row(raise, [], |row| row.get(0))?;
        transaction.commit()?;
        Ok(epoch)
    };
    take().map_err(|error| translate("open", path, &error))
}

/// Inside a transaction: refuses it where the file was opened since by somebody else.
pub(crate) fn check(connection: &Connection, path: &Path, own: i64) -> Result<(), Error> {
    let found: i64 = connection
        .prepare_cached("SELECT epoch FROM owner")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(|error| translate("write", path, &error))?;
    if found == own {
        return Ok(());
    }
    Err(Error::Deposed {
        path: path.to_owned(),
        own,
        found,
    })
}
