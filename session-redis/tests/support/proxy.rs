//! Something between a program and its server.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Passes bytes on, in ways that can be set.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    how: Arc<How>,
}

#[derive(Default)]
struct How {
    /// Nothing passes on connections that were silent for so long.
    forgets: Option<Duration>,
    /// In what the server says, one text stands for another of its length.
    replaces: Option<(&'static str, &'static str)>,
    mute: AtomicBool,
    connections: AtomicUsize,
}

impl Proxy {
    /// Forgets connections over which nothing passed for so long, without a word to either end.
    pub(crate) fn forgetting(to: u16, after: Duration) -> Self {
        let how = How { forgets: Some(after), ..How::default() };
        Self::start((Ipv4Addr::LOCALHOST, 0), (Ipv4Addr::LOCALHOST, to), how)
    }

    /// On the port of the server, at another address, with another text in its answers.
    pub(crate) fn replacing(to: (Ipv4Addr, u16), text: &'static str, by: &'static str) -> Self {
        let how = How { replaces: Some((text, by)), ..How::default() };
        Self::start((Ipv4Addr::LOCALHOST, to.1), to, how)
    }

    fn start(at: (Ipv4Addr, u16), to: (Ipv4Addr, u16), how: How) -> Self {
        let listener = TcpListener::bind(at).expect("a free port");
        let port = listener.local_addr().expect("the address of the listener").port();
        let how = Arc::new(how);
        let shared = Arc::clone(&how);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(to) else { continue };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let last = Arc::new(Mutex::new(Instant::now()));
                let both = [client.try_clone(), server.try_clone()].map(|it| it.expect("a socket"));
                let [from_client, from_server] = both;
                for (from, to, answers) in
                    [(from_client, server, false), (from_server, client, true)]
                {
                    let (how, last) = (Arc::clone(&shared), Arc::clone(&last));
                    thread::spawn(move || how.pass(from, to, answers, &last));
                }
            }
        });
        Self { port, how }
    }

    /// From now on nothing passes, and the connections stay.
    pub(crate) fn mute(&self) {
        self.how.mute.store(true, Ordering::SeqCst);
    }

    pub(crate) fn connections(&self) -> usize {
        self.how.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl How {
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, answers: bool, last: &Mutex<Instant>) {
        let mut bytes = vec![0; 65_536];
        let mut forgotten = false;
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            forgotten |= self.forgets.is_some_and(|after| last.elapsed() > after);
            if forgotten || self.mute.load(Ordering::SeqCst) {
                continue;
            }
            *last = Instant::now();
            drop(last);
            let passed = &mut bytes[..read];
            if let (true, Some((text, by))) = (answers, self.replaces) {
                for at in 0..passed.len().saturating_sub(text.len() - 1) {
                    let place = &mut passed[at..at + text.len()];
                    if place == text.as_bytes() {
                        place.copy_from_slice(by.as_bytes());
                    }
                }
            }
            if to.write_all(passed).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}
