//! The inputs that are kept of a target: one archive, so that a clone does not have thousands of
//! small files.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The archive of a target.
fn archive(target: &str) -> PathBuf {
    corpora().join(format!("{target}.tar"))
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// The inputs of a target, with their names.
pub fn inputs(target: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut archive = tar::Archive::new(File::open(archive(target))?);
    let read = |entry: io::Result<tar::Entry<'_, File>>| {
        let mut entry = entry?;
        let mut input = Vec::new();
        entry.read_to_end(&mut input)?;
        Ok((entry.path()?.into_owned(), input))
    };
    archive.entries()?.map(read).collect()
}

/// Writes the inputs of a target into the folder where libFuzzer looks for them.
pub fn unpack(target: &str) -> io::Result<()> {
    let folder = corpora().join(target);
    fs::create_dir_all(&folder)?;
    tar::Archive::new(File::open(archive(target))?).unpack(folder)
}

/// Writes the archive of a target from that folder: the same bytes for the same inputs.
pub fn pack(target: &str) -> io::Result<()> {
    let folder = corpora().join(target);
    let files = fs::read_dir(&folder)?.map(|file| file.map(|file| file.path()));
    let mut files = files.collect::<io::Result<Vec<_>>>()?;
    files.sort();
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let input = fs::read(&file)?;
        let mut header = tar::Header::new_ustar();
        header.set_size(input.len() as u64);
        header.set_mode(0o644);
        let name = file.strip_prefix(&folder).map_err(io::Error::other)?;
        archive.append_data(&mut header, name, &*input)?;
    }
    fs::write(self::archive(target), archive.into_inner()?)
}
