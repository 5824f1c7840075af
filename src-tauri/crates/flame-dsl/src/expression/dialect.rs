//! jq's dialect in jaq's: what jaq does not read, or takes in another order, is written anew before it is
//! compiled. Offsets of errors stay those of the source.

use std::borrow::Cow;

use jaq_core::load::lex::{StrPart, Tok, Token};
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::{Opt, Part, Path};

use super::single::is_single;
use super::syntax;
use super::updates::UPDATED;

/// A variable that no source can name: the side of an operator that is computed first.
const RIGHT: &str = "$right side";

/// The source with escaped surrogates (`\ud83d\ude00`) as the characters they mean. A lone one becomes the
/// replacement character, as in jq.
pub(super) fn without_surrogates(source: &str) -> Cow<'_, str> {
    let mut plain = String::new();
    let (mut from, mut at) = (0, 0);
    while let Some(found) = source[at..].find('\\') {
        at += found;
        match unit(&source[at..]) {
            Some(high @ 0xd800..=0xdfff) => {
                let next = unit(&source[at + ESCAPE_BYTES..]).unwrap_or(0);
                let pair = char::decode_utf16([high, next]).next().and_then(Result::ok);
                plain.push_str(&source[from..at]);
                plain.push(pair.unwrap_or(char::REPLACEMENT_CHARACTER));
                at += if pair.is_some() {
                    2 * ESCAPE_BYTES
                } else {
                    ESCAPE_BYTES
                };
                from = at;
            }
            // A backslash may be escaped itself.
            _ => at += 1 + source[at + 1..].chars().next().map_or(0, char::len_utf8),
        }
    }
    if from == 0 {
        return Cow::Borrowed(source);
    }
    plain.push_str(&source[from..]);
    Cow::Owned(plain)
}

/// Bytes of `\uXXXX`.
const ESCAPE_BYTES: usize = 6;

/// The number of an escape `\uXXXX`.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    hexadecimal.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Where in the source the byte of [`without_surrogates`] is that an error points at.
pub(super) fn offset_in(source: &str, offset: usize) -> usize {
    let ends: Vec<_> = source.char_indices().map(|(end, _)| end).collect();
    let before = |end: &usize| without_surrogates(&source[..*end]).len() < offset;
    let place = ends.partition_point(before);
    ends.get(place).copied().unwrap_or(source.len())
}

/// Reads `{$a: pattern}` as `{$a, a: pattern}`, and `.5` as a number.
pub(super) fn retoken<'s>(source: &'s str, tokens: &mut Vec<Token<&'s str>>) {
    retoken_within(source, tokens, "")
}

fn retoken_within<'s>(source: &'s str, tokens: &mut Vec<Token<&'s str>>, block: &str) {
    let mut at = 0;
    while at < tokens.len() {
        let next = tokens.get(at + 1).map(|Token(text, _)| *text);
        match (&mut tokens[at], next) {
            (Token(name, Tok::Var), Some(":")) if block.starts_with('{') => {
                let name = &name[1..];
                let inserted = [Token(",", Tok::Sym), Token(name, Tok::Word)];
                tokens.splice(at + 1..at + 1, inserted);
                at += 2;
            }
            (Token(".", Tok::Sym), Some(_)) => {
                if let Some(number) = fraction(source, &tokens[at], &tokens[at + 1]) {
                    tokens.splice(at..=at + 1, [Token(number, Tok::Num)]);
                }
            }
            (Token(block, Tok::Block(inner)), _) => retoken_within(source, inner, block),
            (Token(_, Tok::Str(parts)), _) => {
                for part in parts {
                    if let StrPart::Term(Token(_, Tok::Block(inner))) = part {
                        retoken(source, inner);
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// A point and the digits right behind it.
fn fraction<'s>(source: &'s str, point: &Token<&str>, digits: &Token<&str>) -> Option<&'s str> {
    let Token(digits, Tok::Num) = digits else {
        return None;
    };
    let from = point.0.as_ptr().addr() - source.as_ptr().addr();
    let to = digits.as_ptr().addr() - source.as_ptr().addr();
    (to == from + 1).then(|| &source[from..to + digits.len()])
}

/// Writes one term anew where jq means something else by it than jaq; the terms within come after it.
pub(super) fn rewrite(source: &str, term: &mut Term<&str>) {
    match term {
        Term::Var(name @ "$__loc__") => *term = location(source, name),
        Term::Obj(members) => {
            for (key, value) in members.iter_mut().filter(|(_, value)| value.is_none()) {
                if let Term::Var(name @ "$__loc__") = key {
                    *value = Some(location(source, name));
                    *key = text("__loc__");
                }
            }
        }
        Term::Def(definitions, _) => definitions.iter_mut().for_each(name_parameters),
        Term::Str(format, parts) => {
            let streams = parts.iter().filter(|part| is_stream(part)).count();
            if streams > 1 {
                *term = sum(*format, std::mem::take(parts));
            }
        }
        Term::Fold("foreach", .., arguments) => keep_last(arguments),
        Term::BinOp(..) => {
            let whole = std::mem::take(term);
            if let Term::BinOp(left, operator, right) = whole {
                *term = operate(left, operator, right);
            }
        }
        _ => {}
    }
}

fn text(text: &str) -> Term<&str> {
    Term::Str(None, vec![StrPart::Str(text)])
}

fn pipe<'s>(left: Term<&'s str>, right: Term<&'s str>) -> Term<&'s str> {
    Term::BinOp(Box::new(left), BinaryOp::Pipe(None), Box::new(right))
}

/// `value as $right | body`
fn bind<'s>(value: Box<Term<&'s str>>, body: Term<&'s str>) -> Term<&'s str> {
    let pattern = Some(Pattern::Var(RIGHT));
    Term::BinOp(value, BinaryOp::Pipe(pattern), Box::new(body))
}

/// What stands for `$__loc__`: where in the source it is.
fn location<'s>(source: &str, variable: &str) -> Term<&'s str> {
    let offset = variable.as_ptr().addr() - source.as_ptr().addr();
    let line = 1 + source[..offset]
        .bytes()
        .filter(|byte| *byte == b'\n')
        .count();
    // Numbers are slices of the source, but a text may be made of characters.
    let digits = line.to_string().chars().map(StrPart::Char).collect();
    let line = pipe(Term::Str(None, digits), Term::Call("tonumber", Vec::new()));
    Term::Obj(vec![
        (text("file"), Some(text("<top-level>"))),
        (text("line"), Some(line)),
    ])
}

/// A parameter `$a` is also a filter `a`: where that is called, the filter is the parameter, and the variable
/// is bound to each of its outputs.
fn name_parameters(definition: &mut Def<&str>) {
    let mut called = false;
    let parameters = &definition.args;
    syntax::visit(&mut definition.body, &mut |term| {
        if let Term::Call(name, arguments) = term {
            let is_name = |parameter: &&str| parameter.strip_prefix('$') == Some(name);
            called |= arguments.is_empty() && parameters.iter().any(is_name);
        }
    });
    if !called {
        return;
    }
    for parameter in definition.args.iter_mut().rev() {
        if let Some(name) = parameter.strip_prefix('$') {
            let pattern = Some(Pattern::Var(*parameter));
            let body = Box::new(std::mem::take(&mut definition.body));
            let outputs = Box::new(Term::Call(name, Vec::new()));
            definition.body = Term::BinOp(outputs, BinaryOp::Pipe(pattern), body);
            *parameter = name;
        }
    }
}

fn is_stream(part: &StrPart<&str, Term<&str>>) -> bool {
    matches!(part, StrPart::Term(term) if !is_single(term))
}

/// A text of several streams as the sum of its parts, which are then taken in the order of a sum.
fn sum<'s>(format: Option<&'s str>, parts: Vec<StrPart<&'s str, Term<&'s str>>>) -> Term<&'s str> {
    let add = |left, right| {
        let operator = BinaryOp::Math(jaq_core::ops::Math::Add);
        operate(Box::new(left), operator, Box::new(right))
    };
    let parts = parts.into_iter().map(|part| Term::Str(format, vec![part]));
    parts.reduce(add).unwrap_or_else(|| text(""))
}

/// Of an update's outputs each is extracted, and the last is the next state: the state is kept as an array
/// of them.
fn keep_last(arguments: &mut Vec<Term<&str>>) {
    let [start, update, ..] = arguments.as_mut_slice() else {
        return;
    };
    if is_single(update) {
        return;
    }
    let follow = |part| Term::Path(Box::new(Term::Id), Path(vec![(part, Opt::Essential)]));
    let collect = |term| Term::Arr(Some(Box::new(term)));
    let last = follow(Part::Index(Term::Neg(Box::new(Term::Num("1")))));
    *start = pipe(std::mem::take(start), collect(Term::Id));
    *update = collect(pipe(last, std::mem::take(update)));
    let extract = arguments.drain(2..).next().unwrap_or_default();
    arguments.push(pipe(follow(Part::Range(None, None)), extract));
}

/// Operators whose operands are streams take the right one first. What is no plain path is updated path by
/// path.
fn operate<'s>(
    left: Box<Term<&'s str>>,
    operator: BinaryOp<&'s str>,
    right: Box<Term<&'s str>>,
) -> Term<&'s str> {
    let side = || Box::new(Term::Var(RIGHT));
    let updated = |left: Box<_>, update| Term::Call(UPDATED, vec![*left, update]);
    let computed = |operator| Term::BinOp(Box::new(Term::Id), operator, side());
    match operator {
        BinaryOp::Math(_) | BinaryOp::Cmp(_)
            if !is_single(&right) || !is_single(&left) && may_fail(&right) =>
        {
            bind(right, Term::BinOp(left, operator, side()))
        }
        BinaryOp::Update if !is_plain_path(&left) || !is_single(&right) && !ends_in_all(&left) => {
            updated(left, *right)
        }
        BinaryOp::Assign if !is_plain_path(&left) => bind(right, updated(left, Term::Var(RIGHT))),
        BinaryOp::UpdateMath(operator) if !is_plain_path(&left) => {
            bind(right, updated(left, computed(BinaryOp::Math(operator))))
        }
        BinaryOp::UpdateAlt if !is_plain_path(&left) => {
            bind(right, updated(left, computed(BinaryOp::Alt)))
        }
        operator => Term::BinOp(left, operator, right),
    }
}

/// Whether it matters that a single term is computed at all.
fn may_fail(term: &Term<&str>) -> bool {
    !matches!(
        term,
        Term::Id | Term::Num(_) | Term::Var(_) | Term::Str(None, _)
    )
}

/// A path that jaq updates in place as jq would: names, indices, slices and `[]`, one after the other. What
/// may be missing (`?`) stands at its beginning only, or jaq would make what leads there.
fn is_plain_path(term: &Term<&str>) -> bool {
    let Term::Path(base, Path(parts)) = term else {
        return matches!(term, Term::Id);
    };
    let plain = |(part, _): &(Part<Term<&str>>, Opt)| match part {
        Part::Index(index) => is_single(index),
        Part::Range(from, to) => from.iter().chain(to).all(is_single),
    };
    let certain = |(_, optional): &(_, Opt)| matches!(optional, Opt::Essential);
    matches!(**base, Term::Id) && parts.iter().all(plain) && parts.iter().skip(1).all(certain)
}

/// A path to all items of something: jaq drops those that an update leaves without a value.
fn ends_in_all(term: &Term<&str>) -> bool {
    let Term::Path(_, Path(parts)) = term else {
        return false;
    };
    matches!(parts.last(), Some((Part::Range(None, None), _)))
}
