//! `call: a2a`: against the SDK of the protocol, which speaks 0.3 and 1.0, and against agents that misbehave.

use std::time::Duration;

use flame_agent::runtime::Handle;
use flame_testkit::Counterpart;
use serde_json::{Value, json};

use super::{call, fault};
use crate::runtime::{deploy, open, output, run};
use crate::server::{Server, answer, json as answers};

fn to(card: &str, method: &str, parameters: &str) -> String {
    let parameters = match parameters {
        "" => String::new(),
        parameters => format!("\nparameters: {parameters}"),
    };
    call(
        "a2a",
        &format!("agentCard: {{ endpoint: '{card}' }}\nmethod: {method}{parameters}"),
    )
}

/// A message, and how it is to be answered, in the words of 0.3.
fn saying(text: &str, configuration: &str) -> String {
    format!(
        "{{ message: {{ kind: message, messageId: '${{ .id }}', role: user, parts: [{{ kind: text, text: '{text}' }}] }}, \
         configuration: {configuration} }}"
    )
}

/// What is asked of the SDK in one version.
struct Asked<'h> {
    handle: &'h Handle,
    card: String,
}

impl Asked<'_> {
    async fn answer(&self, method: &str, parameters: &str, id: &str) -> Value {
        let tasks = to(&self.card, method, parameters);
        let workflow = deploy(self.handle, "ask", &tasks).await;
        output(&run(self.handle, &workflow, json!({ "id": id })).await)
    }

    async fn refusal(&self, method: &str, parameters: &str, id: &str) -> String {
        let tasks = to(&self.card, method, parameters);
        let (kind, detail) = fault(self.handle, &tasks, json!({ "id": id })).await;
        assert_eq!(kind, "communication", "{method}: {detail}");
        detail
    }

    /// The id of a task that is at work until somebody follows or cancels it.
    async fn held(&self, message: &str) -> String {
        let configuration = "{ blocking: false, acceptedOutputModes: [text], \
                             pushNotificationConfig: { id: sent, url: 'http://127.0.0.1:9/' } }";
        let parameters = saying("hold", configuration);
        let task = self.answer("message/send", &parameters, message).await;
        text_at(&task, &["/id", "/task/id"])
    }

    async fn messages_and_tasks(&self, has_list: bool) {
        let said = self
            .answer("message/send", &saying("größe", "{}"), "m1")
            .await;
        let text = text_at(&said, &["/parts/0/text", "/message/parts/0/text"]);
        assert_eq!(text, "heard größe");
        let events = self
            .answer("message/stream", &saying("work", "{}"), "m2")
            .await;
        assert_eq!(events.as_array().map(Vec::len), Some(3), "{events}");
        assert_eq!(end_of(&events), "completed");
        let task = text_at(&events[0], &["/id", "/task/id"]);

        let got = self.answer("tasks/get", BY_ID, &task).await;
        assert_eq!(got["id"], task.as_str());
        let gone = self.refusal("tasks/get", BY_ID, "none").await;
        assert!(
            gone.contains("tasks/get was answered with error -32001"),
            "{gone}"
        );
        let context = text_at(&got, &["/contextId"]);
        let parameters = "{ contextId: '${ .id }', status: completed }";
        if has_list {
            let listed = self.answer("tasks/list", parameters, &context).await;
            assert_eq!(listed["tasks"][0]["id"], task.as_str(), "{listed}");
            assert_eq!(listed["totalSize"], 1, "{listed}");
            let others = "{ contextId: '${ .id }', status: input-required }";
            let listed = self.answer("tasks/list", others, &context).await;
            assert_eq!(listed["tasks"], json!([]), "{listed}");
        } else {
            // 0.3 has it in its other bindings alone.
            let refused = self.refusal("tasks/list", parameters, &context).await;
            assert!(refused.contains("error -32601"), "{refused}");
        }

        let held = self.held("m3").await;
        let events = self.answer("tasks/resubscribe", BY_ID, &held).await;
        assert_eq!(text_at(&events[0], &["/id", "/task/id"]), held);
        assert_eq!(end_of(&events), "completed");
        let held = self.held("m4").await;
        let cancelled = self.answer("tasks/cancel", BY_ID, &held).await;
        assert_eq!(state(&cancelled), "canceled");
        let ended = self.refusal("tasks/cancel", BY_ID, &held).await;
        assert!(ended.contains("error -32002"), "{ended}");
    }

    async fn notifications(&self) {
        const METHODS: &str = "tasks/pushNotificationConfig";
        let task = self.held("m5").await;
        let answer =
            async |method: &str, parameters: &str| self.answer(method, parameters, &task).await;
        let set = "{ taskId: '${ .id }', pushNotificationConfig: { id: set, url: 'http://127.0.0.1:9/set', \
                   token: t, authentication: { schemes: [Bearer], credentials: c } } }";
        let one = "{ id: '${ .id }', pushNotificationConfigId: set }";
        for (method, parameters) in [("set", set), ("get", one)] {
            let config = answer(&format!("{METHODS}/{method}"), parameters).await;
            assert_eq!(text_at(&config, &["/taskId"]), task);
            // 1.0 has no object of its own for it, and one scheme.
            let config = config.get("pushNotificationConfig").unwrap_or(&config);
            assert_eq!(
                (&config["id"], &config["url"], &config["token"]),
                (&json!("set"), &json!("http://127.0.0.1:9/set"), &json!("t"))
            );
            let authentication = &config["authentication"];
            assert_eq!(
                text_at(authentication, &["/schemes/0", "/scheme"]),
                "Bearer"
            );
            assert_eq!(authentication["credentials"], "c");
        }
        let list = format!("{METHODS}/list");
        assert_eq!(ids(&answer(&list, BY_ID).await), ["sent", "set"]);
        let deleted = answer(&format!("{METHODS}/delete"), one).await;
        assert_eq!(deleted, Value::Null);
        assert_eq!(ids(&answer(&list, BY_ID).await), ["sent"]);
    }
}

const BY_ID: &str = "{ id: '${ .id }' }";

/// The text at the place where one of the versions has it.
fn text_at(value: &Value, places: &[&str]) -> String {
    let found = places.iter().find_map(|place| value.pointer(place));
    let text = found.and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{places:?} in {value}"))
        .to_owned()
}

/// `completed` of 0.3, and `TASK_STATE_COMPLETED` of 1.0.
fn state(value: &Value) -> String {
    let places = ["/status/state", "/statusUpdate/status/state"];
    let state = text_at(value, &places).to_lowercase();
    state.trim_start_matches("task_state_").to_owned()
}

fn end_of(events: &Value) -> String {
    state(events.as_array().and_then(|events| events.last()).unwrap())
}

/// The ids of a list of configurations, in alphabetical order.
fn ids(list: &Value) -> Vec<&str> {
    let configurations = list.get("configs").unwrap_or(list).as_array().unwrap();
    let ids = configurations.iter().map(|config| {
        let config = config.get("pushNotificationConfig").unwrap_or(config);
        config["id"].as_str().unwrap()
    });
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_answers_every_method_in_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let Some(agent) = Counterpart::a2a() else {
        return;
    };
    let handle = open(folder.path()).await;
    for (version, has_list) in [("0.3", false), ("1.0", true)] {
        let asked = Asked {
            handle: &handle,
            card: format!("{}{version}.json", agent.address()),
        };
        asked.messages_and_tasks(has_list).await;
        asked.notifications().await;
        let method = "agent/getAuthenticatedExtendedCard";
        let card = asked.answer(method, "", "").await;
        assert_eq!(card["name"], "Echo for those it knows");
    }
    handle.drain(Duration::ZERO).await;
}

#[tokio::test]
async fn what_an_agent_does_wrong_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    for (card, kind, expected) in [
        (
            answer("200 OK", "text/html", "<html>"),
            "configuration",
            "the card is not JSON",
        ),
        (
            answers("200 OK", "{}"),
            "configuration",
            "no address for JSON-RPC",
        ),
        (
            answers("404 Not Found", "{}"),
            "communication",
            "answered 404",
        ),
        (
            answers("200 OK", r#"{"url": "http://127.0.0.2:9/"}"#),
            "authorization",
            "private address",
        ),
    ] {
        let server = Server::saying(card).await;
        let tasks = to(
            &server.url("/card.json"),
            "message/send",
            &saying("hi", "{}"),
        );
        let (found, detail) = fault(&handle, &tasks, json!({"id": "m"})).await;
        assert_eq!(found, kind, "{detail}");
        assert!(detail.contains(expected), "{detail}");
    }
    for (wrong, expected) in [
        (
            answer("200 OK", "text/html", "<html>"),
            "is the address right?",
        ),
        (answers("200 OK", "[{}]"), "JSON that is no object"),
    ] {
        let page = Server::saying(wrong).await;
        let tasks = call(
            "a2a",
            &format!(
                "server: '{}'\nmethod: tasks/get\nparameters: {{ id: a }}",
                page.url("/")
            ),
        );
        let (kind, detail) = fault(&handle, &tasks, Value::Null).await;
        assert_eq!(kind, "communication");
        assert!(detail.contains(expected), "{detail}");
        assert!(page.asked()[0].header("idempotency-key").is_some());
        assert!(page.asked()[0].body.contains("\"tasks/get\""));
    }
    handle.drain(Duration::ZERO).await;
}
