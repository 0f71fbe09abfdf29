//! The key file: made at the first start, so that sessions survive the next ones.

use std::{
    error::Error,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use session_core::SigningKey;

/// The key in `file`; a new one is made, with mode 0600, if there is no file.
pub(crate) fn load_or_make(file: &Path) -> Result<SigningKey, Box<dyn Error>> {
    let named = |error: std::io::Error| format!("the key file {}: {error}", file.display());
    let secret = match fs::read(file) {
        Ok(secret) => {
            let mode = fs::metadata(file).map_err(named)?.permissions().mode();
            if mode & 0o077 != 0 {
                let file = file.display();
                return Err(format!("others may read the key file: chmod 600 {file}").into());
            }
            secret
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(file).map_err(named)?;
            fs::read(file).map_err(named)?
        }
        Err(error) => return Err(named(error).into()),
    };
    Ok(SigningKey::hmac_sha256(secret)?)
}

/// Whole or not at all, and never in place of one that another process has just made.
fn make(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(std::io::Error::other)?;
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    new.write_all(&secret)?;
    new.sync_all()?;
    let linked = fs::hard_link(&temporary, file);
    fs::remove_file(&temporary)?;
    linked
        .or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
}
