//! Three processes, and those who ask them.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    BOUND,
    history::{Session, Verdict},
    support::{Server, new_id, text, until},
};

const PROCESSES: usize = 3;
const SESSIONS: usize = 24;

/// The load, while it runs.
pub(crate) struct Load {
    processes: Vec<Child>,
    folder: TempDir,
    threads: Vec<JoinHandle<Found>>,
    stop: Arc<AtomicBool>,
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    /// From the answer of a write until another process showed it.
    pub(crate) seen: Vec<Duration>,
    /// How far reads were behind that began after a write was answered and did not show it.
    pub(crate) stale: Vec<Duration>,
    pub(crate) violations: Vec<String>,
}

impl Load {
    /// Starts the processes and those who ask them. Deaf caches hear of no change.
    pub(crate) fn start(server: &Server, deaf: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = std::env::current_exe().expect("this program");
        let processes = (0..PROCESSES)
            .map(|at| {
                let mut command = Command::new(&program);
                command.arg("child").arg(socket(folder.path(), at)).arg(server.url());
                command.args(deaf.then_some("--deaf"));
                command.spawn().expect("a process")
            })
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let shared: Arc<Vec<_>> = Arc::new((0..SESSIONS).map(|_| Slot::default()).collect());
        let threads = (0..2 * PROCESSES)
            .map(|at| {
                let links = (0..PROCESSES).map(|at| Link::to(&socket(folder.path(), at))).collect();
                let dice = Dice(0x9e37_79b9_7f4a_7c15 ^ ((at as u64 + 1) << 32));
                let asker =
                    Asker { links, dice, slots: Arc::clone(&shared), found: Found::default() };
                let stop = Arc::clone(&stop);
                thread::spawn(move || asker.run(&stop, at % 2 == 0))
            })
            .collect();
        Self { processes, folder, threads, stop }
    }

    /// Lets it run for so long; false as soon as an answer was wrong.
    pub(crate) fn runs(&self, time: Duration) -> bool {
        let ends = Instant::now() + time;
        while let Some(left) = ends.checked_duration_since(Instant::now()) {
            if self.stop.load(SeqCst) {
                return false;
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "a load runs for as long as it is told to"
            )]
            thread::park_timeout(left.min(Duration::from_millis(50)));
        }
        true
    }

    /// Ends the load: what was found, and how many reads were hits and misses.
    pub(crate) fn end(mut self) -> (Found, u64, u64) {
        self.stop.store(true, SeqCst);
        let mut all = Found::default();
        for thread in self.threads.drain(..) {
            let found = thread.join().expect("no asker panicked");
            all.reads += found.reads;
            all.writes += found.writes;
            all.seen.extend(found.seen);
            all.stale.extend(found.stale);
            all.violations.extend(found.violations);
        }
        let (mut hits, mut misses) = (0, 0);
        for at in 0..PROCESSES {
            let figures = Link::to(&socket(self.folder.path(), at)).ask("figures");
            let mut counts =
                figures.split(' ').map(|count| count.parse::<u64>().expect("a number"));
            hits += counts.next().expect("two figures");
            misses += counts.next().expect("two figures");
        }
        (all, hits, misses)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn socket(folder: &Path, at: usize) -> PathBuf {
    folder.join(format!("process-{at}"))
}

/// A session that may be replaced by another, and the lock of the one who changes it.
#[derive(Default)]
struct Slot {
    changing: Mutex<()>,
    session: Mutex<Option<Arc<Session>>>,
    /// The one before it, which was removed.
    ended: Mutex<Option<Arc<Session>>>,
}

/// Somebody who asks all processes, one question after another.
struct Asker {
    links: Vec<Link>,
    dice: Dice,
    slots: Arc<Vec<Slot>>,
    found: Found,
}

impl Asker {
    fn run(mut self, stop: &AtomicBool, writes: bool) -> Found {
        while !stop.load(SeqCst) {
            let slots = Arc::clone(&self.slots);
            let slot = &slots[self.dice.below(SESSIONS)];
            if writes {
                self.change(slot);
            } else {
                self.read(slot);
            }
            if !self.found.violations.is_empty() {
                stop.store(true, SeqCst);
            }
        }
        self.found
    }

    fn read(&mut self, slot: &Slot) {
        let which = if self.dice.below(5) == 0 { &slot.ended } else { &slot.session };
        let Some(session) = locked(which).clone() else { return };
        let at = self.dice.below(PROCESSES);
        self.check(&session, at);
    }

    /// Reads once, judges the answer, and tells the version that was shown.
    fn check(&mut self, session: &Session, at: usize) -> Option<u64> {
        let began = Instant::now();
        let answer = self.links[at].ask(&format!("read {}", text(&session.id)));
        self.found.reads += 1;
        let Ok(version) = answer.parse() else {
            self.found.violations.push(answer);
            return None;
        };
        match session.judge(version, began) {
            Verdict::Fresh => {}
            Verdict::Stale(behind) => {
                self.found.stale.push(behind);
                if behind > BOUND {
                    self.found.violations.push(format!("a read was {behind:?} behind"));
                }
            }
            Verdict::Wrong => {
                self.found.violations.push(format!("version {version} was never put"));
            }
        }
        Some(version)
    }

    fn change(&mut self, slot: &Slot) {
        let Ok(_turn) = slot.changing.try_lock() else { return };
        let session = locked(&slot.session).clone();
        let session = session.unwrap_or_else(|| Arc::new(Session::new(new_id())));
        let (at, over) = (self.dice.below(PROCESSES), session.version());
        let ends = over > 0 && self.dice.below(4) == 0;
        // Others have it in their caches before it changes.
        for at in 0..PROCESSES {
            self.check(&session, at);
        }
        let next = if ends { 0 } else { over + 1 };
        session.begins(next);
        *locked(&slot.session) = Some(Arc::clone(&session));
        let verb = if ends { "remove" } else { "write" };
        let answer = self.links[at].ask(&format!("{verb} {} {over}", text(&session.id)));
        session.ends();
        let answered = Instant::now();
        self.found.writes += 1;
        if answer != "1" {
            self.found.violations.push(format!("{verb} was answered with {answer}"));
        }
        for other in (0..PROCESSES).filter(|other| *other != at) {
            while self.found.violations.is_empty() {
                match self.check(&session, other) {
                    Some(version) if version == next => break,
                    _ => {}
                }
            }
            self.found.seen.push(answered.elapsed());
        }
        if ends {
            *locked(&slot.session) = None;
            *locked(&slot.ended) = Some(session);
        }
    }
}

fn locked<T>(slot: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A conversation with one process.
struct Link {
    questions: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Link {
    fn to(socket: &Path) -> Self {
        let questions = until("a process listens", || UnixStream::connect(socket).ok());
        let answers = BufReader::new(questions.try_clone().expect("the other direction"));
        Self { questions, answers }
    }

    fn ask(&mut self, question: &str) -> String {
        writeln!(self.questions, "{question}").expect("the process is there");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the process answers");
        answer.trim_end().to_owned()
    }
}

/// Marsaglia's xorshift: the same load at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % below
    }
}
