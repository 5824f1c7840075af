//! Which programs a workflow would start on its machine, and what makes another program of one.

use std::fmt::Write as _;

use expect_test::expect;
use flame_dsl::{Format, HostProgram, Workflow, parse};

const HEAD: &str = "document: {dsl: 1.0.3, namespace: test, name: host, version: 1.0.0}\n";

fn read(rest: &str) -> Workflow {
    parse(&format!("{HEAD}{rest}"), Format::Yaml).unwrap()
}

fn of_task(task: &str) -> HostProgram {
    let mut programs = read(&format!("do:\n  - t: {task}\n")).host_programs();
    assert_eq!(programs.len(), 1, "{task}");
    programs.remove(0)
}

#[test]
fn programs_are_found_wherever_a_task_stands_and_named_once() {
    let workflow = read(
        "use:
  functions:
    greet: {run: {shell: {command: 'echo ${ .b }', stdin: '${ .a }', arguments: [a, '1'], environment: {B: 2}}}}
  extensions:
    - around: {extend: set, before: [{log: {run: {shell: {command: logger before}}}}]}
do:
  - first: {call: greet}
  - second: {call: greet}
  - plain: {set: {a: 1}}
  - js: {run: {script: {language: js, code: '1'}}}
  - box: {run: {container: {image: alpine}}}
  - sub: {run: {workflow: {namespace: test, name: other, version: 1.0.0}}}
  - remote: {call: mcp, with: {method: tools/list, transport: {http: {endpoint: 'https://mcp.example/'}}}}
  - tried:
      try:
        - loop: {for: {in: '${ [1] }'}, do: [{py: {run: {script: {language: python, code: print(1)}}}}]}
      catch:
        do:
          - fetched: {run: {script: {language: python, source: {endpoint: 'https://code.example/a.py'}}}}
  - stdio: {call: mcp, with: {method: tools/list, transport: {stdio: {command: npx, arguments: [-y, server]}}}}
  - undone:
      set: {b: 1}
      metadata: {mastra.io/compensate: [{back: {run: {shell: {command: undo}}}}]}
",
    );
    let mut found = String::new();
    for program in workflow.host_programs() {
        let HostProgram {
            kind,
            task,
            text,
            given,
            ..
        } = program;
        writeln!(found, "{task}: {kind:?} {text} {given:?}").unwrap();
    }
    expect![[r#"
        /do/0/first/call/greet: Shell echo ${ .b } ["arguments: [\"a\",\"1\"]", "environment: {\"B\":2}", "stdin: \"${ .a }\""]
        /do/2/plain/extensions/0/around/before/0/log: Shell logger before []
        /do/7/tried/try/0/loop/do/0/py: Python print(1) []
        /do/7/tried/catch/do/0/fetched: PythonSource https://code.example/a.py []
        /do/8/stdio: McpServer npx -y server []
        /do/9/undone/metadata/mastra.io~1compensate/0/back: Shell undo []
    "#]]
    .assert_eq(&found);
}

#[test]
fn a_program_is_another_one_with_other_text_arguments_or_environment() {
    let same = of_task("{run: {shell: {command: ls, arguments: [a], environment: {B: '1'}}}}");
    let renamed = read(
        "do:\n  - before: {set: {x: 1}}\n  - other: {if: '${ .x == 1 }', run: {shell: {arguments: [a], \
         environment: {B: '1'}, command: ls}, return: all}}\n",
    );
    assert_eq!(
        renamed.host_programs()[0].digest,
        same.digest,
        "what stands around it, and the order of keys, do not count"
    );
    for other in [
        "{run: {shell: {command: ls -l, arguments: [a], environment: {B: '1'}}}}",
        "{run: {shell: {command: ls, arguments: [b], environment: {B: '1'}}}}",
        "{run: {shell: {command: ls, arguments: [a], environment: {PATH: '1'}}}}",
        "{run: {shell: {command: ls, arguments: [a], environment: {B: '1'}, stdin: x}}}",
        "{run: {script: {language: python, code: ls, arguments: [a], environment: {B: '1'}}}}",
    ] {
        assert_ne!(of_task(other).digest, same.digest, "{other}");
    }
}

/// Where an expression decides what is started, an edit anywhere may.
#[test]
fn a_program_out_of_data_is_bound_to_the_whole_document() {
    let digest = |task: &str, value: u8| {
        let workflow = read(&format!(
            "do:\n  - before: {{set: {{x: {value}}}}}\n  - t: {task}\n"
        ));
        workflow.host_programs().remove(0).digest
    };
    for (task, is_bound) in [
        (
            "{run: {shell: {command: 'echo ${HOME}', arguments: ['${ .x }']}}}",
            false,
        ),
        ("{run: {shell: {command: 'echo ${ .x }'}}}", true),
        (
            "{run: {shell: {command: ls, environment: {PATH: '${ .x }'}}}}",
            true,
        ),
        (
            "{run: {script: {language: python, code: import a, environment: {PYTHONPATH: '${ .x }'}}}}",
            true,
        ),
        (
            "{call: mcp, with: {method: tools/list, transport: {stdio: {command: npx, environment: {PATH: '${ .x }'}}}}}",
            true,
        ),
        (
            "{run: {script: {language: python, source: {endpoint: 'https://a.example/b.py'}}}}",
            false,
        ),
        (
            "{run: {script: {language: python, source: {endpoint: 'https://a.example/{x}.py'}}}}",
            true,
        ),
        (
            "{call: mcp, with: {method: tools/list, transport: {stdio: {command: npx}}}}",
            false,
        ),
        (
            "{call: mcp, with: {method: tools/list, transport: {stdio: {command: npx, arguments: ['${ .x }']}}}}",
            true,
        ),
    ] {
        assert_eq!(digest(task, 1) != digest(task, 2), is_bound, "{task}");
    }
}
