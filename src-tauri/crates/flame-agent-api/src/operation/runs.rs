//! Runs: start, find, follow, suspend, resume, cancel, retry and replay.

use flame_errors::Code;

use super::agent::CURSOR;
use super::description::{Access, Answer, Body, Description, Method, Parameter, Shape};
use super::media;
use crate::compensation::CancelRequest;
use crate::event::EventPage;
use crate::run::{JournalEntry, JournalPage, ReplayRequest, RunPage, RunView};
use crate::test_run::TestRequest;

const BASE: Description = Description {
    id: "",
    method: Method::Get,
    path: "",
    tag: "runs",
    summary: "",
    access: Access::Token,
    parameters: &[],
    body: None,
    answers: &[],
    codes: &[],
};

pub(super) const START: Description = Description {
    id: "startRun",
    method: Method::Post,
    path: "/api/v1/workflows/{namespace}/{name}/{version}/runs",
    summary: "Start a run",
    parameters: &[
        Parameter::query::<String>(
            "wait",
            "How long to wait for the run's end: a number with `ms`, `s` or `m`, at most `5m`.",
        ),
        Parameter::header(
            "Idempotency-Key",
            "1 to 255 visible characters. The same key and body give the same run, also after a \
             restart; another body is refused.",
        ),
    ],
    body: Some(Body {
        description: "The input; `{}` without a body.",
        types: &[media::JSON],
        shape: None,
        required: false,
        bytes_max: Some(4 * 1024 * 1024),
    }),
    answers: &[
        Answer::json::<RunView>(200, "It ended within `wait`, or was there under this key."),
        Answer::json::<RunView>(201, "It is committed and runs."),
        Answer::json::<RunView>(202, "It has not ended within `wait` and goes on."),
    ],
    codes: &[
        Code::NotFound,
        Code::InputInvalid,
        Code::IdempotencyConflict,
        Code::TooManyRequests,
        Code::StorageFull,
        Code::ShuttingDown,
    ],
    ..BASE
};

pub(super) const TEST: Description = Description {
    id: "startTest",
    method: Method::Post,
    path: "/api/v1/workflows/{namespace}/{name}/{version}/tests",
    summary: "Start a test run: with pinned data, mocked calls, or of one task alone",
    parameters: &[Parameter::query::<String>(
        "wait",
        "How long to wait for the run's end: a number with `ms`, `s` or `m`, at most `5m`.",
    )],
    body: Some(Body {
        description: "The input, and what is pinned, mocked and run alone.",
        types: &[media::JSON],
        shape: Some(Shape::of::<TestRequest>()),
        required: false,
        bytes_max: Some(4 * 1024 * 1024),
    }),
    answers: &[
        Answer::json::<RunView>(200, "It ended within `wait`."),
        Answer::json::<RunView>(201, "It is committed and runs."),
        Answer::json::<RunView>(202, "It has not ended within `wait` and goes on."),
    ],
    codes: &[
        Code::NotFound,
        Code::InputInvalid,
        Code::ParameterInvalid,
        Code::TooManyRequests,
        Code::StorageFull,
        Code::ShuttingDown,
    ],
    ..BASE
};

pub(super) const LIST: Description = Description {
    id: "listRuns",
    path: "/api/v1/runs",
    summary: "Runs, newest first",
    parameters: &[
        Parameter::query::<String>("status", "One status, or several with commas between."),
        Parameter::query::<String>(
            "workflow",
            "`namespace`, `namespace/name` or `namespace/name/version`.",
        ),
        Parameter::query::<String>("parent", "Started by a task of the run with this id."),
        Parameter::query::<String>("since", "Created at or after this moment (RFC 3339)."),
        Parameter::query::<String>("until", "Created before this moment (RFC 3339)."),
        Parameter::query::<String>("endedSince", "Ended at or after this moment (RFC 3339)."),
        Parameter::query::<String>("endedUntil", "Ended before this moment (RFC 3339)."),
        Parameter::query::<String>("text", "In id, subject, workflow or error, in any case."),
        Parameter::query::<String>(
            "where",
            "Conditions on fields of the input or output, with ` and ` between: `input` or `output`, a \
             JSON pointer, one of `=` `!=` `<` `<=` `>` `>=` `~` (the text has this in it, in any \
             case), and a JSON value or bare text, such as \
             `input/customer/id=42 and output/state~paid`. A number that is not in quotes is also \
             looked for as text. Input and output larger than 64 KiB are not looked into. A page may \
             come with fewer rows than asked for, or none, and a `next` where the search goes on.",
        ),
        CURSOR,
        super::agent::LIMIT,
    ],
    answers: &[Answer::json::<RunPage>(
        200,
        "A page, without input and output.",
    )],
    codes: &[Code::ParameterInvalid],
    ..BASE
};

pub(super) const GET: Description = Description {
    id: "getRun",
    path: "/api/v1/runs/{id}",
    summary: "A run with its input, output or error",
    answers: &[Answer::json::<RunView>(200, "The run.")],
    codes: &[Code::NotFound],
    ..BASE
};

pub(super) const JOURNAL: Description = Description {
    id: "getJournal",
    path: "/api/v1/runs/{id}/journal",
    summary: "The run's journal, oldest first",
    parameters: &[
        Parameter::query::<u64>("after", "Entries after this sequence."),
        Parameter::query::<u32>("limit", "Entries of a page, 1 to 1,000; 200 without it."),
    ],
    answers: &[Answer::json::<JournalPage>(200, "A page.")],
    codes: &[Code::NotFound, Code::ParameterInvalid],
    ..BASE
};

pub(super) const LIFECYCLE: Description = Description {
    id: "getLifecycle",
    path: "/api/v1/runs/{id}/lifecycle",
    summary: "The run's lifecycle events, read out of its journal, oldest first",
    parameters: &[
        Parameter::query::<u64>("after", "Events of the records after this sequence."),
        Parameter::query::<u32>(
            "limit",
            "Records whose events are in a page, 1 to 1,000; 200 without it.",
        ),
    ],
    answers: &[Answer::json::<EventPage>(
        200,
        "A page; the offset of an event is the sequence of its record.",
    )],
    codes: &[Code::NotFound, Code::ParameterInvalid],
    ..BASE
};

pub(super) const EVENTS: Description = Description {
    id: "followRun",
    path: "/api/v1/runs/{id}/events",
    summary: "Follow a run's journal until the run ends",
    parameters: &[Parameter::header(
        "Last-Event-ID",
        "Sequence of the last entry that arrived; the stream goes on after it.",
    )],
    answers: &[Answer::stream::<JournalEntry>(
        "Server-sent events: `journal` with an entry each, its sequence as the event's id, and \
         `end` with the run once it has ended.",
    )],
    codes: &[
        Code::NotFound,
        Code::ParameterInvalid,
        Code::TooManyRequests,
    ],
    ..BASE
};

pub(super) const CANCEL: Description = Description {
    id: "cancelRun",
    method: Method::Post,
    path: "/api/v1/runs/{id}/cancel",
    summary: "Cancel a run, with what it did undone first where that is asked for",
    body: Some(Body {
        description: "Whether to compensate; not without a body.",
        types: &[media::JSON],
        shape: Some(Shape::of::<CancelRequest>()),
        required: false,
        bytes_max: Some(1024),
    }),
    answers: &[Answer::json::<RunView>(
        200,
        "It is cancelled, or it undoes what it did and is cancelled then.",
    )],
    codes: &[Code::NotFound, Code::RunNotInState],
    ..BASE
};

pub(super) const SUSPEND: Description = Description {
    id: "suspendRun",
    method: Method::Post,
    path: "/api/v1/runs/{id}/suspend",
    summary: "Halt a run; calls under way end and their answers are kept, timeouts stand still",
    answers: &[Answer::json::<RunView>(200, "It is suspended.")],
    codes: &[Code::NotFound, Code::RunNotInState],
    ..BASE
};

pub(super) const RESUME: Description = Description {
    id: "resumeRun",
    method: Method::Post,
    path: "/api/v1/runs/{id}/resume",
    summary: "Let a suspended run go on where it was",
    answers: &[Answer::json::<RunView>(200, "It runs again.")],
    codes: &[Code::NotFound, Code::RunNotInState],
    ..BASE
};

pub(super) const RETRY: Description = Description {
    id: "retryRun",
    method: Method::Post,
    path: "/api/v1/runs/{id}/retry",
    summary: "Run the task at which a run faulted again, with the input it had",
    answers: &[Answer::json::<RunView>(200, "It runs again.")],
    codes: &[Code::NotFound, Code::RunNotInState],
    ..BASE
};

pub(super) const REPLAY: Description = Description {
    id: "replayRun",
    method: Method::Post,
    path: "/api/v1/runs/{id}/replay",
    summary: "Start a new run from a task of this one, with its input and context or edited ones",
    body: Some(Body {
        description: "The task, its input and its context.",
        types: &[media::JSON],
        shape: Some(Shape::of::<ReplayRequest>()),
        required: true,
        bytes_max: Some(4 * 1024 * 1024),
    }),
    answers: &[Answer::json::<RunView>(201, "The new run.")],
    codes: &[Code::NotFound, Code::RunNotInState, Code::InputInvalid],
    ..BASE
};
