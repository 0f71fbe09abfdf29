//! What Redis says it did.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use crate::{Result, redis::Redis};

/// A connection over which the server is asked for its counters.
pub struct Meter {
    questions: TcpStream,
    answers: BufReader<TcpStream>,
}

#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// Reads from sockets: for requests one after another, round trips.
    pub reads: u64,
    /// Commands that came over a connection, not those that scripts run.
    pub commands: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

impl Meter {
    pub fn connect(redis: &Redis) -> Result<Self> {
        let questions = TcpStream::connect(redis.url.trim_start_matches("redis://"))?;
        let answers = BufReader::new(questions.try_clone()?);
        Ok(Self { questions, answers })
    }

    /// What the server did meanwhile, without what the questions cost.
    pub fn of(&mut self, work: impl FnOnce() -> Result<()>) -> Result<Cost> {
        let (before, begin) = (self.read()?, self.read()?);
        work()?;
        let end = self.read()?;
        let less = |end: u64, begin: u64, before: u64| (end - begin).saturating_sub(begin - before);
        Ok(Cost {
            reads: less(end.reads, begin.reads, before.reads),
            commands: less(end.commands, begin.commands, before.commands),
            bytes_in: less(end.bytes_in, begin.bytes_in, before.bytes_in),
            bytes_out: less(end.bytes_out, begin.bytes_out, before.bytes_out),
        })
    }

    fn read(&mut self) -> Result<Cost> {
        self.questions.write_all(b"INFO everything\r\n")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let length: usize = line.trim_start_matches('$').trim().parse()?;
        let mut info = vec![0; length + 2];
        self.answers.read_exact(&mut info)?;
        let info = String::from_utf8_lossy(&info).into_owned();
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok()).unwrap_or(0)
        };
        // What scripts run is counted under the same names: a script is one command of the client.
        let calls = |name: &str| {
            let start = format!("cmdstat_{name}:calls=");
            let found = info.lines().find_map(|line| line.strip_prefix(&start)?.split(',').next());
            found.and_then(|calls| calls.parse::<u64>().ok()).unwrap_or(0)
        };
        let scripts = calls("evalsha") + calls("eval");
        let inside: u64 = if scripts == 0 {
            0
        } else {
            ["set", "getrange", "setrange", "pexpire", "zadd", "zremrangebylex", "time", "pttl"]
                .iter()
                .map(|name| calls(name))
                .sum()
        };
        Ok(Cost {
            reads: field("total_reads_processed:"),
            commands: field("total_commands_processed:").saturating_sub(inside),
            bytes_in: field("total_net_input_bytes:"),
            bytes_out: field("total_net_output_bytes:"),
        })
    }
}
