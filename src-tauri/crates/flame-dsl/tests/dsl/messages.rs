//! What a person is told: each document beside all that is said about it.

use expect_test::{Expect, expect};
use flame_dsl::{Format, Rule, examine, examine_pipeline};

const HEAD: &str = "document: {dsl: '1.0.3', namespace: n, name: w, version: '1.0.0'}";

fn listed(problems: &[flame_dsl::Problem]) -> String {
    for problem in problems {
        assert!(problem.line > 0 && problem.column > 0, "{problem}");
        assert!(problem.hint.is_some(), "no hint: {problem}");
        // Where the text is no tree there is no value to tell.
        let is_tree = !matches!(problem.rule, Rule::Syntax | Rule::Limit);
        assert!(problem.value.is_some() || !is_tree, "no value: {problem}");
    }
    problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

/// A workflow that goes on after a valid head, so that lines count from 2.
fn check(body: &str, expect: Expect) {
    expect.assert_eq(&listed(
        &examine(&format!("{HEAD}{body}"), Format::Yaml).problems,
    ));
}

fn check_text(text: &str, format: Format, expect: Expect) {
    expect.assert_eq(&listed(&examine(text, format).problems));
}

fn check_pipeline(text: &str, expect: Expect) {
    expect.assert_eq(&listed(
        &examine_pipeline(text.trim_start(), Format::Yaml).problems,
    ));
}

#[test]
fn text_that_is_not_yaml() {
    check_text(
        "",
        Format::Yaml,
        expect![[r#"
            1:1: error: expected an object (the workflow), found nothing (value: null)
              hint: write an object with 'document', 'do'
        "#]],
    );
    check_text(
        r#"do:
  - a: {set: {x: "1}
"#,
        Format::Yaml,
        expect![[r#"
            2:18: error: not YAML: while scanning a quoted scalar, found unexpected end of stream
              hint: the text ends too early: a quote, bracket or brace is not closed, or a value is missing
        "#]],
    );
    check_text(
        "do:\n\t- a: 1\n",
        Format::Yaml,
        expect![[r#"
        2:2: error: not YAML: tabs disallowed within this context (block indentation)
          hint: indent with spaces; YAML takes no tabs there
    "#]],
    );
    check_text(
        r#"a: b: c
"#,
        Format::Yaml,
        expect![[r#"
            1:5: error: not YAML: mapping values are not allowed in this context
              hint: put quotes around text that has ': ' in it, or check the indentation
        "#]],
    );
    check_text(
        r#"a: 1
b: 2
a: 3
"#,
        Format::Yaml,
        expect![[r#"
            3:1: error: the key 'a' is given twice; the first is on line 1, column 1
              hint: remove or rename one of them
        "#]],
    );
    check_text(
        r#"a: 1
---
b: 2
"#,
        Format::Yaml,
        expect![[r#"
            2:1: error: the text has more than one document
              hint: keep one document per file, without a second '---'
        "#]],
    );
    check_text(
        r#"a: &x {b: 1}
c: {<<: *x}
"#,
        Format::Yaml,
        expect![[r#"
            2:5: error: merge keys (<<) are not part of YAML 1.2
              hint: write the keys out, or repeat a whole value with an alias (*name)
        "#]],
    );
    check_text(
        r#"a: *nobody
"#,
        Format::Yaml,
        expect![[r#"
            1:4: error: not YAML: while parsing node, found unknown anchor
              hint: an alias (*name) needs its anchor (&name) before it
        "#]],
    );
    check_text(
        r#"a: &x [*x]
"#,
        Format::Yaml,
        expect![[r#"
            1:8: error: an alias stands inside the value that it repeats
              hint: write the value out
        "#]],
    );
    check_text(
        r#"a: !mine 1
b: .inf
"#,
        Format::Yaml,
        expect![[r#"
            1:4: error: tags are not taken here (value: !mine)
              hint: remove the word that begins with '!'
            2:4: error: infinity and 'not a number' can't be written as JSON (value: .inf)
              hint: put quotes around it if it is meant as text
        "#]],
    );
    check_text(
        r#"? [a]
: 1
"#,
        Format::Yaml,
        expect![[r#"
            1:3: error: a key must be text, not a list or an object
              hint: put quotes around a key that begins with [ or {
        "#]],
    );
}

#[test]
fn text_that_is_not_json() {
    check_text(
        "",
        Format::Json,
        expect![[r#"
        1:1: error: not JSON: EOF while parsing a value
          hint: the text ends too early: a bracket, brace or quote is not closed
    "#]],
    );
    check_text(
        "{\"document\": {",
        Format::Json,
        expect![[r#"
        1:14: error: not JSON: EOF while parsing an object
          hint: the text ends too early: a bracket, brace or quote is not closed
    "#]],
    );
    check_text(
        "{'document': 1}",
        Format::Json,
        expect![[r#"
        1:2: error: not JSON: key must be a string
          hint: the document is read as JSON; YAML is taken as application/yaml or from a .yaml file
    "#]],
    );
    check_text(
        r#"document: 1
"#,
        Format::Json,
        expect![[r#"
            1:1: error: not JSON: expected value
              hint: the document is read as JSON; YAML is taken as application/yaml or from a .yaml file
        "#]],
    );
    check_text(
        r#"{"a": 1, // no
 "b": 2}"#,
        Format::Json,
        expect![[r#"
            1:10: error: not JSON: key must be a string
              hint: the document is read as JSON; YAML is taken as application/yaml or from a .yaml file
        "#]],
    );
    check_text(
        "{\"a\": [1, 2,]}",
        Format::Json,
        expect![[r#"
        1:13: error: not JSON: expected value
          hint: the document is read as JSON; YAML is taken as application/yaml or from a .yaml file
    "#]],
    );
    check_text(
        r#"{"a": 1,
 "a": 2}"#,
        Format::Json,
        expect![[r#"
            2:2: error: the key 'a' is given twice; the first is on line 1, column 2
              hint: remove or rename one of them
        "#]],
    );
    check_text(
        "{\"a\": \"\\ud800\"}",
        Format::Json,
        expect![[r#"
            1:7: error: the text is not valid: unexpected end of hex escape (value: "\ud800")
              hint: write characters out, or escape them: \n, \", \\, \u00e4
        "#]],
    );
}

#[test]
fn the_head() {
    check_text(
        r#"do: []
"#,
        Format::Yaml,
        expect![[r#"
            1:1: error: 'document' is missing in the workflow (value: {"do":[]})
              hint: add 'document': What the workflow is called and which version it is.
        "#]],
    );
    check_text(
        r#"document:
  dsl: 0.8.0
  namespace: a_b
  name: 5
  version: 1.0
  titel: x
states: []
do: []
"#,
        Format::Yaml,
        expect![[r#"
            2:8: error: this version of the DSL can't be read (value: 0.8.0)
              hint: documents before 1.0.0 have another structure: rewrite it for 1.0.3
            3:14: error: not a name that can stand in an address (value: a_b)
              hint: use 1 to 63 letters, digits or hyphens, a letter or digit first and last
            4:9: error: expected a name, found a number (value: 5)
              hint: put quotes around it: '5'
            5:12: error: expected a version in quotes, such as '1.0.0', found a number (value: 1.0)
              hint: write three numbers in quotes, such as '1.0.0'
            6:3: error: unknown key 'titel' in 'document' (value: "x")
              hint: did you mean 'title'?
            7:1: error: unknown key 'states' in the workflow (value: [])
              hint: it takes 'document', 'input', 'use', 'do', 'timeout', 'output', 'schedule', 'evaluate'
        "#]],
    );
    check_text(
        r#"document: {dsl: '2.0.0', namespace: n, name: w, version: v1}
do: []
"#,
        Format::Yaml,
        expect![[r#"
            1:17: error: this version of the DSL can't be read (value: 2.0.0)
              hint: this release reads 1.0.0 to 1.0.3; newer versions need a newer release
            1:58: error: not a semantic version (value: v1)
              hint: three numbers with dots, such as 1.0.0
        "#]],
    );
    check_text(
        "[]",
        Format::Yaml,
        expect![[r#"
            1:1: error: expected an object (the workflow), found a list (value: [])
              hint: write an object with 'document', 'do'
        "#]],
    );
}

#[test]
fn tasks_and_their_names() {
    check(
        r#"
do:
  a: {set: {x: 1}}
"#,
        expect![[r#"
            3:3: error: expected a list of tasks, found an object (value: {"a":{"set":{"x":1}}})
              hint: put a '- ' before each item
        "#]],
    );
    check(
        r#"
do:
  - a:
    set: {x: 1}
"#,
        expect![[r#"
            4:5: error: a task must have one name; found 'a', 'set' (value: {"a":null,"set":{"x":1}})
              hint: indent the keys below the name, and begin the next item with '- '
        "#]],
    );
    check(
        r#"
do:
  - a: {sett: {x: 1}}
  - b: {}
  - c: {frobnicate: 1}
  - d: 5
  - e
"#,
        expect![[r#"
            3:9: error: unknown task kind 'sett' (value: {"sett":{"x":1}})
              hint: did you mean 'set'?
            4:5: error: the task does not say what it does (value: {})
              hint: a task has one of 'call', 'do', 'emit', 'for', 'fork', 'listen', 'raise', 'run', 'set', 'switch', 'try', 'wait'
            5:9: error: unknown task kind 'frobnicate' (value: {"frobnicate":1})
              hint: a task has one of 'call', 'do', 'emit', 'for', 'fork', 'listen', 'raise', 'run', 'set', 'switch', 'try', 'wait'
            6:8: error: expected a task (an object), found a number (value: 5)
              hint: write an object with one of 'call', 'do', 'emit', 'for', 'fork', 'listen', 'raise', 'run', 'set', 'switch', 'try', 'wait'
            7:5: error: expected a task with its name, found text (value: "e")
              hint: write it as '- name:' with its keys indented below
        "#]],
    );
    check(
        r#"
do:
  - a: {set: {x: 1}, wait: PT1S}
"#,
        expect![[r#"
            3:22: error: a task does one thing; this one has 'set', 'wait' (value: {"set":{"x":1},"wait":"PT1S"})
              hint: make a task of its own for each
        "#]],
    );
    check(
        r#"
do:
  - a: {set: {x: 1}}
  - a: {set: {x: 1}}
  - end: {set: {x: 1}}
"#,
        expect![[r#"
            4:5: error: the name 'a' is given twice in this list; the first is on line 3, column 5 (value: {"set":{"x":1}})
              hint: rename one of them
            5:5: warning: 'then: end' is a directive, so it never leads here (value: {"set":{"x":1}})
              hint: rename the task
        "#]],
    );
    check(
        r#"
do:
  - a: {set: {}}
  - b: {set: {x: 1}, iff: .a, While: .b}
"#,
        expect![[r#"
            3:9: error: 'set' is empty (value: {})
              hint: write at least one name and value
            4:22: error: unknown key 'iff' in a set task (value: ".a")
              hint: did you mean 'if'?
            4:31: error: unknown key 'While' in a set task (value: ".b")
              hint: it takes 'set', 'if', 'input', 'output', 'export', 'timeout', 'then', 'metadata'
        "#]],
    );
}

#[test]
fn the_flow() {
    check(
        r#"
do:
  - first: {set: {x: 1}, then: secnd}
  - second: {set: {x: 1}, then: exit}
"#,
        expect![[r#"
            3:32: error: no task 'secnd' in this list (value: secnd)
              hint: did you mean 'second'? a flow can go to continue, exit, end, first, second
        "#]],
    );
    check(
        r#"
do:
  - outer:
      do:
        - inner: {set: {x: 1}, then: outer}
"#,
        expect![[r#"
            5:38: error: no task 'outer' in this list (value: outer)
              hint: a flow can go to continue, exit, end, inner; it can't go into or out of another list
        "#]],
    );
    check(
        r#"
do:
  - a: {set: {x: 1}, then: c}
  - b: {set: {x: 1}}
  - c: {raise: {error: {type: /e, status: 400}}}
  - d: {set: {x: 1}}
"#,
        expect![[r#"
            4:5: warning: nothing leads to the task 'b' (value: {"set":{"x":1}})
              hint: remove it, or go to it with a 'then' before it
            6:5: warning: nothing leads to the task 'd' (value: {"set":{"x":1}})
              hint: remove it, or go to it with a 'then' before it
        "#]],
    );
    check(
        r#"
do:
  - s:
      switch:
        - a: {when: .x, then: end}
        - b: {then: end}
        - c: {then: continue}
        - a: {when: .y}
"#,
        expect![[r#"
            7:11: error: two cases without 'when'; 'b' on line 6 is the default already (value: {"then":"continue"})
              hint: add a 'when' to one of them
            8:11: error: 'then' is missing in a switch case (value: {"when":".y"})
              hint: add 'then': What comes next: continue, exit, end, or the name of a task in the same list.
            8:11: error: the case 'a' is given twice; the first is on line 5 (value: {"when":".y"})
              hint: rename one of them
        "#]],
    );
    check(
        r#"
do:
  - f:
      fork:
        branches:
          - a: {set: {x: 1}, then: b}
          - b: {set: {x: 1}}
"#,
        expect![[r#"
            6:36: error: a branch of a fork can't go on at another branch (value: "b")
              hint: put the tasks that follow each other into a 'do' within one branch
        "#]],
    );
}

#[test]
fn expressions_and_templates() {
    check(
        r#"
do:
  - a: {if: '${ .a + }', set: {x: 1}}
"#,
        expect![[r#"
            3:22: error: not a jq expression: expected term at byte 4, found the end (value: .a +)
              hint: see the jq manual for the syntax
        "#]],
    );
    check(
        r#"
do:
  - a:
      set:
        x: |
          Hello ${ .name }
          and ${ .other + }
"#,
        expect![[r#"
            7:27: error: not a jq expression: expected term at byte 8, found the end (value: .other +)
              hint: see the jq manual for the syntax
        "#]],
    );
    check(
        r#"
do:
  - a: {set: {x: "it's \"${ $itm.a }\""}}
"#,
        expect![[r#"
            3:29: error: not a jq expression: the variable `$itm` is not defined (byte 0) (value: $itm.a)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task
        "#]],
    );
    check(
        r#"
do:
  - a: {for: {each: item, in: .a}, do: [b: {set: {x: '${ $itm }'}}]}
"#,
        expect![[r#"
            3:58: error: not a jq expression: the variable `$itm` is not defined (byte 0) (value: $itm)
              hint: did you mean '$item'?
        "#]],
    );
    check(
        r#"
do:
  - a: {set: {x: '${ .a'}}
"#,
        expect![[r#"
            3:19: error: '${' without its closing '}' (value: ${ .a)
              hint: close it with '}'; quotes and brackets inside must be closed before
        "#]],
    );
    check(
        r#"
do:
  - a: {set: {x: '${ $secrets.key }', y: '${ $authorization }'}}
"#,
        expect![[r#"
            3:22: error: not a jq expression: the variable `$secrets` is not defined (byte 0) (value: $secrets.key)
              hint: name the secrets that are used: use: {secrets: [NAME]}
            3:46: error: not a jq expression: the variable `$authorization` is not defined (byte 0) (value: $authorization)
              hint: $authorization is there in a call with an authentication: in its arguments where that is basic or bearer, in output.as and export.as with any
        "#]],
    );
    check(
        r#"
do:
  - a: {if: '', set: {x: '{{ .a }}', y: '${}'}}
"#,
        expect![[r#"
            3:13: error: the expression is empty (value: "")
              hint: write jq, such as .order.id; '.' is the whole input
            3:41: error: the expression is empty (value: "${}")
              hint: write jq, such as .order.id; '.' is the whole input
        "#]],
    );
    check(
        r#"
do:
  - a: {call: http, with: {method: get, endpoint: 'https://e.com/{a b}'}}
"#,
        expect![[r#"
            3:67: error: not a URI template (RFC 6570): between braces stands a name of the task's input, such as {id} (value: https://e.com/{a b})
              hint: {id} takes 'id' of the task's input; for more write ${ } around the whole
        "#]],
    );
    check(
        r#"
do:
  - a: {call: http, with: {method: get, endpoint: 'https://e.com/${ .a }'}}
"#,
        expect![[r#"
            3:51: error: the expression does not span the whole endpoint (value: "https://e.com/${ .a }")
              hint: write ${ "https://example.com/\(.id)" } or https://example.com/{id}
        "#]],
    );
    check(
        r#"
do:
  - a: {call: http, with: {method: 'g t', endpoint: ftp://e.com, output: contents, headers: {'a b': c}}}
"#,
        expect![[r#"
            3:36: error: not an HTTP method (value: g t)
              hint: such as get, post, put, patch or delete
            3:53: error: not an absolute HTTP address (value: ftp://e.com)
              hint: begin with http:// or https://, or write an expression within ${ }
            3:74: error: must be one of raw, content, response (value: contents)
              hint: did you mean 'content'?
            3:94: error: not the name of an HTTP header (value: a b)
              hint: letters, digits and hyphens
        "#]],
    );
}

#[test]
fn what_other_languages_write() {
    check(
        r#"
do:
  - a: {if: '${ .a } == 1', set: {x: 1}}
  - b: {if: '.a && .b', set: {x: 1}}
  - c: {if: '.a || .b', set: {x: 1}}
  - d: {if: ".a == 'b'", set: {x: 1}}
  - e: {if: '{{ .a }}', set: {x: 1}}
  - f: {if: '.a === 1', set: {x: 1}}
"#,
        expect![[r#"
            3:15: error: not a jq expression: expected identifier at byte 1, found `{` (value: ${ .a } == 1)
              hint: put the whole expression into one ${ }, or leave ${ } out
            4:17: error: not a jq expression: expected token at byte 3, found `&&` (value: .a && .b)
              hint: jq writes 'and'
            5:17: error: not a jq expression: expected nothing at byte 3, found `||` (value: .a || .b)
              hint: jq writes 'or', and '//' for a value in place of null
            6:20: error: not a jq expression: expected token at byte 6, found `'b'` (value: .a == 'b')
              hint: text in jq stands in double quotes
            7:15: error: not a jq expression: expected key at byte 1, found `{` (value: {{ .a }})
              hint: expressions are jq within ${ }, not {{ }}
            8:17: error: not a jq expression: expected nothing at byte 3, found `===` (value: .a === 1)
              hint: jq compares with '=='
        "#]],
    );
}

#[test]
fn addresses() {
    check(
        r#"
do:
  - a: {call: http, with: {method: get, endpoint: 'https://e.com:99999/'}}
  - b: {call: http, with: {method: get, endpoint: 'https://'}}
  - c: {call: http, with: {method: get, endpoint: '/orders'}}
  - d: {call: http, with: {method: get, endpoint: {url: 'https://e.com'}}}
  - e: {call: http, with: {method: get, endpoint: 5}}
"#,
        expect![[r#"
            3:51: error: not an address that can be called (value: "https://e.com:99999/")
              hint: such as https://example.com/orders or http://127.0.0.1:8080/orders
            4:51: error: not an address that can be called (value: "https://")
              hint: such as https://example.com/orders or http://127.0.0.1:8080/orders
            5:51: error: not an absolute HTTP address (value: /orders)
              hint: begin with http:// or https://, or write an expression within ${ }
            6:41: error: 'uri' is missing in an endpoint (value: {"url":"https://e.com"})
              hint: add 'uri': Where to; {name} takes a value of the task's input.
            6:52: error: unknown key 'url' in an endpoint (value: "https://e.com")
              hint: did you mean 'uri'?
            7:51: error: expected a URI such as https://example.com/orders/{id} or an object (an endpoint), found a number (value: 5)
              hint: put quotes around it: '5'
        "#]],
    );
}

#[test]
fn calls() {
    check(
        r#"
do:
  - a: {call: htp, with: {}}
"#,
        expect![[r#"
            3:15: error: no such function in use.functions (value: htp)
              hint: did you mean 'http'?
        "#]],
    );
    check(
        r#"
do:
  - a: {call: asyncapi, with: {document: {endpoint: 'https://a.b/c'}, protocol: kafka, message: {}, operation: o, channel: c}}
  - b: {call: asyncapi, with: {document: {endpoint: 'https://a.b/c'}, operation: o, subscription: {filter: .a, consume: {amount: 0, until: '${ .x }'}}}}
  - c: {call: asyncapi, with: {document: {endpoint: 'https://a.b/c'}, channel: c, subscription: {consume: {while: '${ $message }'}, foreach: {item: m, at: m, do: [{x: {set: '${ $n }'}}]}}, message: {}}}
  - d: {call: asyncapi, with: {document: {endpoint: 'https://a.b/c'}, operation: o, protocol: kafka, server: {name: main}, message: {}}}
  - e: {call: mcp, with: {method: tools/list, transport: {http: {endpoint: 'https://a.b'}, options: {retries: '3'}}}}
"#,
        expect![[r#"
            3:31: error: the call needs exactly one of 'operation', 'channel' (value: {"document":{"endpoint":"https://a.b/c"},"protocol":"kafka","message":{},"operat…)
              hint: write the operation's name in the document
            3:81: error: AsyncAPI over kafka is not supported yet (value: "kafka")
              hint: this release speaks http, ws, nats
            4:108: error: not a runtime expression (value: .a)
              hint: write jq within ${ }, such as ${ .order.id }
            4:130: error: must be between 1 and 10000 (value: 0)
              hint: write a whole number between 1 and 10000
            4:133: error: 'consume' needs exactly one of 'amount', 'while', 'until'; found several (value: {"amount":0,"until":"${ .x }"})
              hint: keep 'amount' and remove 'until', or the other way round
            5:119: error: not a jq expression: the variable `$message` is not defined (byte 0) (value: $message)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task
            5:156: error: the event and the index have the same name (value: "m")
              hint: give 'item' and 'at' different names
            5:190: error: the call needs exactly one of 'message', 'subscription'; found several (value: {"document":{"endpoint":"https://a.b/c"},"channel":"c","subscription":{"consume"…)
              hint: keep 'subscription' and remove 'message', or the other way round
            7:102: warning: no option 'retries' of a transport is known (value: "3")
              hint: leave it out; headers, arguments and environment are read
        "#]],
    );
    check(
        r#"
do:
  - a: {call: grpc, with: {proto: {endpoint: greet.proto}, service: {host: 'localhost:80', port: 0}, arguments: {name: '${ $nobody }'}}}
"#,
        expect![[r#"
            3:21: error: 'method' is missing in the arguments of 'call: grpc' (value: {"proto":{"endpoint":"greet.proto"},"service":{"host":"localhost:80","port":0},"…)
              hint: add 'method': The method, such as SayHello.
            3:46: error: not the address of a document (value: greet.proto)
              hint: begin with https://, http:// or, for a file of the resources folder, file:///
            3:60: error: 'name' is missing in the gRPC service (value: {"host":"localhost:80","port":0})
              hint: add 'name': The service with its package, such as shop.v1.Orders.
            3:76: error: not the name of a host (value: localhost:80)
              hint: such as localhost or orders.example.com; the port has a key of its own
            3:98: error: must be between 1 and 65535 (value: 0)
              hint: write a whole number between 1 and 65535
            3:124: error: not a jq expression: the variable `$nobody` is not defined (byte 0) (value: $nobody)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task
        "#]],
    );
    check(
        r#"
do:
  - a: {call: openapi, with: {document: {endpoint: 'file:///{name}.yaml'}, operationID: x, parameters: {a: '${ .a'}}}
"#,
        expect![[r#"
            3:24: error: 'operationId' is missing in the arguments of 'call: openapi' (value: {"document":{"endpoint":"file:///{name}.yaml"},"operationID":"x","parameters":{"…)
              hint: add 'operationId': The operation's id in the document.
            3:52: error: the name of a file is not a template (value: "file:///{name}.yaml")
              hint: write the name out, such as file:///orders.proto
            3:76: error: unknown key 'operationID' in the arguments of 'call: openapi' (value: "x")
              hint: did you mean 'operationId'?
            3:109: error: '${' without its closing '}' (value: ${ .a)
              hint: close it with '}'; quotes and brackets inside must be closed before
        "#]],
    );
    check(
        r#"
do:
  - a: {call: mcp, with: {method: tools/lst, parameters: text, transport: {http: {endpoint: 'ftp://a'}, stdio: {command: npx}}}}
  - b: {call: a2a, with: {method: message/send, parameters: {}}}
  - c: {call: mcp, with: {method: tools/list, transport: {stdio: {command: '${ .program }'}}}}
  - d: {call: a2a, with: {agentCard: {endpoint: {uri: 'file:///card.json', authentication: {bearer: {token: t}}}}, method: tasks/list}}
  - e: {call: openapi, with: {document: {endpoint: https://e.com/a}, operationId: o, authentication: {use: nobody}}}
"#,
        expect![[r#"
            3:35: error: must be one of tools/list, tools/call, prompts/list, prompts/get, resources/list, resources/read, resources/templates/list (value: tools/lst)
              hint: did you mean 'tools/list'?
            3:58: error: the parameters are a text (value: "text")
              hint: write an object, or one ${ } that gives an object
            3:93: error: not an absolute HTTP address (value: ftp://a)
              hint: begin with http:// or https://, or write an expression within ${ }
            3:105: error: the transport needs exactly one of 'http', 'stdio'; found several (value: {"http":{"endpoint":"ftp://a"},"stdio":{"command":"npx"}})
              hint: keep 'http' and remove 'stdio', or the other way round
            4:26: error: the call names no agent (value: {"method":"message/send","parameters":{}})
              hint: add 'agentCard' with its endpoint, or 'server'
            4:49: error: 'parameters' is empty (value: {})
              hint: write at least one name and value
            5:76: error: the program is an expression (value: "${ .program }")
              hint: write the program's name out; what comes out of data goes into 'arguments'
            6:76: error: a file is read without an authentication (value: {"endpoint":{"uri":"file:///card.json","authentication":{"bearer":{"token":"t"}}…)
              hint: remove 'authentication', or name the document by its address
            7:108: error: no authentication 'nobody' in use.authentications (value: nobody)
              hint: define it in use.authentications, or write it out here
        "#]],
    );
    check(
        r#"
do:
  - a: {call: sqlite.upset:1.0.0@default}
"#,
        expect![[r#"
            3:15: error: no such function in the default catalog (value: sqlite.upset:1.0.0@default)
              hint: did you mean 'sqlite.upsert:1.0.0@default'?
        "#]],
    );
    check(
        r#"
do:
  - a: {call: log:1.0.0@mine}
"#,
        expect![[r#"
            3:15: error: no catalog 'mine' in use.catalogs (value: log:1.0.0@mine)
              hint: add it: use: {catalogs: {mine: {endpoint: https://...}}}
        "#]],
    );
    check(
        r#"
do:
  - a: {call: https://e.com/f.yaml}
"#,
        expect![""],
    );
    check(
        r#"
do:
  - a: {call: sqlite.upsert:1.0.0@default}
"#,
        expect![[r#"
            3:15: error: 'key' is missing in the arguments of sqlite.upsert:1.0.0@default (value: "sqlite.upsert:1.0.0@default")
              hint: it takes database, connection, table, key, record, records, create
            3:15: error: 'table' is missing in the arguments of sqlite.upsert:1.0.0@default (value: "sqlite.upsert:1.0.0@default")
              hint: it takes database, connection, table, key, record, records, create
            3:15: error: sqlite.upsert:1.0.0@default needs either 'database' or 'connection' (value: "sqlite.upsert:1.0.0@default")
              hint: it takes database, connection, table, key, record, records, create
            3:15: error: sqlite.upsert:1.0.0@default needs either 'record' or 'records' (value: "sqlite.upsert:1.0.0@default")
              hint: it takes database, connection, table, key, record, records, create
        "#]],
    );
    check(
        r#"
do:
  - a:
      call: sqlite.upsert:1.0.0@default
      with: {database: a.db, connection: c, table: 5, keys: [id], key: '${ .key }', record: {}}
"#,
        expect![[r#"
            5:13: error: sqlite.upsert:1.0.0@default needs either 'database' or 'connection' (value: {"database":"a.db","connection":"c","table":5,"keys":["id"],"key":"${ .key }","r…)
              hint: it takes database, connection, table, key, record, records, create
            5:52: error: an argument of sqlite.upsert:1.0.0@default is wrong: 5 is not of type "string" (value: 5)
              hint: The table to write to.
            5:55: error: unknown argument 'keys' of sqlite.upsert:1.0.0@default (value: ["id"])
              hint: did you mean 'key'?
        "#]],
    );
}

#[test]
fn what_is_not_there_yet() {
    check(
        r#"
schedule: {every: PT1H}
evaluate: {mode: loose, language: js}
do: []
"#,
        expect![[r#"
            3:35: error: expressions in the language 'js' can't be run (value: js)
              hint: write them in jq, and language: jq or nothing here
        "#]],
    );
    check(
        r#"
output:
  schema: {format: avro, document: {}}
input:
  schema: {format: 'json:draft-08', document: {}}
do:
  - a: {set: {x: 1}, output: {schema: {format: 'json:draft-07', document: {items: [{type: integer}]}}}}
  - b: {set: {x: 1}, output: {schema: {document: {items: [{type: integer}]}}}}
  - c: {set: {x: 1}, output: {schema: {resource: {endpoint: {uri: 'https://a.b/c', authentication: {bearer: {token: t}}}}}}}
  - d: {set: {x: 1}, output: {schema: {resource: {endpoint: {uri: 'https://a.b/c', authentication: {bearer: {token: t}}}}}}}
  - e: {set: {x: 1}, output: {schema: {resource: {endpoint: {uri: 'https://a.b/c', authentication: {bearer: {token: u}}}}}}}
"#,
        expect![[r#"
            3:20: error: schemas of the format 'avro' are not supported (value: avro)
              hint: write a JSON Schema (format: json), or name its draft: json:2020-12, json:2019-09, json:draft-07, json:draft-06, json:draft-04
            5:20: error: schemas of the format 'json:draft-08' are not supported (value: json:draft-08)
              hint: write a JSON Schema (format: json), or name its draft: json:2020-12, json:2019-09, json:draft-07, json:draft-06, json:draft-04
            8:58: error: not a JSON Schema: [{"type":"integer"}] is not of types "boolean", "object" (value: [{"type":"integer"}])
              hint: JSON Schema 2020-12 is read unless $schema or format names another draft
            11:100: error: another authentication than elsewhere for the same address (value: {"bearer":{"token":"u"}})
              hint: write the same at each place, such as {use: NAME} of use.authentications
        "#]],
    );
}

#[test]
fn what_looks_like_an_expression_and_is_none() {
    check(
        r#"
evaluate: {mode: loose}
use: {secrets: [api]}
do:
  - a:
      set: {one: '${ .a + }', two: 'Hi ${ .name', three: 'Hi ${ $nobody }', four: Hi, five: $secrets.key}
"#,
        expect![[r#"
            6:18: warning: this stays text, since it is not a jq expression: expected term at byte 4, found the end (value: ${ .a + })
              hint: repair it, or leave ${ } out if it is meant as text
            6:36: warning: this stays text, since it is not a jq expression: `${` at byte 3 has no closing `}` (value: Hi ${ .name)
              hint: repair it, or leave ${ } out if it is meant as text
            6:58: warning: this stays text, since it is not a jq expression: the variable `$nobody` is not defined (byte 0) (value: Hi ${ $nobody })
              hint: repair it, or leave ${ } out if it is meant as text
            6:102: error: no secret 'key' in use.secrets (value: key)
              hint: declare it: use: {secrets: [key]}
        "#]],
    );
}

#[test]
fn texts_from_outside() {
    check(
        r#"
use:
  catalogs:
    one: {endpoint: ftp://e.com}
    two: {endpoint: {url: https://e.com}}
    three: {endpoint: 'https://e.com/{id}'}
input:
  schema: {resource: {endpoint: 'https://e.com/${ .a }'}}
output:
  schema: {resource: {}}
do:
  - a: {call: log@two}
  - b: {call: log:../1@two}
  - c: {call: log:1.0.0@tow}
  - d: {call: 'gopher://e.com/f.yaml'}
"#,
        expect![[r#"
            4:21: error: not the address of a document (value: ftp://e.com)
              hint: begin with https://, http:// or, for a file of the resources folder, file:///
            5:11: error: 'uri' is missing in an endpoint (value: {"url":"https://e.com"})
              hint: add 'uri': https://..., or file:///NAME in the workspace's resources folder.
            5:22: error: unknown key 'url' in an endpoint (value: "https://e.com")
              hint: did you mean 'uri'?
            6:23: error: an address that depends on data, where there is no run yet (value: "https://e.com/{id}")
              hint: write the address out, such as https://example.com/order.json
            8:33: error: an address that depends on data, where there is no run yet (value: "https://e.com/${ .a }")
              hint: write the address out, such as https://example.com/order.json
            10:12: error: 'endpoint' is missing in an external resource (value: {})
              hint: add 'endpoint': Where it is.
            12:15: error: not a function of a catalog (value: "log@two")
              hint: write NAME:VERSION@CATALOG, such as log:1.0.0@shared
            13:15: error: not a function of a catalog (value: "log:../1@two")
              hint: write NAME:VERSION@CATALOG, such as log:1.0.0@shared
            14:15: error: no catalog 'tow' in use.catalogs (value: log:1.0.0@tow)
              hint: did you mean 'two'?
            15:15: error: not an address that can be read (value: "gopher://e.com/f.yaml")
              hint: begin with https://, http:// or, for a file of the resources folder, file:///
        "#]],
    );
}

#[test]
fn extensions() {
    check(
        r#"
use:
  extensions:
    - a: {extend: function, befor: []}
    - b: {before: [{x: {set: $item}}]}
    - c: {extend: set, when: .a &&, after: [{y: {call: nobody}}, {y: {wait: PT1S, then: z}}]}
    - {}
    - d: {extend: all}
      e: {extend: all}
do:
  - loop: {for: {in: .items}, do: [{t: {set: {a: 1}}}]}
"#,
        expect![[r#"
            4:19: error: must be one of call, composite, emit, for, listen, raise, run, set, switch, try, wait, all (value: function)
              hint: write one of call, composite, emit, for, listen, raise, run, set, switch, try, wait, all
            4:29: error: unknown key 'befor' in an extension (value: [])
              hint: did you mean 'before'?
            5:7: error: 'extend' is missing in an extension (value: {"before":[{"x":{"set":"$item"}}]})
              hint: add 'extend': The kind of task: 'composite' is do and fork, 'all' is every kind.
            5:30: error: not a jq expression: the variable `$item` is not defined (byte 0) (value: $item)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task
            6:33: error: not a jq expression: expected token at byte 3, found `&&` (value: .a &&)
              hint: jq writes 'and'
            6:56: error: no such function in use.functions (value: nobody)
              hint: this release calls http, openapi, grpc, mcp, asyncapi, a2a, sqlite.upsert:1.0.0@default, postgres.upsert:1.0.0@default, file.write:1.0.0@default
            6:67: error: the name 'y' is given twice in this list; the first is on line 6, column 46 (value: {"wait":"PT1S","then":"z"})
              hint: rename one of them
            6:89: error: no task 'z' in this list (value: z)
              hint: did you mean 'y'? a flow can go to continue, exit, end, y, y
            7:7: error: an extension without a name (value: {})
              hint: write it as '- name:' with its keys indented below
            9:7: error: an extension must have one name; found 'd', 'e' (value: {"d":{"extend":"all"},"e":{"extend":"all"}})
              hint: indent the keys below the name, and begin the next item with '- '
        "#]],
    );
}

#[test]
fn names_that_use_does_not_have() {
    check(
        r#"
use:
  timeouts: {short: {after: PT1S}}
  retries: {often: {when: $eror.status}}
timeout: shrt
do:
  - a: {timeout: PT5S, raise: {error: missing}}
  - b: {try: [], catch: {as: fault, retry: often}}
  - c: {try: [], catch: {retry: seldom}}
"#,
        expect![[r#"
            4:27: error: not a jq expression: the variable `$eror` is not defined (byte 0) (value: $eror.status)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task, $fault
            5:10: error: no timeout 'shrt' in use.timeouts (value: shrt)
              hint: did you mean 'short'?
            7:18: error: no timeout 'PT5S' in use.timeouts (value: PT5S)
              hint: for a duration write 'timeout: {after: PT5S}'
            7:39: error: no error 'missing' in use.errors (value: missing)
              hint: define it in use.errors, or write it out here
            9:33: error: no retry policy 'seldom' in use.retries (value: seldom)
              hint: use.retries has often
        "#]],
    );
}

#[test]
fn durations_schedules_and_schemas() {
    check(
        r#"
schedule: {cron: '61 * * * *'}
do:
  - a: {wait: 5}
  - b: {wait: {second: 5}}
  - c: {wait: {}}
  - d: {wait: 5s}
  - e: {wait: P1.5Y}
  - f: {wait: {seconds: -1, days: 40000}}
  - g: {wait: {seconds: 1.5}}
  - h: {wait: {days: 40000}}
"#,
        expect![[r#"
            2:18: error: not a cron expression: Component error: Number out of bounds. (value: "61 * * * *")
              hint: write minute, hour, day, month and weekday, such as '30 7 * * MON-FRI', in UTC; 'CRON_TZ=Europe/Berlin ' before them takes the time of a place
            4:15: error: expected an object (a duration) or a duration such as PT5S, found a number (value: 5)
              hint: write a unit too, such as PT5S or {seconds: 5}
            5:16: error: unknown key 'second' in a duration (value: 5)
              hint: did you mean 'seconds'?
            6:9: error: a duration is empty (value: {})
              hint: give at least one of 'days', 'hours', 'minutes', 'seconds', 'milliseconds'
            7:15: error: not an ISO 8601 duration (value: 5s)
              hint: write ISO 8601 such as PT1H30M, an object such as {hours: 1, minutes: 30}, or ${ }
            8:15: error: a part of a year or a month has no length (value: P1.5Y)
              hint: write ISO 8601 such as PT1H30M, an object such as {hours: 1, minutes: 30}, or ${ }
            9:25: error: must be 0 or more (value: -1)
              hint: write a whole number, 0 or more
            10:25: error: expected a whole number, found a number (value: 1.5)
              hint: write a whole number, 0 or more
            11:15: error: longer than 100 years (value: {"days":40000})
              hint: write a shorter duration
        "#]],
    );
    check(
        r#"
schedule: {cron: CRON_TZ=Mars/City 0 7 * * *}
input: {schema: {document: {type: objct, properties: {a: {minimum: x}}}}}
output: {schema: {document: {$ref: s.json}}}
do: []
"#,
        expect![[r#"
            2:18: error: no time zone 'Mars/City' (value: "CRON_TZ=Mars/City 0 7 * * *")
              hint: write minute, hour, day, month and weekday, such as '30 7 * * MON-FRI', in UTC; 'CRON_TZ=Europe/Berlin ' before them takes the time of a place
            3:35: error: not a JSON Schema: "objct" is not valid under any of the schemas listed in the 'anyOf' keyword (value: "objct")
              hint: JSON Schema 2020-12 is read unless $schema or format names another draft
            3:68: error: not a JSON Schema: "x" is not of type "number" (value: "x")
              hint: JSON Schema 2020-12 is read unless $schema or format names another draft
            4:29: error: a reference to s.json that can't be followed: No base URI is available (value: {"$ref":"s.json"})
              hint: put what it refers to into $defs and write '#/$defs/name', or write the address of a JSON Schema
        "#]],
    );
}

#[test]
fn policies_and_errors() {
    check(
        r#"
do:
  - a:
      try: []
      catch:
        errors: {with: {code: 5}, wth: 1}
        as: $error
        retry:
          delay: PT1S
          backoff: {linear: {factor: 2}, constant: {}}
          jitter: {from: PT1S}
          limit: {attempts: 3}
  - b: {raise: {error: {type: not a uri, status: 99, instance: here, titel: x}}}
  - c: {for: {each: x, at: x, in: .a}, do: []}
  - d: {emit: {event: {}}}
  - e: {emit: {event: {with: {type: t, My-Attribute: 1}}}}
  - f: {fork: {branches: []}}
"#,
        expect![[r#"
            6:25: error: unknown key 'code' in the error filter (value: 5)
              hint: it takes 'type', 'status', 'instance', 'title', 'detail', 'details'
            6:35: error: unknown key 'wth' in 'errors' (value: 1)
              hint: did you mean 'with'?
            7:13: error: not a name that an expression can use (value: $error)
              hint: leave the $ out: error
            10:30: error: unknown key 'factor' in a backoff, which has no settings (value: 2)
              hint: it takes no keys
            10:42: error: a backoff needs exactly one of 'constant', 'linear', 'exponential'; found several (value: {"linear":{"factor":2},"constant":{}})
              hint: keep 'linear' and remove 'constant', or the other way round
            11:11: error: 'to' is missing in a jitter (value: {"from":"PT1S"})
              hint: add 'to': The greatest addition.
            12:19: error: unknown key 'attempts' in a retry limit (value: 3)
              hint: did you mean 'attempt'?
            13:31: error: not a URI (value: not a uri)
              hint: write a URI such as https://example.com/errors/not-found, or ${ }
            13:50: error: must be between 100 and 599 (value: 99)
              hint: write a whole number between 100 and 599
            13:64: error: not a JSON pointer (value: "here")
              hint: begin with '/', such as /do/0/getPet, or leave it out: the task is the default
            13:70: error: unknown key 'titel' in an error (value: "x")
              hint: did you mean 'title'?
            14:28: error: the item and the index have the same name (value: "x")
              hint: give 'each' and 'at' different names
            15:16: error: 'with' is missing in 'event' (value: {})
              hint: add 'with': The attributes and data of the event.
            16:40: error: 'My-Attribute' can't be an attribute of an event (value: 1)
              hint: CloudEvents takes lower-case letters and digits; put the rest into 'data'
            17:26: error: a fork without branches (value: [])
              hint: add a branch
        "#]],
    );
}

#[test]
fn webhooks() {
    let hook = |hook: &str| {
        format!(
            r#"document:
  dsl: '1.0.3'
  namespace: n
  name: w
  version: '1.0.0'
  metadata:
    mastra.io/webhook: {hook}
do: []
"#
        )
    };
    check_text(
        &hook("{path: a/../b, methd: POST, method: post, contentType: json, answer: yes}"),
        Format::Yaml,
        expect![[r#"
            7:31: error: not a path for a webhook (value: "a/../b")
              hint: letters, digits, '-', '.', '_' and '~' with '/' between, such as shop/orders
            7:39: error: unknown key 'methd' in the webhook (value: "POST")
              hint: did you mean 'method'?
            7:60: error: must be one of POST, PUT, PATCH, GET, DELETE (value: post)
              hint: did you mean 'POST'?
            7:79: error: not a content type (value: "json")
              hint: such as application/json, without parameters
            7:93: error: must be one of accepted, output (value: yes)
              hint: write one of accepted, output
        "#]],
    );
    check_text(
        &hook("{path: a, secret: {connection: c}, signature: {standardWebhooks: {connection: c}}}"),
        Format::Yaml,
        expect![[r#"
            7:70: error: a webhook has either a secret or a signature (value: {"standardWebhooks":{"connection":"c"}})
              hint: keep the signature where the sender can sign: it covers the body too
        "#]],
    );
    check_text(
        &hook("{path: a}").replace("webhook", "webhok"),
        Format::Yaml,
        expect![[r#"
            7:5: error: unknown key 'mastra.io/webhok' in the metadata (value: {"path":"a"})
              hint: did you mean 'mastra.io/webhook'?
        "#]],
    );
    check_text(
        &hook("{secret: {}}"),
        Format::Yaml,
        expect![[r#"
            7:5: error: 'path' is missing in the webhook (value: {"secret":{}})
              hint: add 'path': The path below /hooks/, such as orders.
            7:25: error: 'connection' is missing in the webhook's secret (value: {})
              hint: add 'connection': The connection whose secret it is.
        "#]],
    );
}

#[test]
fn retention() {
    let kept = |retention: &str| {
        format!(
            r#"document:
  dsl: '1.0.3'
  namespace: n
  name: w
  version: '1.0.0'
  metadata:
    mastra.io/retention: {retention}
do: []
"#
        )
    };
    check_text(
        &kept("{days: -1, run: 7}"),
        Format::Yaml,
        expect![[r#"
            7:33: error: must be 0 or more (value: -1)
              hint: write a whole number between 0 and 36500
            7:37: error: unknown key 'run' in the retention (value: 7)
              hint: did you mean 'runs'?
        "#]],
    );
    check_text(
        &kept("{}"),
        Format::Yaml,
        expect![[r#"
            7:5: error: the retention is empty (value: {})
              hint: give at least one of 'days', 'runs'
        "#]],
    );
    check_text(
        &kept("{days: 1}").replace("retention", "keep"),
        Format::Yaml,
        expect![[r#"
            7:5: error: unknown key 'mastra.io/keep' in the metadata (value: {"days":1})
              hint: there are mastra.io/webhook and mastra.io/retention
        "#]],
    );
    let workflow = flame_dsl::parse(&kept("{days: 30, runs: 1000}"), Format::Yaml).unwrap();
    assert_eq!(
        workflow.retention,
        Some(flame_dsl::Retention {
            days: Some(30),
            runs: Some(1000)
        })
    );
}

#[test]
fn pipelines() {
    check_pipeline(
        r#"
pipeline: {namespace: a}
"#,
        expect![[r#"
            1:1: error: 'name' is missing in 'pipeline' (value: {"namespace":"a"})
              hint: add 'name': The pipeline's name within its namespace.
            1:1: error: 'sink' is missing in the pipeline (value: {"pipeline":{"namespace":"a"}})
              hint: add 'sink': Where the records go.
            1:1: error: 'source' is missing in the pipeline (value: {"pipeline":{"namespace":"a"}})
              hint: add 'source': How the files are written.
        "#]],
    );
    check_pipeline(
        r#"
pipeline: {namespace: a, name: b}
source: {csv: {delimiter: ';;', head: true}, ndjson: {}}
map: '{id: .id, x: $context}'
sink: {connector: oracle, table: t, key: []}
watch: {pattern: x}
"#,
        expect![[r#"
            2:27: error: the delimiter must be one ASCII character, and not a quote or line break (value: ";;")
              hint: such as ',' or ';' or "\t"
            2:33: error: unknown key 'head' in the CSV source (value: true)
              hint: it takes 'delimiter', 'header'
            2:46: error: the source needs exactly one of 'csv', 'ndjson'; found several (value: {"csv":{"delimiter":";;","head":true},"ndjson":{}})
              hint: keep 'csv' and remove 'ndjson', or the other way round
            3:20: error: not a jq expression: the variable `$context` is not defined (byte 13) (value: {id: .id, x: $context})
              hint: there are no variables here; '.' is the row
            4:19: error: must be one of sqlite, postgres (value: oracle)
              hint: write one of sqlite, postgres
            4:37: error: the list needs at least 1 item (value: [])
              hint: add an item, each behind a '- ' of its own
            5:1: error: 'folder' is missing in 'watch' (value: {"pattern":"x"})
              hint: add 'folder': The folder to watch.
        "#]],
    );
    check_pipeline(
        r#"
pipeline: {namespace: a, name: b}
source: {ndjson: {}}
sink: {connector: postgres, database: d, table: t, key: [id, id]}
"#,
        expect![[r#"
            3:39: error: 'database' names a SQLite file (value: "d")
              hint: write 'connection' with the name of a PostgreSQL connection
        "#]],
    );
    check_pipeline(
        r#"
pipeline: {namespace: a, name: b}
source: {ndjson: {}}
sink: {connector: sqlite, database: d, table: t, key: [id, id]}
"#,
        expect![[r#"
            3:60: error: the column is named twice (value: "id")
              hint: remove one
        "#]],
    );
    check_pipeline(
        r#"
pipeline: {namespace: a, name: b}
source: {ndjson: {}}
sink: {connector: sqlite, table: t, key: [id]}
"#,
        expect![[r#"
            3:7: error: a SQLite sink needs either 'database' or 'connection' (value: {"connector":"sqlite","table":"t","key":["id"]})
              hint: write 'database' with the name of a file, such as orders.db
        "#]],
    );
}

#[test]
fn listening() {
    check(
        r"
do:
  - a: {listen: {to: {}}}
  - b: {listen: {to: {one: {with: {type: x}}, any: []}}}
  - c: {listen: {to: {one: {with: {type: x}}, until: '. > 1'}}}
  - d: {listen: {to: {all: []}}}
  - e: {listen: {to: {any: [{with: {}}], until: {any: [], until: '.'}}}}
  - f: {listen: {to: {one: {correlate: {k: {from: '.a', expects: b}}}}, read: body}}
  - g: {listen: {to: {one: {with: {type: 'a(b', data: '${ $item }'}}}}}
  - h: {listen: {to: {any: []}}, foreach: {item: e, at: e, do: []}}
  - i: {listen: {to: {any: []}}, foreach: {do: [{x: {set: '$item.a'}}], output: {as: '$e'}}, for: 1}
  - j: {listen: {to: {any: []}}, metadata: {mastra.io/person: {title: '', who: me}}}
  - k: {set: {x: 1}, metadata: {mastra.io/person: {title: Well?}}}
",
        expect![[r#"
            3:18: error: a listener needs exactly one of 'one', 'all', 'any'; found none (value: {})
              hint: add one of 'one', 'all', 'any'
            4:47: error: a listener needs exactly one of 'one', 'all', 'any'; found several (value: {"one":{"with":{"type":"x"}},"any":[]})
              hint: keep 'one' and remove 'any', or the other way round
            5:47: error: 'until' stands with 'any' alone (value: ". > 1")
              hint: 'one' and 'all' end by themselves; leave 'until' out, or listen to 'any'
            6:28: error: 'all' without a filter waits for nothing (value: [])
              hint: add a filter, or write 'any: []' to take whatever event comes first
            7:30: error: what the event must have is empty (value: {})
              hint: give at least one of 'id', 'source', 'type', 'time', 'subject', 'datacontenttype', 'dataschema', 'data'
            7:59: error: unknown key 'until' in 'until' (value: ".")
              hint: it takes 'one', 'all', 'any'
            8:23: error: 'with' is missing in an event filter (value: {"correlate":{"k":{"from":".a","expects":"b"}}})
              hint: add 'with': What the event must have.
            8:57: error: unknown key 'expects' in a correlation (value: "b")
              hint: did you mean 'expect'?
            8:79: error: must be one of data, envelope, raw (value: body)
              hint: write one of data, envelope, raw
            9:42: error: not a regular expression: unclosed group (value: "a(b")
              hint: write a '\' before a sign that stands for itself
            9:59: error: not a jq expression: the variable `$item` is not defined (byte 0) (value: $item)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task
            10:57: error: the event and the index have the same name (value: "e")
              hint: give 'item' and 'at' different names
            11:94: error: a task does one thing; this one has 'for', 'listen' (value: {"listen":{"to":{"any":[]}},"foreach":{"do":[{"x":{"set":"$item.a"}}],"output":{…)
              hint: make a task of its own for each
            12:63: error: a person's answer is one event of a type that Mastra ships (value: {"title":"","who":"me"})
              hint: write 'listen: {to: {one: {with: {type: io.mastra.approval.v1}}}}' or use io.mastra.form.v1
            12:71: error: the text is empty (value: "")
              hint: write a value or remove the key
            12:75: error: unknown key 'who' in what a person is asked (value: "me")
              hint: it takes 'title', 'description', 'assignee', 'schema'
            13:33: error: a person is asked by a listen task (value: {"title":"Well?"})
              hint: put it on a task that listens to io.mastra.approval.v1
        "#]],
    );
}

#[test]
fn secrets() {
    check(
        r#"
use:
  secrets: [api, api, 'a b', '']
do:
  - a: {set: {x: '${ $secrets.api }', y: '${ $secrets.apj.key }', z: 'is ${ $secrets["other"] }'}}
  - b: {call: http, with: {method: get, endpoint: {uri: https://e.com, authentication: {bearer: {use: apu}}}}}
"#,
        expect![[r#"
            3:18: error: the secret 'api' is given twice (value: "api")
              hint: remove one of them
            3:23: error: not the name of a secret (value: a b)
              hint: letters, digits, hyphens, dots and underscores
            3:30: error: not the name of a secret (value: "")
              hint: letters, digits, hyphens, dots and underscores
            5:55: error: no secret 'apj' in use.secrets (value: apj)
              hint: did you mean 'api'?
            5:87: error: no secret 'other' in use.secrets (value: other)
              hint: declare it: use: {secrets: [other]}
            6:103: error: no secret 'apu' in use.secrets (value: apu)
              hint: did you mean 'api'?
        "#]],
    );
    check(
        r#"
do:
  - a: {set: {x: '${ $secrets.key }', y: '${ $authorization }'}}
  - b: {call: http, with: {method: get, endpoint: {uri: https://e.com, authentication: {digest: {use: login}}}}}
"#,
        expect![[r#"
            3:22: error: not a jq expression: the variable `$secrets` is not defined (byte 0) (value: $secrets.key)
              hint: name the secrets that are used: use: {secrets: [NAME]}
            3:46: error: not a jq expression: the variable `$authorization` is not defined (byte 0) (value: $authorization)
              hint: $authorization is there in a call with an authentication: in its arguments where that is basic or bearer, in output.as and export.as with any
            4:103: error: no secret 'login' in use.secrets (value: login)
              hint: declare it: use: {secrets: [login]}
        "#]],
    );
}

#[test]
fn commands() {
    check(
        r#"
do:
  - a: {run: {shell: {command: 'echo "${ .a + }"'}}}
  - b: {run: {shell: {command: 'echo "${ .a"'}}}
  - c: {run: {container: {image: a, command: 'echo ${$nobody} ${NAME:-x} \${ .a'}}}
  - d: {run: {shell: {command: "echo \"it's ${ .a }\" 'so ${ .b }' \\' ${ .c }"}}}
"#,
        expect![[r#"
            3:47: error: not a jq expression: expected term at byte 4, found the end (value: .a +)
              hint: see the jq manual for the syntax
            4:39: error: '${' without its closing '}' (value: ${ .a")
              hint: close it with '}'; quotes and brackets inside must be closed before
            5:54: error: not a jq expression: the variable `$nobody` is not defined (byte 0) (value: $nobody)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task
            6:32: warning: an expression in single quotes, where a shell fills in nothing (value: .b)
              hint: write double quotes around it: "${ .name }"
        "#]],
    );
}

#[test]
fn authentications() {
    check(
        r#"
use:
  authentications:
    a: {basic: {username: me}}
    b: {bearer: {use: k, token: t}, extra: 1}
    c: {digest: {username: me, password: x}, basic: {use: k}}
    d: {oauth2: {grant: authorization_code}}
    e: {oauth2: {authority: https://a.com, grant: client_credential, client: {secret: s}, endpoints: {tokens: /t}}}
    f: {oidc: {authority: login, grant: password, client: {id: i, authentication: private_key_jwt}, username: me}}
    g: {oidc: {authority: 'ldap://a', grant: refresh_token, endpoints: {}}}
    h: {oauth2: {authority: https://a.com, grant: 'urn:ietf:params:oauth:grant-type:token-exchange', subject: {token: t}}}
    i: {}
    j: basic
    l: {oauth2: {authority: https://a.com, grant: client_credentials, client: {id: i, assertion: e30.e30.s}}}
    m: {oidc: {authority: https://a.com, grant: client_credentials, client: {id: i, assertion: a, secret: s, authentication: private_key_jwt}}}
  secrets: [k]
do:
  - a: {call: http, with: {method: get, endpoint: {uri: https://e.com, authentication: {use: z}}}}
  - b: {call: http, with: {method: get, endpoint: {uri: https://e.com, authentication: {use: a, bearer: {token: t}}}}}
"#,
        expect![[r#"
            4:9: error: 'password' is missing in 'basic' (value: {"username":"me"})
              hint: add 'password', or name a secret with 'use'
            5:26: error: 'bearer' needs exactly one of 'use', 'token'; found several (value: {"use":"k","token":"t"})
              hint: keep 'use' and remove 'token', or the other way round
            5:26: error: 'token' beside 'use' in 'bearer' (value: "t")
              hint: the secret holds all settings: remove one of them
            5:37: error: unknown key 'extra' in an authentication (value: 1)
              hint: it takes 'basic', 'bearer', 'digest', 'oauth2', 'oidc'
            6:46: error: an authentication needs exactly one of 'basic', 'bearer', 'digest', 'oauth2', 'oidc'; found several (value: {"digest":{"username":"me","password":"x"},"basic":{"use":"k"}})
              hint: keep 'digest' and remove 'basic', or the other way round
            7:9: error: 'authority' is missing in 'oauth2' (value: {"grant":"authorization_code"})
              hint: add 'authority', or name a secret with 'use'
            7:25: error: the grant authorization_code needs a person at a browser, and a run has none (value: "authorization_code")
              hint: use client_credentials, or refresh_token with a token that a person has got
            8:51: error: must be one of authorization_code, client_credentials, password, refresh_token, urn:ietf:params:oauth:grant-type:token-exchange (value: client_credential)
              hint: did you mean 'client_credentials'?
            8:70: error: 'id' is missing in 'client' (value: {"secret":"s"})
              hint: add 'id', or name a secret with 'use'
            8:103: error: unknown key 'tokens' in the endpoints (value: "/t")
              hint: did you mean 'token'?
            9:9: error: 'password' is missing in 'oidc' (value: {"authority":"login","grant":"password","client":{"id":"i","authentication":"pri…)
              hint: add 'password', or name a secret with 'use'
            9:27: error: not the address of an authority (value: login)
              hint: such as https://login.example.com/realms/shop; {name} takes a value of the input
            9:51: error: 'assertion' is missing in 'client' (value: {"id":"i","authentication":"private_key_jwt"})
              hint: add 'assertion', or name a secret with 'use'
            10:9: error: 'subject' is missing in 'oidc' (value: {"authority":"ldap://a","grant":"refresh_token","endpoints":{}})
              hint: add 'subject', or name a secret with 'use'
            10:27: error: the address of an authority is an HTTP address (value: ldap://a)
              hint: such as https://login.example.com/realms/shop; {name} takes a value of the input
            10:61: error: unknown key 'endpoints' in 'oidc' (value: {})
              hint: it takes 'authority', 'grant', 'client', 'request', 'issuers', 'scopes', 'audiences', 'username', 'password', 'subject', 'actor', 'use'
            11:102: error: 'type' is missing in the token (value: {"token":"t"})
              hint: add 'type': Its type, such as urn:ietf:params:oauth:token-type:access_token.
            12:5: error: an authentication needs exactly one of 'basic', 'bearer', 'digest', 'oauth2', 'oidc'; found none (value: {})
              hint: add one of 'basic', 'bearer', 'digest', 'oauth2', 'oidc'
            13:8: error: expected an object (an authentication), found text (value: "basic")
              hint: write an object; its keys are 'basic', 'bearer', 'digest', 'oauth2', 'oidc'
            14:87: error: 'assertion' is not sent with client_secret_post, the default (value: "e30.e30.s")
              hint: write authentication: private_key_jwt, or leave it out
            15:99: error: 'secret' is not sent with private_key_jwt (value: "s")
              hint: leave it out, or write authentication: client_secret_post
            18:94: error: no authentication 'z' in use.authentications (value: z)
              hint: did you mean 'a'?
            19:97: error: the authentication needs exactly one of 'use', 'basic', 'bearer', 'digest', 'oauth2', 'oidc'; found several (value: {"use":"a","bearer":{"token":"t"}})
              hint: keep 'use' and remove 'bearer', or the other way round
        "#]],
    );
}

#[test]
fn the_authorization_of_a_call() {
    check(
        r#"
do:
  - a:
      call: http
      with:
        method: get
        endpoint: {uri: https://e.com, authentication: {basic: {username: a, password: b}}}
        headers: {x-same: '${ $authorization.parameter }'}
      output: {as: '{scheme: $authorization.scheme}'}
  - b:
      call: http
      with:
        method: get
        endpoint: {uri: https://e.com, authentication: {oauth2: {authority: https://a.com, grant: client_credentials}}}
        headers: {x-same: '${ $authorization.parameter }'}
      export: {as: '{scheme: $authorization.scheme}'}
  - c:
      call: http
      with: {method: get, endpoint: https://e.com}
      output: {as: '{scheme: $authorization.scheme}'}
  - d:
      call: grpc
      with: {proto: {endpoint: https://e.com/a}, service: {name: a.B, host: e.com, authentication: {bearer: {token: t}}}, method: c, arguments: {same: '${ $authorization.parameter }'}}
      output: {as: '{scheme: $authorization.scheme}'}
  - e:
      call: a2a
      with: {server: {uri: https://e.com, authentication: {digest: {username: a, password: b}}}, method: tasks/list, parameters: {same: '${ $authorization.parameter }'}}
      output: {as: '{scheme: $authorization.scheme}'}
"#,
        expect![[r#"
            15:31: error: not a jq expression: the variable `$authorization` is not defined (byte 0) (value: $authorization.parameter)
              hint: $authorization is there in a call with an authentication: in its arguments where that is basic or bearer, in output.as and export.as with any
            20:30: error: not a jq expression: the variable `$authorization` is not defined (byte 9) (value: {scheme: $authorization.scheme})
              hint: $authorization is there in a call with an authentication: in its arguments where that is basic or bearer, in output.as and export.as with any
            27:141: error: not a jq expression: the variable `$authorization` is not defined (byte 0) (value: $authorization.parameter)
              hint: $authorization is there in a call with an authentication: in its arguments where that is basic or bearer, in output.as and export.as with any
        "#]],
    );
}

#[test]
fn functions_of_the_document() {
    check(
        r#"
use:
  functions:
    good: {set: '${ .a }'}
    bad: {set: '${ $item }'}
    http: {set: '.'}
    ring: {do: [{a: {call: chain}}]}
    chain: {do: [{a: {call: ring}}]}
    flow: {set: '.', then: a}
do:
  - a: {call: gud, with: {a: 1}}
  - b: {call: bad}
  - c: {call: good, with: {a: '${ $nothing }'}}
  - d: {call: ring}
"#,
        expect![[r#"
            5:20: error: not a jq expression: the variable `$item` is not defined (byte 0) (value: $item)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task
            6:5: error: a function can't be called 'http': that calls something else (value: {"set":"."})
              hint: choose another name
            8:29: error: the function calls itself: ring, then chain, then ring (value: ring)
              hint: repeat with 'for', or with a 'then' to an earlier task
            9:28: error: no task 'a' in this list (value: a)
              hint: a flow can go to continue, exit, end; it can't go into or out of another list
            11:15: error: no such function in use.functions (value: gud)
              hint: this release calls http, openapi, grpc, mcp, asyncapi, a2a, good, bad, http, ring, chain, flow, sqlite.upsert:1.0.0@default, postgres.upsert:1.0.0@default, file.write:1.0.0@default
            13:35: error: not a jq expression: the variable `$nothing` is not defined (byte 0) (value: $nothing)
              hint: in scope are $context, $input, $output, $workflow, $runtime, $task
        "#]],
    );
}

#[test]
fn schedules() {
    for (schedule, message) in [
        (
            "{every: PT1H, cron: '* * * * *'}",
            "2:25: error: a schedule has one of every, cron, after, on",
        ),
        ("{every: PT0S}", "2:19: error: a schedule without a pause"),
        (
            "{after: '${ .x }'}",
            "2:19: error: an expression, where there is no run to evaluate it",
        ),
        (
            "{cron: '* * * * *', read: data}",
            "2:31: error: 'read' stands with 'on' alone",
        ),
        (
            "{on: {}}",
            "2:12: error: a listener needs exactly one of 'one', 'all', 'any'; found none",
        ),
        (
            "{on: {one: {with: {data: '${ $input.x }'}}}}",
            "2:40: error: not a jq expression",
        ),
    ] {
        let text = format!("{HEAD}\nschedule: {schedule}\ndo: []\n");
        let problems = listed(&examine(&text, Format::Yaml).problems);
        assert!(problems.starts_with(message), "{schedule}: {problems}");
    }
    let good = format!("{HEAD}\nschedule: {{on: {{any: []}}, read: raw}}\ndo: []\n");
    assert_eq!(listed(&examine(&good, Format::Yaml).problems), "");
}

#[test]
fn what_is_no_text_or_no_plain_yaml() {
    check(
        "\ndo: [{a: {set: {x: !!int '5', y: !!str 5}}}]",
        expect![[r#"
            2:20: error: tags are not taken here (value: tag:yaml.org,2002:!int)
              hint: remove the word that begins with '!'
        "#]],
    );
    check(
        "\ndo: [{a: {set: {x: !!binary aGk=}}}]",
        expect![[r#"
        2:20: error: tags are not taken here (value: tag:yaml.org,2002:!binary)
          hint: remove the word that begins with '!'
    "#]],
    );
    check(
        "\ndo: [{a: {set: {x: \"a\0b\"}}}]",
        expect![[r#"
        2:20: error: not YAML: while scanning a quoted scalar, found unexpected end of stream
          hint: take out the NUL character; it has no place in a text
    "#]],
    );
}

#[test]
fn json_is_yaml() {
    let json = r#"{"a": "\ud83d\ude00"}"#;
    for format in [Format::Yaml, Format::Json] {
        let read = flame_dsl::to_json(json, format).unwrap();
        assert_eq!(read["a"], "\u{1f600}", "{format:?}");
    }
}
