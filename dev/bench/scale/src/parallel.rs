//! What is not measured is done on all cores, so that it is done soon.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    thread,
};

use crate::Done;

/// Lets each core work on its part of the numbers.
pub(crate) fn share(numbers: Range<u64>, work: impl Fn(Range<u64>) -> Done + Sync) -> Done {
    let threads = thread::available_parallelism()?.get() as u64;
    let each = (numbers.end - numbers.start).div_ceil(threads).max(1);
    thread::scope(|scope| {
        let parts = (0..threads).map(|at| {
            let start = (numbers.start + at * each).min(numbers.end);
            start..(start + each).min(numbers.end)
        });
        let work = &work;
        let parts: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        parts.into_iter().try_for_each(|part| part.join().map_err(|_| "a thread panicked")?)
    })
}

/// Removes the folders three levels down, where the files of a store are: under its own folder and
/// `records`.
pub(crate) fn empty(folder: &Path) -> Done {
    let mut deep = vec![folder.to_path_buf()];
    for _ in 0..3 {
        deep = folders_in(&deep)?;
    }
    share(0..deep.len() as u64, |part| {
        let part = &deep[usize::try_from(part.start)?..usize::try_from(part.end)?];
        Ok(part.iter().try_for_each(fs::remove_dir_all)?)
    })
}

fn folders_in(folders: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}
