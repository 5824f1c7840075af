//! Source to a compiled filter: what jq could not know is refused with its name and place.

use jaq_core::compile::Undefined;
use jaq_core::load::lex::{StrPart, Tok, Token};
use jaq_core::load::{self, Arena, File, Lexer, Loader};

use super::{Compiled, ExpressionError};

/// Bytes of source that an expression may have.
const SOURCE_BYTES_MAX: usize = 64 * 1024;

/// Filters that read or change something outside the expression.
const REFUSED: &[&str] = &[
    "env",
    "input",
    "inputs",
    "debug",
    "stderr",
    "input_filename",
    "input_line_number",
    "halt",
    "halt_error",
    "now",
    "localtime",
    "strflocaltime",
    "mktime_local",
    "get_search_list",
    "modulemeta",
    "debug_empty",
    "stderr_empty",
];

pub(super) fn compile(source: &str, variables: &[&str]) -> Result<Compiled, ExpressionError> {
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!(
            "the expression has {} bytes; {SOURCE_BYTES_MAX} is the most",
            source.len()
        );
        return Err(ExpressionError::Syntax {
            message,
            offset: SOURCE_BYTES_MAX,
        });
    }
    let mut used = Vec::new();
    if let Ok(tokens) = Lexer::new(source).lex() {
        variables_in(&tokens, &mut used);
    }
    used.retain(|name| variables.contains(&&name[1..]));
    let defs = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs());
    let defs = defs.filter(|def| !REFUSED.contains(&def.name));
    let funs = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let funs = funs.filter(|(name, ..)| !REFUSED.contains(name));
    let arena = Arena::default();
    let modules = Loader::new(defs)
        .load(
            &arena,
            File {
                code: source,
                path: (),
            },
        )
        .map_err(|errors| syntax_error(source, errors))?;
    let filter = jaq_core::Compiler::default()
        .with_funs(funs)
        .with_global_vars(used.iter().copied())
        .compile(modules)
        .map_err(|errors| undefined(source, errors))?;
    let variables = used.iter().map(|name| name[1..].into()).collect();
    Ok(Compiled {
        source: source.into(),
        filter,
        variables,
    })
}

/// The variables that stand in the tokens, each once, with `$`.
fn variables_in<'s>(tokens: &[Token<&'s str>], used: &mut Vec<&'s str>) {
    for Token(text, kind) in tokens {
        match kind {
            Tok::Var if !used.contains(text) => used.push(text),
            Tok::Block(tokens) => variables_in(tokens, used),
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(token) = part {
                        variables_in(std::slice::from_ref(token), used);
                    }
                }
            }
            _ => {}
        }
    }
}

fn offset_of(source: &str, part: &str) -> usize {
    let offset = (part.as_ptr() as usize).wrapping_sub(source.as_ptr() as usize);
    if offset <= source.len() { offset } else { 0 }
}

fn syntax_error(source: &str, errors: load::Errors<&str, ()>) -> ExpressionError {
    let (message, offset) = match errors.into_iter().next().map(|(_file, error)| error) {
        Some(load::Error::Lex(errors)) => first(errors, |(expect, found)| (expect.as_str(), found)),
        Some(load::Error::Parse(errors)) => {
            first(errors, |(expect, found)| (expect.as_str(), found))
        }
        Some(load::Error::Io(_)) => {
            return refuse("modules (`import`, `include`) are not available", 0);
        }
        None => None,
    }
    .map_or(
        ("the expression does not parse".to_owned(), 0),
        |(expected, found)| {
            let offset = offset_of(source, found);
            let found = found.split_whitespace().next().unwrap_or("the end");
            (
                format!("expected {expected}, found `{found}` at byte {offset}"),
                offset,
            )
        },
    );
    if source[..offset].trim_end().ends_with('?') && source[offset..].starts_with("//") {
        return refuse(
            "the operator `?//` is not available: use `try` or `if`",
            offset,
        );
    }
    ExpressionError::Syntax { message, offset }
}

fn first<'s, E>(
    errors: Vec<E>,
    parts: impl FnOnce(E) -> (&'s str, &'s str),
) -> Option<(&'s str, &'s str)> {
    errors.into_iter().next().map(parts)
}

fn refuse(message: &str, offset: usize) -> ExpressionError {
    ExpressionError::Syntax {
        message: message.to_owned(),
        offset,
    }
}

fn undefined(source: &str, errors: jaq_core::compile::Errors<&str, ()>) -> ExpressionError {
    let Some((name, kind)) = errors.into_iter().flat_map(|(_file, errors)| errors).next() else {
        return refuse("the expression does not compile", 0);
    };
    let offset = offset_of(source, name);
    let message = match kind {
        Undefined::Filter(_) if REFUSED.contains(&name) => {
            format!("`{name}` is not available: an expression sees its input and variables alone")
        }
        Undefined::Filter(arity) => {
            format!("no function `{name}` takes {arity} arguments (at byte {offset})")
        }
        kind => format!(
            "the {} `{name}` is not defined (at byte {offset})",
            kind.as_str()
        ),
    };
    ExpressionError::Syntax { message, offset }
}
