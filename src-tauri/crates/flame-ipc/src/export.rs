//! Writes the contract as TypeScript and fails when the committed file differs.
//!
//! `UPDATE=1 cargo test -p flame-ipc` writes it anew.

use std::fmt::Write as _;
use std::path::PathBuf;

use specta::Types;
use specta::datatype::DataType;
use specta_typescript::{Error, Exporter, FrameworkExporter, Typescript};

use crate::contract::{Shape, command_shapes};
use crate::events::event_shapes;

const HEADER: &str = "// Generated from flame-ipc. Do not edit: UPDATE=1 cargo test -p flame-ipc";

/// What stands below the types: the same for every transport.
const RUNTIME: &str = r#"
/** Every command answers in this shape; nothing is thrown. */
export type Result<T> = { status: "ok"; data: T } | { status: "error"; error: ErrorView };

/** How calls and events travel: Tauri in the window, HTTP in a browser, a fake in tests. */
export interface Transport {
  /** Gives the answer, or throws the shell's `ErrorView`. */
  call(command: string, input: unknown): Promise<unknown>;
  /** Gives the function that ends the listening. */
  listen(event: string, handler: (payload: unknown) => void): Promise<() => void>;
}

function isErrorView(value: unknown): value is ErrorView {
  return typeof value === "object" && value !== null && "code" in value && "detail" in value;
}

async function settle<T>(call: Promise<unknown>): Promise<Result<T>> {
  try {
    return { status: "ok", data: (await call) as T };
  } catch (thrown) {
    if (isErrorView(thrown)) return { status: "error", error: thrown };
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    return {
      status: "error",
      error: { code: "MD-901", title: "A fault in Mastra itself", detail, value: null, hint: null, kept: null },
    };
  }
}
"#;

#[test]
fn the_committed_typescript_is_fresh() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../ui/src/ipc/bindings.ts");
    let fresh = typescript();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == fresh,
        "ui/src/ipc/bindings.ts is stale: UPDATE=1 cargo test -p flame-ipc"
    );
}

fn typescript() -> String {
    let mut types = Types::default();
    let commands = command_shapes(&mut types);
    let events = event_shapes(&mut types);
    types.register_mut::<crate::ErrorView>();
    let commands = std::sync::Arc::new(commands);
    let events = std::sync::Arc::new(events);
    Exporter::from(Typescript::default())
        .framework_prelude(HEADER)
        .framework_runtime(move |mut exporter| runtime(&mut exporter, &commands, &events))
        .export(&types, specta_serde::Format)
        .unwrap()
}

fn runtime(
    exporter: &mut FrameworkExporter<'_>,
    commands: &[Shape],
    events: &[Shape],
) -> Result<std::borrow::Cow<'static, str>, Error> {
    let mut out = exporter.render_types()?.into_owned();
    out.push_str(RUNTIME);
    write_commands(&mut out, exporter, commands)?;
    write_events(&mut out, exporter, events)?;
    Ok(out.into())
}

fn write_commands(
    out: &mut String,
    exporter: &FrameworkExporter<'_>,
    commands: &[Shape],
) -> Result<(), Error> {
    out.push_str("\nexport interface Commands {\n");
    for shape in commands {
        let parameter = match &shape.input {
            Some(input) => format!("input: {}", exporter.reference(input)?),
            None => String::new(),
        };
        let answer = answer(exporter, &shape.output)?;
        let name = camel(shape.name);
        writeln!(
            out,
            "  /** {} */\n  {name}({parameter}): Promise<Result<{answer}>>;",
            shape.doc
        )
        .expect("a string takes any text");
    }
    out.push_str("}\n\n/** The commands over a transport. */\n");
    out.push_str("export function commandsOver(transport: Transport): Commands {\n  return {\n");
    for shape in commands {
        let (parameter, input) = if shape.input.is_some() {
            ("input", "input")
        } else {
            ("", "{}")
        };
        writeln!(
            out,
            "    {}: ({parameter}) => settle(transport.call(\"{}\", {input})),",
            camel(shape.name),
            shape.name
        )
        .expect("a string takes any text");
    }
    out.push_str("  };\n}\n");
    Ok(())
}

fn write_events(
    out: &mut String,
    exporter: &FrameworkExporter<'_>,
    events: &[Shape],
) -> Result<(), Error> {
    out.push_str("\n/** What the shell tells without being asked: name and payload. */\n");
    out.push_str("export interface Events {\n");
    for shape in events {
        let payload = exporter.reference(&shape.output)?;
        writeln!(
            out,
            "  /** {} */\n  {}: {payload};",
            shape.doc,
            camel(shape.name)
        )
        .expect("a string takes any text");
    }
    out.push_str("}\n\nexport const eventNames = {\n");
    for shape in events {
        writeln!(out, "  {}: \"{}\",", camel(shape.name), shape.name)
            .expect("a string takes any text");
    }
    out.push_str("} as const satisfies Record<keyof Events, string>;\n");
    out.push_str(
        r#"
/** Calls the handler for every event of that name until the returned function is called. */
export function listenOver<Name extends keyof Events>(
  transport: Transport,
  name: Name,
  handler: (payload: Events[Name]) => void,
): Promise<() => void> {
  return transport.listen(eventNames[name], (payload) => handler(payload as Events[Name]));
}
"#,
    );
    Ok(())
}

fn answer(exporter: &FrameworkExporter<'_>, output: &DataType) -> Result<String, Error> {
    exporter.reference(output)
}

/// `run_task_input` and `run-entries` to `runTaskInput` and `runEntries`.
fn camel(name: &str) -> String {
    let mut parts = name.split(['_', '-']);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

#[test]
fn command_names_are_unique() {
    let mut names = crate::COMMAND_NAMES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), crate::COMMAND_NAMES.len());
}
