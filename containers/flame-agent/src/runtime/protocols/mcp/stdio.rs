//! MCP over the standard input and output of a program, which the agent starts where it may: each message is
//! a line.

use flame_engine::{Error, StandardError};
use flame_types::json;
use serde_json::Value;

use super::super::{Caller, texts};
use super::{Heard, heard};
use crate::runtime::process::Conversation;

pub(super) struct Session<'c> {
    command: String,
    program: Conversation<'c>,
}

/// The program of a call over stdio.
pub(super) fn command(arguments: &Value) -> Option<&str> {
    arguments["transport"]["stdio"]["command"].as_str()
}

impl<'c> Session<'c> {
    pub(super) async fn open(caller: &'c Caller<'c>, arguments: &Value) -> Result<Self, Error> {
        let command = command(arguments).unwrap_or_default();
        let stdio = &arguments["transport"]["stdio"];
        let values = stdio["arguments"].as_array();
        let given: Vec<String> = values
            .into_iter()
            .flatten()
            .map(|value| {
                let text = value.as_str().map(str::to_owned);
                text.unwrap_or_else(|| value.to_string())
            })
            .collect();
        let environment = texts(&stdio["environment"]);
        let program = caller
            .processes
            .converse(
                caller.workflow,
                caller.task,
                caller.key,
                command,
                &given,
                &environment,
            )
            .await?;
        Ok(Self {
            command: command.to_owned(),
            program,
        })
    }

    pub(super) async fn tell(&mut self, message: &Value) {
        self.program.say(&message.to_string()).await;
    }

    pub(super) async fn ask(&mut self, id: u64, request: &Value) -> Result<Value, Error> {
        self.tell(request).await;
        while let Some(line) = self.program.hear().await? {
            let message: Value = json::from_str(&line).map_err(|_| {
                let line: String = line.trim_end().chars().take(120).collect();
                self.failed(&format!(
                    "it wrote {line:?}, which is no message of MCP, to its standard output"
                ))
            })?;
            match heard(&message, id) {
                Heard::Answer => return Ok(message),
                Heard::Question(reply) => self.tell(&reply).await,
                Heard::Note => {}
            }
        }
        let said = self.program.errors().await;
        Err(match said.as_str() {
            "" => self.failed("it ended before it answered"),
            said => self.failed(&format!("it ended before it answered, and said: {said}")),
        })
    }

    pub(super) fn server(&self) -> &str {
        &self.command
    }

    pub(super) async fn end(self) {
        self.program.end().await;
    }

    fn failed(&self, detail: &str) -> Error {
        StandardError::Communication.with(
            "The MCP server can't be talked to",
            format!("{:?}: {detail}", self.command),
        )
    }
}
