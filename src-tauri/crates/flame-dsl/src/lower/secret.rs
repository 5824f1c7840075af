//! `use.secrets`, and the expressions that read them.

use super::Lowering;
use crate::problem::{Problem, Rule};
use crate::shape::did_you_mean;
use crate::source::{Node, pointer_step};

const VARIABLE: &str = "$secrets";

impl Lowering<'_> {
    /// Takes up the names of `use.secrets`; with one there is a variable `$secrets`.
    pub(super) fn declare_secrets(&mut self) {
        let declared = self.uses.and_then(|uses| uses.get("secrets"));
        for (at, node) in declared
            .and_then(Node::list)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let Some(name) = node.text() else { continue };
            let pointer = pointer_step("/use/secrets", at);
            if name.is_empty() || !name.bytes().all(is_name_byte) {
                let message = "not the name of a secret";
                let problem = Problem::new(Rule::Strict, node.span, &pointer, message);
                self.problems.push(
                    problem
                        .value(name)
                        .hint("letters, digits, hyphens, dots and underscores"),
                );
            } else if self.secrets.iter().any(|known| &**known == name) {
                let message = format!("the secret '{name}' is given twice");
                let problem = Problem::new(Rule::Strict, node.span, &pointer, message);
                self.problems.push(problem.hint("remove one of them"));
            } else {
                self.secrets.push(name.into());
            }
        }
        if !self.secrets.is_empty() {
            self.scope = self.scope_of_all();
        }
    }

    /// Reports names after `$secrets` that nobody has declared.
    pub(super) fn check_secrets(&mut self, node: &Node, text: &str, source: &str, pointer: &str) {
        for (offset, name) in named(source) {
            if self.secrets.iter().any(|known| **known == *name) {
                continue;
            }
            let start = (source.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
            let span = self.span_inside(node, text, start + offset);
            let hint = did_you_mean(name, self.secrets.iter().map(|known| &**known))
                .unwrap_or_else(|| format!("declare it: use: {{secrets: [{name}]}}"));
            let message = format!("no secret '{name}' in use.secrets");
            let problem = Problem::new(Rule::Reference, span, pointer, message);
            self.problems.push(problem.value(name).hint(hint));
        }
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// The names that stand right behind `$secrets`, as `.name`, `."name"` or `["name"]`, and where.
fn named(source: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices(VARIABLE) {
        let begin = at + VARIABLE.len();
        let rest = &source[begin..];
        let quoted = [".[\"", ".\"", "[\""]
            .iter()
            .find_map(|open| rest.strip_prefix(open));
        let name = match (quoted, rest.strip_prefix('.')) {
            (Some(quoted), _) => quoted.split('"').next(),
            (None, Some(plain)) => plain
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .next(),
            (None, None) => None,
        };
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            found.push((name.as_ptr() as usize - source.as_ptr() as usize, name));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn names_are_found_in_every_spelling() {
        let names = |source| -> Vec<&str> { named(source).into_iter().map(|(_, n)| n).collect() };
        assert_eq!(names("$secrets.a.b + $secrets[\"c-d\"].e"), ["a", "c-d"]);
        assert_eq!(
            names("\"\\($secrets.\"x y\")\" | $secrets.[\"z\"]"),
            ["x y", "z"]
        );
        assert_eq!(names("$secrets | keys"), Vec::<&str>::new());
    }
}
