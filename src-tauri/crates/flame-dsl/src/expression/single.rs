//! Which parsed terms have exactly one output, or fail.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part};

/// Filters of one output, where their arguments have one. Whoever defines one of these names anew gives it
/// as many as they like, but then only the order of outputs is jaq's.
const SINGLE: &[&str] = &[
    "null",
    "true",
    "false",
    "not",
    "length",
    "keys",
    "type",
    "add",
    "tostring",
    "tonumber",
    "tojson",
    "fromjson",
    "sort",
    "unique",
    "reverse",
    "min",
    "max",
    "any",
    "all",
    "floor",
    "round",
    "ceil",
    "abs",
    "first",
    "last",
    "has",
    "join",
    "contains",
    "startswith",
    "endswith",
    "split",
    "ltrimstr",
    "rtrimstr",
    "ascii_downcase",
    "ascii_upcase",
    "to_entries",
    "from_entries",
    "map",
    "index",
    "test",
    "getpath",
];

/// Takes a collecting filter's stream for what it is.
const COLLECTING: &[&str] = &["map", "any", "all", "add", "first", "last"];

/// Certainly one output or an error; false where it is not known.
pub(super) fn is_single(term: &Term<&str>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Var(_) | Term::Arr(_) => true,
        Term::Str(_, parts) => parts.iter().all(|part| match part {
            StrPart::Term(term) => is_single(term),
            StrPart::Str(_) | StrPart::Char(_) => true,
        }),
        Term::Obj(members) => members
            .iter()
            .all(|(key, value)| is_single(key) && value.iter().all(is_single)),
        Term::Neg(term) => is_single(term),
        Term::BinOp(left, operator, right) => match operator {
            BinaryOp::Pipe(None) | BinaryOp::Or | BinaryOp::And => {
                is_single(left) && is_single(right)
            }
            BinaryOp::Alt | BinaryOp::Math(_) | BinaryOp::Cmp(_) => {
                is_single(left) && is_single(right)
            }
            _ => false,
        },
        Term::IfThenElse(branches, otherwise) => {
            let mut branches = branches.iter();
            branches.all(|(condition, then)| is_single(condition) && is_single(then))
                && otherwise.iter().all(|otherwise| is_single(otherwise))
        }
        Term::Path(base, path) => {
            let one = |(part, optional): &(Part<Term<&str>>, Opt)| match (part, optional) {
                (Part::Index(index), Opt::Essential) => is_single(index),
                (Part::Range(from, to), Opt::Essential) => {
                    (from.is_some() || to.is_some()) && from.iter().chain(to).all(is_single)
                }
                _ => false,
            };
            is_single(base) && path.0.iter().all(one)
        }
        Term::Call(name, arguments) => {
            SINGLE.contains(name)
                && match arguments.len() {
                    0 => true,
                    _ if ["first", "last"].contains(name) => false,
                    _ => COLLECTING.contains(name) || arguments.iter().all(is_single),
                }
        }
        _ => false,
    }
}
