//! A certificate that lasts as long as the program.

use std::{error::Error, sync::Arc};

use rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer};

/// TLS for `localhost` and `127.0.0.1`, under a certificate nobody has reason to trust.
pub(crate) fn config() -> Result<ServerConfig, Box<dyn Error>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())?;
    Ok(config)
}
