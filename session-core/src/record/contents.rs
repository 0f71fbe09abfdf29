//! The sealed part of a record.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Values;
use crate::{Error, ErrorKind, Result, Timestamp, keys::SigningKey, random, token::Verifier};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// What sealing adds to the plain body.
pub(super) const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// All that a session is.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) created_at: Timestamp,
    pub(crate) principal: Option<Arc<str>>,
    /// When the principal was bound last.
    pub(crate) authenticated_at: Option<Timestamp>,
    /// Tells the token of this session from all others.
    pub(crate) verifier: Verifier,
    /// When the token was last changed: at creation, renewal and rotation.
    pub(crate) token_at: Timestamp,
    /// Decides what a request under way may store.
    pub(crate) epoch: Epoch,
    /// The token from before the last login or renewal, until its successor is presented.
    pub(crate) kept: Option<Kept>,
    /// The rotation that led to the token, until its grace is over.
    pub(crate) rotation: Option<Rotation>,
    pub(crate) data: Data,
}

/// The part of a session that the application changes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Data {
    /// Whether the session has the longer lifetime.
    pub(crate) permanent: bool,
    /// What the application calls the session in the user's list.
    pub(crate) label: Option<Arc<str>>,
    /// An end of its own, earlier than the policy's.
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) values: Values,
}

/// Random bytes, drawn at creation and at every change of privilege; a rotation leaves them.
///
/// A request that opened the session under one epoch stores nothing under another. Not a secret:
/// tokens decide who may open a session.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Epoch([u8; 8]);

impl Epoch {
    pub(crate) fn random() -> Result<Self> {
        random::bytes().map(Self)
    }
}

/// What is kept of a token that a login or a renewal replaced: the answer that carries its
/// successor may be lost, and the browser then logs in with the old one again.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Kept {
    pub(crate) verifier: Verifier,
    /// Whether a login by the stored principal takes the session over. Else it ends it.
    pub(crate) adoptable: bool,
}

/// What is kept of a token that was rotated away, for the requests that still carry it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rotation {
    /// Tells the old token.
    pub(crate) verifier: Verifier,
    /// Leads from the old token to its successor.
    pub(crate) salt: [u8; 32],
    /// When the successor was first presented: its grace runs from there.
    pub(crate) presented_at: Option<Timestamp>,
}

/// The body up to the values, as postcard writes it. Field order is the format: a new field needs a
/// new format number.
#[derive(Deserialize, Serialize)]
struct Wire<'a> {
    created_at: u64,
    permanent: bool,
    #[serde(borrow)]
    principal: Option<&'a str>,
    authenticated_at: Option<u64>,
    #[serde(borrow)]
    label: Option<&'a str>,
    verifier: Verifier,
    token_at: u64,
    epoch: Epoch,
    kept: Option<Kept>,
    ends_at: Option<u64>,
    rotation: Option<WireRotation>,
}

#[derive(Deserialize, Serialize)]
struct WireRotation {
    verifier: Verifier,
    salt: [u8; 32],
    presented_at: Option<u64>,
}

impl Contents {
    /// Whether nothing is in the session that anyone could miss.
    pub(crate) fn is_empty(&self) -> bool {
        self.data.values.is_empty() && self.principal.is_none()
    }

    /// Nonce, ciphertext and tag; bound to `header`.
    pub(super) fn seal(
        &self,
        key: &SigningKey,
        header: [u8; super::header::EXPIRES_AT],
    ) -> Result<Bytes> {
        let wire = Wire {
            created_at: self.created_at.as_millis(),
            permanent: self.data.permanent,
            principal: self.principal.as_deref(),
            authenticated_at: self.authenticated_at.map(Timestamp::as_millis),
            label: self.data.label.as_deref(),
            verifier: self.verifier,
            token_at: self.token_at.as_millis(),
            epoch: self.epoch,
            kept: self.kept,
            ends_at: self.data.ends_at.map(Timestamp::as_millis),
            rotation: self.rotation.as_ref().map(|rotation| WireRotation {
                verifier: rotation.verifier,
                salt: rotation.salt,
                presented_at: rotation.presented_at.map(Timestamp::as_millis),
            }),
        };
        let failed = |message| Error::new(ErrorKind::Codec, "core", message);
        let nonce: [u8; NONCE_BYTES] = random::bytes()?;
        let mut sealed = Vec::with_capacity(256 + self.data.values.encoded_len());
        sealed.extend_from_slice(&nonce);
        let mut sealed = postcard::to_extend(&wire, sealed)
            .map_err(|error| failed("the session cannot be encoded").with_source(error))?;
        self.data.values.append_to(&mut sealed);
        let tag = key
            .seal(&nonce, &header, &mut sealed[NONCE_BYTES..])
            .ok_or_else(|| failed("the session is too large to be sealed"))?;
        sealed.extend_from_slice(&tag);
        // A cache keeps it, and counts what it needs.
        sealed.shrink_to_fit();
        Ok(sealed.into())
    }

    /// `None` if the body was not sealed by `key` for `header`: not a byte of it is parsed then.
    pub(super) fn open(
        key: &SigningKey,
        header: [u8; super::header::EXPIRES_AT],
        sealed: &[u8],
    ) -> Option<Self> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let (body, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
        let mut plain = body.to_vec();
        key.open(nonce, &header, &mut plain, tag)?;
        let (wire, values) = postcard::take_from_bytes::<Wire<'_>>(&plain).ok()?;
        Some(Self {
            created_at: Timestamp::from_millis(wire.created_at),
            principal: wire.principal.map(Arc::from),
            authenticated_at: wire.authenticated_at.map(Timestamp::from_millis),
            verifier: wire.verifier,
            token_at: Timestamp::from_millis(wire.token_at),
            epoch: wire.epoch,
            kept: wire.kept,
            rotation: wire.rotation.map(|rotation| Rotation {
                verifier: rotation.verifier,
                salt: rotation.salt,
                presented_at: rotation.presented_at.map(Timestamp::from_millis),
            }),
            data: Data {
                permanent: wire.permanent,
                label: wire.label.map(Arc::from),
                ends_at: wire.ends_at.map(Timestamp::from_millis),
                values: Values::read(values)?,
            },
        })
    }
}
