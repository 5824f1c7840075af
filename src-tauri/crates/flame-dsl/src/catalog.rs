//! The functions of the default catalog that a workflow can call, with the schema of their arguments.
//!
//! Deliberately absent: the functions themselves; connectors hold them.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

/// A function of the default catalog.
#[derive(Debug)]
pub struct CatalogFunction {
    pub connector: &'static str,
    pub operation: &'static str,
    pub version: &'static str,
    pub description: &'static str,
    /// JSON Schema (2020-12) of the call's `with`.
    pub arguments: Value,
    pub(crate) validator: Validator,
}

impl CatalogFunction {
    /// As a `call` names it: `sqlite.upsert:1.0.0@default`.
    pub fn name(&self) -> String {
        format!(
            "{}.{}:{}@default",
            self.connector, self.operation, self.version
        )
    }
}

/// Every function of the default catalog.
pub fn catalog() -> &'static [CatalogFunction] {
    static CATALOG: LazyLock<Vec<CatalogFunction>> = LazyLock::new(|| {
        vec![
            function(
                "sqlite",
                "upsert",
                "Writes rows into a SQLite table by key.",
                upsert(true),
            ),
            function(
                "postgres",
                "upsert",
                "Writes rows into a PostgreSQL table by key.",
                upsert(false),
            ),
            function(
                "file",
                "write",
                "Writes a file into the workspace's output folder.",
                file(),
            ),
        ]
    });
    &CATALOG
}

fn function(
    connector: &'static str,
    operation: &'static str,
    description: &'static str,
    arguments: Value,
) -> CatalogFunction {
    CatalogFunction {
        connector,
        operation,
        version: "1.0.0",
        description,
        validator: jsonschema::validator_for(&arguments)
            .expect("the schemas below are JSON Schemas"),
        arguments,
    }
}

fn upsert(sqlite: bool) -> Value {
    let mut schema = json!({
        "type": "object",
        "required": ["table", "key"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "description": "The connection to use."},
            "table": {"type": "string", "minLength": 1, "description": "The table to write to."},
            "key": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string"},
                "description": "The columns that tell one row from another."
            },
            "record": {"type": "object", "description": "The row, by column name."},
            "records": {
                "type": "array",
                "items": {"type": "object"},
                "description": "Several rows, instead of 'record'."
            },
            "create": {
                "type": "boolean",
                "default": true,
                "description": "Makes a missing table or column, typed by the first record."
            }
        },
        "oneOf": [{"required": ["record"]}, {"required": ["records"]}]
    });
    if sqlite {
        schema["properties"]["database"] = json!({
            "type": "string",
            "minLength": 1,
            "description": "A database file in the workspace's databases folder, such as orders.db."
        });
    }
    schema
}

fn file() -> Value {
    json!({
        "type": "object",
        "required": ["path", "content"],
        "properties": {
            "path": {
                "type": "string",
                "minLength": 1,
                "description": "The file, relative to the workspace's output folder."
            },
            "content": {"description": "What to write: text as it is, anything else as JSON."}
        }
    })
}
