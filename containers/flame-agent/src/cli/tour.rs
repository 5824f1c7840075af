//! `tour`: the Orders sample, once, through a real agent on loopback, told on the terminal.
//!
//! For a machine without a display: every task with its input and output, then the rows it wrote.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::loopback::{Ask, exchange};
use super::{Exit, stopped, terminal};
use crate::http::{AllowLists, Listener, Server, ServerOptions, Token};
use crate::runtime::{Handle, Options};

const ORDERS: &str =
    include_str!("../../../../src-tauri/crates/flame-workspace/samples/orders.yaml");
const ORDER: &str =
    include_str!("../../../../src-tauri/crates/flame-workspace/samples/orders.input.json");
const ADDRESS: &str = "/api/v1/workflows/samples/orders/1.0.0";

/// Far longer than the sample takes, retries included.
const PATIENCE: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(5);
const ROWS_MAX: usize = 20;

pub(super) async fn tour() -> Exit {
    match try_tour().await {
        Ok(exit) => exit,
        Err(detail) => {
            terminal::complain(&detail);
            Exit::Stopped
        }
    }
}

/// The agent as the tour talks to it.
struct Guide {
    port: u16,
    bearer: String,
}

async fn try_tour() -> Result<Exit, String> {
    let folder = tempfile::Builder::new()
        .prefix("flame-agent-tour-")
        .tempdir()
        .map_err(|error| format!("a temporary folder can't be made: {error}"))?;
    let coded = |error: crate::http::Error| format!("{}: {error}", error.code());
    let listener = Listener::bind(([127, 0, 0, 1], 0).into())
        .await
        .map_err(coded)?;
    let address = listener.address();
    let lists = AllowLists::new(address, &[], &[]).map_err(coded)?;
    let options = Options::new(folder.path());
    let databases = options.databases_folder.clone();
    let runtime = Handle::open(options).await.map_err(stopped)?;
    let token = Token::make(folder.path()).map_err(coded)?;
    let bearer = std::fs::read_to_string(token.file())
        .map_err(|error| format!("{} can't be read: {error}", token.file().display()))?;
    let options = ServerOptions {
        token,
        lists,
        runtime: runtime.clone(),
    };
    let server = Server::new(listener, options);
    let (stop, mut stopping) = watch::channel(false);
    let serving = tokio::spawn(async move {
        // An error means that the tour is over too.
        server
            .serve(async move { drop(stopping.wait_for(|stop| *stop).await) })
            .await;
    });
    let guide = Guide {
        port: address.port(),
        bearer: format!("Bearer {}", bearer.trim()),
    };
    let outcome = guide.show(&databases).await;
    // The receiver lives as long as the server.
    let _ = stop.send(true);
    runtime.drain(DRAIN).await;
    // A server that panicked has nothing to say that the tour did not find out.
    let _ = serving.await;
    outcome
}

impl Guide {
    async fn show(&self, databases: &Path) -> Result<Exit, String> {
        terminal::print(&format!(
            "The flame-agent serves on http://127.0.0.1:{}",
            self.port
        ));
        self.ask("PUT", ADDRESS, "application/yaml", ORDERS).await?;
        terminal::print("Orders is deployed. An order goes to its webhook, POST /hooks/orders:\n");
        terminal::print(&indented(ORDER.trim()));
        let accepted = self
            .ask("POST", "/hooks/orders", "application/json", ORDER)
            .await?;
        let run = accepted["runId"]
            .as_str()
            .ok_or("the webhook gave no run id")?
            .to_owned();
        let path = format!("/api/v1/runs/{run}");
        let ended = self.ended(&path).await?;
        let journal = self.read(&format!("{path}/journal?limit=500")).await?;
        for entry in journal["items"].as_array().into_iter().flatten() {
            tell(entry);
        }
        let status = ended["status"].as_str().unwrap_or_default().to_owned();
        terminal::print(&format!("\nRun {run} {status}."));
        if let Some(error) = ended.get("error") {
            terminal::print(&indented(&pretty(error)));
        }
        rows(databases)?;
        Ok(if status == "completed" {
            Exit::Done
        } else {
            Exit::Faulted
        })
    }

    /// Follows the run's stream to its end, and gives the run.
    async fn ended(&self, path: &str) -> Result<Value, String> {
        let ask = Ask {
            method: "GET",
            path: &format!("{path}/events"),
            headers: &[
                ("Authorization", &self.bearer),
                ("Accept", "text/event-stream"),
            ],
            body: "",
        };
        exchange("127.0.0.1", self.port, &ask, PATIENCE).await?;
        self.read(path).await
    }

    async fn read(&self, path: &str) -> Result<Value, String> {
        let headers = [("Authorization", self.bearer.as_str())];
        let ask = Ask {
            headers: &headers,
            ..Ask::get(path)
        };
        exchange("127.0.0.1", self.port, &ask, PATIENCE)
            .await?
            .json(path)
    }

    async fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> Result<Value, String> {
        let headers = [
            ("Authorization", self.bearer.as_str()),
            ("Content-Type", kind),
        ];
        let ask = Ask {
            method,
            path,
            headers: &headers,
            body,
        };
        exchange("127.0.0.1", self.port, &ask, PATIENCE)
            .await?
            .json(path)
    }
}

/// What a person wants to see of a journal entry: tasks, what went in, what came out.
fn tell(entry: &Value) {
    let name = entry["name"].as_str().unwrap_or_default();
    let (title, field) = match entry["type"].as_str() {
        Some("taskStarted") => (format!("> {name}"), "input"),
        Some("taskCompleted") => (format!("< {name}"), "output"),
        Some("taskSkipped") => (format!("- {name}, skipped"), "input"),
        Some("taskFaulted") => (format!("! {name}, faulted"), "error"),
        Some("errorCaught") => (format!("! {name}, the error was caught"), "error"),
        Some("retryScheduled") => (format!("! {name}, tried again"), "error"),
        _ => return,
    };
    let kind = entry["taskKind"]
        .as_str()
        .map(|kind| format!("  ({kind})"))
        .unwrap_or_default();
    terminal::print(&format!("\n{title}{kind}  {field}"));
    if let Some(value) = entry.get(field) {
        terminal::print(&indented(&pretty(value)));
    }
}

fn rows(databases: &Path) -> Result<(), String> {
    let file = databases.join("orders.db");
    let found = connector_sqlite::rows(&file, "orders", ROWS_MAX)
        .map_err(|fault| format!("the rows can't be read: {}", fault.detail))?;
    terminal::print("\nRows in orders.db, table orders:\n");
    for row in found {
        terminal::print(&indented(&pretty(&Value::Object(row))));
    }
    Ok(())
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
