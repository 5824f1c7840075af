//! Documents of kind `pipeline`: files of rows that become records of a table.
//!
//! Deliberately absent: reading files and watching folders.

use std::sync::Arc;

use flame_types::{Namespace, Version, WorkflowName};
use serde_json::Value;

use crate::expression::Expression;
use crate::hash::definition_hash;
use crate::lower::Lowering;
use crate::parse::{Examined, examine_as};
use crate::problem::Problem;
use crate::shape;
use crate::source::{self, Content, Format, Node, pointer_step};

/// A pipeline, ready to run.
#[derive(Debug, Clone)]
pub struct Pipeline {
    pub namespace: Namespace,
    pub name: WorkflowName,
    /// `1.0.0` unless the document says otherwise.
    pub version: Version,
    /// SHA-256 of the canonical JSON of the document, hex.
    pub hash: Arc<str>,
    pub definition: Arc<Value>,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub source: PipelineSource,
    /// From one row to one record; `None` takes the row as it is. Null leaves the row out.
    pub map: Option<Expression>,
    pub sink: PipelineSink,
    pub watch: Option<PipelineWatch>,
}

/// How the rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineSource {
    Csv {
        /// One ASCII character.
        delimiter: u8,
        /// Whether the first row names the columns; else they are `c1`, `c2` and so on.
        header: bool,
    },
    /// One JSON object per line.
    Ndjson,
}

/// Where the records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineSink {
    /// `sqlite` or `postgres`.
    pub connector: String,
    pub connection: Option<String>,
    /// A database file in the workspace's databases folder, instead of a SQLite connection.
    pub database: Option<String>,
    pub table: String,
    /// The columns that tell one row from another; at least one, none twice.
    pub key: Vec<String>,
    /// Whether a missing table or column is made; `None` leaves it to the connector.
    pub create: Option<bool>,
}

impl PipelineSink {
    /// The arguments that the connector's `upsert` takes, without records.
    pub fn arguments(&self) -> Value {
        let mut arguments = serde_json::json!({"table": self.table, "key": self.key});
        for (name, value) in [
            ("connection", &self.connection),
            ("database", &self.database),
        ] {
            if let Some(value) = value {
                arguments[name] = value.as_str().into();
            }
        }
        if let Some(create) = self.create {
            arguments["create"] = create.into();
        }
        arguments
    }
}

/// The folder whose new files are fed into the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineWatch {
    /// Absolute, or relative to the workspace's folder.
    pub folder: String,
    /// Which file names: `*` stands for any letters, `?` for one.
    pub pattern: String,
}

/// What a text declares itself to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    Workflow,
    Pipeline,
}

/// Tells a pipeline from a workflow by the key `pipeline` at the top. A text that can't be read counts as
/// a workflow: reading it as one says what is wrong.
pub fn document_kind(text: &str, format: Format) -> DocumentKind {
    match source::read(text, format) {
        Ok(root) if root.get("pipeline").is_some() && root.get("do").is_none() => {
            DocumentKind::Pipeline
        }
        _ => DocumentKind::Workflow,
    }
}

/// Reads a pipeline. On failure every problem is listed, never only the first.
pub fn parse_pipeline(text: &str, format: Format) -> Result<Pipeline, Vec<Problem>> {
    examine_pipeline(text, format).into_result()
}

/// Reads a pipeline and keeps the warnings.
pub fn examine_pipeline(text: &str, format: Format) -> Examined<Pipeline> {
    examine_as(text, format, &shape::PIPELINE, |root, lines, problems| {
        let mut lowering = Lowering::new(lines, problems);
        // A row is all that the expression sees.
        lowering.clear_scope();
        pipeline(&mut lowering, root)
    })
}

fn pipeline(lowering: &mut Lowering<'_>, root: &Node) -> Option<Pipeline> {
    let source = lowering.required(root, "source", "", source_of);
    let map = lowering.optional(root, "map", "", Lowering::expression);
    let sink = lowering.required(root, "sink", "", sink_of);
    let watch = lowering.optional(root, "watch", "", |_, node, _| {
        Some(PipelineWatch {
            folder: node.get("folder")?.text()?.to_owned(),
            pattern: node
                .get("pattern")
                .map_or(Some("*"), Node::text)?
                .to_owned(),
        })
    });
    let head = root.get("pipeline")?;
    let text = |key: &str| head.get(key).and_then(Node::text);
    let definition = root.to_json();
    Some(Pipeline {
        namespace: text("namespace")?.parse().ok()?,
        name: text("name")?.parse().ok()?,
        version: text("version").unwrap_or("1.0.0").parse().ok()?,
        hash: definition_hash(&definition).into(),
        definition: Arc::new(definition),
        title: text("title").map(str::to_owned),
        summary: text("summary").map(str::to_owned),
        source: source?,
        map: map?,
        sink: sink?,
        watch: watch?,
    })
}

fn source_of(lowering: &mut Lowering<'_>, node: &Node, pointer: &str) -> Option<PipelineSource> {
    let Some(csv) = node.get("csv") else {
        return node.get("ndjson").map(|_| PipelineSource::Ndjson);
    };
    let header = !matches!(
        csv.get("header").map(|node| &node.content),
        Some(Content::Boolean(false))
    );
    let pointer = pointer_step(pointer, "csv");
    let delimiter =
        lowering.optional(
            csv,
            "delimiter",
            &pointer,
            |lowering, node, pointer| match node.text()?.as_bytes() {
                [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Some(*byte),
                _ => lowering.strict(
                    node,
                    pointer,
                    "the delimiter must be one ASCII character, and not a quote or line break",
                    r#"such as ',' or ';' or "\t""#,
                ),
            },
        );
    Some(PipelineSource::Csv {
        delimiter: delimiter?.unwrap_or(b','),
        header,
    })
}

fn sink_of(lowering: &mut Lowering<'_>, node: &Node, pointer: &str) -> Option<PipelineSink> {
    let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    let connector = text("connector")?;
    let problem = match (
        connector.as_str(),
        node.get("connection"),
        node.get("database"),
    ) {
        ("sqlite", None, None) => Some((
            node,
            "a SQLite sink needs either 'database' or 'connection'",
            "write 'database' with the name of a file, such as orders.db",
        )),
        ("sqlite", Some(_), Some(database)) => Some((
            database,
            "a SQLite sink needs either 'database' or 'connection'",
            "remove one of them",
        )),
        ("postgres", _, Some(database)) => Some((
            database,
            "'database' names a SQLite file",
            "write 'connection' with the name of a PostgreSQL connection",
        )),
        ("postgres", None, None) => Some((
            node,
            "a PostgreSQL sink needs 'connection'",
            "write the name of a PostgreSQL connection",
        )),
        _ => None,
    };
    if let Some((place, message, hint)) = problem {
        return lowering.strict(place, pointer, message, hint);
    }
    let mut key: Vec<String> = Vec::new();
    for (at, column) in node.get("key")?.list()?.iter().enumerate() {
        let name = column.text()?.to_owned();
        if key.contains(&name) {
            let pointer = pointer_step(&pointer_step(pointer, "key"), at);
            return lowering.strict(column, &pointer, "the column is named twice", "remove one");
        }
        key.push(name);
    }
    Some(PipelineSink {
        connector,
        connection: text("connection"),
        database: text("database"),
        table: text("table")?,
        key,
        create: match node.get("create").map(|node| &node.content) {
            Some(Content::Boolean(create)) => Some(*create),
            _ => None,
        },
    })
}
