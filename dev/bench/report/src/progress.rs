//! How far a run is, and when it will end.

use std::time::{Duration, Instant};

/// Tells after each measurement which of how many it was, and how long the rest will take.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    done: usize,
    all: usize,
    /// Of those that are done, and of all, as they were thought to take.
    expected_done: Duration,
    expected: Duration,
}

impl Progress {
    /// For measurements that are thought to take so long each.
    pub(crate) fn new(expected: &[Duration]) -> Self {
        Self {
            started: Instant::now(),
            done: 0,
            all: expected.len(),
            expected_done: Duration::ZERO,
            expected: expected.iter().sum(),
        }
    }

    /// One that was thought to take so long is done.
    pub(crate) fn step(&mut self, expected: Duration, what: &str) {
        self.done += 1;
        self.expected_done += expected;
        let rest = self.expected.saturating_sub(self.expected_done);
        let left = left(self.started.elapsed(), self.expected_done, rest);
        println!("[{}/{}] {what}; {}", self.done, self.all, words(left));
    }
}

/// How long the rest takes if it is off by as much as what is done was.
fn left(took: Duration, expected: Duration, rest: Duration) -> Duration {
    if expected.is_zero() {
        return rest;
    }
    rest.mul_f64(took.as_secs_f64() / expected.as_secs_f64())
}

fn words(left: Duration) -> String {
    match left.as_secs() {
        0 => "done".to_owned(),
        seconds if seconds < 90 => format!("about {seconds} s left"),
        seconds => format!("about {} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{left, words};

    #[test]
    fn what_is_left_grows_as_what_is_done_did() {
        let seconds = Duration::from_secs;
        assert_eq!(left(seconds(20), seconds(10), seconds(30)), seconds(60));
        assert_eq!(left(seconds(0), seconds(0), seconds(30)), seconds(30));
    }

    #[test]
    fn the_rest_is_told_in_the_unit_that_fits() {
        let told = [0, 1, 89, 90, 121].map(|seconds| words(Duration::from_secs(seconds)));
        let expected =
            ["done", "about 1 s left", "about 89 s left", "about 2 min left", "about 3 min left"];
        assert_eq!(told, expected);
    }
}
