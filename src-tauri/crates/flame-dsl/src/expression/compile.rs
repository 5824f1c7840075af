//! Source to a compiled filter. What jq could not know is refused with its name and place.

use std::borrow::Cow;

use jaq_core::compile::Undefined;
use jaq_core::load::lex::{self, StrPart, Tok, Token};
use jaq_core::load::parse::{self, BinaryOp, Def, Term};
use jaq_core::load::{Arena, File, Lexer, Loader, Parser};
use jaq_core::{Compiler, Filter};

use super::library;
use super::machine::{ENTERED, Machine};
use super::plain::{self, Plain};
use super::single::is_single;
use super::updates::REDUCED;
use super::{ExpressionError, dialect, meter, syntax};

/// Bytes of source that an expression may have.
const SOURCE_BYTES_MAX: usize = 64 * 1024;

/// Tokens that an expression may have.
const TOKENS_MAX: usize = 10_000;

/// Filters that read or change something outside the expression, or that depend on when and where it runs.
const REFUSED: &[&str] = &[
    "env",
    "$ENV",
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
    "get_search_list",
    "modulemeta",
    "get_jq_origin",
    "get_prog_origin",
    "builtins",
    "import",
    "include",
];

/// The name under which an expression's source stands among the definitions.
const MAIN: &str = "_main";

/// A filter, the short way if there is one, and the names of the variables that it wants, without `$`, in its order.
pub(super) struct Program {
    pub plain: Option<Plain>,
    pub filter: Filter<Machine>,
    pub variables: Vec<Box<str>>,
}

pub(super) fn compile(source: &str, variables: &[&str]) -> Result<Program, ExpressionError> {
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
    // Reading and compiling recurse as deep as the source is nested.
    meter::run_on_large_stack(|| {
        let readable = dialect::without_surrogates(source);
        let program = parse(&readable).and_then(|term| link(&readable, term, variables));
        program.map_err(|error| match (error, &readable) {
            (ExpressionError::Syntax { message, offset }, Cow::Owned(_)) => {
                at(dialect::offset_in(source, offset), message)
            }
            (error, _) => error,
        })
    })?
}

fn parse(source: &str) -> Result<Term<&str>, ExpressionError> {
    let mut tokens = Lexer::new(source)
        .lex()
        .map_err(|errors| unreadable(source, errors))?;
    let count = count_tokens(&tokens);
    if count > TOKENS_MAX {
        return Err(at(
            source.len(),
            format!("the expression has {count} words and signs; {TOKENS_MAX} is the most"),
        ));
    }
    dialect::retoken(source, &mut tokens);
    Parser::new(&tokens)
        .parse(|parser| parser.term())
        .map_err(|errors| unexpected(source, errors))
}

fn count_tokens(tokens: &[Token<&str>]) -> usize {
    let within = |token: &Token<&str>| match &token.1 {
        Tok::Block(tokens) => count_tokens(tokens),
        Tok::Str(parts) => {
            let count = |part: &StrPart<_, Token<&str>>| match part {
                StrPart::Term(token) => count_tokens(std::slice::from_ref(token)),
                _ => 1,
            };
            parts.iter().map(count).sum()
        }
        _ => 0,
    };
    tokens.iter().map(|token| 1 + within(token)).sum()
}

/// Makes calls of a function that takes filters cost what they may leave behind.
fn price(definition: &mut Def<&str>) {
    if definition
        .args
        .iter()
        .any(|argument| !argument.starts_with('$'))
    {
        let body = Box::new(std::mem::take(&mut definition.body));
        let entered = Box::new(Term::Call(ENTERED, Vec::new()));
        definition.body = Term::BinOp(entered, BinaryOp::Pipe(None), body);
    }
}

/// The variables of the scope that a term uses. Parts of the library's own making may not be called.
fn variables_used<'s>(
    source: &'s str,
    term: &mut Term<&'s str>,
    variables: &[&str],
) -> Result<Vec<&'s str>, ExpressionError> {
    let (mut calls, mut used, mut defined) = (Vec::new(), Vec::new(), Vec::new());
    syntax::visit(term, &mut |term| {
        calls.extend(library::called(term));
        match term {
            Term::Var(name) if variables.contains(&&name[1..]) && !used.contains(name) => {
                used.push(*name)
            }
            Term::Def(definitions, _) => {
                defined.extend(definitions.iter().map(|definition| definition.name))
            }
            _ => {}
        }
    });
    let hidden = |name: &&str| *name == MAIN || library::is_hidden(name) && !defined.contains(name);
    match calls.into_iter().find(hidden) {
        Some(name) => Err(undefined(source, name, &Undefined::Filter(0))),
        None => Ok(used),
    }
}

/// Makes of jq's term one of jaq's, and gives the names that it calls.
fn adapt<'s>(source: &str, term: &mut Term<&'s str>) -> Vec<&'s str> {
    let mut calls = Vec::new();
    syntax::visit(term, &mut |term| {
        dialect::rewrite(source, term);
        calls.extend(library::called(term));
        match term {
            Term::Def(definitions, _) => definitions.iter_mut().for_each(price),
            Term::Fold("reduce", .., arguments) => {
                if let Some(update) = arguments.get_mut(1).filter(|update| !is_single(update)) {
                    *update = Term::Call(REDUCED, vec![std::mem::take(update)]);
                }
            }
            _ => {}
        }
    });
    calls
}

/// Puts the term together with what it calls.
fn link<'s>(
    source: &'s str,
    mut term: Term<&'s str>,
    variables: &[&str],
) -> Result<Program, ExpressionError> {
    let variables = variables_used(source, &mut term, variables)?;
    let plain = plain::build(&term, &variables);
    let calls = adapt(source, &mut term);
    let (definitions, natives) = library::needed(calls);
    let main = Def {
        name: MAIN,
        args: Vec::new(),
        body: term,
    };
    let arena = Arena::default();
    let broken = || at(0, "the expression does not compile".to_owned());
    let modules = Loader::new(definitions.into_iter().chain([main]))
        .load(
            &arena,
            File {
                code: MAIN,
                path: (),
            },
        )
        .map_err(|_| broken())?;
    let compiled = Compiler::default()
        .with_funs(natives)
        .with_global_vars(variables.iter().copied())
        .compile(modules);
    match compiled {
        Ok(filter) => Ok(Program {
            plain,
            filter,
            variables: variables.iter().map(|name| name[1..].into()).collect(),
        }),
        Err(errors) => match errors.into_iter().flat_map(|(_, errors)| errors).next() {
            Some((name, kind)) => Err(undefined(source, name, &kind)),
            None => Err(broken()),
        },
    }
}

fn at(offset: usize, message: String) -> ExpressionError {
    ExpressionError::Syntax { message, offset }
}

/// Where a part of the source stands; None for what is no part of it.
fn offset_of(source: &str, part: &str) -> Option<usize> {
    let offset = part.as_ptr().addr().checked_sub(source.as_ptr().addr())?;
    (offset <= source.len()).then_some(offset)
}

fn unreadable(source: &str, errors: Vec<lex::Error<&str>>) -> ExpressionError {
    match errors.first() {
        Some((expected, found)) => expectation(source, expected.as_str(), found),
        None => at(0, "the expression cannot be read".to_owned()),
    }
}

fn unexpected(source: &str, errors: Vec<parse::TError<'_, &str>>) -> ExpressionError {
    match errors.first() {
        Some((expected, found)) => {
            expectation(source, expected.as_str(), Token::opt_as_str(*found, source))
        }
        None => at(0, "the expression cannot be parsed".to_owned()),
    }
}

fn expectation(source: &str, expected: &str, found: &str) -> ExpressionError {
    let offset = offset_of(source, found).unwrap_or(source.len());
    if source[..offset].trim_end().ends_with('?') && source[offset..].starts_with("//")
        || source[offset..].starts_with("?//")
    {
        return at(
            offset,
            "the operator `?//` is not available: write it with `if` or `try`".to_owned(),
        );
    }
    let word = source[..offset]
        .split_whitespace()
        .next_back()
        .unwrap_or_default();
    if ["import", "include"].contains(&word) {
        return refused(word, offset);
    }
    let found: String = found
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .chars()
        .take(20)
        .collect();
    let found = if found.is_empty() {
        "the end".to_owned()
    } else {
        format!("`{found}`")
    };
    at(
        offset,
        format!("expected {expected} at byte {offset}, found {found}"),
    )
}

fn refused(name: &str, offset: usize) -> ExpressionError {
    let why = match name {
        "now" => "depends on the clock, and a run must come out the same when it is played again",
        "localtime" | "strflocaltime" => "depends on the machine's time zone",
        "import" | "include" => "reads files",
        "builtins" => "lists what the program that runs it has",
        _ => "reaches outside the expression, which sees its input and variables alone",
    };
    at(offset, format!("`{name}` is not available: it {why}"))
}

fn undefined(source: &str, name: &str, kind: &Undefined) -> ExpressionError {
    let offset = offset_of(source, name).unwrap_or(0);
    if REFUSED.contains(&name) {
        return refused(name, offset);
    }
    let message = match kind {
        Undefined::Filter(_) if ["reduce", "foreach"].contains(&name) => {
            format!("`{name}` takes `(start; update)` after its variable")
        }
        Undefined::Filter(_) if library::is_hidden(name) || name == MAIN => {
            format!("there is no function `{name}`")
        }
        Undefined::Filter(0) => format!("there is no function `{name}` without arguments"),
        Undefined::Filter(1) => format!("there is no function `{name}` with one argument"),
        Undefined::Filter(arity) => format!("there is no function `{name}` with {arity} arguments"),
        kind => format!("the {} `{name}` is not defined", kind.as_str()),
    };
    at(offset, format!("{message} (byte {offset})"))
}
