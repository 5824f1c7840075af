//! SQLite's errors as faults that say what to do.

use flame_connector::{Fault, FaultKind};
use flame_errors::Code;
use rusqlite::ErrorCode;

/// The fault for an error of `database`.
pub(crate) fn fault(database: &str, error: rusqlite::Error) -> Fault {
    let Some(code) = error.sqlite_error_code() else {
        return Fault::runtime(format!("{database}: {error}."));
    };
    let message = message(&error);
    match code {
        ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig => {
            Fault::validation(format!("{database} refused the record: {message}."))
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Fault::new(
            FaultKind::Communication,
            format!("{database} is locked by another program. Close it there, then try again."),
        ),
        ErrorCode::DiskFull => Fault {
            code: Some(Code::StorageFull),
            ..Fault::runtime(format!(
                "The disk is full: {database} can't be written. Make room, then try again."
            ))
            .worth_retrying()
        },
        ErrorCode::NotADatabase => Fault::configuration(format!(
            "{database} is not an SQLite database. Name another file."
        )),
        ErrorCode::DatabaseCorrupt => Fault::runtime(format!(
            "{database} is damaged: {message}. Restore it from a backup, or name another file."
        )),
        ErrorCode::CannotOpen => Fault::configuration(format!(
            "{database} can't be opened: {message}. Is the folder there, and no link?"
        )),
        ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::AuthorizationForStatementDenied => Fault::new(
            FaultKind::Authorization,
            format!("{database} can't be written: {message}. Check the file's permissions."),
        ),
        ErrorCode::SystemIoFailure => {
            Fault::runtime(format!("{database}: {message}.")).worth_retrying()
        }
        _ => Fault::runtime(format!("{database}: {message}.")),
    }
}

/// SQLite's own words, without rusqlite's.
fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
