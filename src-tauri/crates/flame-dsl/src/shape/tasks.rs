//! The tables of the task kinds.

use super::endpoint::ENDPOINT;
use super::run::RUN;
use super::tables::{DURATION, ERROR, EXPORT, EXPRESSION, INPUT, OUTPUT, RETRY, TIMEOUT};
use super::{Extra, Field, Group, Object, Shape, TextRule, listen, protocols};

const FREE: Shape = Shape::Text(TextRule::Free);
const FLOW: Shape = Shape::Text(TextRule::Flow);
const VARIABLE: Shape = Shape::Text(TextRule::Variable);
const FLOW_HELP: &str =
    "What comes next: continue, exit, end, or the name of a task in the same list.";

/// The key of a task's metadata under which the tasks stand that undo it.
pub(crate) const COMPENSATE: &str = "mastra.io/compensate";

/// A list of tasks.
pub(super) const TASKS: Shape = Shape::Named {
    of: &Shape::Task,
    min: 0,
    item: "a task",
};

/// A kind of task and the keys of its own.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) keyword: &'static str,
    /// As messages name it.
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) fields: &'static [Field],
}

/// What every task may have.
pub(crate) const COMMON: &[Field] = &[
    Field::new(
        "if",
        "jq: the task is left out unless this is true.",
        EXPRESSION,
    ),
    Field::new(
        "input",
        "The schema of the task's input, and what is made of it.",
        INPUT,
    ),
    Field::new(
        "output",
        "What the task gives to the next one, and its schema.",
        OUTPUT,
    ),
    Field::new(
        "export",
        "What the task leaves in the context ($context).",
        EXPORT,
    ),
    Field::new(
        "timeout",
        "How long the task may take: a duration or a name of use.timeouts.",
        TIMEOUT,
    ),
    Field::new("then", FLOW_HELP, FLOW),
    Field::new(
        "metadata",
        "More about the task; 'mastra.io/compensate' says how it is undone.",
        METADATA,
    ),
];

const METADATA: Shape = Shape::Object(&Object {
    name: "the metadata",
    definition: "taskMetadata",
    group: Group::Free,
    extra: Extra::Taken,
    fields: &[
    Field::new(
        "mastra.io/person",
        "Of a listen task: what a person is asked.",
        listen::PERSON,
    )
    .own(),
    Field::new(
        COMPENSATE,
        "Tasks that undo this one when the run faults or is cancelled with compensation. They see its \
         input as $input and its output as $output; the output flows into the first of them.",
        Shape::Named {
            of: &Shape::Task,
            min: 1,
            item: "a task",
        },
    )
    .own(),
    ],
});

pub(crate) static KINDS: &[Kind] = &[
    Kind {
        keyword: "call",
        name: "a call",
        description: "Calls an HTTP address, an operation that a document describes, or a function of the default catalog.",
        fields: &[],
    },
    Kind {
        keyword: "do",
        name: "a do task",
        description: "Runs tasks one after the other.",
        fields: &[Field::new("do", "The tasks, in order.", TASKS).required()],
    },
    Kind {
        keyword: "emit",
        name: "an emit task",
        description: "Puts an event (CloudEvents) into the event log.",
        fields: &[Field::new("emit", "The event.", EMIT).required()],
    },
    Kind {
        keyword: "for",
        name: "a for task",
        description: "Runs tasks once for each item.",
        fields: &[
            Field::new("for", "The items and the names they go by.", FOR).required(),
            Field::new(
                "while",
                "jq: asked before each item; the loop ends when it is not true.",
                EXPRESSION,
            ),
            Field::new("do", "The tasks to run for each item.", TASKS).required(),
        ],
    },
    Kind {
        keyword: "fork",
        name: "a fork task",
        description: "Runs branches at the same time.",
        fields: &[Field::new("fork", "The branches.", FORK).required()],
    },
    Kind {
        keyword: "listen",
        name: "a listen task",
        description: "Waits for events.",
        fields: listen::FIELDS,
    },
    Kind {
        keyword: "raise",
        name: "a raise task",
        description: "Ends with an error.",
        fields: &[Field::new("raise", "The error.", RAISE).required()],
    },
    Kind {
        keyword: "run",
        name: "a run task",
        description: "Runs a container, script, shell command or workflow.",
        fields: &[Field::new("run", "What to run.", RUN).required()],
    },
    Kind {
        keyword: "set",
        name: "a set task",
        description: "Replaces the data.",
        fields: &[Field::new(
            "set",
            "The new data: an object with ${ }, or one expression.",
            SET,
        )
        .required()],
    },
    Kind {
        keyword: "switch",
        name: "a switch task",
        description: "Goes on at the first case that holds.",
        fields: &[Field::new("switch", "The cases, asked in order.", CASES).required()],
    },
    Kind {
        keyword: "try",
        name: "a try task",
        description: "Runs tasks and catches their errors.",
        fields: &[
            Field::new("try", "The tasks to run.", TASKS).required(),
            Field::new(
                "catch",
                "Which errors are caught, and what is done then.",
                CATCH,
            )
            .required(),
        ],
    },
    Kind {
        keyword: "wait",
        name: "a wait task",
        description: "Waits for a while.",
        fields: &[Field::new("wait", "How long.", DURATION).required()],
    },
];

const SET: Shape = Shape::Choice(&[
    Shape::Object(&Object {
        name: "'set'",
        definition: "set",
        group: Group::AtLeastOne,
        extra: Extra::Taken,
        fields: &[],
    }),
    EXPRESSION,
]);

const EMIT: Shape = Shape::Object(&Object {
    name: "'emit'",
    definition: "emit",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[Field::new("event", "The event.", EVENT).required()],
});

const EVENT: Shape = Shape::Object(&Object {
    name: "'event'",
    definition: "event",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new("with", "The attributes and data of the event.", EVENT_WITH).required_strictly(),
    ],
});

const EVENT_WITH: Shape = Shape::Object(&Object {
    name: "the event's attributes",
    definition: "eventAttributes",
    group: Group::Free,
    extra: Extra::Taken,
    fields: &[
        Field::new("id", "The event's id; made up unless given.", FREE),
        Field::new(
            "source",
            "Where it comes from; the workflow unless given.",
            Shape::Text(TextRule::Uri),
        ),
        Field::new(
            "type",
            "What kind of event it is, such as com.example.order.placed.v1.",
            FREE,
        )
        .required(),
        Field::new(
            "time",
            "When it happened (RFC 3339); now unless given.",
            FREE,
        ),
        Field::new("subject", "What it is about.", FREE),
        Field::new(
            "datacontenttype",
            "The type of the data, application/json unless given.",
            FREE,
        ),
        Field::new(
            "dataschema",
            "Where the schema of the data is.",
            Shape::Text(TextRule::Uri),
        ),
        Field::new("data", "The event's data.", Shape::Any),
    ],
});

const FOR: Shape = Shape::Object(&Object {
    name: "'for'",
    definition: "for",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "each",
            "The variable that holds the item, $item unless given.",
            VARIABLE,
        ),
        Field::new(
            "in",
            "jq that gives the items, or a list of objects.",
            ITEMS,
        )
        .required(),
        Field::new(
            "at",
            "The variable that holds the index from 0, $index unless given.",
            VARIABLE,
        ),
    ],
});

const ITEMS: Shape = Shape::Choice(&[
    EXPRESSION,
    Shape::List {
        of: &Shape::Map(&Shape::Any),
        min: 0,
    },
]);

const FORK: Shape = Shape::Object(&Object {
    name: "'fork'",
    definition: "fork",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("branches", "The tasks to run at the same time.", TASKS).required(),
        Field::new(
            "compete",
            "Whether the first to end wins and the others are cancelled.",
            Shape::Boolean,
        ),
    ],
});

const RAISE: Shape = Shape::Object(&Object {
    name: "'raise'",
    definition: "raise",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[Field::new(
        "error",
        "The error, or the name of one in use.errors.",
        Shape::Choice(&[ERROR, FREE]),
    )
    .required()],
});

const CASES: Shape = Shape::Named {
    of: &CASE,
    min: 1,
    item: "a case",
};

const CASE: Shape = Shape::Object(&Object {
    name: "a switch case",
    definition: "case",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new(
            "when",
            "jq: the case is taken when this is true; without it, it is the default.",
            EXPRESSION,
        ),
        Field::new("then", FLOW_HELP, FLOW).required(),
    ],
});

const CATCH: Shape = Shape::Object(&Object {
    name: "'catch'",
    definition: "catch",
    group: Group::Free,
    extra: Extra::Refused,
    fields: &[
        Field::new("errors", "Which errors, by what they are.", ERRORS),
        Field::new(
            "as",
            "The variable that holds the error, $error unless given.",
            VARIABLE,
        ),
        Field::new(
            "when",
            "jq: the error is caught only when this is true.",
            EXPRESSION,
        ),
        Field::new(
            "exceptWhen",
            "jq: the error is not caught when this is true.",
            EXPRESSION,
        ),
        Field::new(
            "retry",
            "When to try again: a policy, or the name of one in use.retries.",
            Shape::Choice(&[RETRY, FREE]),
        ),
        Field::new(
            "do",
            "The tasks to run when an error was caught for good.",
            TASKS,
        ),
        Field::new(
            "then",
            "Where the flow goes after an error was caught; the task's own then unless given.",
            FLOW,
        ),
    ],
});

const ERRORS: Shape = Shape::Object(&Object {
    name: "'errors'",
    definition: "errors",
    group: Group::Free,
    extra: Extra::RefusedStrictly,
    fields: &[Field::new(
        "with",
        "What the error must have.",
        ERROR_FILTER,
    )],
});

const ERROR_FILTER: Shape = Shape::Object(&Object {
    name: "the error filter",
    definition: "errorFilter",
    group: Group::AtLeastOne,
    extra: Extra::RefusedStrictly,
    fields: &[
        Field::new("type", "The URI of the kind of error.", FREE),
        Field::new(
            "status",
            "The status.",
            Shape::Integer { min: 100, max: 599 },
        ),
        Field::new("instance", "The JSON pointer of the task.", FREE),
        Field::new("title", "The title.", FREE),
        Field::new("detail", "The detail.", FREE),
        Field::new("details", "The detail, as DSL 1.0.3 spells it here.", FREE),
    ],
});

/// The variants of `call`, told apart by its value.
pub(super) mod calls {
    use super::*;
    use crate::source::Entry;

    /// The fields of the call that these entries make.
    pub(in crate::shape) fn fields(entries: &[Entry]) -> &'static [Field] {
        let target = entries
            .iter()
            .find(|entry| entry.key == "call")
            .and_then(|e| e.value.text());
        match target {
            Some("http") => HTTP,
            Some(target) => {
                protocols::protocol(target).map_or(FUNCTION, |protocol| protocol.fields)
            }
            None => FUNCTION,
        }
    }

    pub(in crate::shape) const HTTP: &[Field] = &[
        Field::new("call", "http", FREE).required(),
        Field::new("with", "The request.", HTTP_WITH).required(),
    ];

    pub(in crate::shape) const FUNCTION: &[Field] = &[
        Field::new(
            "call",
            "A function of the default catalog, such as sqlite.upsert:1.0.0@default.",
            FREE,
        )
        .required(),
        Field::new("with", "The function's arguments.", Shape::Map(&Shape::Any)),
    ];

    const NAMES_AND_VALUES: Shape =
        Shape::Choice(&[Shape::Map(&FREE), Shape::Text(TextRule::RuntimeExpression)]);

    const HTTP_WITH: Shape = Shape::Object(&Object {
        name: "the arguments of 'call: http'",
        definition: "httpArguments",
        group: Group::Free,
        extra: Extra::Refused,
        fields: &[
            Field::new(
                "method",
                "get, post, put, patch, delete ...",
                Shape::Text(TextRule::Method),
            )
            .required(),
            Field::new(
                "endpoint",
                "Where to; {name} takes a value of the task's input.",
                ENDPOINT,
            )
            .required(),
            Field::new("headers", "Names and values of headers.", NAMES_AND_VALUES),
            Field::new(
                "body",
                "The body; sent as JSON unless the content-type header says otherwise.",
                Shape::Any,
            ),
            Field::new(
                "query",
                "Names and values for the address.",
                NAMES_AND_VALUES,
            ),
            Field::new(
                "output",
                "content: the body; response: status, headers and body; raw: the body as base64.",
                Shape::Text(TextRule::OneOf(&["raw", "content", "response"])),
            ),
            Field::new(
                "redirect",
                "true: answers 300 to 399 are taken as they are; false: they are errors.",
                Shape::Boolean,
            ),
        ],
    });
}
