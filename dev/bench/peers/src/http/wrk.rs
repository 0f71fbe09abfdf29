//! wrk, which makes the load.

use std::{fs, path::Path, process::Command};

use crate::Result;

const SCRIPT: &str = include_str!("wrk.lua");

/// Requests that are under way at the same time.
const CONNECTIONS: usize = 16;

/// What it saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub requests: u64,
    pub seconds: f64,
    /// In microseconds.
    pub p50: u64,
    pub p99: u64,
}

/// Asks for `path` with the cookies of a file, for whole seconds: wrk knows no parts of one.
pub fn ask(address: &str, path: &str, folder: &Path, cookies: &Path, seconds: u32) -> Result<Load> {
    let script = folder.join("wrk.lua");
    fs::write(&script, SCRIPT)?;
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &format!("{seconds}s"), "--script"])
        .arg(&script)
        .arg(format!("http://{address}"))
        .arg("--")
        .arg(cookies)
        .arg(path)
        .output()
        .map_err(|error| format!("wrk does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("wrk: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Reads the line the script prints. An answer that was none, or not a good one, is a failure of
/// the whole run.
fn parse(output: &str) -> Result<Load> {
    let line = output.lines().find_map(|line| line.strip_prefix("result "));
    let line = line.ok_or("wrk printed no result")?;
    let field = |name: &str| {
        let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
        let value = fields.find(|(it, _)| *it == name).and_then(|(_, value)| value.parse().ok());
        value.ok_or_else(|| format!("wrk told no {name}: {line}"))
    };
    let (requests, failed): (u64, u64) = (field("requests")?, field("failed")?);
    if failed > 0 || requests == 0 {
        return Err(format!("{failed} of {requests} requests failed").into());
    }
    let seconds = field("microseconds")? as f64 / 1e6;
    Ok(Load { requests, seconds, p50: field("p50")?, p99: field("p99")? })
}

#[cfg(test)]
mod tests {
    use super::{Load, parse};

    #[test]
    fn the_line_of_the_script_is_read() {
        let text = "Running 1s test @ http://127.0.0.1:1\n  2 requests in 1.00s\n\
            result requests=2000 microseconds=1250000 failed=0 p50=120 p99=900\n";
        let load = Load { requests: 2_000, seconds: 1.25, p50: 120, p99: 900 };
        assert_eq!(parse(text).expect("a result"), load);
    }

    #[test]
    fn a_failed_request_is_a_failed_run() {
        for text in [
            "",
            "result requests=2000",
            "result requests=2000 microseconds=1000000 failed=1 p50=1 p99=2",
            "result requests=0 microseconds=1000000 failed=0 p50=0 p99=0",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
