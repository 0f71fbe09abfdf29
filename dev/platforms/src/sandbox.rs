//! A sandbox, or an old kernel, that refuses system calls.

use std::{collections::BTreeMap, path::Path};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use session_fs::Durability;

use crate::{
    Done, Scenario,
    visit::{change, open, start},
};

/// By their numbers on `x86_64`: `openat2`, `preadv2`, `statx`, `utimensat`, `fstatfs`, `fchmod`,
/// `fchown`, `chmod`, `chown`, `link` and `linkat`.
const OPTIONAL: [i64; 11] = [437, 327, 332, 280, 138, 91, 93, 90, 92, 86, 265];
const OPENAT: i64 = 257;
const O_NOATIME: u64 = 0o1_000_000;

/// Refuses the calls of this thread from now on.
fn refuse(errno: rustix::io::Errno) -> Done {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        OPTIONAL.iter().map(|call| (*call, Vec::new())).collect();
    let without_a_trace = SeccompCondition::new(
        2,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(O_NOATIME),
        O_NOATIME,
    )?;
    rules.insert(OPENAT, vec![SeccompRule::new(vec![without_a_trace])?]);
    let number = u32::try_from(errno.raw_os_error())?;
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(number),
        TargetArch::x86_64,
    )?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

fn works_where_calls_are_refused(folder: &Path, when: fn(&Path, Durability) -> Done) -> Done {
    use rustix::io::Errno;

    if !cfg!(target_arch = "x86_64") {
        return Err("the numbers of the calls are those of x86_64".into());
    }
    for errno in [Errno::NOSYS, Errno::PERM, Errno::ACCESS, Errno::INVAL, Errno::NOENT, Errno::IO] {
        for durability in [Durability::Buffered, Durability::Synced] {
            let folder = folder.join(format!("{}{durability:?}", errno.raw_os_error()));
            // A filter stays with its thread.
            let done = std::thread::scope(|scope| {
                let worker = scope.spawn(|| {
                    FOR_THREAD.with(|cell| cell.set(errno));
                    when(&folder, durability).map_err(|error| format!("{errno:?}: {error}"))
                });
                worker.join().map_err(|_| "a panic".to_owned())
            });
            done??;
        }
    }
    Ok(())
}

std::thread_local! {
    static FOR_THREAD: std::cell::Cell<rustix::io::Errno> =
        const { std::cell::Cell::new(rustix::io::Errno::NOSYS) };
}

fn refuse_here() -> Done {
    refuse(FOR_THREAD.with(std::cell::Cell::get))
}

pub(crate) const SANDBOX: &[Scenario] = &[
    ("every call that has another way is done without, whatever the refusal", |folder| {
        works_where_calls_are_refused(folder, |folder, durability| {
            refuse_here()?;
            let ids = start(&open(folder, durability)?)?;
            let again = open(folder, durability)?;
            ids.iter().try_for_each(|id| change(&again, id))
        })
    }),
    (
        "so it is in a sandbox that is put up after the start, if it does not deny what is there",
        |folder| {
            works_where_calls_are_refused(folder, |folder, durability| {
                let manager = open(folder, durability)?;
                let ids = start(&manager)?;
                if FOR_THREAD.with(std::cell::Cell::get) == rustix::io::Errno::NOENT {
                    return Ok(());
                }
                refuse_here()?;
                ids.iter().try_for_each(|id| change(&manager, id))
            })
        },
    ),
];
