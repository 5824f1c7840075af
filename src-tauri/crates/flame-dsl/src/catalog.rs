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
    /// JSON Schema (2020-12) of the call's `with`, the groups of `exactly_one` included.
    pub arguments: Value,
    /// Groups of arguments of which exactly one is given.
    pub(crate) exactly_one: &'static [[&'static str; 2]],
    /// The schema without the groups, which have a message of their own.
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

    /// The names of the arguments, in the order of the schema.
    pub(crate) fn argument_names(&self) -> Vec<&str> {
        self.arguments["properties"]
            .as_object()
            .map(|properties| properties.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// What the argument is that a JSON pointer below the arguments leads into.
    pub(crate) fn describe(&self, pointer: &str) -> Option<&str> {
        let name = pointer.split('/').nth(1)?;
        self.arguments["properties"][name]["description"].as_str()
    }
}

/// Every function of the default catalog.
pub fn catalog() -> &'static [CatalogFunction] {
    static CATALOG: LazyLock<Vec<CatalogFunction>> =
        LazyLock::new(|| vec![sqlite_upsert(), postgres_upsert(), file_write()]);
    &CATALOG
}

fn sqlite_upsert() -> CatalogFunction {
    let mut properties = json!({
        "database": {
            "type": "string",
            "minLength": 1,
            "description": "A database file in the workspace's databases folder, such as orders.db. \
                            It is made when missing."
        },
        "connection": {
            "type": "string",
            "minLength": 1,
            "description": "The name of a SQLite connection, instead of 'database'."
        }
    });
    add_upsert_properties(&mut properties);
    function(
        [
            "sqlite",
            "upsert",
            "Writes rows into a SQLite table; a row with the same key is replaced.",
        ],
        &["table", "key"],
        &[["database", "connection"], ["record", "records"]],
        &properties,
    )
}

fn postgres_upsert() -> CatalogFunction {
    let mut properties = json!({
        "connection": {
            "type": "string",
            "minLength": 1,
            "description": "The name of a PostgreSQL connection."
        }
    });
    add_upsert_properties(&mut properties);
    function(
        [
            "postgres",
            "upsert",
            "Writes rows into a PostgreSQL table; a row with the same key is replaced.",
        ],
        &["connection", "table", "key"],
        &[["record", "records"]],
        &properties,
    )
}

fn file_write() -> CatalogFunction {
    let properties = json!({
        "path": {
            "type": "string",
            "minLength": 1,
            "description": "The file, relative to the output folder, such as prices/today.json. \
                            Folders are made when missing."
        },
        "content": {"description": "Text is written as it is, anything else as JSON."}
    });
    function(
        [
            "file",
            "write",
            "Writes a file into the workspace's output folder.",
        ],
        &["path", "content"],
        &[],
        &properties,
    )
}

fn add_upsert_properties(properties: &mut Value) {
    properties["table"] =
        json!({"type": "string", "minLength": 1, "description": "The table to write to."});
    properties["key"] = json!({
        "type": "array",
        "minItems": 1,
        "items": {"type": "string"},
        "description": "The columns that tell one row from another."
    });
    properties["record"] = json!({"type": "object", "description": "The row, by column name."});
    properties["records"] = json!({
        "type": "array",
        "items": {"type": "object"},
        "description": "Several rows, instead of 'record'."
    });
    properties["create"] = json!({
        "type": "boolean",
        "default": true,
        "description": "Makes a missing table or column, typed by the first record."
    });
}

fn function(
    [connector, operation, description]: [&'static str; 3],
    required: &[&str],
    exactly_one: &'static [[&'static str; 2]],
    properties: &Value,
) -> CatalogFunction {
    let mut arguments = json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    });
    let validator =
        jsonschema::validator_for(&arguments).expect("the schemas above are JSON Schemas");
    if !exactly_one.is_empty() {
        let groups = exactly_one
            .iter()
            .map(|[a, b]| json!({"oneOf": [{"required": [a]}, {"required": [b]}]}));
        arguments["allOf"] = groups.collect();
    }
    CatalogFunction {
        connector,
        operation,
        version: "1.0.0",
        description,
        arguments,
        exactly_one,
        validator,
    }
}
