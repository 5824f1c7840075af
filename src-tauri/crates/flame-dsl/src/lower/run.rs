//! `run`: what it starts, and with what.

use std::str::FromStr;

use flame_types::{InvalidId, Version};

use super::Lowering;
use crate::expression::{self, Part};
use crate::problem::{Problem, Rule};
use crate::process::{
    Cleanup, Container, Process, ProcessInput, ProcessReturn, PullPolicy, RunTask, Script,
    ScriptCode, ScriptLanguage, Shell, ShellCommand, Subflow,
};
use crate::shape::did_you_mean;
use crate::source::{Content, Node, pointer_step};
use crate::{Template, TextPart};

/// What the variables of a command's values are called, before their number.
const VALUE_VARIABLE: &str = "MASTRA_VALUE_";

impl Lowering<'_> {
    /// The value of `run`.
    pub(super) fn run(&mut self, node: &Node, pointer: &str) -> Option<RunTask> {
        let container = self.optional(node, "container", pointer, Self::container);
        let script = self.optional(node, "script", pointer, Self::script);
        let shell = self.optional(node, "shell", pointer, Self::shell);
        let workflow = self.optional(node, "workflow", pointer, Self::subflow);
        let process = match (container?, script?, shell?, workflow?) {
            (Some(container), None, None, None) => Process::Container(container),
            (None, Some(script), None, None) => Process::Script(script),
            (None, None, Some(shell), None) => Process::Shell(shell),
            (None, None, None, Some(workflow)) => Process::Workflow(workflow),
            _ => return None,
        };
        let returns = node.get("return");
        if let (Process::Workflow(_), Some(returns)) = (&process, returns) {
            let problem = Problem::new(
                Rule::Strict,
                returns.span,
                &pointer_step(pointer, "return"),
                "'return' has no meaning for a workflow",
            );
            self.problems.push(
                problem
                    .warning()
                    .hint("remove it: the output is the child's output"),
            );
        }
        Some(RunTask {
            process,
            awaits: !matches!(
                node.get("await").map(|node| &node.content),
                Some(Content::Boolean(false))
            ),
            returns: match returns.and_then(Node::text) {
                Some("stderr") => ProcessReturn::Stderr,
                Some("code") => ProcessReturn::Code,
                Some("all") => ProcessReturn::All,
                Some("none") => ProcessReturn::None,
                _ => ProcessReturn::Stdout,
            },
        })
    }

    fn container(&mut self, node: &Node, pointer: &str) -> Option<Container> {
        let image = self.required(node, "image", pointer, Self::template);
        let name = self.optional(node, "name", pointer, Self::template);
        let input = self.process_input(node, pointer);
        let ports = self.optional(node, "ports", pointer, Self::template);
        let volumes = self.optional(node, "volumes", pointer, Self::template);
        let cleanup = self.optional(node, "lifetime", pointer, Self::cleanup);
        let command = self.optional(node, "command", pointer, Self::shell_command);
        Some(Container {
            image: image?,
            name: name?,
            command: command?,
            input: input?,
            ports: ports?,
            volumes: volumes?,
            cleanup: cleanup?.unwrap_or_default(),
            pull: match node.get("pullPolicy").and_then(Node::text) {
                Some("always") => PullPolicy::Always,
                Some("never") => PullPolicy::Never,
                _ => PullPolicy::IfNotPresent,
            },
        })
    }

    fn cleanup(&mut self, node: &Node, pointer: &str) -> Option<Cleanup> {
        let after = self.optional(node, "after", pointer, Self::duration)?;
        match (node.get("cleanup")?.text()?, after, node.get("after")) {
            ("eventually", Some(after), _) => Some(Cleanup::Eventually(after)),
            ("eventually", None, _) => {
                let problem = Problem::new(
                    Rule::Shape,
                    node.span,
                    pointer,
                    "'cleanup: eventually' does not say when",
                );
                self.refuse(problem.hint("add 'after', such as after: PT30M"))
            }
            (_, Some(_), Some(node)) => {
                let problem = Problem::new(
                    Rule::Shape,
                    node.span,
                    &pointer_step(pointer, "after"),
                    "'after' goes with 'cleanup: eventually' alone",
                );
                self.refuse(problem.hint("remove 'after', or write cleanup: eventually"))
            }
            ("never", ..) => Some(Cleanup::Never),
            _ => Some(Cleanup::Always),
        }
    }

    fn script(&mut self, node: &Node, pointer: &str) -> Option<Script> {
        let language = self.required(node, "language", pointer, Self::script_language);
        let source = self.optional(node, "source", pointer, Self::resource);
        let input = self.process_input(node, pointer);
        let code = match (node.get("code").and_then(Node::text), source?) {
            (Some(code), None) => ScriptCode::Inline(code.into()),
            (None, Some(source)) => ScriptCode::Source(Box::new(source)),
            _ => return None,
        };
        Some(Script {
            language: language?,
            code,
            input: input?,
        })
    }

    fn script_language(&mut self, node: &Node, pointer: &str) -> Option<ScriptLanguage> {
        let name = node.text()?;
        let found = ScriptLanguage::from_name(name);
        found.or_else(|| {
            let hint = did_you_mean(name, ["js", "javascript", "python"])
                .unwrap_or_else(|| "write js or python".to_owned());
            self.strict(node, pointer, "not a language that scripts run in", &hint)
        })
    }

    fn shell(&mut self, node: &Node, pointer: &str) -> Option<Shell> {
        let input = self.process_input(node, pointer);
        let command = self.required(node, "command", pointer, Self::shell_command);
        Some(Shell {
            command: command?,
            input: input?,
        })
    }

    fn shell_command(&mut self, node: &Node, pointer: &str) -> Option<ShellCommand> {
        let source = node.text()?;
        let parts = match expression::split_command(source) {
            Ok(parts) => parts,
            Err(unclosed) => return self.unclosed(node, source, &unclosed, pointer),
        };
        let mut text = String::with_capacity(source.len());
        let mut variables = Vec::new();
        for part in parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Expression(jq) => {
                    if ends_in_single_quotes(&text) {
                        self.unexpanded(node, jq, pointer);
                    }
                    let name = format!("{VALUE_VARIABLE}{}", variables.len() + 1);
                    text.extend(["${", &name, "}"]);
                    let value = self.compile(node, source, jq, pointer);
                    variables.push(value.map(|value| {
                        let value = Template::Text(vec![TextPart::Expression(value)]);
                        (name, value)
                    }));
                }
            }
        }
        Some(ShellCommand {
            text: text.into(),
            variables: variables.into_iter().collect::<Option<_>>()?,
        })
    }

    fn unexpanded(&mut self, node: &Node, jq: &str, pointer: &str) {
        let message = "an expression in single quotes, where a shell fills in nothing";
        let problem = Problem::new(Rule::Expression, node.span, pointer, message);
        self.problems.push(
            problem
                .warning()
                .value(jq)
                .hint("write double quotes around it: \"${ .name }\""),
        );
    }

    fn process_input(&mut self, node: &Node, pointer: &str) -> Option<ProcessInput> {
        let stdin = self.optional(node, "stdin", pointer, Self::template);
        let arguments = self.optional(node, "arguments", pointer, Self::template);
        let environment = self.optional(node, "environment", pointer, Self::template);
        self.variable_names(node, pointer);
        Some(ProcessInput {
            stdin: stdin?,
            arguments: arguments?,
            environment: environment?,
        })
    }

    fn variable_names(&mut self, node: &Node, pointer: &str) {
        let variables = node.get("environment").and_then(Node::object);
        for entry in variables.unwrap_or_default() {
            if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
                let pointer = pointer_step(&pointer_step(pointer, "environment"), &entry.key);
                let message = "not the name of an environment variable";
                let problem = Problem::new(Rule::Strict, entry.key_span, &pointer, message);
                self.problems
                    .push(problem.value(&entry.key).hint("letters, digits and _"));
            }
        }
    }

    fn subflow(&mut self, node: &Node, pointer: &str) -> Option<Subflow> {
        let namespace = self.required(node, "namespace", pointer, Self::part_of_id);
        let name = self.required(node, "name", pointer, Self::part_of_id);
        let version = self.required(node, "version", pointer, |this, node, pointer| {
            match node.text()? {
                "latest" => Some(None),
                _ => this.part_of_id::<Version>(node, pointer).map(Some),
            }
        });
        let input = self.optional(node, "input", pointer, Self::value);
        Some(Subflow {
            namespace: namespace?,
            name: name?,
            version: version?,
            input: input?,
        })
    }

    /// Which workflow runs is known before anything does: no expression.
    fn part_of_id<T: FromStr<Err = InvalidId>>(&mut self, node: &Node, pointer: &str) -> Option<T> {
        match node.text()?.parse() {
            Ok(part) => Some(part),
            Err(error) => {
                let hint = match error.kind {
                    "version" => "three numbers with dots, such as 1.0.0, or latest".to_owned(),
                    _ => format!("write {}", error.expected),
                };
                self.strict(node, pointer, &format!("not a {}", error.kind), &hint)
            }
        }
    }
}

/// Whether what comes behind this part of a command stands in single quotes.
fn ends_in_single_quotes(command: &str) -> bool {
    let mut quote = None;
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None | Some('"'), '\\') => drop(characters.next()),
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    quote == Some('\'')
}
