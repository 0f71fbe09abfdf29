//! `scale SESSIONS..`: what `get`, `put` and `touch` cost in stores of so many sessions, what a
//! session takes of the memory and what it takes of the disk.
//!
//! `cargo xtask bench scale` runs it for sizes from a thousand to a million. It prints a line for
//! each size and store, `SESSIONS <tab> STORE <tab> NAME=VALUE ..`: times in nanoseconds, room in
//! bytes for each session. A store is measured in a process of its own, so that it does not find
//! memory that another one has left; the caches are measured over the files of the store before
//! them, which grow from size to size.

#![expect(clippy::print_stdout, reason = "a program that measures prints")]

mod parallel;
mod records;
mod room;
mod timing;

use std::{
    env,
    error::Error,
    ops::Range,
    path::Path,
    process::{Command, Stdio},
};

use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{Expect, MemorySessionManager, Outcome, SessionManager};
use session_fs::{FileBackedSessionManager, FsConfig};
use tokio::runtime::{Builder, Runtime};

type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The stores, in the order they need: the caches use what the files hold.
const STORES: [&str; 4] =
    ["memory", "files", "cache over files, exclusive", "cache over files, checked"];

fn main() -> Done {
    let args: Vec<_> = env::args().skip(1).collect();
    if let [store, before, sessions, folder] = &args[..]
        && STORES.contains(&store.as_str())
    {
        let values = measure(store, before.parse()?, sessions.parse()?, Path::new(folder))?;
        println!("{sessions}\t{store}\t{}", values.join(" "));
        return Ok(());
    }
    let sizes: Result<Vec<u64>, _> = args.iter().map(|size| size.parse()).collect();
    let sizes = sizes.map_err(|_| "usage: scale SESSIONS..")?;
    let folder = tempfile::tempdir()?;
    room::is_there(folder.path(), sizes.iter().copied().max().ok_or("usage: scale SESSIONS..")?)?;
    let mut before = 0;
    for sessions in sizes {
        for store in STORES {
            let child = Command::new(env::current_exe()?)
                .args([store, &before.to_string(), &sessions.to_string()])
                .arg(folder.path())
                .stdin(Stdio::null())
                .status()?;
            if !child.success() {
                return Err(format!("{store} of {sessions} sessions: {child}").into());
            }
        }
        before = sessions;
    }
    parallel::empty(folder.path())
}

/// `before`: how many there are in the folder already.
fn measure(store: &str, before: u64, sessions: u64, folder: &Path) -> Done<Vec<String>> {
    let runtime = Builder::new_current_thread().build()?;
    let mut values = Vec::new();
    let empty = room::resident()?;
    let manager: Box<dyn SessionManager> = match store {
        "memory" => Box::new(MemorySessionManager::new()),
        "files" => Box::new(files(folder)?),
        "cache over files, exclusive" => cache(folder, sessions, Coherence::Exclusive)?,
        "cache over files, checked" => cache(folder, sessions, Coherence::Checked)?,
        _ => return Err("there is no such store".into()),
    };
    match store {
        "memory" => {
            create(&runtime, &*manager, 0..sessions)?;
            values.push(each("memory", room::resident()?.saturating_sub(empty), sessions));
        }
        "files" => {
            parallel::share(before..sessions, |numbers| {
                create(&Builder::new_current_thread().build()?, &*manager, numbers)
            })?;
            values.push(each("disk", room::on_disk(folder)?, sessions));
        }
        _ => {
            load(&runtime, &*manager, sessions)?;
            values.push(each("memory", room::resident()?.saturating_sub(empty), sessions));
        }
    }
    values.extend(timing::operations(&runtime, &*manager, sessions)?);
    Ok(values)
}

fn files(folder: &Path) -> Done<FileBackedSessionManager> {
    let config = FsConfig::new(folder.join("sessions")).without_background_sweep();
    Ok(FileBackedSessionManager::with_config(&config)?)
}

/// Room for all of them, and some to spare.
fn cache(folder: &Path, sessions: u64, coherence: Coherence) -> Done<Box<dyn SessionManager>> {
    let entries = usize::try_from(sessions * 5 / 4)?;
    let config = CacheConfig::new().capacity(entries).max_bytes(entries * 4_096);
    Ok(Box::new(CachingSessionManager::with_config(files(folder)?, coherence, config)?))
}

fn create(runtime: &Runtime, manager: &dyn SessionManager, numbers: Range<u64>) -> Done {
    for number in numbers {
        let record = records::record(number)?;
        if runtime.block_on(manager.put(&record, Expect::Absent))? != Outcome::Stored {
            return Err("a session could not be made".into());
        }
    }
    Ok(())
}

/// Each is asked for once, and is in the cache from then on.
fn load(runtime: &Runtime, manager: &dyn SessionManager, sessions: u64) -> Done {
    for number in 0..sessions {
        if runtime.block_on(manager.get(&records::id(number)?))?.is_none() {
            return Err("a session is not there".into());
        }
    }
    Ok(())
}

fn each(name: &str, bytes: u64, sessions: u64) -> String {
    format!("{name}={}", bytes / sessions.max(1))
}
