//! The application on one library, in a process of its own.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use rustix::{
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

use crate::{Result, servers::Peer};

/// A running application; ends with this.
pub struct Process {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub address: String,
}

impl Process {
    /// `core`: the one it runs on, or all.
    pub fn start(peer: Peer, redis: &str, workers: usize, core: Option<usize>) -> Result<Self> {
        let core = core.map_or_else(|| "all".into(), |core| core.to_string());
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", peer.name(), redis, &workers.to_string(), &core])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let address = line.trim().strip_prefix("http://").ok_or("it does not serve")?.to_owned();
        Ok(Self { child, questions, answers, address })
    }

    /// The processor time of all its threads so far, by its own clock: what the system tells others
    /// is rounded to hundredths of a second.
    pub fn cpu_time(&mut self) -> Result<Duration> {
        self.questions.as_ref().ok_or("no input")?.write_all(b"\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(Duration::from_nanos(line.trim().parse()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input is its end.
        self.questions = None;
        let _ = self.child.wait();
    }
}

/// What the process does: serves, and answers each line with its processor time, until there are
/// no more.
pub fn serve(name: &str, redis: &str, workers: &str, core: &str) -> Result<()> {
    let peer = Peer::all().find(|peer| peer.name() == name).ok_or("no such library")?;
    if core != "all" {
        stay_on(core.parse()?)?;
    }
    let server = peer.serve(Some(redis), workers.parse()?)?;
    println!("{}", server.url);
    for line in std::io::stdin().lines() {
        line?;
        let used = clock_gettime(ClockId::ProcessCPUTime);
        println!("{}", Duration::try_from(used)?.as_nanos());
    }
    Ok(())
}

/// The cores this process may run on.
pub fn cores() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
}

/// Lets this thread, and all that it starts from now on, run on one core only.
pub fn stay_on(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
