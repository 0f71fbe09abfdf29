//! A server that only says what it is told to, for what no real one can be made to say.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// Answers every command as `answer` does, on every connection; gone with the process. The address.
pub(crate) fn scripted(
    answer: impl Fn(&[Vec<u8>]) -> Vec<u8> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the address of the listener");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || serve(stream, &*answer));
        }
    });
    address
}

/// The answer to `HELLO` of a server of this version and role.
pub(crate) fn hello(version: &str, role: &str) -> Vec<u8> {
    let words = ["server", "redis", "version", version, "proto"];
    let words: String = words.iter().map(|word| bulk(word)).collect();
    format!("%4\r\n{words}:3\r\n{}{}", bulk("role"), bulk(role)).into_bytes()
}

fn bulk(word: &str) -> String {
    format!("${}\r\n{word}\r\n", word.len())
}

fn serve(stream: TcpStream, answer: &dyn Fn(&[Vec<u8>]) -> Vec<u8>) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    let mut asked = BufReader::new(stream);
    while let Some(words) = words(&mut asked)? {
        answers.write_all(&answer(&words))?;
    }
    Ok(())
}

/// The words of the next command, or `None` at the end.
fn words(asked: &mut impl BufRead) -> io::Result<Option<Vec<Vec<u8>>>> {
    let Some(count) = number(asked)? else { return Ok(None) };
    (0..count)
        .map(|_| {
            let mut word = vec![0; number(asked)?.unwrap_or(0)];
            asked.read_exact(&mut word)?;
            asked.read_exact(&mut [0; 2])?;
            Ok(word)
        })
        .collect::<io::Result<_>>()
        .map(Some)
}

/// The number in a line such as `*3` or `$10`.
fn number(asked: &mut impl BufRead) -> io::Result<Option<usize>> {
    let mut line = String::new();
    asked.read_line(&mut line)?;
    Ok(line.get(1..).and_then(|number| number.trim().parse().ok()))
}
