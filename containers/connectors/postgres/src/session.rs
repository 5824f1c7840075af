//! Sessions: a small pool for each connection, and a lease that never gives back a session whose
//! statement was cut off.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use flame_connector::{Connection, Fault};
use secrecy::ExposeSecret;

use crate::config::{CONNECT_TIMEOUT, Settings};
use crate::error;
use crate::tls;

/// Sessions of one connection at once. A server has about a hundred for everybody.
const SESSIONS_MAX: usize = 8;

/// The pools by connection name. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Pools {
    open: Arc<Mutex<HashMap<String, Held>>>,
}

/// A pool and what it was made from.
struct Held {
    made_from: Connection,
    endpoint: Endpoint,
}

/// A pool with the settings that messages name.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pool: Pool,
    pub(crate) settings: Arc<Settings>,
}

impl Pools {
    /// The pool of a connection; a new one where its settings or secret have changed.
    pub(crate) fn endpoint(&self, connection: &Connection) -> Result<Endpoint, Fault> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = open.get(&connection.name)
            && same(&held.made_from, connection)
        {
            return Ok(held.endpoint.clone());
        }
        let endpoint = Endpoint::new(connection)?;
        let held = Held {
            made_from: connection.clone(),
            endpoint: endpoint.clone(),
        };
        open.insert(connection.name.clone(), held);
        Ok(endpoint)
    }

    /// Closes the pool of a connection; leases in use end with their call.
    pub(crate) fn forget(&self, connection: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = open.remove(connection) {
            held.endpoint.pool.close();
        }
    }
}

fn same(one: &Connection, other: &Connection) -> bool {
    let secret = |connection: &Connection| {
        connection
            .secret
            .as_ref()
            .map(|text| text.expose_secret().to_owned())
    };
    one.settings == other.settings && one.kind == other.kind && secret(one) == secret(other)
}

impl Endpoint {
    fn new(connection: &Connection) -> Result<Self, Fault> {
        let settings = Settings::of(connection)?;
        let manager = Manager::from_config(
            settings.driver(connection),
            tls::connector(&settings)?,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(SESSIONS_MAX)
            .create_timeout(Some(CONNECT_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Fault::runtime(format!("No pool for {}: {error}.", settings.host)))?;
        Ok(Self {
            pool,
            settings: Arc::new(settings),
        })
    }

    /// A session of one's own, waited for at most `longest`.
    pub(crate) async fn lease(&self, longest: Duration) -> Result<Lease, Fault> {
        let waited = tokio::time::timeout(longest, self.pool.get()).await;
        match waited {
            Ok(Ok(session)) => Ok(Lease {
                session: Some(session),
                settled: false,
            }),
            Ok(Err(error)) => Err(error::pool_fault(&self.settings, &error)),
            Err(_) => Err(Fault::timeout(format!(
                "{} gave no session within {} s.",
                self.settings.host,
                longest.as_secs()
            ))),
        }
    }
}

/// A session in use. It goes back to the pool only after [`Lease::settle`]; dropped before, as when
/// its call is cancelled, it is closed instead, so that nobody waits behind a hanging statement.
pub(crate) struct Lease {
    session: Option<Object>,
    settled: bool,
}

impl Lease {
    /// The session.
    pub(crate) fn session(&mut self) -> &mut Object {
        self.session
            .as_mut()
            .expect("a lease holds its session until it is dropped")
    }

    /// The last statement was answered: the session may serve another call.
    pub(crate) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && !self.settled
        {
            drop(Object::take(session));
        }
    }
}
