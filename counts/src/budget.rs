//! What was recorded, and what is made of a new count.

use std::fmt::Write as _;

/// What the paths took when they were last recorded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is made where it is measured and where it is tested"
)]
pub struct Budget {
    /// The compiler it was recorded with.
    pub compiler: String,
    /// Instructions by the name of the path.
    pub counts: Vec<(String, u64)>,
}

/// What a new count is beside the recorded one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the test has to handle every one")]
pub enum Verdict {
    /// Within a twentieth of what was recorded, or below.
    Kept,
    /// More.
    Exceeded,
    /// So much less that the record says nothing any more: record it anew.
    Outdated,
    /// Never recorded.
    Unknown,
}

impl Budget {
    /// Reads what [`to_text`](Self::to_text) writes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut budget = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.split_once(": ") {
                Some(("compiler", it)) => it.clone_into(&mut budget.compiler),
                Some((path, count)) => {
                    let count = count.parse().map_err(|_| format!("`{line}` has no number"))?;
                    budget.counts.push((path.to_owned(), count));
                }
                None => return Err(format!("`{line}` is not `path: instructions`")),
            }
        }
        Ok(budget)
    }

    /// As it is kept in the repository.
    pub fn to_text(&self) -> String {
        let mut text = "# Instructions of each path; `cargo run --release --package counts -- \
                        record` writes this.\n"
            .to_owned();
        let _ = writeln!(text, "compiler: {}", self.compiler);
        for (path, count) in &self.counts {
            let _ = writeln!(text, "{path}: {count}");
        }
        text
    }

    /// What to make of a new count.
    pub fn verdict(&self, path: &str, count: u64) -> Verdict {
        match self.counts.iter().find(|(name, _)| name == path) {
            None => Verdict::Unknown,
            Some((_, may)) if count > may + may / 20 => Verdict::Exceeded,
            Some((_, may)) if count < may - may / 5 => Verdict::Outdated,
            Some(_) => Verdict::Kept,
        }
    }
}
