//! "Data keeps every key": whatever reads a `serde_json::Value` reads it by `flame-types/src/json.rs`.
//!
//! It reads the words of the source, not its types: a call whose type is named nowhere near it is held against what
//! its function returns. Deliberately absent: type names that stand for a `Value`.

use super::layout::is_test;

/// Who ships, and so may meet keys that others have chosen.
const SHIPPED: &[&str] = &["src-tauri/src/", "src-tauri/crates/", "containers/"];

const NOT_SHIPPED: &[&str] = &[
    "src-tauri/crates/flame-testkit/",
    "src-tauri/crates/xtask/",
    // It is what all others shall use.
    "src-tauri/crates/flame-types/src/json.rs",
];

const READERS: [&str; 4] = ["from_slice", "from_str", "from_value", "from_reader"];

const HINT: &str = "read it by flame_types::json (from_slice, from_str, read for a field), which keeps every key; or name the type that it is";

/// One line for each place of a file that reads JSON past `flame_types::json`.
pub(super) fn broken(path: &str, text: &str) -> Vec<String> {
    let ships = SHIPPED.iter().any(|folder| path.starts_with(folder));
    let excepted = NOT_SHIPPED.iter().any(|folder| path.starts_with(folder));
    if !ships || excepted || is_test(path) || !path.ends_with(".rs") {
        return Vec::new();
    }
    let source = Source::read(text);
    let fields = source.fields().map(|line| (line, "has a field that holds"));
    let calls = source.calls().map(|line| (line, "reads"));
    fields
        .chain(calls)
        .map(|(line, what)| format!("json: {path}:{line} {what} a serde_json::Value: {HINT}"))
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Token<'t> {
    text: &'t str,
    line: usize,
}

type Tokens<'s, 't> = &'s [Token<'t>];

struct Source<'t> {
    tokens: Vec<Token<'t>>,
    /// `Value` alone is that of `serde_json`.
    imports: bool,
}

impl<'t> Source<'t> {
    fn read(text: &'t str) -> Self {
        let tokens = shipped(&tokens(text));
        let imports = tokens
            .split(|token| token.text == ";")
            .any(|statement| imported(statement).is_some_and(|names| has(names, "Value")));
        Self { tokens, imports }
    }

    /// Whether a type holds a `serde_json::Value`.
    fn holds_value(&self, kind: Tokens<'_, 't>) -> bool {
        let is_path = |at: usize| at > 1 && kind[at - 1].text == ":" && kind[at - 2].text == ":";
        kind.iter().enumerate().any(|(at, token)| {
            token.text == "Value"
                && match is_path(at) {
                    true => at > 2 && kind[at - 3].text == "serde_json",
                    false => self.imports,
                }
        })
    }

    /// Lines of fields that are read by what `derive` makes.
    fn fields(&self) -> impl Iterator<Item = usize> {
        let mut found = Vec::new();
        let mut rest = &self.tokens[..];
        while let Some((attributes, after)) = next_attributes(rest) {
            rest = after;
            let derived = attributes
                .iter()
                .any(|attribute| has(&attribute[..1], "derive") && has(attribute, "Deserialize"));
            let converted = attributes
                .iter()
                .any(|attribute| assigns(attribute, "from") || assigns(attribute, "try_from"));
            if !derived || converted {
                continue;
            }
            let end = |token: &Token<'_>| matches!(token.text, "{" | "(" | ";");
            if let Some(open) = after.iter().position(end)
                && after[open].text != ";"
            {
                self.fields_of(group(&after[open..]), &mut found);
            }
        }
        found.into_iter()
    }

    /// Goes through fields, and through variants with theirs.
    fn fields_of(&self, list: Tokens<'_, 't>, found: &mut Vec<usize>) {
        for part in parts(list) {
            let (attributes, rest) = leading_attributes(part);
            let read_otherwise = attributes.iter().any(|attribute| {
                let by_json = attribute.iter().any(|token| token.text.contains("json::"));
                let with = assigns(attribute, "deserialize_with") || assigns(attribute, "with");
                (with && by_json) || has(attribute, "skip") || has(attribute, "skip_deserializing")
            });
            if read_otherwise {
                continue;
            }
            // A variant opens its fields right after its name.
            match rest.get(1) {
                Some(Token {
                    text: "{" | "(", ..
                }) if !is_visibility(rest) => {
                    self.fields_of(group(&rest[1..]), found);
                }
                _ if self.holds_value(rest) => found.extend(rest.first().map(|token| token.line)),
                _ => {}
            }
        }
    }

    /// Lines of calls into `serde_json` that give a `Value`.
    fn calls(&self) -> impl Iterator<Item = usize> {
        let at = |at: usize| self.tokens.get(at).map_or("", |token| token.text);
        let gives_value = move |here: usize| {
            if imported(&self.tokens[self.statement(here)..here + 1]).is_some() {
                return READERS.contains(&at(here));
            }
            let named = here > 2 && at(here - 3) == "serde_json" && at(here - 1) == ":";
            if !named || !READERS.contains(&at(here)) {
                return false;
            }
            let typed = [1, 2].iter().all(|after| at(here + after) == ":") && at(here + 3) == "<";
            if typed {
                return self.holds_value(group(&self.tokens[here + 3..]));
            }
            match self.announced(here) {
                Some(kind) => self.holds_value(kind),
                None => self
                    .returned(here)
                    .is_some_and(|kind| self.holds_value(kind)),
            }
        };
        (0..self.tokens.len())
            .filter(move |here| gives_value(*here))
            .map(|here| self.tokens[here].line)
    }

    /// Where the statement begins that a token stands in.
    fn statement(&self, here: usize) -> usize {
        let before = &self.tokens[..here];
        let end = |token: &Token<'_>| matches!(token.text, ";" | "}");
        let begin = before.iter().rposition(end).map_or(0, |end| end + 1);
        let opened = before[begin..].iter().rposition(|token| token.text == "{");
        match opened {
            Some(_) if has(&before[begin..], "use") => begin,
            Some(open) => begin + open + 1,
            None => begin,
        }
    }

    /// The type that `let` gives to what the statement makes.
    fn announced(&self, here: usize) -> Option<Tokens<'_, 't>> {
        let statement = &self.tokens[self.statement(here)..here];
        let assigned = statement.iter().position(|token| token.text == "=")?;
        let colon = statement[..assigned]
            .iter()
            .position(|token| token.text == ":")?;
        (statement.first()?.text == "let").then(|| &statement[colon + 1..assigned])
    }

    /// What the function returns that a token stands in.
    fn returned(&self, here: usize) -> Option<Tokens<'_, 't>> {
        let function = self.tokens[..here]
            .iter()
            .rposition(|token| token.text == "fn")?;
        let head = &self.tokens[function..here];
        let body = head.iter().position(|token| token.text == "{")?;
        let arrow = head[..body].iter().rposition(|token| token.text == "->")?;
        Some(&head[arrow..body])
    }
}

/// Tokens without the items that stand behind `#[cfg(test)]`.
fn shipped<'t>(mut tokens: Tokens<'_, 't>) -> Vec<Token<'t>> {
    const OF_TESTS: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    while let [first, rest @ ..] = tokens {
        let texts = tokens.iter().map(|token| token.text);
        if !texts.take(OF_TESTS.len()).eq(OF_TESTS) {
            kept.push(*first);
            tokens = rest;
            continue;
        }
        let (_, item) = leading_attributes(tokens);
        tokens = &item[item_length(item)..];
    }
    kept
}

/// How many tokens an item takes, or a field with its comma. A generic's `<` counts as a bracket before its body.
fn item_length(item: Tokens<'_, '_>) -> usize {
    let (mut depth, mut blocks) = (0_usize, 0_usize);
    for (at, token) in item.iter().enumerate() {
        match token.text {
            "{" => blocks += 1,
            "}" if blocks == 0 => return at,
            "}" if blocks == 1 && depth == 0 => return at + 1,
            "}" => blocks -= 1,
            _ if blocks > 0 => {}
            "(" | "[" | "<" => depth += 1,
            ")" | "]" | ">" => depth = depth.saturating_sub(1),
            ";" | "," if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// What a statement imports from `serde_json`.
fn imported<'s, 't>(statement: Tokens<'s, 't>) -> Option<Tokens<'s, 't>> {
    let begin = statement.iter().rposition(|token| token.text == "use")?;
    let names = &statement[begin + 1..];
    (names.first()?.text == "serde_json").then_some(names)
}

fn has(tokens: Tokens<'_, '_>, text: &str) -> bool {
    tokens.iter().any(|token| token.text == text)
}

/// Whether an attribute has `name = ...`.
fn assigns(attribute: Tokens<'_, '_>, name: &str) -> bool {
    attribute
        .windows(2)
        .any(|pair| pair[0].text == name && pair[1].text == "=")
}

fn is_visibility(tokens: Tokens<'_, '_>) -> bool {
    tokens.first().is_some_and(|token| token.text == "pub")
}

/// The next attributes that stand together, and what comes after them.
fn next_attributes<'s, 't>(
    tokens: Tokens<'s, 't>,
) -> Option<(Vec<Tokens<'s, 't>>, Tokens<'s, 't>)> {
    let begin = tokens
        .windows(2)
        .position(|pair| pair[0].text == "#" && pair[1].text == "[")?;
    Some(leading_attributes(&tokens[begin..]))
}

/// The attributes that tokens begin with, each without its brackets.
fn leading_attributes<'s, 't>(mut tokens: Tokens<'s, 't>) -> (Vec<Tokens<'s, 't>>, Tokens<'s, 't>) {
    let mut attributes = Vec::new();
    while let [Token { text: "#", .. }, Token { text: "[", .. }, ..] = tokens {
        let inner = group(&tokens[1..]);
        if !inner.is_empty() {
            attributes.push(inner);
        }
        tokens = tokens.get(inner.len() + 3..).unwrap_or_default();
    }
    (attributes, tokens)
}

/// What stands between the bracket that tokens begin with and the one that closes it.
fn group<'s, 't>(tokens: Tokens<'s, 't>) -> Tokens<'s, 't> {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" if depth == 1 => return &tokens[1..at],
            ")" | "]" | "}" | ">" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    tokens.get(1..).unwrap_or_default()
}

/// The parts of a list between its commas.
fn parts<'s, 't>(list: Tokens<'s, 't>) -> impl Iterator<Item = Tokens<'s, 't>> {
    let mut depth = 0_usize;
    list.split(move |token| {
        match token.text {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.text == ","
    })
    .filter(|part| !part.is_empty())
}

/// Words, texts and signs; no comments.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '-' | '=' if rest[1..].starts_with('>') => 2,
            '"' => quoted(rest),
            'r' if rest.starts_with("r\"") || rest.starts_with("r#") => raw(rest).unwrap_or(1),
            '\'' => character(rest),
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let token = &rest[..length];
        if !first.is_whitespace() && !token.starts_with("//") && !token.starts_with("/*") {
            tokens.push(Token { text: token, line });
        }
        line += token.matches('\n').count();
        at += length;
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `None` for a raw name.
fn raw(rest: &str) -> Option<usize> {
    let signs = rest[1..].find(|character| character != '#')?;
    let opened = rest[1 + signs..].starts_with('"').then_some(signs + 2)?;
    let closing = format!("\"{}", "#".repeat(signs));
    let end = rest[opened..].find(&closing)?;
    Some(opened + end + closing.len())
}

/// A character; of a lifetime the sign alone.
fn character(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    let escaped = characters
        .next()
        .is_some_and(|(_, character)| character == '\\');
    if escaped {
        return rest[3..].find('\'').map_or(rest.len(), |end| end + 4);
    }
    match characters.next() {
        Some((at, '\'')) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "src-tauri/crates/flame-store/src/a.rs";

    fn lines(text: &str) -> Vec<String> {
        let told = broken(HERE, text).into_iter();
        told.map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" "))
            .collect()
    }

    fn is_fine(text: &str) {
        assert_eq!(lines(text), Vec::<String>::new(), "{text}");
    }

    fn is_broken(text: &str, line: usize, what: &str) {
        assert_eq!(
            lines(text),
            [format!("json: {HERE}:{line} {what}")],
            "{text}"
        );
    }

    const IMPORT: &str = "use serde_json::{Map, Value};\n";

    #[test]
    fn fields_that_hold_json_say_how_they_are_read() {
        for field in [
            "pub detail: Value,",
            "detail: Option<Arc<Value>>,",
            "pub(crate) members: Map<String, Value>,",
            "#[serde(default)]\n    detail: Value,",
            "#[serde(deserialize_with = \"other::read\")]\n    detail: Value,",
            "#[serde(serialize_with = \"json::write\")]\n    detail: Value,",
        ] {
            let text = format!(
                "{IMPORT}#[derive(Debug, Deserialize)]\npub struct A {{\n    id: u64,\n    {field}\n}}\n"
            );
            let line = 5 + field.matches('\n').count();
            is_broken(&text, line, "has");
            is_fine(&text.replace("Deserialize", "Serialize"));
            is_fine(&text.replace("Deserialize)]", "Deserialize)]\n#[serde(try_from = \"B\")]"));
        }
        for field in [
            "#[serde(deserialize_with = \"json::read\")]\n    detail: Value,",
            "#[serde(\n        default,\n        deserialize_with = \"flame_types::json::present\"\n    )]\n    detail: Option<Value>,",
            "#[serde(skip)]\n    detail: Value,",
            "detail: Values, // a Value",
            "detail: Kind<jaq::Value>,",
        ] {
            is_fine(&format!(
                "{IMPORT}#[derive(Deserialize)]\nstruct A {{\n    {field}\n}}\n"
            ));
        }
    }

    #[test]
    fn variants_and_tuples_have_fields_too() {
        let of = |body: &str| {
            format!(
                "{IMPORT}#[derive(Serialize, Deserialize)]\n#[serde(tag = \"kind\")]\nenum A {{\n{body}\n}}\n"
            )
        };
        is_broken(&of("    One { at: u64, data: Value },"), 5, "has");
        is_broken(&of("    Two(u64),\n    One(Arc<Value>),"), 6, "has");
        is_fine(&of(
            "    One { #[serde(deserialize_with = \"json::read\")] data: Value },",
        ));
        is_fine(&of(
            "    #[serde(deserialize_with = \"json::read\")]\n    One(Value),",
        ));
        let tuple = format!("{IMPORT}#[derive(Deserialize)]\npub struct A(pub Value);\n");
        is_broken(&tuple, 3, "has");
        is_fine("#[derive(Deserialize)]\nstruct A { data: Value }\n");
        is_broken(
            "#[derive(Deserialize)]\nstruct A { data: serde_json::Value }\n",
            2,
            "has",
        );
        is_fine("#[derive(Deserialize)]\nstruct A;\nstruct B { data: serde_json::Value }\n");
    }

    #[test]
    fn calls_that_give_json_are_named() {
        for call in [
            "serde_json::from_slice::<Value>(line).ok();",
            "serde_json::from_str::<Map<String, Value>>(text)?;",
            "let read: Value = serde_json::from_slice(body)?;",
            "let read: Option<Value> = text.and_then(|text| serde_json::from_str(&text).ok());",
            "let read = || { let it: serde_json::Value = serde_json::from_reader(file)?; it };",
        ] {
            let text = format!("{IMPORT}fn f() {{\n    {call}\n}}\n");
            is_broken(&text, 3, "reads");
            is_fine(
                &text
                    .replace("Value", "Order")
                    .replace("serde_json::Order", "Order"),
            );
        }
        let returned =
            format!("{IMPORT}fn f(t: &str) -> Result<Value> {{\n    serde_json::from_str(t)\n}}\n");
        is_broken(&returned, 3, "reads");
        is_fine(&returned.replace("serde_json::from_str", "json::from_str"));
        is_fine(&returned.replace("from_str(t)", "from_str::<Order>(t)"));
        is_broken("use serde_json::{from_slice, json};\n", 1, "reads");
    }

    #[test]
    fn what_stands_behind_a_part_for_tests_is_looked_at() {
        let read = "fn f() {\n    serde_json::from_str::<Value>(t);\n}\n";
        for part in [
            "#[cfg(test)] mod tests;\n",
            "#[cfg(test)] use a::{b, c};\n",
            "struct S { #[cfg(test)] a: Vec<u8>, b: u8 }\n",
            "struct S { #[cfg(test)] a: (u8, u8) }\n",
            "#[cfg(test)] #[derive(Debug)] pub fn g() -> Vec<u8> { { 1 } }\n",
        ] {
            is_broken(&format!("{IMPORT}{part}{read}"), 4, "reads");
            is_fine(&format!("{IMPORT}#[cfg(test)]\n{read}"));
        }
        is_fine(&format!("{IMPORT}#[cfg(test)] mod a {{ {read} }}\n"));
    }

    #[test]
    fn what_does_not_ship_may_read_as_it_likes() {
        let text = format!("{IMPORT}fn f() {{ serde_json::from_str::<Value>(\"1\"); }}\n");
        is_broken(&text, 2, "reads");
        for path in [
            "src-tauri/crates/flame-store/tests/store/a.rs",
            "src-tauri/crates/flame-store/src/record/tests.rs",
            "src-tauri/crates/xtask/src/a.rs",
            "src-tauri/crates/flame-testkit/src/a.rs",
            "src-tauri/crates/flame-types/src/json.rs",
            "tests/benches/a.rs",
        ] {
            assert_eq!(broken(path, &text), Vec::<String>::new(), "{path}");
        }
        is_fine(&format!(
            "//! A file.\n#[cfg(test)]\nmod tests {{ {text} }}\n"
        ));
    }

    #[test]
    fn texts_and_comments_are_no_code() {
        is_fine(
            "/* serde_json::from_str::<serde_json::Value>(t) */\n// serde_json::from_str::<serde_json::Value>(t)\n",
        );
        is_fine("const A: &str = \"serde_json::from_str::<serde_json::Value>(t) \\\" \";\n");
        is_fine("const A: &str = r#\"serde_json::from_str::<serde_json::Value>(t) \" \"#;\n");
        let text = "fn f<'a>(c: char) { c == '\"' || c == '\\''; serde_json::from_str::<serde_json::Value>(t); }\n";
        is_broken(text, 1, "reads");
    }
}
