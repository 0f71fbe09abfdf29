//! A client that costs next to nothing: one connection, one session.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use crate::Result;

pub struct Client {
    requests: TcpStream,
    answers: BufReader<TcpStream>,
    cookie: String,
}

impl Client {
    pub fn connect(address: &str) -> Result<Self> {
        let requests = TcpStream::connect(address)?;
        requests.set_nodelay(true)?;
        let answers = BufReader::new(requests.try_clone()?);
        Ok(Self { requests, answers, cookie: String::new() })
    }

    /// Connects, and has a session made.
    pub fn with_session(address: &str) -> Result<Self> {
        let mut client = Self::connect(address)?;
        client.new_session("/increment")?;
        Ok(client)
    }

    /// Has a session made by a path that writes to it, and tells its cookie.
    pub fn new_session(&mut self, path: &str) -> Result<&str> {
        self.cookie.clear();
        self.post(path)?;
        if self.cookie.is_empty() {
            return Err("no session was made".into());
        }
        Ok(&self.cookie)
    }

    /// Asks with this cookie from now on.
    pub fn resume(&mut self, cookie: &str) {
        cookie.clone_into(&mut self.cookie);
    }

    /// Asks with the session's cookie, and takes the one that is sent back.
    pub fn post(&mut self, path: &str) -> Result<String> {
        let cookie = &self.cookie;
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nCookie: {cookie}\r\n\r\n"
        );
        self.requests.write_all(request.as_bytes())?;
        let (mut line, mut length, mut first) = (String::new(), 0, true);
        loop {
            line.clear();
            self.answers.read_line(&mut line)?;
            if first && !line.contains(" 200 ") {
                return Err(format!("{path} was answered with {line}").into());
            }
            first = false;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse()?,
                "set-cookie" => {
                    let pair = value.split(';').next().unwrap_or_default();
                    pair.trim().clone_into(&mut self.cookie);
                }
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.answers.read_exact(&mut body)?;
        Ok(String::from_utf8(body)?)
    }
}
