//! How one value is written: MessagePack with the names of fields.
//!
//! What can be written can be read again as the same type, by all of serde's ways: tagged, untagged
//! and flattened types keep what they read in a form of serde's own first, which asks for more than
//! MessagePack libraries give. It always says that it is human-readable, so values are; a unit
//! struct has to be nothing; and it has no place for integers of 128 bits, which are refused.

mod decode;
mod encode;
mod next;
mod reason;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use self::reason::Reason;
use crate::{Error, ErrorKind, Result};

/// What may be inside of what: reading needs the stack of a thread for each level.
const MAX_DEPTH: usize = 128;
/// Before the number of `Some`s around nothing: an extension of one byte, of type 0.
const SOME: [u8; 2] = [0xd4, 0];

/// Writes the value to be stored under `key`.
pub(crate) fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Bytes> {
    encode::encode(value).map(Bytes::from).map_err(|reason| refused::<T>(key, "written", &reason))
}

/// Reads the value that is stored under `key`.
pub(crate) fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    decode::decode(bytes).map_err(|reason| refused::<T>(key, "read", &reason))
}

fn refused<T: ?Sized>(key: &str, done: &'static str, reason: &Reason) -> Error {
    let kind = std::any::type_name::<T>();
    tracing::warn!(
        target: "session", event = "codec", key, r#type = kind, %reason,
        "a value cannot be {done}"
    );
    let message = format!("the value of {key:?} cannot be {done} as {kind}: {reason}");
    Error::new(ErrorKind::Codec, "core", message)
}
