//! The value of the cookie: `<sid>!<token>`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    SessionId,
    keys::{InUse, Standing},
    token::Token,
};

const SEPARATOR: u8 = b'!';
const MAX_DIGEST_BYTES: usize = 32;
const SID_BYTES: usize = 16;
const MAX_TOKEN_BYTES: usize = Token::BYTES + MAX_DIGEST_BYTES;

/// The longest value that can be one of ours: 101 bytes. Longer ones are refused unread.
pub(crate) const MAX_BYTES: usize = SessionId::TEXT_BYTES + 1 + MAX_TOKEN_BYTES / 3 * 4;

/// A cookie value whose MAC was right.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) id: SessionId,
    pub(crate) token: Token,
    /// Of the key that signed it.
    pub(crate) standing: Standing,
}

/// Why a cookie value is not one of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    /// Not of the one form there is.
    Malformed,
    /// Signed by no key of the ring, or for another name or realm.
    Forged,
}

/// Reads and verifies a cookie value, without asking any store.
pub(crate) fn verify(keys: &InUse, value: &[u8]) -> Result<Presented, Refused> {
    if value.len() > MAX_BYTES {
        return Err(Refused::Malformed);
    }
    let (id, rest) = value.split_at_checked(SessionId::TEXT_BYTES).ok_or(Refused::Malformed)?;
    let (separator, text) = rest.split_first().ok_or(Refused::Malformed)?;
    let id = SessionId::parse(id).ok_or(Refused::Malformed)?;
    if *separator != SEPARATOR {
        return Err(Refused::Malformed);
    }
    // A multiple of three bytes has no padding and no trailing bits, so its text is canonical.
    let mut bytes = [0; MAX_TOKEN_BYTES + 3];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| Refused::Malformed)?;
    let (token, digest) =
        bytes[..length].split_first_chunk::<{ Token::BYTES }>().ok_or(Refused::Malformed)?;
    let standing = keys.verify(&message(&id, token), digest).ok_or(Refused::Forged)?;
    Ok(Presented { id, token: Token::from_bytes(*token), standing })
}

/// Writes the cookie value for `token`, signed by the current key.
pub(crate) fn sign(keys: &InUse, id: &SessionId, token: &Token) -> String {
    let mut bytes = Vec::with_capacity(Token::BYTES + keys.algorithm().digest_bytes());
    bytes.extend_from_slice(token.as_bytes());
    keys.sign(&message(id, token.as_bytes()), &mut bytes);
    let mut value = String::with_capacity(MAX_BYTES);
    value.push_str(id.encode(&mut [0; SessionId::TEXT_BYTES]));
    value.push(char::from(SEPARATOR));
    URL_SAFE_NO_PAD.encode_string(bytes, &mut value);
    value
}

/// What is signed: both parts have one length, so that no two cookies share a message.
fn message(id: &SessionId, token: &[u8; Token::BYTES]) -> [u8; SID_BYTES + Token::BYTES] {
    let mut message = [0; SID_BYTES + Token::BYTES];
    message[..SID_BYTES].copy_from_slice(id.as_bytes());
    message[SID_BYTES..].copy_from_slice(token);
    message
}
