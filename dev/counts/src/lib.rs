//! How many instructions the hot paths take.
//!
//! A count is the same on a busy machine and on an idle one, so that a slow-down is a failing test
//! anywhere. `counts PATH TIMES` goes a path so many times; callgrind counts the instructions of
//! two such runs, and the difference is what the path takes.
//!
//! What the paths may take is in `dev/counts/budget.txt`, with the compiler it was recorded with
//! and the kind of machine that compiles for: another one makes other instructions.
//! `cargo run --release --package counts -- record` measures all and writes it anew.
//!
//! gungraun counts as well, but its runner has to be compiled in its own version on every machine,
//! it has no lower limit, which shows that a record is out of date, and it does not say which
//! compiler a limit was recorded with.

#![expect(clippy::missing_errors_doc, reason = "errors are lines for whoever runs the program")]

mod budget;
mod callgrind;
mod paths;

pub use self::{
    budget::{Budget, Compiler, Verdict},
    callgrind::{compiler, count},
    paths::{PATHS, Path},
};
