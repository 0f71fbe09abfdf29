//! What a user may set.

use std::{fmt, sync::Arc, time::Duration};

use session_core::{Clock, SystemClock};

/// Where a [`RedisSessionManager`](crate::RedisSessionManager) keeps its sessions, and how.
///
/// `Debug` shows no URL, since URLs may hold passwords.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use session_redis::RedisConfig;
///
/// let config = RedisConfig::new("redis://127.0.0.1:6379/0")
///     .prefix("shop:")
///     .timeout(Duration::from_secs(1));
/// ```
#[derive(Clone)]
#[must_use = "a configuration does nothing until a manager is made with it"]
pub struct RedisConfig {
    pub(crate) place: Place,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: Option<u32>,
    #[cfg(feature = "tls")]
    pub(crate) certificates: Option<redis::TlsCertificates>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) connect_timeout: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) per_worker: bool,
    pub(crate) prefix: String,
    pub(crate) replicas: u32,
    pub(crate) slack: Duration,
    pub(crate) timeout: Duration,
}

/// How the server is found.
#[derive(Clone)]
pub(crate) enum Place {
    Server(String),
    Cluster(Vec<String>),
    Sentinel { sentinels: Vec<String>, master: String },
}

impl RedisConfig {
    /// The defaults, for the one server at `url`:
    /// `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS (feature `tls`), or
    /// `unix:///path[?db=1]`.
    pub fn new(url: impl Into<String>) -> Self {
        Self::at(Place::Server(url.into()))
    }

    /// The defaults, for the Cluster that some of its nodes, at `urls`, belong to.
    ///
    /// The others are connected to as the Cluster announces them, by address or by name
    /// (`cluster-announce-hostname`, `cluster-preferred-endpoint-type`).
    ///
    /// User and password are those of the first URL, unless set apart.
    pub fn cluster<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self::at(Place::Cluster(urls.into_iter().map(Into::into).collect()))
    }

    /// The defaults, for the server that the Sentinels at `urls` call the master of the name
    /// `master`.
    ///
    /// User and password in these URLs are for the Sentinels; those for the server are set by
    /// [`username`](Self::username) and [`password`](Self::password). If the URLs are `rediss://`,
    /// the server is asked by TLS too.
    pub fn sentinel<U: Into<String>>(
        urls: impl IntoIterator<Item = U>,
        master: impl Into<String>,
    ) -> Self {
        let sentinels = urls.into_iter().map(Into::into).collect();
        Self::at(Place::Sentinel { sentinels, master: master.into() })
    }

    pub(crate) fn connect_timeout_value(&self) -> Duration {
        self.connect_timeout.min(LONGEST_WAIT)
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            username: None,
            password: None,
            database: None,
            #[cfg(feature = "tls")]
            certificates: None,
            clock: Arc::new(SystemClock::new()),
            connect_timeout: Duration::from_secs(1),
            heartbeat: Duration::from_secs(2),
            keep_alive: Duration::from_secs(10),
            per_worker: false,
            prefix: "session:".into(),
            replicas: 0,
            slack: Duration::from_secs(300),
            timeout: Duration::from_secs(2),
        }
    }

    /// Logs in at the server as this user of its ACL, in place of the one in the URL.
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// Logs in at the server with this password, in place of the one in the URL.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Uses the database of this number, in place of the one in the URL. A Cluster has database 0
    /// only.
    pub fn database(mut self, number: u32) -> Self {
        self.database = Some(number);
        self
    }

    /// Trusts these root certificates in place of the system's, and shows a certificate of the
    /// program's own.
    #[cfg(feature = "tls")]
    pub fn certificates(mut self, certificates: redis::TlsCertificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Takes the time from `clock` instead of the machine's own.
    ///
    /// It alone decides whether a session is expired.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long one attempt to connect may take, login included: 1 second unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the longest silence of a whole feed of changes: 2 seconds unless set, at least 40
    /// milliseconds.
    ///
    /// The servers are asked four times in it. A cache in front honours a change elsewhere when the
    /// server reports it, usually within a millisecond, and if the feed dies unnoticed, at most one
    /// and a half heartbeats later. While a server is silent its cache rests: it is used again,
    /// with all that is in it, once the server answers over the same connection and is still in
    /// charge.
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Sets how long a connection may be silent before it is tried: 10 seconds unless set, at least
    /// one.
    ///
    /// Firewalls, address translation and balancers forget connections that nothing passes over,
    /// without a word to either end. The system sends a probe after this time (`TCP_KEEPALIVE`),
    /// and ends a connection over which nothing is acknowledged for twice as long
    /// (`TCP_USER_TIMEOUT`, on Linux). The first call after it asks for a sign of life first, and
    /// connects anew if there is none in half of the call's [time-out](Self::timeout).
    ///
    /// # Source
    ///
    /// <https://man7.org/linux/man-pages/man7/tcp.7.html>
    pub fn keep_alive(mut self, time: Duration) -> Self {
        self.keep_alive = time;
        self
    }

    /// Sets whether each worker has a connection of its own: no unless set, and all calls share
    /// one.
    ///
    /// A worker is a runtime of one thread that calls, as each of actix-web is. Its calls then do
    /// not hop to another thread and back, which takes a fifth to a third off what the process
    /// pays for a request that reads or writes. The server has one connection more for each, which
    /// is made at the first call and ends with the runtime. Runtimes of several threads share one
    /// as before.
    ///
    /// Such a runtime must have tokio's timers and sockets, as those of actix-web and of
    /// `#[tokio::main]` have: tokio panics where they are missing. A handler that blocks its thread
    /// also holds up answers to calls that other threads have joined, as those of a cache may, at
    /// most until their [time-out](Self::timeout).
    pub fn connection_per_worker(mut self, wanted: bool) -> Self {
        self.per_worker = wanted;
        self
    }

    /// Sets what all keys begin with: `session:` unless set. 1 to 64 letters, digits or any of
    /// `:-_./`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Answers a write only when so many replicas have confirmed it: 0 unless set.
    ///
    /// Against what a failover of asynchronous replicas can lose, a logout among it. It makes a
    /// loss unlikely, not impossible: the server does not take back what too few have confirmed,
    /// and a replica without the write may still be chosen. A write that too few confirm within
    /// a quarter of the [time-out](Self::timeout) is answered with
    /// [`ErrorKind::Unavailable`](session_core::ErrorKind::Unavailable), and its error says that
    /// the server has it. Writes then have a connection of their own; those that come while others
    /// are waited for are sent and confirmed together.
    ///
    /// # Source
    ///
    /// <https://redis.io/docs/latest/commands/wait/>
    pub fn replicas(mut self, count: u32) -> Self {
        self.replicas = count;
        self
    }

    /// Sets for how long the server keeps a session after its deadline: 5 minutes unless set.
    ///
    /// The server removes by its own clock what the clocks of the programs call expired, so the
    /// slack must be longer than these clocks differ.
    pub fn slack(mut self, slack: Duration) -> Self {
        self.slack = slack;
        self
    }

    /// Sets how long one call may take, with connecting and every round trip: 2 seconds unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("place", &self.place)
            .field("clock", &self.clock)
            .field("connect_timeout", &self.connect_timeout)
            .field("heartbeat", &self.heartbeat)
            .field("keep_alive", &self.keep_alive)
            .field("per_worker", &self.per_worker)
            .field("prefix", &self.prefix)
            .field("replicas", &self.replicas)
            .field("slack", &self.slack)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server(..)",
            Self::Cluster(_) => "Cluster(..)",
            Self::Sentinel { .. } => "Sentinel(..)",
        })
    }
}

/// Longer than anybody waits, and short enough to be added to any instant.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);
