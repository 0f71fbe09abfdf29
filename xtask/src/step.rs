//! One step of `cargo xtask test`: a cargo call that is named, timed and counted.

use std::{
    fmt,
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{
    cargo::{cargo, cargo_of},
    test::seconds,
};

/// A cargo call with a name.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(&'static str, &'static str)>,
    /// Run by this version of Rust, which rustup has, instead of the one that runs this program.
    pub(crate) toolchain: Option<String>,
}

/// Warnings of rustdoc are errors.
pub(crate) const STRICT_DOCS: &[(&str, &str)] = &[("RUSTDOCFLAGS", "-Dwarnings")];

impl Step {
    pub(crate) fn new(name: impl Into<String>, line: &str) -> Self {
        let args = line.split_whitespace().map(str::to_owned).collect();
        Self { name: name.into(), args, env: Vec::new(), toolchain: None }
    }

    /// Runs it, shows what it prints, and counts the tests it reports. An error has the line that
    /// repeats it.
    pub(crate) fn run(&self) -> (Result<(), String>, Tally, Duration) {
        let started = Instant::now();
        let mut tally = Tally::default();
        let done = self.run_counting(&mut tally);
        let took = started.elapsed();
        let failed = |message: String| {
            let (name, after) = (&self.name, seconds(took));
            format!("\nstep `{name}` failed after {after}: {message}; repeat it with\n\n    {self}")
        };
        (done.map_err(failed), tally, took)
    }

    fn run_counting(&self, tally: &mut Tally) -> Result<(), String> {
        let mut command = match &self.toolchain {
            None => cargo(),
            Some(version) => cargo_of(version),
        };
        command.args(&self.args).envs(self.env.iter().copied()).stdout(Stdio::piped());
        let mut child =
            command.spawn().map_err(|error| format!("cargo does not start: {error}"))?;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).lines() {
                let line = line.map_err(|error| format!("its output cannot be read: {error}"))?;
                println!("{line}");
                tally.add_line(&line);
            }
        }
        let status = child.wait().map_err(|error| format!("it cannot be waited for: {error}"))?;
        if !status.success() {
            return Err(format!("cargo ended with {status}"));
        }
        if tally.ignored > 0 {
            let ignored = tally.ignored;
            return Err(format!("{ignored} tests were ignored: let them run or remove them"));
        }
        if self.args.first().is_some_and(|command| command == "test")
            && tally.passed == 0
            && !self.args.iter().any(|arg| arg == "--no-run")
        {
            return Err("no test ran".to_owned());
        }
        Ok(())
    }
}

/// The line that repeats the step by hand.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={value} ")?;
        }
        f.write_str("cargo ")?;
        if let Some(version) = &self.toolchain {
            write!(f, "+{version} ")?;
        }
        f.write_str(&self.args.join(" "))
    }
}

/// How tests went, summed over test binaries.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// What passing tests want to be known: see [`FOR_THE_SUMMARY`].
    pub(crate) notes: Vec<String>,
}

/// What a test prints before something that belongs into the summary. It may follow the test's name
/// on the line.
const FOR_THE_SUMMARY: &str = "for the summary: ";

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.notes.extend(other.notes);
    }

    /// Takes in a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`, or a note.
    fn add_line(&mut self, line: &str) {
        if let Some((_, note)) = line.split_once(FOR_THE_SUMMARY) {
            self.notes.push(note.to_owned());
        }
        let Some(result) = line.trim_start().strip_prefix("test result: ") else { return };
        for part in result.split([';', '.']) {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{STRICT_DOCS, Step, Tally};

    #[test]
    fn results_of_all_test_binaries_are_summed_and_notes_are_kept() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; finished in 0.1s",
            "test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out",
            "for the summary: a: b",
            "test it ... for the summary: c",
            "summary: d",
        ] {
            tally.add_line(line);
        }
        let notes = vec!["a: b".to_owned(), "c".to_owned()];
        assert_eq!(tally, Tally { passed: 13, failed: 2, ignored: 1, notes });
    }

    #[test]
    fn a_step_is_shown_as_the_line_that_repeats_it() {
        let step = Step { env: STRICT_DOCS.to_vec(), ..Step::new("docs", "doc  --no-deps") };
        assert_eq!(step.to_string(), "RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps");
        let step = Step { toolchain: Some("1.89".into()), ..Step::new("old", "check") };
        assert_eq!(step.to_string(), "cargo +1.89 check");
    }

    #[test]
    fn a_failing_call_is_a_failing_step() {
        let (done, _, _) = Step::new("unknown", "no-such-command-of-cargo").run();
        assert!(done.is_err_and(|it| it.ends_with("    cargo no-such-command-of-cargo")));
        let (done, _, _) = Step::new("version", "--version").run();
        assert_eq!(done, Ok(()));
    }
}
