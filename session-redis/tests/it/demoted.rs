//! A master that is demoted between a write and the wait for its replicas. No real one can be made
//! to be at just that moment, so this one only says so.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use session_core::{ErrorKind, Expect, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{block_on, new_id, record};

/// Does every write, counts it, and refuses to wait.
fn serve(stream: TcpStream, written: &AtomicUsize) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    let mut asked = BufReader::new(stream);
    while let Some(words) = words(&mut asked)? {
        let answer: &[u8] = match words[0].as_slice() {
            b"HELLO" => b"%1\r\n+role\r\n+master\r\n",
            b"PING" => b"+PONG\r\n",
            b"EVALSHA" => {
                written.fetch_add(1, Ordering::SeqCst);
                b"$1\r\nS\r\n"
            }
            b"WAIT" => b"-MASTERDOWN Link with MASTER is down\r\n",
            _ => b"-ERR unknown command\r\n",
        };
        answers.write_all(answer)?;
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

#[test]
fn a_write_that_was_done_is_not_sent_again_because_its_wait_was_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the address of the listener");
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counted = Arc::clone(&counted);
            thread::spawn(move || serve(stream, &counted));
        }
    });
    let config = RedisConfig::new(format!("redis://{address}")).replicas(1);
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    let record = record(new_id(), 1, b"value");
    let error = block_on(manager.put(&record, Expect::Absent)).expect_err("nobody waited");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(written.load(Ordering::SeqCst), 1);
}
