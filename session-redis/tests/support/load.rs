//! Writers that never stop, and know what they were answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use session_core::{ErrorKind, Expect, Outcome, SessionId, SessionManager, Version};
use session_redis::RedisSessionManager;

use super::{a_moment, block_on, new_id, record, until};

/// Writers, each with a session of its own that nobody else writes.
pub(crate) struct Load {
    writers: Vec<Arc<Writer>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

struct Writer {
    manager: RedisSessionManager,
    id: SessionId,
    /// The version that was answered last.
    answered: AtomicU64,
    writes: AtomicU64,
    errors: AtomicU64,
}

impl Load {
    pub(crate) fn start(manager: &RedisSessionManager, writers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..writers).map(|_| Arc::new(Writer::new(manager))).collect();
        let threads = writers
            .iter()
            .map(|writer| {
                let (writer, stop) = (Arc::clone(writer), Arc::clone(&stop));
                thread::spawn(move || {
                    while !stop.load(SeqCst) {
                        block_on(writer.write());
                    }
                })
            })
            .collect();
        Self { writers, threads, stop }
    }

    /// Waits until every writer was answered so many times more.
    #[track_caller]
    pub(crate) fn goes_on(&self, writes: u64) {
        self.each("the writers go on", |writer| &writer.writes, writes);
    }

    /// Waits until every writer has had an error more.
    #[track_caller]
    pub(crate) fn is_hit(&self) {
        self.each("every writer has an error", |writer| &writer.errors, 1);
    }

    #[track_caller]
    fn each(&self, what: &str, count: impl Fn(&Writer) -> &AtomicU64, more: u64) {
        for writer in &self.writers {
            let from = count(writer).load(SeqCst);
            until(what, || {
                assert!(!self.threads.iter().any(JoinHandle::is_finished), "a writer gave up");
                (count(writer).load(SeqCst) >= from + more).then_some(())
            });
        }
    }

    /// Ends the writers: what each was answered is there.
    pub(crate) fn end(self) {
        self.stop.store(true, SeqCst);
        for thread in self.threads {
            thread.join().expect("no writer lost anything");
        }
        for writer in self.writers {
            block_on(writer.look());
        }
    }
}

impl Writer {
    fn new(manager: &RedisSessionManager) -> Self {
        let id = new_id();
        // What has no answer may have been stored.
        let there = |outcome| matches!(outcome, Outcome::Stored | Outcome::Conflict);
        let _ = until("a session is made", || {
            let put = block_on(manager.put(&record(id, 1, b"first"), Expect::Absent));
            put.ok().filter(|outcome| there(*outcome))
        });
        let (answered, writes) = (AtomicU64::new(1), AtomicU64::new(0));
        Self { manager: manager.clone(), id, answered, writes, errors: AtomicU64::new(0) }
    }

    /// Writes once, however often that has to be tried.
    async fn write(&self) {
        let mut doubtful = false;
        loop {
            let over = self.look().await;
            let next = record(self.id, over + 1, &over.to_le_bytes());
            match self.manager.put(&next, Expect::Version(Version::new(over))).await {
                Ok(Outcome::Stored) => {
                    self.answered.store(over + 1, SeqCst);
                    self.writes.fetch_add(1, SeqCst);
                    return;
                }
                // A write without an answer may take place after the next look.
                Ok(Outcome::Conflict) if doubtful => {}
                Ok(refused) => panic!("{refused:?} for the only writer"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    self.errors.fetch_add(1, SeqCst);
                    doubtful = true;
                }
            }
        }
    }

    /// The version that is there: never none, and never one before the last that was answered.
    async fn look(&self) -> u64 {
        loop {
            match self.manager.get(&self.id).await {
                Ok(Some(found)) => {
                    let (found, answered) = (found.version().get(), self.answered.load(SeqCst));
                    assert!(found >= answered, "version {answered} was answered, {found} is there");
                    return found;
                }
                Ok(None) => panic!("an outage logged somebody out"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    self.errors.fetch_add(1, SeqCst);
                    a_moment();
                }
            }
        }
    }
}
