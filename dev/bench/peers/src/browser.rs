//! A browser with one cookie, and as many connections as it likes.

use std::sync::Mutex;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Result;

pub struct Browser {
    address: String,
    cookie: Mutex<String>,
}

pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Browser {
    pub fn new(url: &str) -> Self {
        let address = url.trim_start_matches("http://").into();
        Self { address, cookie: Mutex::default() }
    }

    /// Another tab, with this cookie.
    pub fn clone_with(&self, cookie: &str) -> Self {
        Self { address: self.address.clone(), cookie: Mutex::new(cookie.into()) }
    }

    pub fn cookie(&self) -> String {
        self.cookie.lock().expect("no panic while locked").clone()
    }

    /// Sends the request with the cookie, and takes the cookie of the answer over.
    pub async fn post(&self, path: &str) -> Result<Answer> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\
             Cookie: {}\r\n\r\n",
            self.cookie()
        );
        let mut connection = TcpStream::connect(&self.address).await?;
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        let (head, text) = answer.split_once("\r\n\r\n").ok_or("an answer without an end")?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("set-cookie") {
                let pair = value.trim().split(';').next().unwrap_or_default().to_owned();
                *self.cookie.lock().expect("no panic while locked") = pair;
            }
        }
        Ok(Answer { status: status.parse()?, text: text.to_owned() })
    }

    /// One of many requests that are sent with the cookie there is now.
    pub fn send_all(&self, path: String) -> impl Future<Output = Result<(String, Answer)>> + use<> {
        let tab = self.clone_with(&self.cookie());
        async move {
            let answer = tab.post(&path).await?;
            Ok((tab.cookie(), answer))
        }
    }

    /// Sends them at once; as in a browser, the cookie of the last answer stays.
    pub async fn settle<F>(&self, requests: impl Iterator<Item = F>) -> Result<()>
    where
        F: Future<Output = Result<(String, Answer)>>,
    {
        let mut requests: Vec<_> = requests.map(Box::pin).collect();
        let mut last = String::new();
        std::future::poll_fn(|context| {
            let mut failed = None;
            requests.retain_mut(|request| match request.as_mut().poll(context) {
                std::task::Poll::Ready(Ok((cookie, _))) => {
                    last = cookie;
                    false
                }
                std::task::Poll::Ready(Err(error)) => {
                    failed = Some(error);
                    false
                }
                std::task::Poll::Pending => true,
            });
            match failed {
                Some(error) => std::task::Poll::Ready(Err(error)),
                None if requests.is_empty() => std::task::Poll::Ready(Ok(())),
                None => std::task::Poll::Pending,
            }
        })
        .await?;
        *self.cookie.lock().expect("no panic while locked") = last;
        Ok(())
    }
}
