//! How many sessions were ended, of those that were to be.

use crate::{Error, Result};

/// What became of many sessions that were to be ended.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) ended: u64,
    failed: u64,
    pub(super) first_error: Option<Error>,
}

impl Tally {
    pub(super) fn count(&mut self, answer: Result<bool>) {
        match answer {
            Ok(ended) => self.ended += u64::from(ended),
            Err(error) => {
                self.failed += 1;
                self.first_error.get_or_insert(error);
            }
        }
    }

    pub(super) fn finish(self) -> Result<u64> {
        let Some(error) = self.first_error else { return Ok(self.ended) };
        let message = format!(
            "{} sessions were ended and {} could not be: mend what the first error names, then try \
             again",
            self.ended, self.failed
        );
        Err(Error::new(error.kind(), "core", message).with_source(error))
    }

    /// The list itself failed.
    pub(super) fn cut_short(self, error: Error) -> Result<u64> {
        let message = format!(
            "{} sessions were ended and {} could not be before the list of them failed: try again",
            self.ended, self.failed
        );
        Err(Error::new(error.kind(), "core", message).with_source(error))
    }
}
