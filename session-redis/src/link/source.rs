//! What is connected to.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisResult, aio::AsyncPushSender, io::tcp::TcpSettings,
};
use session_core::Result;

#[cfg(feature = "cluster")]
use super::cluster::Cluster;
use super::connection::Connection;
#[cfg(feature = "sentinel")]
use super::sentinel::Sentinel;
use crate::{RedisConfig, config::Place, error::Fault};

/// A server, or those who know where it is.
pub(crate) enum Source {
    Server(Box<Client>),
    #[cfg(feature = "cluster")]
    Cluster(Box<Cluster>),
    #[cfg(feature = "sentinel")]
    Sentinel(Sentinel),
}

impl Source {
    /// Checks what is configured; connects to nothing.
    pub(crate) fn new(config: &RedisConfig) -> Result<Self> {
        #[cfg(feature = "tls")]
        needs_provider(config)?;
        match &config.place {
            Place::Server(url) => {
                client(config, info(config, url)?).map(|client| Self::Server(Box::new(client)))
            }
            #[cfg(feature = "cluster")]
            Place::Cluster(urls) => {
                Cluster::new(config, urls).map(|cluster| Self::Cluster(Box::new(cluster)))
            }
            #[cfg(feature = "sentinel")]
            Place::Sentinel { sentinels, master } => {
                Sentinel::new(config, sentinels, master).map(Self::Sentinel)
            }
        }
    }

    /// Connects. `told` hears of changes, if they were asked for, and of the end of the connection.
    pub(crate) async fn connect(
        &self,
        timeout: Duration,
        told: impl AsyncPushSender,
    ) -> RedisResult<Connection> {
        match self {
            Self::Server(client) => one(client, timeout, told).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.connect().await,
            #[cfg(feature = "sentinel")]
            Self::Sentinel(sentinel) => one(&sentinel.master().await?, timeout, told).await,
        }
    }

    /// Every server that takes writes, now.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_variables, reason = "only a Cluster has to be asked who is in charge")
    )]
    #[cfg_attr(
        not(any(feature = "cluster", feature = "sentinel")),
        expect(clippy::unused_async, reason = "one server is known without asking")
    )]
    pub(crate) async fn masters(&self, timeout: Duration) -> RedisResult<Vec<Client>> {
        match self {
            Self::Server(client) => Ok(vec![Client::clone(client)]),
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.masters(timeout).await,
            #[cfg(feature = "sentinel")]
            Self::Sentinel(sentinel) => Ok(vec![sentinel.master().await?]),
        }
    }

    /// Whether another server may be in charge a moment later.
    pub(crate) fn moves(&self) -> bool {
        !matches!(self, Self::Server(_))
    }

    /// Whether there are several servers, each in charge of a part of the keys.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(clippy::unused_self, reason = "without the feature there is none")
    )]
    pub(crate) fn is_cluster(&self) -> bool {
        #[cfg(feature = "cluster")]
        return matches!(self, Self::Cluster(_));
        #[cfg(not(feature = "cluster"))]
        false
    }
}

/// Connects to one server.
pub(crate) async fn one(
    client: &Client,
    timeout: Duration,
    told: impl AsyncPushSender,
) -> RedisResult<Connection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        // A call has one time-out for all it does.
        .set_response_timeout(None)
        .set_pipeline_buffer_size(1_024)
        .set_push_sender(told);
    client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::One)
}

/// Where servers are, to tell one list from another.
pub(crate) fn addresses(clients: &[Client]) -> Vec<String> {
    clients.iter().map(|client| client.get_connection_info().addr().to_string()).collect()
}

/// What a URL says, and what is set apart from it.
pub(crate) fn info(config: &RedisConfig, url: &str) -> Result<ConnectionInfo> {
    let info = url.into_connection_info().map_err(|error| Fault::from(error).at_start())?;
    let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    // One command less for each connection, and one right less for the user.
    let mut redis = redis.set_skip_set_lib_name();
    if let Some(username) = &config.username {
        redis = redis.set_username(username);
    }
    if let Some(password) = &config.password {
        redis = redis.set_password(password);
    }
    if let Some(number) = config.database {
        redis = redis.set_db(number.into());
    }
    // Commands are small, and each is waited for.
    let tcp = TcpSettings::default().set_nodelay(true);
    Ok(info.set_redis_settings(redis).set_tcp_settings(tcp))
}

/// A client of the server at a place.
pub(crate) fn client(config: &RedisConfig, info: ConnectionInfo) -> Result<Client> {
    #[cfg(feature = "tls")]
    if let Some(certificates) = &config.certificates {
        return Client::build_with_tls(info, certificates.clone()).map_err(|_| {
            crate::error::config("the certificates are no PEM, or do not fit each other")
        });
    }
    #[cfg(not(feature = "tls"))]
    let _ = config;
    Client::open(info).map_err(|error| Fault::from(error).at_start())
}

/// rustls panics when it has to choose between providers.
#[cfg(feature = "tls")]
fn needs_provider(config: &RedisConfig) -> Result<()> {
    let urls = match &config.place {
        Place::Server(url) => std::slice::from_ref(url),
        #[cfg(feature = "cluster")]
        Place::Cluster(urls) => urls,
        #[cfg(feature = "sentinel")]
        Place::Sentinel { sentinels, .. } => sentinels,
    };
    let by_tls = config.certificates.is_some()
        || urls.iter().any(|url| url.starts_with("rediss:") || url.starts_with("valkeys:"));
    if by_tls && rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(crate::error::config(
            "no provider of cryptography is chosen: call \
             `rustls::crypto::ring::default_provider().install_default()`, or another one's, first",
        ));
    }
    Ok(())
}
