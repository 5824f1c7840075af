//! What jq does otherwise than jaq where it changes values: `reduce` keeps the last output of its update, and
//! a path expression is updated path by path, as it was found in the value before.

use jaq_core::native::Fun;
use jaq_core::path::Opt;
use jaq_core::{Bind, Cv, Native, ValT as _, ValX};

use super::access::find;
use super::machine::Machine;
use super::meter;
use super::natives::delete_paths;
use super::value::Val;

/// What jq's `reduce` keeps of an update: its last output, null where there is none.
pub(super) fn reduced() -> Fun<Machine> {
    let native = Native::new(|mut cv| {
        let (update, context) = cv.0.pop_fun();
        let last = update
            .run((context, cv.1))
            .try_fold(Val::Null, |_, output| output);
        Box::new(std::iter::once(last))
    });
    let native = native.with_paths(|mut cv| {
        let (update, context) = cv.0.pop_fun();
        let last = update
            .paths((context, cv.1))
            .try_fold(None, |_, output| output.map(Some));
        Box::new(last.transpose().into_iter())
    });
    (REDUCED, [Bind::Fun(())].into(), native)
}

pub(super) const REDUCED: &str = "_reduced";

/// `_updated(paths; update)`: each path's value becomes the first output of the update; where there is none
/// it goes, after everything else.
pub(super) fn updated() -> Fun<Machine> {
    let native = Native::new(|cv| Box::new(std::iter::once(update_paths(cv))));
    (UPDATED, [Bind::Fun(()), Bind::Fun(())].into(), native)
}

fn update_paths(mut cv: Cv<'_, Machine>) -> ValX<'_, Val> {
    let (update, context) = cv.0.pop_fun();
    let (paths, outer) = cv.0.pop_fun();
    let mut value = cv.1.clone();
    let mut gone = Vec::new();
    for found in paths.paths((outer, (cv.1, Default::default()))) {
        let mut path: Vec<_> = found?.1.iter().cloned().collect();
        path.reverse();
        let old = path.iter().try_fold(value.clone(), |value, index| {
            find(&value, index).map(Option::unwrap_or_default)
        })?;
        match update.run((context.clone(), old)).next() {
            Some(new) => value = put(value, &path, new?)?,
            None => gone.push(path.into_iter().collect()),
        }
    }
    Ok(delete_paths(value, Val::array(gone))?)
}

pub(super) const UPDATED: &str = "_updated";

/// The value with another at the end of a path.
fn put<'a>(value: Val, path: &[Val], new: Val) -> ValX<'a, Val> {
    meter::tick(meter::INDEX_STEPS);
    match path {
        [] => Ok(new),
        [first, rest @ ..] => {
            let new = std::cell::Cell::new(new);
            let change = |old| std::iter::once(put(old, rest, new.take()));
            value.map_index(first, Opt::Essential, change)
        }
    }
}
