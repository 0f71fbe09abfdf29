//! Why a server cannot be connected to.

use std::{io::ErrorKind, time::Duration};

use redis::{ErrorKind as Kind, RedisError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    endpoint::Endpoint,
    error::{Fault, io_error},
};

/// The fault for an error of connecting. Where the client cannot know the cause, the port is looked
/// at once more, for as long as connecting may take.
pub(crate) async fn of(endpoint: &Endpoint, error: RedisError, patience: Duration) -> Fault {
    let at = endpoint.address();
    if let Some(cause) = of_system(endpoint, &error) {
        return Fault::known(at, cause, Some(error));
    }
    // A server that is silent is not asked again, unless it may wait for another kind of greeting.
    if error.is_timeout() && !endpoint.uses_tls() {
        return Fault::slow(at);
    }
    let unclear = matches!(error.kind(), Kind::Io | Kind::Parse | Kind::Extension);
    let said = |text: &str| error.to_string().contains(text);
    if !unclear && !said("max number of clients") && !said("unknown command") {
        return Fault::refused(at, error);
    }
    if said("unknown command") {
        return Fault::refused(at, RedisError::from((Kind::RESP3NotSupported, "no `HELLO`")));
    }
    let mut cause = None;
    for question in [&b"PING\r\n\r\n"[..], &BROKEN_CLIENT_HELLO] {
        let answer = timeout(patience, first_bytes(endpoint, question)).await.ok().flatten();
        cause = answer.and_then(|answer| of_answer(endpoint, &answer));
        if cause.is_some() {
            break;
        }
    }
    match cause {
        Some(cause) => Fault::known(at, cause, Some(error)),
        None if error.is_timeout() => Fault::slow(at),
        None if error.kind() == Kind::Io => Fault::known(at, CLOSED, Some(error)),
        None => Fault::refused(at, error),
    }
}

/// What the system, or rustls, says.
fn of_system(endpoint: &Endpoint, error: &RedisError) -> Option<&'static str> {
    let io = io_error(error)?;
    #[cfg(feature = "tls")]
    if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return matches!(tls, rustls::Error::InvalidCertificate(_)).then_some(
            "the server's certificate is not trusted: give the certificate of the authority that \
             signed it to `RedisConfig::certificates`, and name the host as the certificate does",
        );
    }
    let unix = endpoint.host().is_empty();
    match io.kind() {
        ErrorKind::ConnectionRefused => Some(
            "nothing listens at this address: start the server, or correct the host and the port",
        ),
        ErrorKind::NotFound if unix => Some(
            "there is no socket at this path: look at `unixsocket` in the server's configuration",
        ),
        ErrorKind::PermissionDenied if unix => Some(
            "the process may not open this socket: look at `unixsocketperm` in the server's \
             configuration",
        ),
        _ if io.to_string().contains("lookup address") => {
            Some("the name of the host does not resolve: correct it, or look at the DNS")
        }
        _ => None,
    }
}

/// What whatever listens there answers.
async fn first_bytes(endpoint: &Endpoint, question: &[u8]) -> Option<Vec<u8>> {
    let (host, port) = endpoint.address().rsplit_once(':')?;
    let mut stream = TcpStream::connect((host, port.parse().ok()?)).await.ok()?;
    stream.write_all(question).await.ok()?;
    let mut bytes = vec![0; 128];
    let read = stream.read(&mut bytes).await.ok()?;
    bytes.truncate(read);
    Some(bytes)
}

fn of_answer(endpoint: &Endpoint, answer: &[u8]) -> Option<&'static str> {
    let begins = |with: &str| answer.starts_with(with.as_bytes());
    if begins("HTTP/") {
        return Some("an HTTP server answers at this address, not Redis: correct the port");
    }
    if begins("-DENIED") {
        return Some(
            "the server is in protected mode and takes connections from its own machine only: set \
             a password or a user there",
        );
    }
    if begins("-ERR max number of clients") {
        return Some(
            "the server has as many connections as it allows: raise `maxclients`, or use fewer \
             processes or `connection_per_worker(false)`",
        );
    }
    match (endpoint.uses_tls(), answer) {
        (false, [0x15, 0x03, ..]) => Some("the server speaks TLS at this port: write `rediss://`"),
        (true, [b'+' | b'-', ..]) => {
            Some("the server does not speak TLS at this port: write `redis://`, or its other port")
        }
        _ => None,
    }
}

/// What a server that speaks TLS answers with an alert.
const BROKEN_CLIENT_HELLO: [u8; 10] = [0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0];

const CLOSED: &str = "the server, or something on the way to it, ended the connection";
