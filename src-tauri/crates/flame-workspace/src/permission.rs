//! Which programs of which workflows may run on this computer outside of containers.
//!
//! Settings of this device: kept beside the documents and no part of them, so that a document that arrives from
//! elsewhere never brings its own permission. Deliberately absent: what the programs are.

use std::collections::BTreeMap;

use flame_types::{Namespace, ProgramDigest, Timestamp, WorkflowName};
use rusqlite::params;

use crate::error::Error;
use crate::workspace::{Workspace, moment, unreadable};

/// Programs of one workflow that are kept; those that were allowed longest ago go.
pub const PROGRAMS_MAX: usize = 200;

/// What was allowed for a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPermission {
    pub namespace: Namespace,
    pub name: WorkflowName,
    /// The newest first.
    pub programs: Vec<ProgramDigest>,
    /// When a person allowed the newest of them.
    pub allowed: Timestamp,
}

impl Workspace {
    /// Every workflow that may run something, by name.
    pub fn host_permissions(&self) -> Result<Vec<HostPermission>, Error> {
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached(
                "SELECT namespace, name, program, allowed_ms FROM host_permissions
                 ORDER BY allowed_ms DESC, program",
            )
            .map_err(|error| self.sqlite(error))?;
        let mut found: BTreeMap<(Namespace, WorkflowName), HostPermission> = BTreeMap::new();
        let rows = statement
            .query_map([], |row| {
                let text = |at: usize| row.get::<_, String>(at);
                Ok((
                    text(0)?.parse().map_err(|error| unreadable(0, error))?,
                    text(1)?.parse().map_err(|error| unreadable(1, error))?,
                    text(2)?.parse().map_err(|error| unreadable(2, error))?,
                    moment(row, 3)?,
                ))
            })
            .map_err(|error| self.sqlite(error))?;
        for row in rows {
            let (namespace, name, program, allowed): (Namespace, WorkflowName, _, _) =
                row.map_err(|error| self.sqlite(error))?;
            let entry = found
                .entry((namespace.clone(), name.clone()))
                .or_insert_with(|| HostPermission {
                    namespace,
                    name,
                    programs: Vec::new(),
                    allowed,
                });
            entry.programs.push(program);
        }
        Ok(found.into_values().collect())
    }

    /// Allows programs beside those that the workflow may run already.
    pub fn allow_host(
        &self,
        namespace: &Namespace,
        name: &WorkflowName,
        programs: &[ProgramDigest],
        now: Timestamp,
    ) -> Result<(), Error> {
        let kept = i64::try_from(PROGRAMS_MAX).unwrap_or(i64::MAX);
        self.write(|transaction| {
            for program in programs {
                transaction
                    .execute(
                        "INSERT INTO host_permissions (namespace, name, program, allowed_ms)
                         VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT DO UPDATE SET allowed_ms = excluded.allowed_ms",
                        params![
                            namespace.as_str(),
                            name.as_str(),
                            program.as_str(),
                            now.as_millisecond()
                        ],
                    )
                    .map_err(|error| self.sqlite(error))?;
            }
            transaction
                .execute(
                    "DELETE FROM host_permissions WHERE namespace = ?1 AND name = ?2 AND program NOT IN (
                         SELECT program FROM host_permissions WHERE namespace = ?1 AND name = ?2
                         ORDER BY allowed_ms DESC, program LIMIT ?3)",
                    params![namespace.as_str(), name.as_str(), kept],
                )
                .map_err(|error| self.sqlite(error))?;
            Ok(())
        })
    }

    /// Takes back everything that was allowed for a workflow; false where nothing was.
    pub fn forbid_host(&self, namespace: &Namespace, name: &WorkflowName) -> Result<bool, Error> {
        self.write(|transaction| {
            transaction
                .execute(
                    "DELETE FROM host_permissions WHERE namespace = ?1 AND name = ?2",
                    params![namespace.as_str(), name.as_str()],
                )
                .map(|rows| rows > 0)
                .map_err(|error| self.sqlite(error))
        })
    }
}
