//! Every point at which a crash is told apart from one at another: what is on disk there, what the agent does
//! in the next life, and what the outside sees of it.
//!
//! A decision is one commit, so that several points of the list fall together: a run is enqueued, claimed and has
//! its first intent in the commit that its start is answered after; a result, what follows from it and the next
//! intent are one commit, and so are the end of a compensation and the beginning of the next, and the last result
//! and the run's end. Before and after a commit are the write of its page and its fsync: dead at the fsync, the
//! agent has left the transaction whole to the kernel. (That what it answers is synced before is for
//! `promises.rs` to show.)

use flame_types::RunStatus;

use super::scenario::{Document, Step};
use super::trace::Place::{
    self, Answered, Copied, Following, Heard, Kept, Read, Sent, Synced, Told, Written,
};

/// One way through an agent's life, and the points on it.
pub(super) struct Scenario {
    /// Deployed before.
    pub(super) documents: &'static [Document],
    pub(super) steps: &'static [Step],
    /// Workflow and status of the runs in the end.
    pub(super) runs: &'static [(&'static str, RunStatus)],
    /// Paths that the partner is asked for under one key each, in this order, and how often in a life that
    /// nothing ends.
    pub(super) effects: &'static [(&'static str, usize)],
    pub(super) points: &'static [Point],
    pub(super) folder: Folder,
}

/// Where a life begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Folder {
    /// With what an agent left that ended in order.
    Orderly,
    /// With what the first version would have left, killed before its first call.
    Old,
}

/// Where the agent dies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// What is on disk then; "" is nothing.
    pub(super) there: &'static str,
    /// What is not.
    pub(super) missing: &'static str,
    /// The path that the partner is asked for once more in the next life, under the same key.
    pub(super) again: Option<&'static str>,
}

const fn point(name: &'static str, place: Place) -> Point {
    Point {
        name,
        place,
        there: "",
        missing: "",
        again: None,
    }
}

impl Point {
    const fn there(self, there: &'static str) -> Self {
        Self { there, ..self }
    }

    const fn missing(self, missing: &'static str) -> Self {
        Self { missing, ..self }
    }

    const fn again(self, path: &'static str) -> Self {
        Self {
            again: Some(path),
            ..self
        }
    }
}

/// Dead while the text is written.
const fn before(name: &'static str, text: &'static str) -> Point {
    point(name, Written(text)).missing(text)
}

/// Dead once it is written.
const fn after(name: &'static str, text: &'static str) -> Point {
    point(name, Synced(text)).there(text)
}

const STARTED: &str = r#""type":"runStarted""#;
const INTENT: &str = r#""type":"effectRequested""#;
const COMPLETED: &str = r#""type":"runCompleted""#;
const ARMED: &str = r#""type":"timerArmed""#;
const CONSUMED: &str = r#""type":"eventConsumed""#;
const RETRY: &str = r#""type":"retryScheduled""#;
const ATTEMPT: &str = r#""type":"attemptStarted""#;
const UNDOING: &str = r#""type":"compensationStarted""#;
const SECOND_UNDO: &str = r#""number":2,"reference""#;
const FAULTED: &str = r#""type":"runFaulted""#;
const FIRED: &str = r#""name":"late""#;
const CHILD: &str = r#""parent":{"run""#;
const RETURNED: &str = r#""returned":true"#;
const EVENT: &str = r#""source":"/crash""#;
const SNAPSHOT: &str = r#"{"format":1,"state""#;
const PATIENTS: &str = r#""name":"patient""#;
const FIRST: &str = r#""output":{"path":"/first"}"#;
const CHILDS: &str = r#""output":{"path":"/child"}"#;

const ORDER: Document = Document {
    name: "order",
    tasks: "
do:
  - first: { call: http, with: { method: post, endpoint: 'PARTNER/first' } }
  - second: { call: http, with: { method: post, endpoint: 'PARTNER/second' } }
  - say: { set: { done: true } }",
};

const TIMER: Document = Document {
    name: "timer",
    tasks: "
do:
  - first: { call: http, with: { method: post, endpoint: 'PARTNER/first' } }
  - pause: { wait: { milliseconds: 100 } }
  - late: { call: http, with: { method: post, endpoint: 'PARTNER/late' } }",
};

/// It waits first, so that its start is answered before anything else happens.
const PATIENT: Document = Document {
    name: "patient",
    tasks: "
do:
  - pause: { wait: { milliseconds: 300 } }
  - late: { call: http, with: { method: post, endpoint: 'PARTNER/late' } }",
};

const HEAR: Document = Document {
    name: "hear",
    tasks: "
do:
  - hear: { listen: { to: { one: { with: { type: t.x } } } } }
  - told: { call: http, with: { method: post, endpoint: 'PARTNER/told' } }",
};

const CLAIM: Document = Document {
    name: "claim",
    tasks: "
schedule: { on: { one: { with: { type: t.x } } } }
do:
  - pause: { wait: { milliseconds: 300 } }
  - told: { call: http, with: { method: post, endpoint: 'PARTNER/told' } }",
};

const BORN: Document = Document {
    name: "born",
    tasks: "
do:
  - child: { call: http, with: { method: post, endpoint: 'PARTNER/child' } }",
};

const PARENT: Document = Document {
    name: "parent",
    tasks: "
do:
  - bear:
      run: { workflow: { namespace: test, name: born, version: 1.0.0 } }
      output: { as: '${ { returned: true } }' }
  - told: { call: http, with: { method: post, endpoint: 'PARTNER/told' } }",
};

const FLAKY: Document = Document {
    name: "flaky",
    tasks: "
do:
  - attempts:
      try:
        - flaky: { call: http, with: { method: post, endpoint: 'PARTNER/flaky' } }
      catch:
        errors: { with: { status: 503 } }
        retry: { delay: { milliseconds: 50 }, limit: { attempt: { count: 5 } } }",
};

const SAGA: Document = Document {
    name: "saga",
    tasks: "
do:
  - book:
      call: http
      with: { method: post, endpoint: 'PARTNER/book/1' }
      metadata: { mastra.io/compensate: [{ free: { call: http, with: { method: post, endpoint: 'PARTNER/free/1' } } }] }
  - more:
      call: http
      with: { method: post, endpoint: 'PARTNER/book/2' }
      metadata: { mastra.io/compensate: [{ free: { call: http, with: { method: post, endpoint: 'PARTNER/free/2' } } }] }
  - fail: { raise: { error: { type: 'https://x.test/full', status: 409 } } }",
};

/// More records than stand between two snapshots.
const LONG: Document = Document {
    name: "long",
    tasks: "
do:
  - each: { for: { each: n, in: '${ [range(1500)] }' }, do: [{ count: { set: { n: '${ $n }' } } }] }
  - told: { call: http, with: { method: post, endpoint: 'PARTNER/told' } }",
};

/// More pages than the write-ahead log keeps.
const LARGE: Document = Document {
    name: "large",
    tasks: "
do:
  - each: { for: { each: n, in: '${ [range(6)] }' }, do: [{ fill: { set: { x: '${ \"page \\($n)\" * 300000 }' } } }] }
  - told: { call: http, with: { method: post, endpoint: 'PARTNER/told' } }
  - say: { set: { done: true } }",
};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        documents: &[],
        steps: &[Step::Deploy(&ORDER), Step::Run("order")],
        runs: &[("order", RunStatus::Completed)],
        effects: &[("/first", 1), ("/second", 1)],
        points: &[
            before("deployment, before its commit", "name: order,"),
            after("deployment, after its commit", "name: order,"),
            point(
                "deployment, before its answer",
                Answered("HTTP/1.1 201", r#""name":"order""#),
            )
            .there("name: order,"),
            before("enqueue, claim and intent, before their commit", STARTED),
            after("enqueue, claim and intent, after their commit", STARTED).there(INTENT),
            point("before the outside call", Sent("POST /first"))
                .there(INTENT)
                .missing(FIRST),
            point("during the outside call", Read("POST /first"))
                .there(INTENT)
                .missing(FIRST)
                .again("/first"),
            point("after the outside call", Heard("POST /first"))
                .there(INTENT)
                .missing(FIRST)
                .again("/first"),
            before("result, before its commit", FIRST).again("/first"),
            after("result, after its commit", FIRST).missing(COMPLETED),
            point("result, before the next call", Sent("POST /second")).there(FIRST),
            before("terminal status, before its commit", COMPLETED).again("/second"),
            after("terminal status, after its commit", COMPLETED),
            point(
                "terminal status, before its answer",
                Answered("HTTP/1.1 200", r#""status":"completed""#),
            )
            .there(COMPLETED),
            point("checkpoint of an orderly end, pages", Copied("/agent.db")).there(COMPLETED),
            point("checkpoint of an orderly end, sync", Kept("/agent.db")).there(COMPLETED),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[PATIENT],
        steps: &[Step::Start("patient"), Step::Run("patient")],
        runs: &[("patient", RunStatus::Completed)],
        effects: &[("/late", 1)],
        points: &[
            before("trigger, before its commit", STARTED),
            after("trigger, after its commit", STARTED),
            point(
                "trigger, before its answer",
                Answered("HTTP/1.1 201", PATIENTS),
            )
            .there(STARTED),
            point("trigger, after its answer", Told("HTTP/1.1 201", PATIENTS)).there(STARTED),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[TIMER],
        steps: &[Step::Run("timer")],
        runs: &[("timer", RunStatus::Completed)],
        effects: &[("/first", 1), ("/late", 1)],
        points: &[
            before("timer armed, before its commit", ARMED).again("/first"),
            after("timer armed, after its commit", ARMED),
            before("timer fired, before its commit", FIRED).there(ARMED),
            after("timer fired, after its commit", FIRED),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[HEAR],
        steps: &[Step::Start("hear"), Step::Post, Step::Run("hear")],
        runs: &[("hear", RunStatus::Completed)],
        effects: &[("/told", 1)],
        points: &[
            before("event, before its commit", EVENT),
            after("event, after its commit", EVENT).missing(CONSUMED),
            point(
                "event, before its answer",
                Answered("HTTP/1.1 202", r#""events":1"#),
            )
            .there(EVENT),
            before("event delivered, before its commit", CONSUMED).there(EVENT),
            after("event delivered, after its commit", CONSUMED),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[CLAIM],
        steps: &[Step::Post, Step::Ended("claim")],
        runs: &[("claim", RunStatus::Completed)],
        effects: &[("/told", 1)],
        points: &[
            before("event for a start, before its commit", EVENT),
            after("event for a start, after its commit", EVENT).missing(STARTED),
            before("event claimed, before its commit", STARTED).there(EVENT),
            after("event claimed, after its commit", STARTED),
            point(
                "event claimed, before the subscription moves on",
                Following(STARTED),
            )
            .there(STARTED),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[BORN, PARENT],
        steps: &[Step::Run("parent")],
        runs: &[
            ("born", RunStatus::Completed),
            ("parent", RunStatus::Completed),
        ],
        effects: &[("/child", 1), ("/told", 1)],
        points: &[
            after("child asked for, after its commit", INTENT).missing(CHILD),
            before("child started, before its commit", CHILD).there(INTENT),
            after("child started, after its commit", CHILD),
            before("child ended, before its commit", CHILDS).again("/child"),
            after("child ended, after its commit", CHILDS).missing(RETURNED),
            before("child returned, before its commit", RETURNED).there(CHILDS),
            after("child returned, after its commit", RETURNED),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[FLAKY],
        steps: &[Step::Run("flaky")],
        runs: &[("flaky", RunStatus::Completed)],
        // Refused twice, whichever life asks.
        effects: &[("/flaky", 3)],
        points: &[
            before("retry scheduled, before its commit", RETRY),
            after("retry scheduled, after its commit", RETRY).missing(ATTEMPT),
            before("retry begun, before its commit", ATTEMPT).there(RETRY),
            after("retry begun, after its commit", ATTEMPT),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[SAGA],
        steps: &[Step::Run("saga")],
        runs: &[("saga", RunStatus::Faulted)],
        effects: &[
            ("/book/1", 1),
            ("/book/2", 1),
            ("/free/2", 1),
            ("/free/1", 1),
        ],
        points: &[
            before("compensation 1 begun, before its commit", UNDOING).again("/book/2"),
            after("compensation 1 begun, after its commit", UNDOING),
            point("compensation 1, before its call", Sent("POST /free/2")).there(UNDOING),
            point("compensation 1, during its call", Read("POST /free/2")).again("/free/2"),
            point("compensation 1, after its call", Heard("POST /free/2")).again("/free/2"),
            before(
                "compensation 1 ended and 2 begun, before their commit",
                SECOND_UNDO,
            )
            .there(UNDOING)
            .again("/free/2"),
            after(
                "compensation 1 ended and 2 begun, after their commit",
                SECOND_UNDO,
            )
            .missing(FAULTED),
            point("compensation 2, during its call", Read("POST /free/1"))
                .there(SECOND_UNDO)
                .again("/free/1"),
            before("compensation 2 ended, before its commit", FAULTED).again("/free/1"),
            after("compensation 2 ended, after its commit", FAULTED),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[LONG],
        steps: &[Step::Run("long")],
        runs: &[("long", RunStatus::Completed)],
        effects: &[("/told", 1)],
        points: &[
            before("snapshot, before its commit", SNAPSHOT).there(STARTED),
            after("snapshot, after its commit", SNAPSHOT),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[LARGE],
        steps: &[Step::Run("large")],
        runs: &[("large", RunStatus::Completed)],
        effects: &[("/told", 1)],
        points: &[
            point("checkpoint, pages", Copied("/agent.db")).there(STARTED),
            point("checkpoint, sync", Kept("/agent.db")).there(STARTED),
        ],
        folder: Folder::Orderly,
    },
    Scenario {
        documents: &[ORDER],
        steps: &[Step::Run("order")],
        runs: &[("order", RunStatus::Completed)],
        effects: &[("/first", 1), ("/second", 1)],
        points: &[
            point("migration, copy", Copied(".partial")).there(INTENT),
            point("migration, sync of the copy", Kept(".partial")).there(INTENT),
            point(
                "migration, before its commit",
                Written("CREATE TABLE children"),
            )
            .there(INTENT),
            point(
                "migration, after its commit",
                Synced("CREATE TABLE children"),
            )
            .there(INTENT),
            point(
                "migration, the file written anew",
                Following("CREATE TABLE children"),
            )
            .there(INTENT),
        ],
        folder: Folder::Old,
    },
];
