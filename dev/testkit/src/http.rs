//! A client that sends the bytes it is told to.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Sends `request` and reads until the server closes the connection.
pub fn exchange(addr: SocketAddr, request: &[u8]) -> Response {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Response::parse(&bytes)
}

/// What a server answered.
#[derive(Debug)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Its fields, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// What followed the head.
    pub body: String,
}

impl Response {
    /// Reads a whole response.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status");
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status: status.parse().expect("a number"),
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: body.to_owned(),
        }
    }

    /// All fields of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(it, _)| it == name).map(|(_, value)| &**value).collect()
    }

    /// The one field of this name, or `None`.
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} more than once: {all:?}");
        all.first().copied()
    }

    /// The value of the one cookie that is set, without attributes.
    pub fn cookie(&self) -> Option<String> {
        let pair = self.header("set-cookie")?.split(';').next()?;
        Some(pair.split_once('=')?.1.to_owned())
    }
}

/// Keeps one cookie, as a browser would.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests make one from another")]
pub struct Browser {
    /// The server.
    pub addr: SocketAddr,
    /// The name of the cookie.
    pub name: &'static str,
    /// Its value.
    pub cookie: Option<String>,
}

impl Browser {
    /// One without a cookie, which will be called `__Host-sid`.
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, name: "__Host-sid", cookie: None }
    }

    /// Sends a GET with the cookie, and keeps the one that is set.
    pub fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, "")
    }

    /// Sends a POST without a body.
    pub fn post(&mut self, path: &str) -> Response {
        self.send("POST", path, "")
    }

    /// Sends a request with the cookie, and keeps the one that is set.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Response {
        let cookie = self.cookie.as_ref().map(|value| format!("{}={value}", self.name));
        let response = self.send_with(method, path, &cookie.unwrap_or_default().into_bytes(), body);
        self.keep(&response);
        response
    }

    /// Sends a form as a browser does.
    pub fn form(&mut self, path: &str, fields: &str) -> Response {
        let cookie = self.cookie.as_deref().unwrap_or_default();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nCookie: {}={cookie}\r\n\r\n{fields}",
            self.addr,
            fields.len(),
            self.name,
        );
        let response = exchange(self.addr, request.as_bytes());
        self.keep(&response);
        response
    }

    fn keep(&mut self, response: &Response) {
        if let Some(value) = response.cookie() {
            self.cookie = Some(value).filter(|value| !value.is_empty());
        }
    }

    /// Sends one `Cookie` field of exactly these bytes, and keeps nothing.
    pub fn send_with(&self, method: &str, path: &str, cookie: &[u8], body: &str) -> Response {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.addr,
            body.len()
        )
        .into_bytes();
        if !cookie.is_empty() {
            request.extend([b"Cookie: ", cookie, b"\r\n"].concat());
        }
        request.extend([b"\r\n", body.as_bytes()].concat());
        exchange(self.addr, &request)
    }
}
