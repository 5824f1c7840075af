//! From bytes to records: rows are read, mapped and gathered into batches, on a thread of its own.

use std::sync::Arc;

use bytes::Bytes;
use flame_connector::Record;
use flame_dsl::expression::ExpressionError;
use flame_dsl::{Pipeline, PipelineSource};
use flame_errors::Code;
use flame_types::json;
use serde_json::Value;
use tokio::sync::mpsc;

use super::columns::{self, Fields};
use super::error::Error;
use super::frame::{Frame, Framer, Framing, Place};

/// Rows of one batch: one commit of the sink and one of the checkpoint.
const BATCH_ROWS_MAX: usize = 2_000;
/// Bytes of the rows of one batch.
const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Why a row was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) detail: String,
}

impl Refusal {
    fn unreadable(detail: impl Into<String>) -> Self {
        Self {
            code: Code::BodyInvalid,
            detail: detail.into(),
        }
    }

    /// The row can be read, and does not fit.
    pub(super) fn unfit(detail: impl Into<String>) -> Self {
        Self {
            code: Code::InputInvalid,
            detail: detail.into(),
        }
    }
}

/// One row that is not left out.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: u64,
    /// As it came, without its line break.
    pub(super) raw: Box<[u8]>,
    pub(super) outcome: Result<Record, Refusal>,
}

/// Rows up to a place in the file.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    /// Behind the last of them, and behind those that were left out.
    pub(super) place: Place,
    pub(super) columns: Option<Arc<[String]>>,
    /// Nothing comes behind it.
    pub(super) complete: bool,
}

/// What the reader of the body passes on.
#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Bytes),
    /// Nothing came for a while: what is gathered should not wait.
    Pause,
    /// The file has ended, not only the body.
    End,
}

/// Reads a row into a record as one pipeline says.
pub(super) struct Mapping {
    pipeline: Pipeline,
    fields: Fields,
    /// The names of the columns, once the first row was read.
    columns: Option<Arc<[String]>>,
}

impl Mapping {
    pub(super) fn new(pipeline: Pipeline, columns: Option<Arc<[String]>>) -> Self {
        let delimiter = match pipeline.source {
            PipelineSource::Csv { delimiter, .. } => delimiter,
            PipelineSource::Ndjson => b',',
        };
        Self {
            pipeline,
            fields: Fields::new(delimiter),
            columns,
        }
    }

    pub(super) fn framing(&self) -> Framing {
        match self.pipeline.source {
            PipelineSource::Csv { delimiter, .. } => Framing::Csv { delimiter },
            PipelineSource::Ndjson => Framing::Lines,
        }
    }

    /// The record of a row, or `None` where the map leaves it out.
    pub(super) fn record(&mut self, frame: &Frame<'_>) -> Result<Option<Record>, Refusal> {
        let row = self.row(frame)?;
        let mapped = match &self.pipeline.map {
            None => row,
            // The row as it is, without a copy.
            Some(map) if map.source().trim() == "." => row,
            Some(map) => map.evaluate(&row, &|_| None).map_err(|error| Refusal {
                code: match error {
                    ExpressionError::Budget { .. } => Code::ExpressionBudget,
                    _ => Code::InputInvalid,
                },
                detail: format!("the map failed: {error}"),
            })?,
        };
        match mapped {
            Value::Object(record) => Ok(Some(record)),
            Value::Null => Ok(None),
            other => Err(Refusal::unfit(format!(
                "the row gives {}, and a record is an object",
                kind_of(&other)
            ))),
        }
    }

    fn row(&mut self, frame: &Frame<'_>) -> Result<Value, Refusal> {
        let text = text_of(frame)?;
        let PipelineSource::Csv { .. } = self.pipeline.source else {
            return json::from_str(text)
                .map_err(|error| Refusal::unreadable(format!("the line is not JSON: {error}")));
        };
        let fields = self.fields.split(text);
        let columns = self.columns.as_deref().unwrap_or_default();
        if fields.len() != columns.len() {
            return Err(Refusal::unreadable(format!(
                "the row has {} columns, and the file has {}",
                fields.len(),
                columns.len()
            )));
        }
        let record: Record = columns
            .iter()
            .zip(fields)
            .map(|(name, field)| (name.clone(), Value::String(field.to_owned())))
            .collect();
        Ok(Value::Object(record))
    }

    /// Learns the columns from the first row. True where that row was a header, and no record.
    fn learn(&mut self, frame: &Frame<'_>) -> Result<bool, String> {
        let PipelineSource::Csv { header, .. } = self.pipeline.source else {
            return Ok(false);
        };
        if self.columns.is_some() {
            return Ok(false);
        }
        let text = text_of(frame).map_err(|refusal| refusal.detail)?;
        let fields = self.fields.split(text);
        let names = if header {
            columns::named(&fields)?
        } else {
            columns::numbered(fields.len())?
        };
        self.columns = Some(names.into());
        Ok(header)
    }
}

fn text_of<'f>(frame: &Frame<'f>) -> Result<&'f str, Refusal> {
    if frame.unclosed {
        return Err(Refusal::unreadable(
            "a quote opens in this line that nothing closes",
        ));
    }
    std::str::from_utf8(frame.bytes).map_err(|error| {
        Refusal::unreadable(format!(
            "the row is not UTF-8 at its byte {}; save the file as UTF-8",
            error.valid_up_to() + 1
        ))
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Reads pieces until their end and sends batches. Blocks; ends early once nobody takes batches.
pub(super) fn map_all(
    mapping: Mapping,
    place: Place,
    source_name: &str,
    pieces: mpsc::Receiver<Piece>,
    batches: mpsc::Sender<Result<Batch, Error>>,
) {
    let framer = Framer::new(mapping.framing(), place);
    let mut gathering = Gathering {
        mapping,
        framer,
        batches,
        rows: Vec::new(),
        bytes: 0,
        sent: place,
    };
    // A closed channel is no fault: its receiver has said why it went.
    if let Err(Stop::Unreadable { line, problem }) = gathering.run(pieces) {
        let source_name = source_name.to_owned();
        let error = Error::FileInvalid {
            source_name,
            line,
            problem,
        };
        let _ = gathering.batches.blocking_send(Err(error));
    }
}

/// Why gathering ended before its time.
enum Stop {
    /// Nobody takes batches any more.
    Unwanted,
    Unreadable {
        line: u64,
        problem: String,
    },
}

struct Gathering {
    mapping: Mapping,
    framer: Framer,
    batches: mpsc::Sender<Result<Batch, Error>>,
    rows: Vec<Row>,
    bytes: usize,
    /// Up to where batches were sent.
    sent: Place,
}

impl Gathering {
    fn run(&mut self, mut pieces: mpsc::Receiver<Piece>) -> Result<(), Stop> {
        while let Some(piece) = pieces.blocking_recv() {
            match piece {
                Piece::Bytes(bytes) => {
                    self.framer.push(&bytes);
                    self.gather(false)?;
                }
                Piece::Pause => self.flush(false)?,
                Piece::End => {
                    self.gather(true)?;
                    return self.flush(true);
                }
            }
        }
        self.flush(false)
    }

    fn gather(&mut self, last: bool) -> Result<(), Stop> {
        loop {
            let line = self.framer.place().line;
            let unreadable = |problem: String| Stop::Unreadable { line, problem };
            let found = self.framer.next(last);
            let Some(frame) = found.map_err(|error| unreadable(error.to_string()))? else {
                return Ok(());
            };
            if self.mapping.learn(&frame).map_err(unreadable)? {
                continue;
            }
            let outcome = self.mapping.record(&frame).transpose();
            if let Some(outcome) = outcome {
                self.bytes += frame.bytes.len();
                self.rows.push(Row {
                    line: frame.line,
                    raw: frame.bytes.into(),
                    outcome,
                });
            }
            if self.rows.len() >= BATCH_ROWS_MAX || self.bytes >= BATCH_BYTES_MAX {
                self.flush(false)?;
            }
        }
    }

    fn flush(&mut self, complete: bool) -> Result<(), Stop> {
        let place = self.framer.place();
        if place == self.sent && !complete {
            return Ok(());
        }
        self.sent = place;
        self.bytes = 0;
        let columns = self.mapping.columns.clone();
        let batch = Batch {
            rows: std::mem::take(&mut self.rows),
            place,
            columns,
            complete,
        };
        self.batches
            .blocking_send(Ok(batch))
            .map_err(|_| Stop::Unwanted)
    }
}
