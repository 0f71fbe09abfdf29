//! Where a server is, and how to log in there.

use std::{fmt, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion,
    aio::{AsyncPushSender, MultiplexedConnection},
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use session_core::Result;

use crate::{
    RedisConfig, diagnosis,
    error::{self, Fault},
    request::{self, Hello},
};

/// One server.
#[derive(Clone)]
pub(crate) struct Endpoint {
    client: Client,
    address: Arc<str>,
    timeout: Duration,
}

impl Endpoint {
    /// The server at `url`, with the login of the configuration or, without one, of the URL.
    pub(crate) fn new(config: &RedisConfig, url: &str) -> Result<Self> {
        let info = parse(url)?;
        let mut redis = info.redis_settings().clone();
        if let Some(username) = &config.username {
            redis = redis.set_username(username);
        }
        if let Some(password) = &config.password {
            redis = redis.set_password(password);
        }
        if let Some(number) = config.database {
            redis = redis.set_db(number.into());
        }
        Self::of(config, info.set_redis_settings(redis))
    }

    /// A Sentinel at `url`, and as a pattern a server beside it, which has a login of its own.
    pub(crate) fn sentinel(config: &RedisConfig, url: &str) -> Result<(Self, Self)> {
        let info = parse(url)?;
        if info.redis_settings().db() != 0 {
            return Err(error::config(
                "a Sentinel has no databases: leave the path of its URL empty, and set that of \
                 the server by `RedisConfig::database`",
            ));
        }
        let mut bare = "redis://sentinel".into_connection_info().map_err(|_| not_a_url())?;
        bare = bare.set_addr(info.addr().clone());
        let redis = bare.redis_settings().clone().set_db(config.database.unwrap_or(0).into());
        let redis = match &config.username {
            Some(username) => redis.set_username(username),
            None => redis,
        };
        let redis = match &config.password {
            Some(password) => redis.set_password(password),
            None => redis,
        };
        Ok((Self::of(config, info)?, Self::of(config, bare.set_redis_settings(redis))?))
    }

    fn of(config: &RedisConfig, info: ConnectionInfo) -> Result<Self> {
        // Without the name of the client library: a command less, and a right less for the user.
        let redis = info.redis_settings().clone();
        let redis = redis.set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
        let info = info.set_redis_settings(redis).set_tcp_settings(tcp(config));
        let address = info.addr().to_string().into();
        #[cfg(feature = "tls")]
        let client = match &config.certificates {
            Some(_) if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) => {
                return Err(error::config(
                    "certificates are set, but the URL is not one for TLS: write `rediss://`",
                ));
            }
            Some(certificates) => {
                Client::build_with_tls(info, certificates.clone()).map_err(|_| {
                    error::config("the certificates are no PEM, or do not fit each other")
                })?
            }
            None => Client::open(info).map_err(|_| not_a_url())?,
        };
        #[cfg(not(feature = "tls"))]
        let client = Client::open(info).map_err(|_| not_a_url())?;
        Ok(Self { client, address, timeout: config.connect_timeout_value() })
    }

    /// The server at another place that takes the same login, by TLS if this one is.
    pub(crate) fn at(&self, host: &str, port: u16) -> Result<Self, Fault> {
        let host = host.to_owned();
        let address = match self.info().addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                let (insecure, tls_params) = (*insecure, tls_params.clone());
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        let named = Arc::from(address.to_string());
        let client = Client::open(self.info().clone().set_addr(address))
            .map_err(|error| Fault::refused(&named, error))?;
        Ok(Self { client, address: named, timeout: self.timeout })
    }

    /// The server at an address such as a redirection names; without a host it is where this one
    /// is.
    pub(crate) fn redirect(&self, address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        let host = if host.is_empty() { self.host() } else { host };
        self.at(host, port.parse().ok()?).ok()
    }

    pub(crate) fn host(&self) -> &str {
        match self.info().addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => "",
        }
    }

    pub(crate) fn uses_tls(&self) -> bool {
        matches!(self.info().addr(), ConnectionAddr::TcpTls { .. })
    }

    pub(crate) fn info(&self) -> &ConnectionInfo {
        self.client.get_connection_info()
    }

    /// How long connecting and one question may take.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.saturating_mul(2)
    }

    pub(crate) fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// Connects and logs in. `told` receives invalidations, and the end of the connection.
    pub(crate) async fn connect(
        &self,
        told: impl AsyncPushSender,
    ) -> Result<MultiplexedConnection, Fault> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            // A call has one time-out for all it does.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(1_024)
            .set_push_sender(told);
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => Ok(connection),
            Err(error) => Err(diagnosis::of(self, error, self.timeout).await),
        }
    }

    /// Connects, and asks the server what it is. Whoever calls bounds the time.
    pub(crate) async fn greet(
        &self,
        told: impl AsyncPushSender,
    ) -> Result<(MultiplexedConnection, Hello), Fault> {
        let mut connection = self.connect(told).await?;
        let answers = request::send(&mut connection, &[request::command(&["HELLO"])]).await;
        let answers = answers.map_err(|error| Fault::refused(&self.address, error))?;
        let hello = answers.first().map(Hello::read).unwrap_or_default();
        Ok((connection, hello))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.address).finish()
    }
}

/// Commands are small and each is waited for. The system tries a silent connection, and ends one
/// over which nothing is acknowledged.
fn tcp(config: &RedisConfig) -> TcpSettings {
    let every = config.keep_alive.clamp(Duration::from_secs(1), Duration::from_secs(32_767));
    let keep_alive = TcpKeepalive::new().with_time(every);
    #[cfg(not(any(target_os = "openbsd", target_os = "solaris", target_os = "haiku")))]
    let keep_alive = keep_alive.with_interval(every);
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keep_alive);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(every.saturating_mul(2));
    settings
}

/// Reads a URL, and says what is wrong with it.
fn parse(url: &str) -> Result<ConnectionInfo> {
    let (scheme, rest) = url.split_once("://").ok_or_else(not_a_url)?;
    match scheme {
        "unix" | "redis+unix" | "valkey+unix" => known_keys(rest, &["db", "user", "pass"])?,
        "redis" | "valkey" | "rediss" | "valkeys" => {
            if scheme.ends_with("ss") || scheme == "valkeys" {
                needs_tls()?;
            }
            check(rest)?;
        }
        _ => return Err(not_a_url()),
    }
    url.into_connection_info().map_err(|_| not_a_url())
}

/// What stands behind the scheme: `[user:password@]host[:port][/database]`.
fn check(rest: &str) -> Result<()> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if tail.contains('@') {
        return Err(error::config(
            "the user or the password in the URL has a character that must be percent-encoded: \
             write `/` as `%2F`, `?` as `%3F`, `#` as `%23`, `@` as `%40` and `%` as `%25`, or set \
             it by `RedisConfig::password`",
        ));
    }
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if !host.starts_with('[') && host.matches(':').count() > 1 {
        return Err(error::config(
            "an IPv6 address in a URL stands in brackets: `redis://[::1]:6379`",
        ));
    }
    if host.starts_with("0.0.0.0") || host.starts_with("[::]") {
        return Err(error::config(
            "`0.0.0.0` and `::` are where a server listens, not where it is: name its host, such \
             as `redis://127.0.0.1`",
        ));
    }
    let (before, fragment) = tail.split_once('#').unwrap_or((tail, ""));
    if !fragment.is_empty() {
        return Err(error::config(
            "the URL ends with a fragment (`#...`), which is not known here: certificates are \
             always checked, and `RedisConfig::certificates` sets whom to trust",
        ));
    }
    known_keys(before, &[])?;
    let path = before.split('?').next().unwrap_or_default().trim_matches('/');
    if !path.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error::config(
            "the path of the URL is the number of a database, as in `redis://host/3`: what keys \
             begin with is set by `RedisConfig::prefix`",
        ));
    }
    Ok(())
}

/// Refuses the parts of a query that would be passed over.
fn known_keys(rest: &str, known: &[&str]) -> Result<()> {
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let mut keys = query.split('&').filter_map(|pair| pair.split('=').next());
    let Some(key) = keys.find(|key| !key.is_empty() && !known.contains(key)) else { return Ok(()) };
    Err(error::config(match key {
        "db" => "`?db=` is for Unix sockets: the database is the path here, `redis://host/3`",
        "protocol" => "`?protocol=` is not needed: RESP3 is always spoken",
        "user" | "pass" | "username" | "password" => {
            "the user and the password stand before the host, `redis://user:password@host`, or are \
             set by `RedisConfig::username` and `RedisConfig::password`"
        }
        "timeout" | "connect_timeout" => "time-outs are set by `RedisConfig`, not in the URL",
        _ => "the query of the URL (`?...`) has a part that is not known here: leave it out",
    }))
}

fn not_a_url() -> session_core::Error {
    error::config(
        "not a Redis URL: write `redis://[user:password@]host[:port][/database]`, `rediss://` for \
         TLS (with the feature `tls`), or `unix:///path`",
    )
}

/// Without the feature there is no TLS, and rustls panics when it has to choose between providers.
fn needs_tls() -> Result<()> {
    #[cfg(feature = "tls")]
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(error::config(
            "no provider of cryptography is chosen: call \
             `rustls::crypto::ring::default_provider().install_default()`, or another one's, first",
        ));
    }
    #[cfg(not(feature = "tls"))]
    return Err(error::config("`rediss://` needs the feature `tls` of session-redis"));
    #[cfg(feature = "tls")]
    Ok(())
}
