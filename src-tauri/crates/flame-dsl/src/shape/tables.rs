//! The tables of a workflow, of what tasks share with it, and of a pipeline.

use super::authentication::{POLICY, REFERABLE};
use super::tasks::TASKS;
use super::{Extra, Field, Group, Object, Shape, TextRule, listen};

const FREE: Shape = Shape::Text(TextRule::Free);
pub(super) const EXPRESSION: Shape = Shape::Text(TextRule::Expression);
const ANY_OBJECT: Shape = Shape::Map(&Shape::Any);
/// Ten thousand years: far past any use, far from overflow.
const DURATION_PART_MAX: i64 = 365 * 24 * 60 * 60 * 1000 * 10_000;
const DURATION_PART: Shape = Shape::Integer {
    min: 0,
    max: DURATION_PART_MAX,
};

pub(crate) static WORKFLOW: Shape = Shape::Object(&Object {
    name: "the workflow",
    definition: "workflow",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new(
            "document",
            "What the workflow is called and which version it is.",
            DOCUMENT,
        )
        .required(),
        Field::new(
            "input",
            "The schema of the workflow's input, and what is made of it.",
            INPUT,
        ),
        Field::new("use", "Policies that tasks refer to by name.", USE),
        Field::new("do", "The tasks, in order.", TASKS).required(),
        Field::new(
            "timeout",
            "How long a run may take: a duration or a name of use.timeouts.",
            TIMEOUT,
        ),
        Field::new("output", "What the run gives back, and its schema.", OUTPUT),
        Field::new("schedule", "When runs start by themselves.", SCHEDULE),
        Field::new("evaluate", "How expressions are read.", EVALUATE),
    ],
});

const DOCUMENT: Shape = Shape::Object(&Object {
    name: "'document'",
    definition: "document",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "dsl",
            "The version of the DSL, such as '1.0.3'.",
            Shape::Text(TextRule::DslVersion),
        )
        .required(),
        Field::new(
            "namespace",
            "The group that the workflow belongs to.",
            Shape::Text(TextRule::Label),
        )
        .required(),
        Field::new(
            "name",
            "The workflow's name within its namespace.",
            Shape::Text(TextRule::Label),
        )
        .required(),
        Field::new(
            "version",
            "The workflow's own semantic version, such as '1.0.0'.",
            Shape::Text(TextRule::SemanticVersion),
        )
        .required(),
        Field::new("title", "What people call it.", FREE),
        Field::new("summary", "What it does, in Markdown.", FREE),
        Field::new(
            "tags",
            "Keys and values that describe it; nothing is decided by them.",
            ANY_OBJECT,
        ),
        Field::new(
            "metadata",
            "More about it; 'mastra.io/webhook' makes it answer to HTTP, 'mastra.io/retention' says how long \
             runs are kept.",
            METADATA,
        ),
    ],
});

const METADATA: Shape = Shape::Object(&Object {
    name: "the metadata",
    definition: "metadata",
    group: Group::Free,
    extra: Extra::Taken,
    fields: &[
        Field::new(
            "mastra.io/webhook",
            "The HTTP address below /hooks/ that starts a run.",
            WEBHOOK,
        )
        .own(),
        Field::new(
            "mastra.io/retention",
            "How long ended runs are kept, and how many of them.",
            RETENTION,
        )
        .own(),
    ],
});

const RETENTION: Shape = Shape::Object(&Object {
    name: "the retention",
    definition: "retention",
    group: Group::AtLeastOne,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "days",
            "Runs that ended longer ago are deleted.",
            Shape::Integer {
                min: 0,
                max: 36_500,
            },
        ),
        Field::new(
            "runs",
            "Beyond this many ended runs, the oldest are deleted.",
            Shape::Integer {
                min: 0,
                max: 1_000_000_000,
            },
        ),
    ],
});

const WEBHOOK: Shape = Shape::Object(&Object {
    name: "the webhook",
    definition: "webhook",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "path",
            "The path below /hooks/, such as orders.",
            Shape::Text(TextRule::NotEmpty),
        )
        .required(),
        Field::new(
            "method",
            "The HTTP method, POST unless given.",
            Shape::Text(TextRule::OneOf(&["POST", "PUT", "PATCH", "GET", "DELETE"])),
        ),
        Field::new(
            "contentType",
            "The type that the body must have, application/json unless given.",
            Shape::Text(TextRule::NotEmpty),
        ),
        Field::new(
            "secret",
            "The caller must send this connection's secret as a bearer token.",
            SECRET,
        ),
        Field::new("signature", "The caller must sign the body.", SIGNATURE),
        Field::new(
            "answer",
            "accepted: 202 with the run's id at once; output: the run's output when it has ended.",
            Shape::Text(TextRule::OneOf(&["accepted", "output"])),
        ),
    ],
});

const SECRET: Shape = Shape::Object(&Object {
    name: "the webhook's secret",
    definition: "webhookSecret",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[Field::new(
        "connection",
        "The connection whose secret it is.",
        Shape::Text(TextRule::NotEmpty),
    )
    .required()],
});

const SIGNATURE: Shape = Shape::Object(&Object {
    name: "the webhook's signature",
    definition: "webhookSignature",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[Field::new(
        "standardWebhooks",
        "Signed as Standard Webhooks says.",
        SECRET,
    )
    .required()],
});

const USE: Shape = Shape::Object(&Object {
    name: "'use'",
    definition: "use",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "authentications",
            "Authentications that endpoints refer to by name.",
            Shape::Map(&POLICY),
        ),
        Field::new(
            "errors",
            "Errors that raise refers to by name.",
            Shape::Map(&ERROR),
        ),
        Field::new(
            "extensions",
            "Tasks that run before and after every task of a kind.",
            Shape::Named {
                of: &EXTENSION,
                min: 0,
                item: "an extension",
            },
        ),
        Field::new(
            "functions",
            "Functions that calls refer to by name: a task each, whose input the arguments are.",
            Shape::Map(&Shape::Task),
        ),
        Field::new(
            "retries",
            "Retry policies that catch refers to by name.",
            Shape::Map(&RETRY),
        ),
        Field::new(
            "secrets",
            "Names of the secrets that expressions read as $secrets.NAME.",
            Shape::List { of: &FREE, min: 0 },
        ),
        Field::new(
            "timeouts",
            "Timeouts that tasks refer to by name.",
            Shape::Map(&TIMEOUT_OBJECT),
        ),
        Field::new(
            "catalogs",
            "Places with functions, which calls name as NAME:VERSION@CATALOG.",
            Shape::Map(&CATALOG),
        ),
    ],
});

const CATALOG: Shape = Shape::Object(&Object {
    name: "a catalog",
    definition: "catalog",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[Field::new(
        "endpoint",
        "Its root: below it are functions/NAME/VERSION/function.yaml.",
        TEXT_ENDPOINT,
    )
    .required()],
});

const RESOURCE: Shape = Shape::Object(&Object {
    name: "an external resource",
    definition: "schemaResource",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("name", "What people call it.", FREE),
        Field::new("endpoint", "Where it is.", TEXT_ENDPOINT).required(),
    ],
});

/// Of a text that a run needs before it begins.
const TEXT_ENDPOINT: Shape = Shape::Choice(&[
    Shape::Text(TextRule::Resource),
    Shape::Object(&Object {
        name: "an endpoint",
        definition: "textEndpoint",
        group: Group::Free,
        extra: Extra::Refused,
        fields: &[
            Field::new(
                "uri",
                "https://..., or file:///NAME in the workspace's resources folder.",
                Shape::Text(TextRule::Resource),
            )
            .required(),
            Field::new(
                "authentication",
                "How whoever asks for it proves who it is.",
                REFERABLE,
            ),
        ],
    }),
]);

const EXTENSION: Shape = Shape::Object(&Object {
    name: "an extension",
    definition: "extension",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "extend",
            "The kind of task: 'composite' is do and fork, 'all' is every kind.",
            Shape::Text(TextRule::OneOf(EXTENDED)),
        )
        .required(),
        Field::new(
            "when",
            "Which of these tasks; $task is the task.",
            EXPRESSION,
        ),
        Field::new(
            "before",
            "What runs before the task; 'then: exit' in it takes the task's place.",
            TASKS,
        ),
        Field::new("after", "What runs when the task has completed.", TASKS),
    ],
});

/// What `extend` may be in the published schema.
const EXTENDED: &[&str] = &[
    "call",
    "composite",
    "emit",
    "for",
    "listen",
    "raise",
    "run",
    "set",
    "switch",
    "try",
    "wait",
    "all",
];

const SCHEDULE: Shape = Shape::Object(&Object {
    name: "'schedule'",
    definition: "schedule",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "every",
            "How long from one start to the next, whether or not the run has ended.",
            DURATION,
        ),
        Field::new(
            "cron",
            "Five fields: minute, hour, day, month, weekday; in UTC unless led by CRON_TZ=Area/City.",
            FREE,
        ),
        Field::new(
            "after",
            "How long from the end of a run to the next start.",
            DURATION,
        ),
        Field::new(
            "on",
            "The events that start a run; its input is the list of them.",
            listen::STRATEGY,
        ),
        Field::new(
            "read",
            "With 'on', how events stand in the input: data, envelope (unless given) or raw.",
            listen::READ,
        ),
    ],
});

const EVALUATE: Shape = Shape::Object(&Object {
    name: "'evaluate'",
    definition: "evaluate",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("language", "The language of expressions: jq.", FREE),
        Field::new(
            "mode",
            "strict: an expression stands within ${ }; loose: a text of the data is tried as one, and is text where it \
             is none.",
            Shape::Text(TextRule::OneOf(&["strict", "loose"])),
        ),
    ],
});

pub(super) const INPUT: Shape = Shape::Object(&Object {
    name: "'input'",
    definition: "input",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("schema", "The JSON Schema that the input must fit.", SCHEMA),
        Field::new(
            "from",
            "What is made of the input before use: jq, or an object with ${ }.",
            TRANSFORM,
        ),
    ],
});

pub(super) const OUTPUT: Shape = Shape::Object(&Object {
    name: "'output'",
    definition: "output",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "schema",
            "The JSON Schema that the output must fit.",
            SCHEMA,
        ),
        Field::new(
            "as",
            "What is made of the output: jq, or an object with ${ }.",
            TRANSFORM,
        ),
    ],
});

pub(super) const EXPORT: Shape = Shape::Object(&Object {
    name: "'export'",
    definition: "export",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "schema",
            "The JSON Schema that the context must fit.",
            SCHEMA,
        ),
        Field::new(
            "as",
            "What becomes the context ($context): jq, or an object with ${ }.",
            TRANSFORM,
        ),
    ],
});

const TRANSFORM: Shape = Shape::Choice(&[EXPRESSION, ANY_OBJECT]);

const SCHEMA: Shape = Shape::Object(&Object {
    name: "a schema",
    definition: "schema",
    group: Group::ExactlyOne(&["document", "resource"]),
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "format",
            "The format of the schema: json, or json:draft-07 and its like.",
            FREE,
        ),
        Field::new("document", "The JSON Schema itself.", Shape::Any),
        Field::new("resource", "Where the JSON Schema is.", RESOURCE),
    ],
});

pub(super) const TIMEOUT: Shape = Shape::Choice(&[TIMEOUT_OBJECT, FREE]);

const TIMEOUT_OBJECT: Shape = Shape::Object(&Object {
    name: "a timeout",
    definition: "timeout",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[Field::new("after", "How long it may take.", DURATION).required()],
});

pub(super) const DURATION: Shape =
    Shape::Choice(&[DURATION_OBJECT, Shape::Text(TextRule::Duration)]);

const DURATION_OBJECT: Shape = Shape::Object(&Object {
    name: "a duration",
    definition: "duration",
    group: Group::AtLeastOne,
    extra: Extra::Refused,
    fields: &[
        Field::new("days", "Days of 24 hours.", DURATION_PART),
        Field::new("hours", "Hours.", DURATION_PART),
        Field::new("minutes", "Minutes.", DURATION_PART),
        Field::new("seconds", "Seconds.", DURATION_PART),
        Field::new("milliseconds", "Milliseconds.", DURATION_PART),
    ],
});

pub(super) const ERROR: Shape = Shape::Object(&Object {
    name: "an error",
    definition: "error",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "type",
            "A URI that names the kind of error.",
            Shape::Text(TextRule::Uri),
        )
        .required(),
        Field::new(
            "status",
            "The status, as HTTP numbers it.",
            Shape::Integer { min: 100, max: 599 },
        )
        .required(),
        Field::new(
            "instance",
            "A JSON pointer to where it came from; the task unless given.",
            FREE,
        ),
        Field::new("title", "A few words that stay the same each time.", FREE),
        Field::new("detail", "What happened this time.", FREE),
    ],
});

pub(super) const RETRY: Shape = Shape::Object(&Object {
    name: "a retry policy",
    definition: "retryPolicy",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("when", "Retry only where this holds.", EXPRESSION),
        Field::new("exceptWhen", "Do not retry where this holds.", EXPRESSION),
        Field::new("delay", "How long to wait before a retry.", DURATION),
        Field::new(
            "backoff",
            "How the delay grows: constant, linear or exponential.",
            BACKOFF,
        ),
        Field::new("limit", "When to give up.", LIMIT),
        Field::new("jitter", "A random addition to the delay.", JITTER),
    ],
});

const NOTHING_MORE: Shape = Shape::Object(&Object {
    name: "a backoff, which has no settings",
    definition: "backoffSettings",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[],
});

const BACKOFF: Shape = Shape::Object(&Object {
    name: "a backoff",
    definition: "backoff",
    group: Group::ExactlyOne(&["constant", "linear", "exponential"]),
    extra: Extra::Refused,
    fields: &[
        Field::new("constant", "The same delay each time: {}.", NOTHING_MORE),
        Field::new(
            "linear",
            "The delay times the number of the retry: {}.",
            NOTHING_MORE,
        ),
        Field::new(
            "exponential",
            "The delay doubles each time: {}.",
            NOTHING_MORE,
        ),
    ],
});

const LIMIT: Shape = Shape::Object(&Object {
    name: "a retry limit",
    definition: "retryLimit",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("attempt", "Limits of the attempts.", ATTEMPT),
        Field::new(
            "duration",
            "How long all attempts may take together.",
            DURATION,
        ),
    ],
});

const ATTEMPT: Shape = Shape::Object(&Object {
    name: "an attempt limit",
    definition: "attemptLimit",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "count",
            "How many attempts.",
            Shape::Integer {
                min: 0,
                max: 1_000_000,
            },
        ),
        Field::new("duration", "How long one attempt may take.", DURATION),
    ],
});

const JITTER: Shape = Shape::Object(&Object {
    name: "a jitter",
    definition: "jitter",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("from", "The least addition.", DURATION).required(),
        Field::new("to", "The greatest addition.", DURATION).required(),
    ],
});

pub(crate) static PIPELINE: Shape = Shape::Object(&Object {
    name: "the pipeline",
    definition: "pipelineDocument",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("pipeline", "What the pipeline is called.", PIPELINE_HEAD).required(),
        Field::new("source", "How the files are written.", SOURCE).required(),
        Field::new(
            "map",
            "jq that makes a record of a row (.); nothing or null leaves the row out.",
            EXPRESSION,
        ),
        Field::new("sink", "Where the records go.", SINK).required(),
        Field::new("watch", "The folder that new files appear in.", WATCH),
    ],
});

const PIPELINE_HEAD: Shape = Shape::Object(&Object {
    name: "'pipeline'",
    definition: "pipeline",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "namespace",
            "The group that the pipeline belongs to.",
            Shape::Text(TextRule::Label),
        )
        .required(),
        Field::new(
            "name",
            "The pipeline's name within its namespace.",
            Shape::Text(TextRule::Label),
        )
        .required(),
        Field::new(
            "version",
            "Its semantic version, 1.0.0 unless given.",
            Shape::Text(TextRule::SemanticVersion),
        ),
        Field::new("title", "What people call it.", FREE),
        Field::new("summary", "What it does, in Markdown.", FREE),
    ],
});

const SOURCE: Shape = Shape::Object(&Object {
    name: "the source",
    definition: "pipelineSource",
    group: Group::ExactlyOne(&["csv", "ndjson"]),
    extra: Extra::Refused,
    fields: &[
        Field::new("csv", "Rows with separators.", CSV),
        Field::new("ndjson", "One JSON object per line: {}.", NDJSON),
    ],
});

const CSV: Shape = Shape::Object(&Object {
    name: "the CSV source",
    definition: "pipelineCsv",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "delimiter",
            "The one character between fields, a comma unless given.",
            FREE,
        ),
        Field::new(
            "header",
            "Whether the first row names the columns, true unless given; else they are c1, c2 and so on.",
            Shape::Boolean,
        ),
    ],
});

const NDJSON: Shape = Shape::Object(&Object {
    name: "the NDJSON source, which has no settings",
    definition: "pipelineNdjson",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[],
});

const SINK: Shape = Shape::Object(&Object {
    name: "the sink",
    definition: "pipelineSink",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "connector",
            "What takes the records.",
            Shape::Text(TextRule::OneOf(&["sqlite", "postgres"])),
        )
        .required(),
        Field::new(
            "connection",
            "The connection to use.",
            Shape::Text(TextRule::NotEmpty),
        ),
        Field::new(
            "database",
            "A database file in the workspace's databases folder, instead of a SQLite connection.",
            Shape::Text(TextRule::NotEmpty),
        ),
        Field::new(
            "table",
            "The table to write to.",
            Shape::Text(TextRule::NotEmpty),
        )
        .required(),
        Field::new(
            "key",
            "The columns that tell one row from another.",
            Shape::List {
                of: &Shape::Text(TextRule::NotEmpty),
                min: 1,
            },
        )
        .required(),
        Field::new(
            "create",
            "Whether a missing table or column is made, typed by the first record.",
            Shape::Boolean,
        ),
    ],
});

const WATCH: Shape = Shape::Object(&Object {
    name: "'watch'",
    definition: "pipelineWatch",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "folder",
            "The folder to watch.",
            Shape::Text(TextRule::NotEmpty),
        )
        .required(),
        Field::new(
            "pattern",
            "Which files, such as '*.csv'.",
            Shape::Text(TextRule::NotEmpty),
        ),
    ],
});
