//! Settings of a connection and arguments of the operations.

use std::time::Duration;

use flame_connector::arguments::{self, UpsertTarget};
use flame_connector::{Connection, ConnectionSpec, Fault, Invocation, Record, quote_identifier};
use flame_types::json;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

/// The connector's kind.
pub(crate) const KIND: &str = "postgres";

/// How long a server may take to answer a new session.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of a connection.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) host: String,
    #[serde(default = "default_port")]
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    #[serde(default)]
    pub(crate) ssl_mode: SslMode,
    /// PEM of the authority that signed the server's certificate, where it is a private one.
    pub(crate) root_certificate: Option<String>,
}

/// How the way to the server is protected; the words are libpq's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SslMode {
    Disable,
    /// Encrypted where the server can; nobody proves who the server is.
    #[default]
    Prefer,
    /// Encrypted or refused; nobody proves who the server is.
    Require,
    /// Encrypted, and the certificate must be good for the host.
    VerifyFull,
}

fn create_by_default() -> bool {
    true
}

fn default_port() -> u16 {
    5432
}

impl Settings {
    pub(crate) fn of(connection: &Connection) -> Result<Self, Fault> {
        if connection.kind != KIND {
            return Err(Fault::configuration(format!(
                "Connection {:?} is of kind {}, and one of kind postgres is needed.",
                connection.name, connection.kind
            )));
        }
        let settings: Self = arguments::settings(&connection.name, &connection.settings)?;
        for (what, value) in [
            ("host", &settings.host),
            ("database", &settings.database),
            ("user", &settings.user),
        ] {
            if value.trim().is_empty() || value.contains('\0') {
                return Err(Fault::configuration(format!(
                    "Connection {:?} has no {what}. Fill it in under Connections.",
                    connection.name
                )));
            }
        }
        Ok(settings)
    }

    /// A folder with a Unix socket instead of a host name.
    pub(crate) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// What the driver needs to log in.
    pub(crate) fn driver(&self, connection: &Connection) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.database)
            .user(&self.user)
            .application_name("mastra")
            .connect_timeout(CONNECT_TIMEOUT)
            .ssl_mode(match self.ssl_mode {
                SslMode::Disable => tokio_postgres::config::SslMode::Disable,
                SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
                SslMode::Require | SslMode::VerifyFull => tokio_postgres::config::SslMode::Require,
            });
        if let Some(secret) = &connection.secret {
            config.password(secret.expose_secret());
        }
        config
    }
}

/// `with` of `postgres.upsert`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpsertArguments {
    connection: String,
    table: String,
    key: Vec<String>,
    #[serde(default, deserialize_with = "json::read")]
    record: Option<Record>,
    #[serde(default, deserialize_with = "json::read")]
    records: Option<Vec<Record>>,
    #[serde(default = "create_by_default")]
    create: bool,
}

/// Where an upsert goes, with everything checked that needs no server.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) upsert: UpsertTarget,
    /// The table as SQL, with its schema.
    pub(crate) quoted: String,
    /// Missing tables and columns are made.
    pub(crate) create: bool,
}

impl UpsertArguments {
    /// Reads `with`, and finds the connection it names.
    pub(crate) fn read<'a>(
        arguments: &Value,
        invocation: &Invocation<'a>,
    ) -> Result<(Target, &'a Connection, Self), Fault> {
        let read: Self = arguments::parse("postgres.upsert", arguments)?;
        let connection = invocation
            .connection
            .ok_or_else(|| Fault::connection_unknown(&read.connection))?;
        let upsert = UpsertTarget {
            table: read.table.clone(),
            key: read.key.clone(),
        };
        upsert.validate()?;
        let target = Target {
            quoted: quote_table(&read.table)?,
            upsert,
            create: read.create,
        };
        Ok((target, connection, read))
    }

    /// The records of a single call.
    pub(crate) fn into_records(self) -> Result<Vec<Record>, Fault> {
        arguments::records(self.record, self.records)
    }

    /// A stream brings its own records.
    pub(crate) fn refuse_records(&self) -> Result<(), Fault> {
        if self.record.is_some() || self.records.is_some() {
            return Err(Fault::configuration(
                "A pipeline's sink takes no `record` or `records`: they come from the source.",
            ));
        }
        Ok(())
    }
}

/// `table` or `schema.table`.
fn quote_table(name: &str) -> Result<String, Fault> {
    match name.split_once('.') {
        None => quote_identifier("table", name),
        Some((_, table)) if table.contains('.') => Err(Fault::validation(format!(
            "{name:?} can't be the name of a table: write `table` or `schema.table`."
        ))),
        Some((schema, table)) => Ok(format!(
            "{}.{}",
            quote_identifier("schema", schema)?,
            quote_identifier("table", table)?
        )),
    }
}

/// What a connection of kind `postgres` holds.
pub(crate) fn connection_spec() -> ConnectionSpec {
    ConnectionSpec {
        settings: json!({
            "type": "object",
            "required": ["host", "database", "user"],
            "additionalProperties": false,
            "properties": {
                "host": {
                    "type": "string",
                    "minLength": 1,
                    "title": "Host",
                    "description": "Name or address, or the folder of a Unix socket."
                },
                "port": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": 65535,
                    "default": 5432,
                    "title": "Port"
                },
                "database": { "type": "string", "minLength": 1, "title": "Database" },
                "user": { "type": "string", "minLength": 1, "title": "User" },
                "sslMode": {
                    "enum": ["disable", "prefer", "require", "verify-full"],
                    "default": "prefer",
                    "title": "Encryption",
                    "description": "verify-full also checks that the server is the one it says \
                                    it is."
                },
                "rootCertificate": {
                    "type": "string",
                    "title": "Root certificate",
                    "description": "PEM text of a private authority; public ones are known."
                }
            }
        }),
        secret: Some("Password"),
    }
}
