//! Scripts and shell commands: what they are given, what they give, and what holds them.

use std::path::Path;
use std::time::Duration;

use flame_agent::runtime::{
    ContainerOrder, ContainerOutcome, Handle, HostExecution, HostGrants, Options, ProcessOptions,
};
use flame_errors::Code;
use flame_types::RunStatus;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::{deploy, error, open, output, run, start, until};
use crate::server::Server;

/// An agent whose scripts have little of everything, and whose processes may run on this machine.
async fn allowing(folder: &Path) -> Handle {
    let options = Options {
        processes: ProcessOptions {
            host_execution: HostExecution::Any,
            script_timeout: Duration::from_secs(2),
            script_memory_bytes: 32 * 1024 * 1024,
            output_bytes_max: 100_000,
            ..ProcessOptions::default()
        },
        ..super::options(folder)
    };
    Handle::open(options).await.unwrap()
}

fn javascript(code: &str, rest: &str) -> String {
    let code = Value::from(code);
    format!("- js: {{ run: {{ script: {{ language: js, code: {code} }} {rest} }} }}")
}

/// Runs a script to its `{code, stdout, stderr}`.
async fn all(handle: &Handle, code: &str) -> Value {
    let workflow = deploy(handle, "script", &javascript(code, ", return: all")).await;
    output(&run(handle, &workflow, json!({})).await)
}

#[tokio::test]
async fn the_standard_s_script_reads_its_input_arguments_and_environment() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let tasks = r#"
- js:
    run:
      script:
        language: javascript
        stdin: "Hello Workflow"
        environment: { foo: bar, count: 3 }
        arguments: [hello]
        code: |
          import { readFileSync } from 'node:fs';
          const stdin = readFileSync(process.stdin.fd, 'utf8');
          console.log('stdin > ', stdin)
          const [_, __, arg] = process.argv;
          console.log('arg > ', arg)
          const { foo, count } = process.env;
          console.log('env > ', foo, count, { a: [1] })
"#;
    let workflow = deploy(&handle, "script", tasks).await;
    let ended = run(&handle, &workflow, json!({})).await;
    assert_eq!(
        output(&ended),
        "stdin >  Hello Workflow\narg >  hello\nenv >  bar 3 {\"a\":[1]}"
    );
}

#[tokio::test]
async fn what_a_script_writes_and_how_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    for (code, expected) in [
        (
            "console.log(1); console.error('e'); process.stdout.write('no newline')",
            json!({"code": 0, "stdout": "1\nno newline", "stderr": "e"}),
        ),
        (
            "console.log('a'); process.exit(3); console.log('b')",
            json!({"code": 3, "stdout": "a", "stderr": ""}),
        ),
        (
            "try { process.exit(4) } catch {} console.log('b'); for (;;) {}",
            json!({"code": 4, "stdout": "", "stderr": ""}),
        ),
        (
            "const value = await Promise.resolve(5); Promise.resolve().then(() => console.log(value))",
            json!({"code": 0, "stdout": "5", "stderr": ""}),
        ),
        (
            "console.log(process.env.IDEMPOTENCY_KEY.length > 36, typeof require, typeof fetch, \
             typeof std, typeof __host)",
            json!({"code": 0, "stdout": "true undefined undefined undefined undefined", "stderr": ""}),
        ),
    ] {
        assert_eq!(all(&handle, code).await, expected, "{code}");
    }
    for (code, said) in [
        ("null.x", "TypeError: cannot read property 'x' of null"),
        ("throw 'text'", "text"),
        ("let x = ;", "SyntaxError: "),
        ("import 'node:child_process'", "node:child_process"),
        (
            "import { readFileSync } from 'fs'; readFileSync('/etc/passwd')",
            "Error: /etc/passwd can't be read: a script reads its standard input (0) alone",
        ),
        (
            "(async () => { throw new Error('unseen') })()",
            "Error: unseen",
        ),
        (
            "await new Promise(() => {})",
            "the script waits for something that never comes",
        ),
    ] {
        let ended = all(&handle, code).await;
        assert_eq!(ended["code"], 1, "{code}: {ended}");
        let stderr = ended["stderr"].as_str().unwrap();
        assert!(stderr.contains(said), "{code}: {stderr}");
    }
}

/// Each faults its own task within its limits; what runs beside it does not notice.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_take_too_much_fault_their_own_task() {
    let folder = tempfile::tempdir().unwrap();
    let handle = allowing(folder.path()).await;
    let well = deploy(&handle, "well", &javascript("console.log(6 * 7)", "")).await;
    for (number, (code, title)) in [
        ("for (;;) {}", "Timed out"),
        (
            "try { for (;;) {} } catch {} finally { for (;;) {} }",
            "Timed out",
        ),
        ("await (async () => { for (;;) await null })()", "Timed out"),
        ("/(a+)+$/.test('a'.repeat(40) + 'b')", "Timed out"),
        ("new Uint8Array(4 * 1024 ** 3)", "The process failed"),
        (
            "const a = []; for (;;) a.push(new Uint8Array(4e6))",
            "The process failed",
        ),
        ("const f = (n) => f(n + 1) + 1; f(0)", "The process failed"),
        ("JSON.parse('['.repeat(1e6))", "The process failed"),
        ("for (;;) console.log('x'.repeat(1000))", "Too much output"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("bomb{number}");
        let bomb = deploy(&handle, &name, &javascript(code, "")).await;
        let (bombed, fine) = tokio::join!(
            run(&handle, &bomb, json!({})),
            run(&handle, &well, json!({}))
        );
        let error = error(&bombed);
        assert_eq!(error["title"], title, "{code}: {error}");
        assert_eq!(error["instance"], "/do/0/js");
        assert_eq!(output(&fine), "42", "beside {code}");
    }
}

#[tokio::test]
async fn a_script_may_stand_at_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let code = "console.log(`from ${process.argv[2]}`)";
    let server = Server::saying(crate::server::answer("200 OK", "text/javascript", code)).await;
    let tasks = format!(
        "- js: {{ run: {{ script: {{ language: js, arguments: [afar], source: {{ endpoint: '{}' }} }} }} }}",
        server.url("/{name}.js")
    );
    let workflow = deploy(&handle, "script", &tasks).await;
    let ended = run(&handle, &workflow, json!({"name": "a"})).await;
    assert_eq!(output(&ended), "from afar");
    assert_eq!(server.asked()[0].path(), "/a.js");
}

/// The source is for those alone who prove who they are, and what they prove it with is in no journal.
#[tokio::test]
async fn a_script_is_got_with_the_credentials_of_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    let server = Server::start(|_, asked, mut stream| async move {
        let said = match asked.header("authorization").as_deref() {
            Some("Bearer t-55") => {
                crate::server::answer("200 OK", "text/javascript", "console.log('let in')")
            }
            _ => crate::server::json("401 Unauthorized", "{}"),
        };
        stream.write_all(&said).await.unwrap_or_default();
    })
    .await;
    let tasks = |authentication: &str| {
        format!(
            "- js: {{ run: {{ script: {{ language: js, source: {{ endpoint: {{ uri: '{}'{authentication} }} }} }} }} }}",
            server.url("/a.js")
        )
    };
    let bearer = "bearer: { token: '${ .token }' }";
    for (number, (authentication, uses)) in [
        (format!(", authentication: {{ {bearer} }}"), String::new()),
        (
            ", authentication: { use: shop }".to_owned(),
            format!("use: {{ authentications: {{ shop: {{ {bearer} }} }} }}"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("script{number}");
        let text = format!(
            "{}\n{uses}\n",
            super::document(&name, &tasks(&authentication))
        );
        let deployed = handle
            .deploy(&text, "application/yaml", None)
            .await
            .unwrap();
        let workflow = deployed.0.workflow.id.clone();
        let ended = run(&handle, &workflow, json!({"token": "t-55"})).await;
        assert_eq!(output(&ended), "let in", "{authentication}");
    }
    let workflow = deploy(&handle, "script", &tasks("")).await;
    let refused = error(&run(&handle, &workflow, json!({})).await);
    assert!(
        refused["type"]
            .as_str()
            .unwrap()
            .ends_with("/authentication"),
        "{refused}"
    );
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2].header("authorization"), None);
}

#[tokio::test]
async fn a_script_may_stand_in_the_resources_folder() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path()).await;
    std::fs::create_dir_all(folder.path().join("resources")).unwrap();
    std::fs::write(folder.path().join("resources/a.js"), "console.log('near')").unwrap();
    let tasks = |endpoint: &str| {
        format!(
            "- js: {{ run: {{ script: {{ language: js, source: {{ endpoint: '{endpoint}' }} }} }} }}"
        )
    };
    let workflow = deploy(&handle, "script", &tasks("file:///a.js")).await;
    assert_eq!(output(&run(&handle, &workflow, json!({})).await), "near");
    let workflow = deploy(&handle, "script", &tasks("file:///../b.js")).await;
    let refused = error(&run(&handle, &workflow, json!({})).await);
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("leaves the resources folder"), "{detail}");
}

#[tokio::test]
async fn shells_python_and_containers_are_off_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody comes who runs containers.
    let options = Options {
        connection_patience: Duration::ZERO,
        ..super::options(folder.path())
    };
    let handle = Handle::open(options).await.unwrap();
    for (what, code, said) in [
        (
            "shell: { command: ls }",
            "MD-407",
            "--allow-host-execution test/off",
        ),
        (
            "script: { language: python, code: print() }",
            "MD-407",
            "--allow-host-execution test/off",
        ),
        (
            "container: { image: alpine }",
            "MD-601",
            "open the Mastra app",
        ),
    ] {
        let workflow = deploy(&handle, "off", &format!("- r: {{ run: {{ {what} }} }}")).await;
        let error = error(&run(&handle, &workflow, json!({})).await);
        let detail = error["detail"].as_str().unwrap();
        assert!(
            detail.starts_with(code) && detail.contains(said),
            "{detail}"
        );
        assert!(error["type"].as_str().unwrap().ends_with("/configuration"));
    }
}

#[tokio::test]
async fn only_the_named_workflow_may_run_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let allowed = ("test".parse().unwrap(), "allowed".parse().unwrap());
    let options = Options {
        processes: ProcessOptions {
            host_execution: HostExecution::Of([allowed].into()),
            ..ProcessOptions::default()
        },
        ..super::options(folder.path())
    };
    let handle = Handle::open(options).await.unwrap();
    let tasks = "- r: { run: { shell: { command: echo ok } } }";
    for (name, status) in [
        ("allowed", RunStatus::Completed),
        ("other", RunStatus::Faulted),
    ] {
        let workflow = deploy(&handle, name, tasks).await;
        let ended = run(&handle, &workflow, json!({})).await;
        assert_eq!(ended.summary.status, status, "{name}");
    }
}

/// An agent that is told while it runs, and waits for nobody.
async fn told(folder: &Path) -> Handle {
    let options = Options {
        connection_patience: Duration::ZERO,
        processes: ProcessOptions {
            host_execution_by_api: true,
            ..ProcessOptions::default()
        },
        ..super::options(folder)
    };
    Handle::open(options).await.unwrap()
}

/// Everything that a workflow of these tasks would run.
fn grants(name: &str, tasks: &str) -> HostGrants {
    let text = super::document(name, tasks);
    let workflow = flame_dsl::parse(&text, flame_dsl::Format::Yaml).unwrap();
    let programs = workflow.host_programs().into_iter();
    let name = (workflow.id.namespace, workflow.id.name);
    [(name, programs.map(|program| program.digest).collect())].into()
}

async fn fault(handle: &Handle, name: &str) -> String {
    let error = error(&run(handle, &super::id(name), json!({})).await);
    error["detail"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_permission_is_for_one_workflow_and_the_commands_that_were_seen_until_it_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let handle = told(folder.path()).await;
    let tasks = "- r: { run: { shell: { command: echo ok } } }";
    deploy(&handle, "own", tasks).await;
    deploy(&handle, "other", tasks).await;
    let before = fault(&handle, "own").await;
    assert!(
        before.starts_with("MD-407: shell commands of test/own"),
        "{before}"
    );

    assert!(handle.permit_host_execution(grants("own", tasks)));
    assert_eq!(
        output(&run(&handle, &super::id("own"), json!({})).await),
        "ok"
    );
    assert!(fault(&handle, "other").await.starts_with("MD-407"));

    let around = format!("- before: {{ set: {{ a: 1 }} }}\n{tasks}");
    deploy(&handle, "own", &around).await;
    assert_eq!(
        output(&run(&handle, &super::id("own"), json!({})).await),
        "ok"
    );
    deploy(&handle, "own", &tasks.replace("echo ok", "echo evil")).await;
    let changed = fault(&handle, "own").await;
    assert!(
        changed.contains("other commands than this one"),
        "{changed}"
    );

    deploy(&handle, "own", tasks).await;
    assert!(handle.permit_host_execution(HostGrants::new()));
    let after = fault(&handle, "own").await;
    assert_eq!(after, before);
}

/// A function of the resources folder is no part of the document that a person saw.
#[tokio::test]
async fn the_programs_of_a_function_out_of_a_file_are_not_allowed_with_those_of_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let resources = folder.path().join("resources");
    std::fs::create_dir_all(&resources).unwrap();
    std::fs::write(
        resources.join("f.yaml"),
        "run: { shell: { command: echo file } }",
    )
    .unwrap();
    let handle = told(folder.path()).await;
    let tasks = "- r: { run: { shell: { command: echo ok } } }\n- f: { call: 'file:///f.yaml' }";
    deploy(&handle, "own", tasks).await;
    assert!(handle.permit_host_execution(grants("own", tasks)));
    let refused = fault(&handle, "own").await;
    assert!(
        refused.contains("other commands than this one"),
        "{refused}"
    );
}

/// A worker without Podman says so, and what could run on this machine says how to let it.
#[tokio::test]
async fn a_shell_that_no_podman_runs_is_off_and_a_container_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let handle = told(folder.path()).await;
    let mut orders = handle.container_orders();
    for (what, code, faulted) in [
        ("shell: { command: ls }", Code::PodmanMissing, "MD-407"),
        ("shell: { command: ls }", Code::ContainerImage, "MD-608"),
        ("container: { image: img }", Code::PodmanMissing, "MD-601"),
    ] {
        let workflow = deploy(&handle, "box", &format!("- r: {{ run: {{ {what} }} }}")).await;
        let id = start(&handle, &workflow, json!({})).await;
        let Some(ContainerOrder::Run(job)) = orders.next().await else {
            panic!("a container is ordered");
        };
        let outcome = ContainerOutcome::Fault {
            code: Some(code),
            title: code.title().to_owned(),
            detail: "no podman in PATH".to_owned(),
        };
        assert!(handle.tell_container(job.id.as_str(), outcome).await);
        let run = until(&handle, id, RunStatus::Faulted).await;
        let detail = error(&run)["detail"].to_string();
        assert!(detail.contains("no podman in PATH"), "{detail}");
        assert!(detail.starts_with(&format!("\"{faulted}: ")), "{detail}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_a_process_on_this_machine_is_given_and_gives() {
    let folder = tempfile::tempdir().unwrap();
    let handle = allowing(folder.path()).await;
    let tasks = r#"
- shell:
    run:
      shell:
        command: |
          read line; echo "$line|$1|$2|$A"; ls | wc -l; env | cut -d= -f1 | sort | tr '\n' ' ' >&2; exit 7
        stdin: ${ .text }
        arguments: [x y, $HOME]
        environment: { A: '${ .n }' }
      return: all
"#;
    let workflow = deploy(&handle, "shell", tasks).await;
    let ended = output(&run(&handle, &workflow, json!({"text": "one\ntwo", "n": 1})).await);
    assert_eq!(ended["code"], 7);
    let lines: Vec<&str> = ended["stdout"]
        .as_str()
        .unwrap()
        .lines()
        .map(str::trim)
        .collect();
    assert_eq!(lines, ["one|x y|$HOME|1", "0"], "a fresh folder");
    let names = ended["stderr"].as_str().unwrap();
    for name in names.split_whitespace() {
        assert!(
            [
                "A",
                "IDEMPOTENCY_KEY",
                "PATH",
                "PWD",
                "OLDPWD",
                "SHLVL",
                "_"
            ]
            .contains(&name),
            "{name} of {names}"
        );
    }
    let tasks = "- py: { run: { script: { language: python, stdin: '${ .n }', arguments: [a], \
                 code: 'import sys; print(sys.argv[1:], sys.stdin.read())' } } }";
    let workflow = deploy(&handle, "python", tasks).await;
    assert_eq!(
        output(&run(&handle, &workflow, json!({"n": 5})).await),
        "['a'] 5"
    );
}

/// A process that ends, times out, writes too much or is cancelled leaves none of its own behind.
#[cfg(unix)]
#[tokio::test]
async fn a_process_s_whole_group_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let handle = allowing(folder.path()).await;
    let pids = folder.path().join("pids");
    let child = format!("sleep 3600 & echo $! >> {}", pids.display());
    for (name, task, title) in [
        (
            "ends",
            format!("shell: {{ command: '{child}' }} }} }}"),
            None,
        ),
        (
            "late",
            format!("shell: {{ command: '{child}; wait' }} }}, timeout: {{ after: PT0.3S }} }}"),
            Some("Timed out"),
        ),
        (
            "loud",
            format!("shell: {{ command: '{child}; yes' }} }} }}"),
            Some("Too much output"),
        ),
    ] {
        let workflow = deploy(&handle, name, &format!("- r: {{ run: {{ {task}")).await;
        let ended = run(&handle, &workflow, json!({})).await;
        assert_eq!(error(&ended)["title"].as_str(), title, "{name}");
    }
    let tasks = format!("- r: {{ run: {{ shell: {{ command: '{child}; wait' }} }} }}");
    let workflow = deploy(&handle, "cancelled", &tasks).await;
    let cancelled = start(&handle, &workflow, json!({})).await;
    let started = || std::fs::read_to_string(&pids).map_or(0, |text| text.lines().count());
    poll(|| started() == 4).await;
    handle.cancel(cancelled, false).await.unwrap();
    until(&handle, cancelled, RunStatus::Cancelled).await;
    for pid in std::fs::read_to_string(&pids).unwrap().lines() {
        // A zombie is one that nobody has waited for yet; it runs no more.
        let stat = format!("/proc/{pid}/stat");
        poll(|| std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))).await;
    }
}

/// Looks until it is so; the world outside tells nobody.
async fn poll(mut is_so: impl FnMut() -> bool) {
    let looks = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, looks)
        .await
        .expect("it comes to be");
}

/// A process that was interrupted runs again with the same key, and tells by it that it is the same.
#[cfg(unix)]
#[tokio::test]
async fn an_interrupted_process_runs_again_under_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let handle = allowing(folder.path()).await;
    let tasks = format!(
        "- r: {{ run: {{ shell: {{ command: 'echo $IDEMPOTENCY_KEY >> {0}; test $(wc -l < {0}) -gt 1 || sleep 3600' }} }} }}",
        keys.display()
    );
    let workflow = deploy(&handle, "again", &tasks).await;
    let interrupted = start(&handle, &workflow, json!({})).await;
    poll(|| keys.exists()).await;
    handle.drain(Duration::ZERO).await;
    drop(handle);
    let handle = allowing(folder.path()).await;
    until(&handle, interrupted, RunStatus::Completed).await;
    let keys = std::fs::read_to_string(&keys).unwrap();
    let keys: Vec<&str> = keys.lines().collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert!(keys[0].contains("/do/0/r"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_that_nobody_awaits_runs_on() {
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done");
    let handle = allowing(folder.path()).await;
    let tasks = format!(
        "- r: {{ run: {{ shell: {{ command: 'touch {}' }}, await: false }} }}",
        done.display()
    );
    let workflow = deploy(&handle, "alone", &tasks).await;
    let ended = run(&handle, &workflow, json!({"n": 1})).await;
    assert_eq!(output(&ended), json!({"n": 1}));
    poll(|| done.exists()).await;
}
