//! Parsed jq to the short way, if the short way knows all of it.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part, Path};
use serde_json::Value;

use super::functions::Function;
use super::{Plain, Step};
use crate::expression::json;
use crate::expression::number::Number;

/// Terms within terms that the short way takes.
const NESTING_MAX: usize = 64;

/// None where there is more to it than the short way knows. `variables` come with `$`, in the order in which
/// an evaluation gives them.
pub(in crate::expression) fn build(term: &Term<&str>, variables: &[&str]) -> Option<Plain> {
    Builder { variables }.build(term, 0)
}

struct Builder<'b> {
    variables: &'b [&'b str],
}

impl Builder<'_> {
    fn build(&self, term: &Term<&str>, depth: usize) -> Option<Plain> {
        if depth > NESTING_MAX {
            return None;
        }
        let build = |term: &Term<&str>| self.build(term, depth + 1);
        let single = |term: &Term<&str>| build(term).filter(Plain::is_single).map(Box::new);
        Some(match term {
            Term::Id => Plain::Input,
            Term::Var(name) => Plain::Variable(
                self.variables
                    .iter()
                    .position(|variable| variable == name)?,
            ),
            Term::Num(text) => Plain::Literal(literal(text)?),
            Term::Str(None, parts) => self.text(parts, depth)?,
            Term::Arr(stream) => match stream {
                None => Plain::Collect(None),
                Some(stream) => Plain::Collect(Some(Box::new(build(stream)?))),
            },
            Term::Obj(members) => {
                let members = members
                    .iter()
                    .map(|(key, value)| self.member(key, value.as_ref(), depth));
                Plain::Object(members.collect::<Option<_>>()?)
            }
            Term::Neg(operand) => Plain::Negative(single(operand)?),
            Term::BinOp(left, operator, right) => match operator {
                BinaryOp::Pipe(None) => {
                    Plain::Pipe(Box::new(build(left)?), Box::new(build(right)?))
                }
                BinaryOp::Comma => Plain::Comma(Box::new(build(left)?), Box::new(build(right)?)),
                BinaryOp::Alt => Plain::Alternative(single(left)?, single(right)?),
                BinaryOp::Or => Plain::Or(single(left)?, single(right)?),
                BinaryOp::And => Plain::And(single(left)?, single(right)?),
                BinaryOp::Math(operator) => {
                    Plain::Compute(single(left)?, *operator, single(right)?)
                }
                BinaryOp::Cmp(operator) => Plain::Compare(single(left)?, *operator, single(right)?),
                _ => return None,
            },
            Term::IfThenElse(branches, otherwise) => {
                let branch = |(condition, then): &(Term<&str>, Term<&str>)| {
                    Some((*single(condition)?, *single(then)?))
                };
                let branches = branches.iter().map(branch).collect::<Option<_>>()?;
                Plain::If(
                    branches,
                    otherwise
                        .as_ref()
                        .map_or(Some(Box::new(Plain::Input)), |term| single(term))?,
                )
            }
            Term::Call(name, arguments) => self.call(name, arguments, depth)?,
            Term::Path(base, path) => self.path(build(base)?, path)?,
            _ => return None,
        })
    }

    /// Names, indices and `[]`; `?` is left to jaq.
    fn path(&self, base: Plain, path: &Path<Term<&str>>) -> Option<Plain> {
        if !base.is_single() {
            return None;
        }
        let mut steps = Vec::new();
        let mut plain = base;
        for (part, optional) in &path.0 {
            match (part, optional) {
                (Part::Index(index), Opt::Essential) => steps.push(step(index)?),
                (Part::Range(None, None), Opt::Essential) => {
                    plain = each(follow(plain, std::mem::take(&mut steps)));
                }
                _ => return None,
            }
        }
        Some(follow(plain, steps))
    }

    fn member(
        &self,
        key: &Term<&str>,
        value: Option<&Term<&str>>,
        depth: usize,
    ) -> Option<(String, Plain)> {
        let (name, own) = match key {
            Term::Str(None, _) => {
                let name = plain_text(key)?;
                let own = Plain::Get(Box::new(Plain::Input), vec![Step::Key(name.clone())]);
                (name, own)
            }
            Term::Var(name) if value.is_none() => (
                (*name).strip_prefix('$')?.to_owned(),
                self.build(key, depth + 1)?,
            ),
            _ => return None,
        };
        let value = match value {
            None => own,
            Some(value) => self.build(value, depth + 1).filter(Plain::is_single)?,
        };
        Some((name, value))
    }

    fn text(&self, parts: &[StrPart<&str, Term<&str>>], depth: usize) -> Option<Plain> {
        if let Some(text) = text_of(parts) {
            return Some(Plain::Literal(Value::String(text)));
        }
        let part = |part: &StrPart<&str, Term<&str>>| match part {
            StrPart::Str(text) => Some(Plain::Literal(Value::from(*text))),
            StrPart::Char(character) => Some(Plain::Literal(Value::from(character.to_string()))),
            StrPart::Term(term) => self.build(term, depth + 1).filter(Plain::is_single),
        };
        parts
            .iter()
            .map(part)
            .collect::<Option<_>>()
            .map(Plain::Text)
    }

    fn call(&self, name: &str, arguments: &[Term<&str>], depth: usize) -> Option<Plain> {
        let stream = |term: &Term<&str>| self.build(term, depth + 1).map(Box::new);
        let single = |term: &Term<&str>| stream(term).filter(|plain| plain.is_single());
        let function = match (name, arguments) {
            ("null", []) => return Some(Plain::Literal(Value::Null)),
            ("true", []) => return Some(Plain::Literal(Value::Bool(true))),
            ("false", []) => return Some(Plain::Literal(Value::Bool(false))),
            ("select", [condition]) => return Some(Plain::Select(single(condition)?)),
            ("not", []) => Function::Not,
            ("length", []) => Function::Length,
            ("keys", []) => Function::Keys,
            ("first", []) => Function::First,
            ("last", []) => Function::Last,
            ("add", []) => Function::Add,
            ("type", []) => Function::Type,
            ("tostring", []) => Function::ToString,
            ("ascii_downcase", []) => Function::Lowercase,
            ("ascii_upcase", []) => Function::Uppercase,
            ("floor", []) => Function::Floor,
            ("round", []) => Function::Round,
            ("ceil", []) => Function::Ceil,
            ("any", []) => Function::Any(false, Box::new(Plain::Input)),
            ("all", []) => Function::Any(true, Box::new(Plain::Input)),
            ("any", [condition]) => Function::Any(false, single(condition)?),
            ("all", [condition]) => Function::Any(true, single(condition)?),
            ("map", [mapped]) => Function::Map(stream(mapped)?),
            ("has", [key]) => Function::Has(single(key)?),
            ("join", [separator]) => Function::Join(single(separator)?),
            ("startswith", [part]) => Function::StartsWith(single(part)?),
            ("endswith", [part]) => Function::EndsWith(single(part)?),
            ("contains", [part]) => Function::Contains(single(part)?),
            _ => return None,
        };
        Some(Plain::Call(function))
    }
}

/// A step goes down one level of a stream's items, so a stream is piped into it.
fn follow(base: Plain, steps: Vec<Step>) -> Plain {
    if steps.is_empty() {
        return base;
    }
    let get = |base| Plain::Get(Box::new(base), steps);
    if base.is_single() {
        get(base)
    } else {
        Plain::Pipe(Box::new(base), Box::new(get(Plain::Input)))
    }
}

fn each(base: Plain) -> Plain {
    let each = |base| Plain::Each(Box::new(base));
    if base.is_single() {
        each(base)
    } else {
        Plain::Pipe(Box::new(base), Box::new(each(Plain::Input)))
    }
}

fn step(index: &Term<&str>) -> Option<Step> {
    match index {
        Term::Str(None, _) => plain_text(index).map(Step::Key),
        Term::Num(text) => text.parse().ok().map(Step::Index),
        Term::Neg(number) => match &**number {
            Term::Num(text) => text.parse::<i64>().ok().map(|index| Step::Index(-index)),
            _ => None,
        },
        _ => None,
    }
}

fn plain_text(term: &Term<&str>) -> Option<String> {
    match term {
        Term::Str(None, parts) => text_of(parts),
        _ => None,
    }
}

/// The text, where nothing is computed in it.
fn text_of(parts: &[StrPart<&str, Term<&str>>]) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(part) => text.push_str(part),
            StrPart::Char(character) => text.push(*character),
            StrPart::Term(_) => return None,
        }
    }
    Some(text)
}

fn literal(text: &str) -> Option<Value> {
    match Number::parse(text)? {
        Number::Float(value) if !value.is_finite() => None,
        number => Some(json::to_number(number)),
    }
}
