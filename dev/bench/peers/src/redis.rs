//! A Redis server of our own, for as long as the run lasts.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::Result;

pub struct Redis {
    server: Child,
    pub url: String,
}

impl Redis {
    /// `None` if the machine has no `redis-server`.
    pub fn start() -> Result<Option<Self>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn();
        let server = match server {
            Ok(server) => server,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let redis = Self { server, url: format!("redis://127.0.0.1:{port}") };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if started.elapsed() > Duration::from_secs(10) {
                return Err("redis-server did not start within ten seconds".into());
            }
            std::thread::yield_now();
        }
        Ok(Some(redis))
    }

    /// The processor time it has used so far.
    pub fn cpu_time(&self) -> Result<Duration> {
        let mut questions = TcpStream::connect(self.url.trim_start_matches("redis://"))?;
        questions.write_all(b"INFO cpu\r\n")?;
        let mut answers = BufReader::new(questions);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let mut info = vec![0; line.trim_start_matches('$').trim().parse()?];
        answers.read_exact(&mut info)?;
        let info = String::from_utf8_lossy(&info);
        let seconds = |name: &str| -> Result<f64> {
            let value = info.lines().find_map(|line| line.strip_prefix(name));
            Ok(value.ok_or("Redis does not tell its processor time")?.parse()?)
        };
        Ok(Duration::try_from_secs_f64(seconds("used_cpu_sys:")? + seconds("used_cpu_user:")?)?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
