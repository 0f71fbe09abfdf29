//! What was recorded, and what is made of a new count.

use std::fmt::{self, Write as _};

/// What the paths took when they were last recorded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is made where it is measured and where it is tested"
)]
pub struct Budget {
    /// What it was recorded with.
    pub compiler: Compiler,
    /// Instructions by the name of the path.
    pub counts: Vec<(String, u64)>,
}

/// What makes the instructions: another one makes others.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "as that of a budget")]
pub struct Compiler {
    /// Its version, as it calls itself.
    pub version: String,
    /// The machine it compiles for.
    pub host: String,
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.version, self.host)
    }
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
                Some(("compiler", it)) => it.clone_into(&mut budget.compiler.version),
                Some(("host", it)) => it.clone_into(&mut budget.compiler.host),
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
        let Compiler { version, host } = &self.compiler;
        let _ = writeln!(text, "compiler: {version}\nhost: {host}");
        for (path, count) in &self.counts {
            let _ = writeln!(text, "{path}: {count}");
        }
        text
    }

    /// Why counts of the program that `compiler` makes are not comparable to these; `None` if they
    /// are.
    pub fn not_comparable(&self, compiler: &Compiler) -> Option<String> {
        (*compiler != self.compiler).then(|| {
            format!("not compared, recorded with {}, counted with {compiler}", self.compiler)
        })
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
