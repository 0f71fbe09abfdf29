//! Sessions of a principal: binding, listing, revoking.

use std::{collections::HashSet, fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use super::{Look, SessionInterface, Shared};
use crate::{
    Event, PrincipalTag, Record, Removal, Result, SessionId, Timestamp,
    record::Contents,
    session::{MAX_CONFLICTS, contended},
};

/// Ids fetched with one call.
const PAGE: usize = 100;
/// Lists of a principal's sessions are gone through again until one finds nothing left to revoke.
const MAX_PASSES: usize = 10;

/// Names a session in lists: to be shown, sent and put into URLs.
///
/// Derived from the sid by a one-way function: it is no cookie, no part of one, and no file or key
/// name (CVE-2020-5224 is about one that was). Revoking by it needs the principal it belongs to.
///
/// # Form and units
///
/// 22 characters of `[0-9a-zA-Z_-]`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SessionHandle([u8; 16]);

impl SessionHandle {
    pub(crate) fn of(id: &SessionId) -> Self {
        let hash = Sha256::new()
            .chain_update(b"session-core v1 handle")
            .chain_update(id.as_bytes())
            .finalize();
        let mut handle = [0; 16];
        handle.copy_from_slice(&hash[..16]);
        Self(handle)
    }

    /// Reads what `Display` wrote; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl Serialize for SessionHandle {
    /// As `Display` writes it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionHandle {
    /// As [`parse`](Self::parse) reads it: from a path or a form, say.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("this is no handle of a session"))
    }
}

/// One session in its owner's list. Serialised for the owner to see: it names nothing that logs in.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct SessionInfo {
    /// What to revoke it by.
    pub handle: SessionHandle,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When it was last used, to within a tenth of the idle timeout.
    pub last_seen_at: Timestamp,
    /// When its principal was bound last.
    pub authenticated_at: Option<Timestamp>,
    /// When it ends if it is not used again.
    pub expires_at: Timestamp,
    /// When it ends, however busy it is.
    pub deadline: Timestamp,
    /// Whether it has the longer lifetime.
    pub permanent: bool,
    /// What the application called it.
    pub label: Option<Arc<str>>,
}

impl fmt::Debug for SessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInfo").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl SessionInterface {
    /// All live sessions of `principal`, in no order.
    ///
    /// Complete: a session that is live for the whole duration of the call is in it; and exact:
    /// each was looked at.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`]: the manager cannot list. Else those of the store.
    pub async fn sessions_of(&self, principal: &str) -> Result<Vec<SessionInfo>> {
        let shared = self.shared();
        let now = shared.now();
        let found = shared.of_principal(principal).await?;
        Ok(found
            .into_iter()
            .map(|(record, contents)| SessionInfo {
                handle: SessionHandle::of(record.id()),
                created_at: contents.created_at,
                last_seen_at: shared.policy.last_seen(&record, &contents, now),
                authenticated_at: contents.authenticated_at,
                expires_at: record.expires_at(),
                deadline: record.deadline(),
                permanent: contents.data.permanent,
                label: contents.data.label.clone(),
            })
            .collect())
    }

    /// Ends the session of `principal` that is called `handle`; `false` if they have none of that
    /// name, whoever else does.
    ///
    /// When this has returned, nothing brings the session back.
    pub async fn revoke(&self, principal: &str, handle: &SessionHandle) -> Result<bool> {
        let shared = self.shared();
        for (record, _) in shared.of_principal(principal).await? {
            if SessionHandle::of(record.id()) == *handle {
                return shared.revoke(record.id(), principal).await;
            }
        }
        Ok(false)
    }

    /// Ends all sessions of `principal`, but the one called `except`; tells how many.
    ///
    /// For a changed password (with the session it was changed in as `except`) and for a closed
    /// account. A login that is stored while this runs may remain: change the password first.
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.4.2 and 7.4.3.
    pub async fn revoke_all(&self, principal: &str, except: Option<&SessionHandle>) -> Result<u64> {
        let shared = self.shared();
        let mut revoked = 0;
        for _ in 0..MAX_PASSES {
            let mut found = false;
            for (record, _) in shared.of_principal(principal).await? {
                if except != Some(&SessionHandle::of(record.id())) {
                    found = true;
                    revoked += u64::from(shared.revoke(record.id(), principal).await?);
                }
            }
            if !found {
                break;
            }
        }
        Ok(revoked)
    }

    /// Ends every session in the store, of principals and of unknown visitors; tells how many.
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.4.5.
    pub async fn revoke_everyone(&self) -> Result<u64> {
        let shared = self.shared();
        let mut revoked = 0;
        let mut cursor = None;
        loop {
            let page = shared.store.scan(cursor.as_ref(), PAGE).await?;
            for id in page.ids {
                if shared.store.remove(&id, None).await? == Removal::Removed {
                    shared.events.tell(Event::Revoked, Some(&id));
                    revoked += 1;
                }
            }
            let Some(next) = page.next else { return Ok(revoked) };
            cursor = Some(next);
        }
    }
}

impl Shared {
    /// The live sessions of `principal`, found under the tags of all keys and looked at one by one.
    pub(crate) async fn of_principal(
        &self,
        principal: &str,
    ) -> Result<Vec<(Arc<Record>, Arc<Contents>)>> {
        let tags: Vec<PrincipalTag> = self.keys.load().principal_tags(principal).collect();
        let mut ids = HashSet::new();
        for tag in &tags {
            let mut cursor = None;
            loop {
                let page = self.store.by_principal(tag, cursor.as_ref(), PAGE).await?;
                ids.extend(page.ids);
                let Some(next) = page.next else { break };
                cursor = Some(next);
            }
        }
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            if let Look::Live(record, contents) = self.look_past_caches(&id).await?
                && contents.principal.as_deref() == Some(principal)
                && record.principal_tag().is_some_and(|tag| tags.contains(&tag))
            {
                found.push((record, contents));
            }
        }
        Ok(found)
    }

    pub(crate) async fn revoke(&self, id: &SessionId, principal: &str) -> Result<bool> {
        let is_meant = |contents: &Contents| contents.principal.as_deref() == Some(principal);
        let revoked = self.remove_if(id, is_meant).await?;
        if revoked {
            self.events.tell(Event::Revoked, Some(id));
        }
        Ok(revoked)
    }

    /// Removes the session under `id` as long as `is_meant` says so of its newest contents.
    async fn remove_if(
        &self,
        id: &SessionId,
        is_meant: impl Fn(&Contents) -> bool,
    ) -> Result<bool> {
        for _ in 0..MAX_CONFLICTS {
            let (record, contents) = match self.look_past_caches(id).await? {
                Look::Live(record, contents) => (record, contents),
                Look::Nothing | Look::Unreadable(_) => return Ok(false),
            };
            if !is_meant(&contents) {
                return Ok(false);
            }
            match self.store.remove(id, Some(record.version())).await {
                Ok(Removal::Removed) => return Ok(true),
                Ok(Removal::Gone) => return Ok(false),
                Ok(Removal::Conflict) => {}
                Err(error) => return Err(self.failed(error, id)),
            }
        }
        Err(self.failed(contended(), id))
    }
}
