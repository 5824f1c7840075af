//! Trying a connection: find the host, reach it, log in, ask its version.

use std::time::{Duration, Instant};

use flame_connector::{Check, Connection, Fault};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::config::{CONNECT_TIMEOUT, Settings};
use crate::{error, tls};

/// How long each step may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// The steps, in order; the first that fails is the last.
pub(crate) async fn run(connection: &Connection) -> Check {
    let mut check = Check::default();
    // `None` says that a step failed, which the check holds already.
    let _ = steps(&mut check, connection).await;
    check
}

async fn steps(check: &mut Check, connection: &Connection) -> Option<()> {
    let begun = Instant::now();
    let read = Settings::of(connection)
        .map(|settings| (settings, "Host, database and user are there.".to_owned()));
    let settings = check.step("Read the settings", begun.elapsed(), read)?;
    if !settings.is_socket() {
        reach(check, &settings).await?;
    }
    let begun = Instant::now();
    let entered = log_in(connection, &settings).await;
    let client = check.step(
        format!("Log in as {}", settings.user),
        begun.elapsed(),
        entered,
    )?;
    let begun = Instant::now();
    let asked = ask(&client, &settings).await;
    check.step("Ask the server", begun.elapsed(), asked)
}

async fn reach(check: &mut Check, settings: &Settings) -> Option<()> {
    let Settings { host, port, .. } = settings;
    let begun = Instant::now();
    let unknown = || {
        Fault::communication(format!(
            "No address is known for {host:?}. Check the spelling and the network."
        ))
    };
    let found = match timeout(STEP_TIMEOUT, lookup_host((host.as_str(), *port))).await {
        Ok(Ok(addresses)) => addresses
            .map(|address| address.ip().to_string())
            .collect::<Vec<_>>(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    let found = if found.is_empty() {
        Err(unknown())
    } else {
        Ok(((), found.join(", ")))
    };
    check.step(format!("Find {host}"), begun.elapsed(), found)?;

    let begun = Instant::now();
    let reached = match timeout(STEP_TIMEOUT, TcpStream::connect((host.as_str(), *port))).await {
        Ok(Ok(_)) => Ok(((), format!("Port {port} is open."))),
        Ok(Err(cause)) => Err(error::of_io(settings, &cause)),
        Err(_) => Err(error::of_io(settings, &std::io::ErrorKind::TimedOut.into())),
    };
    check.step(format!("Reach port {port}"), begun.elapsed(), reached)
}

async fn log_in(connection: &Connection, settings: &Settings) -> Result<(Client, String), Fault> {
    let tls = tls::connector(settings)?;
    let entering = settings.driver(connection);
    let entered = timeout(CONNECT_TIMEOUT, entering.connect(tls)).await;
    let (client, session) = entered
        .map_err(|_| error::of_io(settings, &std::io::ErrorKind::TimedOut.into()))?
        .map_err(|cause| error::fault(settings, &cause))?;
    // The session's own task ends when the client is dropped at the end of the check.
    tokio::spawn(session);
    Ok((client, "The server let us in.".to_owned()))
}

async fn ask(client: &Client, settings: &Settings) -> Result<((), String), Fault> {
    let sql = "select current_setting('server_version'), \
               coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)";
    let asked = timeout(STEP_TIMEOUT, client.query_one(sql, &[])).await;
    let row = asked
        .map_err(|_| Fault::timeout(format!("{} did not answer a question.", settings.host)))?
        .map_err(|cause| error::fault(settings, &cause))?;
    let (version, encrypted): (String, bool) = (row.get(0), row.get(1));
    let way = if encrypted {
        "encrypted"
    } else {
        "not encrypted"
    };
    Ok((
        (),
        format!(
            "PostgreSQL {version}, database {}, {way}.",
            settings.database
        ),
    ))
}
