//! Walking over parsed jq.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::Part;

/// Calls `see` with the term and all terms within, outer ones first.
pub(super) fn visit<'s>(term: &mut Term<&'s str>, see: &mut dyn FnMut(&mut Term<&'s str>)) {
    see(term);
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Break(_)
        | Term::Var(_)
        | Term::Arr(None) => {}
        Term::Str(_, parts) => {
            for part in parts {
                if let StrPart::Term(term) = part {
                    visit(term, see);
                }
            }
        }
        Term::Arr(Some(term)) | Term::Neg(term) | Term::Label(_, term) => visit(term, see),
        Term::Obj(members) => {
            for (key, value) in members {
                visit(key, see);
                value.iter_mut().for_each(|value| visit(value, see));
            }
        }
        Term::BinOp(left, operator, right) => {
            visit(left, see);
            if let BinaryOp::Pipe(Some(pattern)) = operator {
                visit_pattern(pattern, see);
            }
            visit(right, see);
        }
        Term::Fold(_, over, pattern, arguments) => {
            visit(over, see);
            visit_pattern(pattern, see);
            arguments
                .iter_mut()
                .for_each(|argument| visit(argument, see));
        }
        Term::TryCatch(tried, caught) => {
            visit(tried, see);
            caught.iter_mut().for_each(|caught| visit(caught, see));
        }
        Term::IfThenElse(branches, otherwise) => {
            for (condition, then) in branches {
                visit(condition, see);
                visit(then, see);
            }
            otherwise
                .iter_mut()
                .for_each(|otherwise| visit(otherwise, see));
        }
        Term::Def(definitions, term) => {
            definitions
                .iter_mut()
                .for_each(|definition| visit(&mut definition.body, see));
            visit(term, see);
        }
        Term::Call(_, arguments) => arguments
            .iter_mut()
            .for_each(|argument| visit(argument, see)),
        Term::Path(term, path) => {
            visit(term, see);
            for (part, _) in &mut path.0 {
                match part {
                    Part::Index(index) => visit(index, see),
                    Part::Range(from, to) => from
                        .iter_mut()
                        .chain(to)
                        .for_each(|bound| visit(bound, see)),
                }
            }
        }
    }
}

fn visit_pattern<'s>(pattern: &mut Pattern<&'s str>, see: &mut dyn FnMut(&mut Term<&'s str>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(patterns) => patterns
            .iter_mut()
            .for_each(|pattern| visit_pattern(pattern, see)),
        Pattern::Obj(members) => {
            for (key, pattern) in members {
                visit(key, see);
                visit_pattern(pattern, see);
            }
        }
    }
}
