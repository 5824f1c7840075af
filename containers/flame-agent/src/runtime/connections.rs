//! Connections, held in memory only, and the connectors that they are instances of.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use flame_connector::{Check, Connection, Connector, Folders};
use flame_engine::Secrets;
use flame_types::{Timestamp, json};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Error;

/// The kind of a connection that holds a secret alone, of a webhook or for `use.secrets`; no connector
/// goes with it.
const SECRET_KIND: &str = "secret";

/// A connection and when it was put.
#[derive(Debug, Clone)]
pub struct ConnectionEntry {
    pub connection: Arc<Connection>,
    pub updated: Timestamp,
}

/// The connectors of this agent, by kind.
#[derive(Clone)]
pub struct Connectors {
    list: Arc<[Arc<dyn Connector>]>,
}

impl std::fmt::Debug for Connectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.list.iter().map(|connector| connector.spec().kind))
            .finish()
    }
}

impl Connectors {
    /// Those given; kinds are unique.
    pub fn new(list: Vec<Arc<dyn Connector>>) -> Self {
        Self { list: list.into() }
    }

    pub fn get(&self, kind: &str) -> Option<&Arc<dyn Connector>> {
        self.list
            .iter()
            .find(|connector| connector.spec().kind == kind)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Connector>> {
        self.list.iter()
    }

    /// The kinds, for a message.
    pub fn kinds(&self) -> String {
        self.list
            .iter()
            .map(|connector| connector.spec().kind)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The connections that were put since the start. Secrets stay in memory.
#[derive(Debug)]
pub struct Connections {
    connectors: Connectors,
    folders: Folders,
    held: RwLock<BTreeMap<String, ConnectionEntry>>,
    changed: tokio::sync::watch::Sender<()>,
}

impl Connections {
    pub(super) fn new(connectors: Connectors, folders: Folders) -> Self {
        Self {
            connectors,
            folders,
            held: RwLock::default(),
            changed: tokio::sync::watch::Sender::default(),
        }
    }

    pub fn connectors(&self) -> &Connectors {
        &self.connectors
    }

    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Holds secrets from the start on.
    pub(super) fn hold(&self, secrets: &[(String, SecretString)], now: Timestamp) {
        for (name, secret) in secrets {
            let connection = Connection {
                name: name.clone(),
                kind: SECRET_KIND.to_owned(),
                settings: json!({}),
                secret: Some(secret.clone()),
            };
            let entry = ConnectionEntry {
                connection: Arc::new(connection),
                updated: now,
            };
            self.write(|held| held.insert(name.clone(), entry));
        }
    }

    /// What `$secrets` gives for these names: connections of the kind `secret`. A text that is a JSON
    /// object is that object.
    pub(super) fn secrets(&self, declared: &[Arc<str>]) -> Secrets {
        Secrets::new(declared, |name| {
            let connection = self.get(name)?.connection;
            let secret = connection
                .secret
                .as_ref()
                .filter(|_| connection.kind == SECRET_KIND)?;
            let text = secret.expose_secret();
            Some(match json::from_str(text) {
                Ok(Value::Object(members)) => Value::Object(members),
                _ => Value::from(text),
            })
        })
    }

    /// Adds or replaces a connection whose settings fit its connector; true where it is new.
    pub async fn put(&self, connection: Connection, now: Timestamp) -> Result<bool, Error> {
        if connection.kind != SECRET_KIND {
            self.fits(&connection)?;
        }
        let name = connection.name.clone();
        let entry = ConnectionEntry {
            connection: Arc::new(connection),
            updated: now,
        };
        let before = self.write(|held| held.insert(name, entry));
        self.changed.send_replace(());
        if let Some(before) = &before {
            self.forget(&before.connection).await;
        }
        Ok(before.is_none())
    }

    /// Removes a connection; false where there was none.
    pub async fn delete(&self, name: &str) -> bool {
        let before = self.write(|held| held.remove(name));
        if let Some(before) = &before {
            self.forget(&before.connection).await;
        }
        before.is_some()
    }

    pub fn get(&self, name: &str) -> Option<ConnectionEntry> {
        self.held
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// Waits until there is a connection of that name.
    pub(super) async fn named(&self, name: &str) -> ConnectionEntry {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(entry) = self.get(name) {
                return entry;
            }
            if changed.changed().await.is_err() {
                // The sender lives in `self`, so this does not happen; waiting for ever is right.
                std::future::pending::<()>().await;
            }
        }
    }

    /// By name.
    pub fn list(&self) -> Vec<ConnectionEntry> {
        self.held
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Tries a connection step by step.
    pub async fn check(&self, connection: &Connection) -> Result<Check, Error> {
        let connector = self.connector(&connection.kind)?;
        Ok(connector.check(connection, &self.folders).await)
    }

    fn connector(&self, kind: &str) -> Result<&Arc<dyn Connector>, Error> {
        self.connectors
            .get(kind)
            .ok_or_else(|| Error::ConnectorUnknown {
                kind: kind.to_owned(),
                known: self.connectors.kinds(),
            })
    }

    fn fits(&self, connection: &Connection) -> Result<(), Error> {
        let unfit = |problems| Error::ConnectionInvalid {
            name: connection.name.clone(),
            problems,
        };
        let Some(spec) = &self.connector(&connection.kind)?.spec().connection else {
            return Err(unfit(vec![format!(
                "{} takes no connection",
                connection.kind
            )]));
        };
        let validator =
            jsonschema::validator_for(&spec.settings).map_err(|error| Error::Internal {
                detail: format!("the settings schema of {}: {error}", connection.kind),
            })?;
        let problems: Vec<String> = validator
            .iter_errors(&connection.settings)
            .take(20)
            .map(|error| match error.instance_path().as_str() {
                "" => error.to_string(),
                place => format!("{place}: {error}"),
            })
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(unfit(problems))
        }
    }

    async fn forget(&self, connection: &Connection) {
        if let Some(connector) = self.connectors.get(&connection.kind) {
            connector.forget(&connection.name).await;
        }
    }

    fn write<T>(&self, change: impl FnOnce(&mut BTreeMap<String, ConnectionEntry>) -> T) -> T {
        change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner))
    }
}
