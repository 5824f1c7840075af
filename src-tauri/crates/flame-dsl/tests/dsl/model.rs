//! What the reader makes of a document that has every construct.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect;
use flame_dsl::{
    Backoff, DocumentKind, DurationSource, Endpoint, Flow, Format, HttpOutput, PipelineSource,
    Schedule, Task, TaskKind, TaskList, Template, WebhookAnswer, WebhookProtection, Workflow,
    document_kind, parse, parse_pipeline, to_json,
};

const EVERYTHING: &str = include_str!("fixtures/everything.yaml");
const PIPELINE: &str = include_str!("fixtures/pipeline.yaml");

fn everything() -> Workflow {
    parse(EVERYTHING, Format::Yaml).unwrap()
}

fn outline(list: &TaskList, out: &mut String) {
    for Task {
        reference,
        kind,
        then,
        ..
    } in &list.0
    {
        let then = if *then == Flow::Continue {
            String::new()
        } else {
            format!(" then {then:?}")
        };
        writeln!(out, "{reference}: {}{then}", kind.name()).unwrap();
        match kind {
            TaskKind::Do(list) => outline(list, out),
            TaskKind::For(task) => outline(&task.tasks, out),
            TaskKind::Fork(fork) => outline(&fork.branches, out),
            TaskKind::Try(task) => {
                outline(&task.tasks, out);
                if let Some(tasks) = &task.catch.tasks {
                    outline(tasks, out);
                }
                if let Some(then) = task.catch.then {
                    writeln!(out, "{reference}: caught {then:?}").unwrap();
                }
            }
            TaskKind::Switch(cases) => {
                for case in cases {
                    let when = case.when.as_ref().map_or("else", |when| when.source());
                    writeln!(out, "{reference}: {}: {when} -> {:?}", case.name, case.then).unwrap();
                }
            }
            _ => {}
        }
    }
}

#[test]
fn references_are_json_pointers_and_flows_are_places() {
    let workflow = everything();
    let mut text = String::new();
    outline(&workflow.tasks, &mut text);
    expect![[r#"
        /do/0/prepare: set
        /do/1/choose: switch
        /do/1/choose: many: .count > 1000 -> To(2)
        /do/1/choose: none: .count == 0 -> End
        /do/1/choose: default: else -> To(3)
        /do/2/refuse: raise
        /do/3/work: for
        /do/3/work/do/0/send: try
        /do/3/work/do/0/send/try/0/post: call http
        /do/3/work/do/0/send/try/1/again: call http
        /do/3/work/do/0/send/catch/do/0/undo: set
        /do/3/work/do/0/send: caught To(1)
        /do/3/work/do/1/rest: wait
        /do/3/work/do/2/fallback: try
        /do/3/work/do/2/fallback/try/0/nothing: do
        /do/3/work/do/2/fallback/try/0/nothing/do/0/inner: set then Exit
        /do/4/side: fork
        /do/4/side/fork/branches/0/left: wait
        /do/4/side/fork/branches/1/right: do
        /do/4/side/fork/branches/1/right/do/0/wait: wait
        /do/5/listed: for
        /do/6/tell: emit
        /do/7/store: call function
        /do/8/copy: call function
        /do/9/write: call function
        /do/10/hear: listen
        /do/11/gather: listen
        /do/12/drain: listen
        /do/13/approve: listen
        /do/14/fail: raise
        /do/15/described: call openapi
        /do/16/local: call openapi
        /do/17/greet: call grpc
        /do/18/tools: call mcp
        /do/19/program: call mcp
        /do/20/agent: call a2a
        /do/21/image: run container
        /do/22/code: run script
        /do/23/fetched: run script
        /do/24/command: run shell
        /do/25/child: run workflow
        /do/26/publish: call asyncapi
        /do/27/receive: call asyncapi
        /do/28/receiveWhile: call asyncapi
        /do/29/receiveUntil: call asyncapi
    "#]]
    .assert_eq(&text);
    for line in text.lines() {
        let (pointer, _) = line.split_once(": ").unwrap();
        assert!(workflow.definition.pointer(pointer).is_some(), "{pointer}");
    }
}

fn task<'w>(workflow: &'w Workflow, name: &str) -> &'w Task {
    workflow
        .tasks
        .0
        .iter()
        .find(|task| &*task.name == name)
        .unwrap()
}

#[test]
fn the_head_is_read() {
    let workflow = everything();
    assert_eq!(workflow.id.to_string(), "shop/everything/2.1.0-rc.1");
    assert_eq!(workflow.title.as_deref(), Some("Everything"));
    assert!(workflow.input.schema.is_some() && workflow.output.transform.is_some());
    assert!(
        matches!(workflow.timeout, Some(DurationSource::Fixed(t)) if t.fixed() == Some(Duration::from_secs(3_600)))
    );
    let Some(Schedule::Cron(cron)) = &workflow.schedule else {
        panic!("no schedule")
    };
    assert_eq!(&**cron, "CRON_TZ=Europe/Berlin 30 7 * * MON-FRI");
    let webhook = workflow.webhook.unwrap();
    assert_eq!(
        (webhook.path.as_str(), webhook.method.as_str()),
        ("shop/everything", "POST")
    );
    assert_eq!(webhook.answer, WebhookAnswer::Output);
    let connection = "shop-hooks".to_owned();
    assert_eq!(
        webhook.protection,
        WebhookProtection::StandardWebhooks { connection }
    );
}

#[test]
fn schemas_validate() {
    let schema = everything().input.schema.unwrap();
    assert!(schema.check(&serde_json::json!({"orders": []}), 1).is_ok());
    assert!(schema.check(&serde_json::json!({"orders": {}}), 1).is_err());
}

#[test]
fn calls_and_policies_are_read() {
    let workflow = everything();
    let TaskKind::For(each) = &task(&workflow, "work").kind else {
        panic!("not a for")
    };
    assert_eq!((&*each.each, &*each.at), ("order", "position"));
    let TaskKind::Try(send) = &each.tasks.0[0].kind else {
        panic!("not a try")
    };
    let TaskKind::CallHttp(post) = &send.tasks.0[0].kind else {
        panic!("not a call")
    };
    assert!(matches!(&post.endpoint, Endpoint::UriTemplate(uri) if uri.ends_with("{id}{?trace*}")));
    assert_eq!((post.output, post.redirect), (HttpOutput::Response, false));
    let TaskKind::CallHttp(again) = &send.tasks.0[1].kind else {
        panic!("not a call")
    };
    assert!(matches!(&again.endpoint, Endpoint::Expression(_)));
    let retry = send.catch.retry.as_ref().unwrap();
    assert_eq!(
        (retry.backoff, retry.attempts_max),
        (Backoff::Linear, Some(3))
    );
    assert_eq!(send.catch.filter.detail.as_deref(), Some("It failed"));
    let TaskKind::Try(fallback) = &each.tasks.0[2].kind else {
        panic!("not a try")
    };
    let patient = fallback.catch.retry.as_ref().unwrap();
    assert_eq!(
        patient.when.as_ref().unwrap().source(),
        "$error.status == 503"
    );
    assert!(patient.jitter.is_some() && patient.duration_max.is_some());
    let TaskKind::CallFunction(store) = &task(&workflow, "store").kind else {
        panic!("not a call")
    };
    assert_eq!(
        (&*store.connector, &*store.operation, &*store.version),
        ("sqlite", "upsert", "1.0.0")
    );
}

#[test]
fn templates_tell_text_from_expressions() {
    let workflow = everything();
    let TaskKind::Set(Template::Object(members)) = &task(&workflow, "prepare").kind else {
        panic!("not an object")
    };
    assert!(matches!(members[0].1, Template::Expression(_)));
    assert!(matches!(&members[1].1, Template::Text(parts) if parts.len() == 5));
    let TaskKind::For(listed) = &task(&workflow, "listed").kind else {
        panic!("not a for")
    };
    assert!(
        matches!(&listed.items, Template::Array(items) if matches!(items[0], Template::Literal(_)))
    );
}

#[test]
fn yaml_and_json_of_one_document_are_the_same_workflow() {
    let workflow = everything();
    let json = to_json(EVERYTHING, Format::Yaml).unwrap();
    for text in [json.to_string(), format!("{json:#}")] {
        let other = parse(&text, Format::Json).unwrap();
        assert_eq!(other.hash, workflow.hash);
        assert_eq!(other.definition, workflow.definition);
    }
    let windows = EVERYTHING.replace('\n', "\r\n");
    assert_eq!(
        parse(&format!("\u{feff}{windows}"), Format::Yaml)
            .unwrap()
            .hash,
        workflow.hash
    );
    let other = parse(&EVERYTHING.replace("Everything", "Something"), Format::Yaml).unwrap();
    assert_ne!(other.hash, workflow.hash);
}

#[test]
fn pipelines_are_read() {
    assert_eq!(
        document_kind(PIPELINE, Format::Yaml),
        DocumentKind::Pipeline
    );
    assert_eq!(
        document_kind(EVERYTHING, Format::Yaml),
        DocumentKind::Workflow
    );
    assert_eq!(document_kind("{", Format::Yaml), DocumentKind::Workflow);
    let pipeline = parse_pipeline(PIPELINE, Format::Yaml).unwrap();
    assert_eq!(
        pipeline.source,
        PipelineSource::Csv {
            delimiter: b';',
            header: true
        }
    );
    let row = serde_json::json!({"id": "7", "name": "Ada", "email": "ADA@EXAMPLE.COM"});
    let record = pipeline.map.unwrap().evaluate(&row, &|_| None).unwrap();
    assert_eq!(
        record,
        serde_json::json!({"id": 7, "name": "Ada", "email": "ada@example.com"})
    );
    assert_eq!(pipeline.watch.unwrap().pattern, "*.csv");
    let arguments = serde_json::json!(
        {"table": "customers", "key": ["id"], "database": "customers.db", "create": true}
    );
    assert_eq!(pipeline.sink.arguments(), arguments);
}
