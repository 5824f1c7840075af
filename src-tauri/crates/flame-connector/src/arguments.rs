//! Arguments of a call, read into a connector's own types with a fault that a person can act on.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Fault, Record};

/// Records that one call may carry; more belong in a pipeline.
pub const RECORDS_MAX: usize = 10_000;

/// The connection that arguments name in `connection`, if they name one.
pub fn connection_name(arguments: &Value) -> Option<&str> {
    arguments.get("connection").and_then(Value::as_str)
}

/// Reads arguments; unknown or missing names are a validation fault that says which.
pub fn parse<T: DeserializeOwned>(operation: &str, arguments: &Value) -> Result<T, Fault> {
    T::deserialize(arguments).map_err(|error| {
        Fault::validation(format!("The arguments of {operation} are wrong: {error}."))
    })
}

/// Reads a connection's settings; what is wrong is a configuration fault.
pub fn settings<T: DeserializeOwned>(connection: &str, settings: &Value) -> Result<T, Fault> {
    T::deserialize(settings).map_err(|error| {
        Fault::configuration(format!(
            "The settings of connection {connection:?} are wrong: {error}."
        ))
    })
}

/// Where an upsert goes, and which columns tell one row from another.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpsertTarget {
    pub table: String,
    pub key: Vec<String>,
}

impl UpsertTarget {
    /// At least one key column, none twice.
    pub fn validate(&self) -> Result<(), Fault> {
        if self.key.is_empty() {
            return Err(Fault::validation(
                "`key` is empty. Name at least one column that tells one row from another.",
            ));
        }
        match self
            .key
            .iter()
            .enumerate()
            .find(|(at, column)| self.key[..*at].contains(column))
        {
            Some((_, twice)) => Err(Fault::validation(format!("`key` names {twice:?} twice."))),
            None => Ok(()),
        }
    }

    /// Every record has each key column, with a value.
    pub fn validate_record(&self, at: usize, record: &Record) -> Result<(), Fault> {
        for column in &self.key {
            let problem = match record.get(column) {
                None => "is missing",
                Some(Value::Null) => "is null",
                Some(_) => continue,
            };
            return Err(Fault::validation(format!(
                "Key column {column:?} {problem} in the record."
            ))
            .at_record(at));
        }
        Ok(())
    }
}

/// `record` or `records` of a call: exactly one of them.
pub fn records(record: Option<Record>, records: Option<Vec<Record>>) -> Result<Vec<Record>, Fault> {
    match (record, records) {
        (Some(record), None) => Ok(vec![record]),
        (None, Some(records)) if records.len() > RECORDS_MAX => Err(Fault::validation(format!(
            "{} records in one call; at most {RECORDS_MAX} are taken. Use a pipeline for more.",
            records.len()
        ))),
        (None, Some(records)) => Ok(records),
        (Some(_), Some(_)) => Err(Fault::validation(
            "`record` and `records` are both given. Give one of them.",
        )),
        (None, None) => Err(Fault::validation(
            "Neither `record` nor `records` is given. Give the row to write in `record`.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_must_be_there_once() {
        let target = |key: &[&str]| UpsertTarget {
            table: "t".into(),
            key: key.iter().map(|column| (*column).to_owned()).collect(),
        };
        assert!(target(&[]).validate().is_err());
        assert!(target(&["id", "id"]).validate().is_err());
        assert!(target(&["id", "line"]).validate().is_ok());
        let record = json!({"id": null}).as_object().cloned().unwrap();
        let fault = target(&["id"]).validate_record(3, &record).unwrap_err();
        assert_eq!(
            (fault.record, fault.kind),
            (Some(3), crate::FaultKind::Validation)
        );
    }

    #[test]
    fn exactly_one_of_record_and_records() {
        assert!(records(None, None).is_err());
        assert!(records(Some(Record::new()), Some(vec![])).is_err());
        assert_eq!(records(Some(Record::new()), None).unwrap().len(), 1);
        assert!(records(None, Some(vec![Record::new(); RECORDS_MAX + 1])).is_err());
    }

    #[test]
    fn a_fault_names_the_operation_and_the_field() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Arguments {
            #[expect(dead_code, reason = "only its presence is tested")]
            path: String,
        }
        let fault = parse::<Arguments>("file.write", &json!({"pth": "a"})).unwrap_err();
        assert!(
            fault.detail.contains("file.write") && fault.detail.contains("pth"),
            "{fault}"
        );
    }
}
