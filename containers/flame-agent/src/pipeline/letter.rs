//! Dead letters of pipelines: how a refused row is kept, edited and sent again.

use flame_agent_api::media;
use flame_connector::Sink;
use flame_dsl::{Pipeline, PipelineSource};
use flame_errors::Code;
use flame_store::{DeadLetter, DeadLetterState, Feed};
use flame_types::{Namespace, Timestamp, WorkflowName};
use serde_json::{Value, json};

use super::error::Error;
use super::frame::{Framer, Place, RECORD_BYTES_MAX};
use super::mapping::{Mapping, Refusal};
use super::write::write_around;

/// Where dead letters of a pipeline come from, as the store knows it.
pub(super) fn origin(namespace: &str, name: &str) -> String {
    format!("pipeline/{namespace}/{name}")
}

/// The pipeline that a dead letter belongs to.
pub(super) fn pipeline_of(letter: &DeadLetter) -> Result<(Namespace, WorkflowName), Error> {
    let parse = || {
        let (namespace, name) = letter.origin.strip_prefix("pipeline/")?.split_once('/')?;
        Some((namespace.parse().ok()?, name.parse().ok()?))
    };
    parse().ok_or_else(|| Error::Internal {
        detail: format!(
            "dead letter {} is of {:?}, and no pipeline has that name",
            letter.id, letter.origin
        ),
    })
}

/// A row that was refused. The store gives the id.
pub(super) fn new(
    pipeline: &Pipeline,
    feed: &Feed,
    line: u64,
    raw: Vec<u8>,
    refusal: &Refusal,
    now: Timestamp,
) -> DeadLetter {
    let content_type = match pipeline.source {
        PipelineSource::Csv { .. } => media::CSV,
        PipelineSource::Ndjson => media::JSON,
    };
    DeadLetter {
        id: 0,
        origin: origin(pipeline.namespace.as_str(), pipeline.name.as_str()),
        payload: String::from_utf8_lossy(&raw).into_owned().into_bytes(),
        original: raw,
        content_type: content_type.to_owned(),
        error: error_of(refusal),
        detail: json!({
            "identity": feed.source,
            "source": feed.detail["name"],
            "line": line,
            "columns": feed.detail["columns"],
        }),
        state: DeadLetterState::Open,
        attempts: 1,
        revision: 1,
        created: now,
        updated: now,
    }
}

fn error_of(refusal: &Refusal) -> Value {
    json!({ "code": refusal.code, "detail": refusal.detail })
}

/// The letter with another record.
pub(super) fn edited(
    before: &DeadLetter,
    record: &str,
    now: Timestamp,
) -> Result<DeadLetter, Error> {
    if record.len() > RECORD_BYTES_MAX {
        let problem = format!(
            "it has {} bytes; a row has at most {RECORD_BYTES_MAX}",
            record.len()
        );
        return Err(Error::ParameterInvalid {
            what: "record",
            problem,
        });
    }
    let mut letter = before.clone();
    letter.payload = record.as_bytes().to_vec();
    letter.revision += 1;
    letter.updated = now;
    Ok(letter)
}

/// The letter after it was refused once more.
pub(super) fn refused(before: &DeadLetter, refusal: Refusal, now: Timestamp) -> DeadLetter {
    let mut letter = before.clone();
    letter.error = error_of(&refusal);
    letter.attempts = letter.attempts.saturating_add(1);
    letter.revision += 1;
    letter.updated = now;
    letter
}

/// Sends the record through map and sink; `None` where it went through. Fails where the sink takes
/// no record at all.
pub(super) async fn send(
    letter: &DeadLetter,
    pipeline: Pipeline,
    sink: &mut dyn Sink,
) -> Result<Option<Refusal>, Error> {
    let columns: Option<Vec<String>> =
        serde_json::from_value(letter.detail["columns"].clone()).unwrap_or_default();
    let mut mapping = Mapping::new(pipeline, columns.map(Into::into));
    let record = match one_record(&mut mapping, &letter.payload) {
        Ok(Some(record)) => record,
        Ok(None) => return Ok(None),
        Err(refusal) => return Ok(Some(refusal)),
    };
    let refused = write_around(sink, &[record]).await.map_err(Error::Sink)?;
    Ok(refused
        .into_iter()
        .next()
        .map(|(_, fault)| Refusal::unfit(fault.detail)))
}

fn one_record(
    mapping: &mut Mapping,
    payload: &[u8],
) -> Result<Option<flame_connector::Record>, Refusal> {
    let several = || Refusal {
        code: Code::BodyInvalid,
        detail: "it is not one row".to_owned(),
    };
    let mut framer = Framer::new(mapping.framing(), Place { offset: 0, line: 1 });
    framer.push(payload);
    let found = framer.next(true).map_err(|error| Refusal {
        code: Code::BodyInvalid,
        detail: error.to_string(),
    })?;
    let record = mapping.record(&found.ok_or_else(several)?)?;
    match framer.next(true) {
        Ok(None) => Ok(record),
        _ => Err(several()),
    }
}
