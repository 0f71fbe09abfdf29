//! A server behind Sentinels, who know which of several is the master.

use std::{io, sync::Arc};

use redis::{
    Client, IntoConnectionInfo, ProtocolVersion, RedisResult,
    io::tcp::TcpSettings,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use session_core::Result;
use tokio::sync::Mutex;

use crate::{
    RedisConfig,
    error::{self, Fault},
};

/// The Sentinels, and the name of the master they are asked for.
pub(crate) struct Sentinel(Arc<Mutex<SentinelClient>>);

impl Sentinel {
    pub(crate) fn new(config: &RedisConfig, urls: &[String], master: &str) -> Result<Self> {
        let refused = |error| Fault::from(error).at_start();
        let parsed = |url: &String| url.as_str().into_connection_info().map_err(refused);
        let infos = urls.iter().map(parsed).collect::<Result<Vec<_>>>()?;
        let Some(first) = infos.first() else {
            return Err(error::config("at least one URL of a Sentinel is needed"));
        };
        let addresses = infos.iter().map(|info| info.addr().clone());
        let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)
            .map_err(refused)?
            .set_client_to_redis_protocol(ProtocolVersion::RESP3);
        if let Some(username) = first.redis_settings().username() {
            builder = builder.set_client_to_sentinel_username(username);
        }
        if let Some(password) = first.redis_settings().password() {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if let Some(username) = &config.username {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = &config.password {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(number) = config.database {
            builder = builder.set_client_to_redis_db(number.into());
        }
        #[cfg(feature = "tls")]
        if matches!(first.addr(), redis::ConnectionAddr::TcpTls { .. }) {
            builder = by_tls(config, builder);
        }
        builder.build().map(|client| Self(Arc::new(Mutex::new(client)))).map_err(refused)
    }

    /// The master of now. The server is asked too whether it is one.
    ///
    /// They are asked by a task of its own: a call may not be polled for a while, and must not keep
    /// the others waiting then.
    pub(crate) async fn master(&self) -> RedisResult<Client> {
        let sentinels = Arc::clone(&self.0);
        let asked = tokio::spawn(async move { sentinels.lock().await.async_get_client().await });
        let client = asked.await.map_err(io::Error::from)??;
        let tcp = TcpSettings::default().set_nodelay(true);
        Client::open(client.get_connection_info().clone().set_tcp_settings(tcp))
    }
}

#[cfg(feature = "tls")]
fn by_tls(config: &RedisConfig, builder: SentinelClientBuilder) -> SentinelClientBuilder {
    let builder = builder
        .set_client_to_redis_tls_mode(redis::TlsMode::Secure)
        .set_client_to_sentinel_tls_mode(redis::TlsMode::Secure);
    match &config.certificates {
        Some(certificates) => builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates.clone()),
        None => builder,
    }
}
