//! How one value is written: MessagePack with field names.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, ErrorKind, Result};

/// The cause stays out of the error: it may quote the value.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes> {
    rmp_serde::to_vec_named(value).map(Bytes::from).map_err(|_| codec::<T>("encoded"))
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    rmp_serde::from_slice(bytes).map_err(|_| codec::<T>("read"))
}

fn codec<T: ?Sized>(done: &str) -> Error {
    let message = format!("the value cannot be {done} as {}", std::any::type_name::<T>());
    Error::new(ErrorKind::Codec, "core", message)
}
