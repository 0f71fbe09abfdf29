//! Bytes from the operating system's generator.

use crate::{Error, ErrorKind, Result};

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(ErrorKind::Unavailable, "core", "the operating system gave no randomness")
            .with_source(error)
    })?;
    Ok(bytes)
}
