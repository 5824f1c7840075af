//! The driver's and the server's errors as faults that say what to do.

use std::error::Error as _;
use std::io;

use deadpool_postgres::PoolError;
use flame_connector::{Fault, FaultKind};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::config::Settings;

/// The fault for an error of a session on the way to `settings`.
pub(crate) fn fault(settings: &Settings, error: &Error) -> Fault {
    match error.as_db_error() {
        Some(answered) => of_server(settings, answered),
        None => of_driver(settings, error),
    }
}

/// The fault for a session that the pool did not give.
pub(crate) fn pool_fault(settings: &Settings, error: &PoolError) -> Fault {
    let host = &settings.host;
    match error {
        PoolError::Backend(error) => fault(settings, error),
        PoolError::Timeout(_) => Fault::timeout(format!(
            "No session to {host} was free in time. It is slow, or more work waits for it than it \
             can take; it is safe to try again."
        )),
        other => Fault::runtime(format!("No session to {host}: {other}.")),
    }
}

/// What the server said, by its SQLSTATE.
fn of_server(settings: &Settings, error: &DbError) -> Fault {
    let Settings {
        host,
        port,
        user,
        database,
        ..
    } = settings;
    let message = error.message();
    let code = error.code();
    if *code == SqlState::INVALID_PASSWORD {
        return Fault::authentication(format!(
            "{host} refused the password of {user}. Correct it under Connections."
        ));
    }
    if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        return Fault::authentication(format!(
            "{host} does not let {user} in: {message}. Check the user, and the server's \
             pg_hba.conf."
        ));
    }
    if *code == SqlState::INVALID_CATALOG_NAME {
        return Fault::configuration(format!(
            "There is no database {database:?} on {host}:{port}. Make it, or correct the name."
        ));
    }
    if *code == SqlState::UNDEFINED_TABLE || *code == SqlState::INVALID_SCHEMA_NAME {
        return Fault::configuration(format!(
            "{database} on {host}: {message}. Make it, or correct the name."
        ));
    }
    if *code == SqlState::UNDEFINED_COLUMN {
        return Fault::configuration(format!(
            "{database} on {host}: {message}. Add the column, or leave the field out."
        ));
    }
    if *code == SqlState::INVALID_COLUMN_REFERENCE {
        return Fault::configuration(
            "The table has no primary key or unique index on exactly the columns of `key`. Make \
             one with CREATE UNIQUE INDEX, or correct `key`.",
        );
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return Fault::new(
            FaultKind::Authorization,
            format!(
                "{host} does not let {user} do this: {message}. Grant the right, or use another user."
            ),
        );
    }
    by_class(settings, error)
}

/// What has no sentence of its own, by the first two characters of its SQLSTATE.
fn by_class(settings: &Settings, error: &DbError) -> Fault {
    let host = &settings.host;
    let said = sentence(error);
    match error.code().code().get(..2).unwrap_or_default() {
        // Data exception, integrity constraint, and what a trigger or a check raises.
        "22" | "23" | "44" | "P0" => {
            Fault::validation(format!("{host} refused the record: {said}"))
        }
        "08" | "57" => Fault::communication(format!("{host} ended the session: {said} Try again.")),
        "53" => Fault::runtime(format!("{host} is out of resources: {said}")).worth_retrying(),
        "40" | "55" => {
            Fault::runtime(format!("{host} was busy with the same rows: {said}")).worth_retrying()
        }
        "25" => Fault::new(
            FaultKind::Authorization,
            format!("{host} takes no writes: {said}"),
        ),
        _ => Fault::runtime(format!("{host}: {said}")),
    }
}

/// The server's message and detail as sentences.
fn sentence(error: &DbError) -> String {
    let mut text = format!("{}.", error.message());
    if let Some(detail) = error.detail() {
        text.push(' ');
        text.push_str(detail);
    }
    if let Some(column) = error.column().filter(|column| !text.contains(*column)) {
        text.push_str(&format!(" Column {column:?}."));
    }
    text
}

/// What failed before the server could say anything.
fn of_driver(settings: &Settings, error: &Error) -> Fault {
    let Settings {
        host, port, user, ..
    } = settings;
    let text = error.to_string();
    let cause = error
        .source()
        .map_or_else(|| text.clone(), ToString::to_string);
    if let Some(cause) = io_cause(error) {
        return of_io(settings, cause);
    }
    if cause.contains("password missing") {
        return Fault::authentication(format!(
            "{host} asks for the password of {user}, and none is known. Give it under Connections."
        ));
    }
    if text.contains("timed out") || text.contains("timeout") {
        return Fault::communication(format!(
            "{host}:{port} does not answer. Check the host, the port and the firewall."
        ));
    }
    if error.is_closed() {
        return Fault::communication(format!("{host}:{port} closed the session. Try again."));
    }
    if text.contains("TLS") || text.contains("tls") {
        return tls(settings, &cause);
    }
    Fault::communication(format!("{host}:{port}: {text}: {cause}."))
}

fn tls(settings: &Settings, cause: &str) -> Fault {
    let Settings { host, port, .. } = settings;
    Fault::communication(format!(
        "No encrypted session to {host}:{port}: {cause}. Check the server's certificate, or choose \
         another encryption under Connections."
    ))
}

fn io_cause(error: &Error) -> Option<&io::Error> {
    let mut source = error.source();
    // Chains are short; the bound keeps a strange one from looping.
    for _ in 0..8 {
        let current = source?;
        if let Some(found) = current.downcast_ref::<io::Error>() {
            return Some(found);
        }
        source = current.source();
    }
    None
}

/// The fault for a socket that failed.
pub(crate) fn of_io(settings: &Settings, error: &io::Error) -> Fault {
    let Settings { host, port, .. } = settings;
    let text = error.to_string();
    if text.contains("certificate") || error.kind() == io::ErrorKind::InvalidData {
        return tls(settings, &text);
    }
    Fault::communication(match error.kind() {
        io::ErrorKind::ConnectionRefused => format!(
            "Nothing answers at {host}:{port}. Is PostgreSQL running there, and is the port right?"
        ),
        io::ErrorKind::TimedOut => {
            format!("{host}:{port} does not answer. Check the host, the port and the firewall.")
        }
        io::ErrorKind::NotFound => {
            format!("There is no PostgreSQL socket in {host} for port {port}. Is it running?")
        }
        _ if text.contains("lookup") || text.contains("resolve") => {
            format!("No address is known for {host:?}. Check the spelling and the network.")
        }
        _ => format!("{host}:{port}: {text}."),
    })
}
