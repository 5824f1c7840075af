//! What each kind of task does, one file per kind. Each gives records through the turn and keeps no state.

pub(crate) mod call;
pub(crate) mod do_list;
pub(crate) mod emit;
pub(crate) mod for_each;
pub(crate) mod fork;
pub(crate) mod listen;
pub(crate) mod protocol;
pub(crate) mod raise;
pub(crate) mod receive;
pub(crate) mod run;
pub(crate) mod set;
pub(crate) mod switch;
pub(crate) mod try_catch;
pub(crate) mod wait;
