//! A browser with one cookie, and as many connections as it likes.

use std::sync::Mutex;

use crate::Result;

pub struct Browser {
    url: String,
    client: reqwest::Client,
    cookie: Mutex<String>,
}

pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Browser {
    pub fn new(url: &str) -> Self {
        Self { url: url.into(), client: reqwest::Client::new(), cookie: Mutex::default() }
    }

    /// Another tab, with this cookie.
    pub fn clone_with(&self, cookie: &str) -> Self {
        Self {
            url: self.url.clone(),
            client: self.client.clone(),
            cookie: Mutex::new(cookie.into()),
        }
    }

    pub fn cookie(&self) -> String {
        self.cookie.lock().expect("no panic while locked").clone()
    }

    /// Sends the request with the cookie, and takes the cookie of the answer over.
    pub async fn post(&self, path: &str) -> Result<Answer> {
        let request =
            self.client.post(format!("{}{path}", self.url)).header("cookie", self.cookie());
        let response = request.send().await?;
        for header in response.headers().get_all("set-cookie") {
            let pair = header.to_str()?.split(';').next().unwrap_or_default().to_owned();
            *self.cookie.lock().expect("no panic while locked") = pair;
        }
        Ok(Answer { status: response.status().as_u16(), text: response.text().await? })
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
