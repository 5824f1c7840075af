//! What the command line pins, mocks and runs alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use flame_engine::{Error, Mock, MockAnswer, TestPlan};
use serde_json::Value;

use super::source;

/// Options that make the run a test.
#[derive(Debug, Args)]
#[command(next_help_heading = "Test options")]
pub(super) struct Test {
    /// Do not execute this task: it gives this JSON, or that of @FILE
    #[arg(long, value_name = "TASK=JSON")]
    pin: Vec<String>,
    /// Do not make this call (a task, the beginning of a URL, or a function such as sqlite.upsert): it
    /// gives this JSON, or that of @FILE
    #[arg(long, value_name = "CALL=JSON")]
    mock: Vec<String>,
    /// The same with the error that the call faults with, such as {"type": "...", "status": 503}
    #[arg(long, value_name = "CALL=JSON")]
    mock_error: Vec<String>,
    /// Run this task alone, such as /do/2/charge; --input flows into it
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// $context at the beginning: JSON or @FILE
    #[arg(long, value_name = "JSON")]
    context: Option<String>,
}

impl Test {
    /// `None` where nothing makes the run a test.
    pub(super) fn plan(&self) -> Result<Option<TestPlan>, String> {
        let mut pins = BTreeMap::new();
        for given in &self.pin {
            let (task, output) = pair("--pin", given)?;
            pins.insert(task, Arc::new(output));
        }
        let mut mocks = Vec::new();
        for given in &self.mock {
            let (call, output) = pair("--mock", given)?;
            let answer = MockAnswer::Output(Arc::new(output));
            mocks.push(Mock { call, answer });
        }
        for given in &self.mock_error {
            let (call, error) = pair("--mock-error", given)?;
            let error: Error = serde_json::from_value(error).map_err(|error| {
                format!("--mock-error {call} is no error: {error}; it needs a type and a status")
            })?;
            let answer = MockAnswer::Error(error);
            mocks.push(Mock { call, answer });
        }
        let context = self
            .context
            .as_deref()
            .map(|given| source::json("--context", given))
            .transpose()?;
        let plan = TestPlan {
            pins,
            mocks,
            task: self.task.clone(),
            context: context.map(Arc::new),
        };
        Ok((plan != TestPlan::default()).then_some(plan))
    }
}

/// What stands before the equals sign, and the JSON behind it. A URL may have such signs too, so that the
/// last one counts behind which there is JSON or a file.
fn pair(option: &str, given: &str) -> Result<(String, Value), String> {
    let mut problem = format!("{option} {given:?} has no `=`; write NAME=JSON or NAME=@FILE");
    for (at, _) in given.match_indices('=') {
        match source::json(option, &given[at + 1..]) {
            Ok(value) => return Ok((given[..at].to_owned(), value)),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::pair;

    #[test]
    fn a_name_may_have_equals_signs_and_json_too() {
        for (given, name, value) in [
            ("/do/0/x=1", "/do/0/x", json!(1)),
            (
                "http://h/?a=b={\"c\": \"d=e\"}",
                "http://h/?a=b",
                json!({"c": "d=e"}),
            ),
        ] {
            assert_eq!(pair("--pin", given).unwrap(), (name.to_owned(), value));
        }
        assert!(pair("--pin", "/do/0/x").unwrap_err().contains("no `=`"));
        assert!(
            pair("--pin", "/do/0/x=nope")
                .unwrap_err()
                .contains("not JSON")
        );
        assert!(
            pair("--pin", "/do/0/x=@/no/such/file")
                .unwrap_err()
                .contains("/no/such/file")
        );
    }
}
