//! Sessions of a principal: binding, listing, revoking.

use std::{collections::HashSet, fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use super::{MaxSessions, Purpose, SessionInterface, Shared};
use crate::{
    Error, ErrorKind, Event, ListSessions, ManagedSession, PrincipalTag, Record, Result, Saved,
    SessionId, Timestamp, record::Contents,
};

/// Ids fetched with one call.
const PAGE: usize = 100;
/// Lists of a principal's sessions are gone through again until one finds nothing left to revoke.
const MAX_PASSES: usize = 10;

/// A name, not a document.
const MAX_PRINCIPAL_BYTES: usize = 1024;

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

impl ManagedSession {
    /// Gives the session to `principal`: a login. Stored, with everything pending, when it returns.
    ///
    /// One write binds the principal, replaces the token and starts the absolute lifetime anew, so
    /// there is no login that forgets to renew: the token from before is dead, and nothing of
    /// requests that came with it flows into the session any more. Values put in before stay (a
    /// cart), unless the session belonged to another principal: those are cleared.
    ///
    /// Also for logging in again, as step-up: [`authenticated_at`](Self::authenticated_at) becomes
    /// now.
    ///
    /// # Form and units
    ///
    /// `principal` is the application's name for the user, best one that never changes: 1 to 1,024
    /// bytes. It is stored sealed; the store sees a [tag](PrincipalTag).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooManySessions`]: by the limit of [`MaxSessions::Refuse`].
    /// [`ErrorKind::Gone`]: the session ended, or somebody logged in with it, meanwhile.
    /// [`ErrorKind::Finished`]: the head of the response has left and no cookie can be sent.
    /// [`ErrorKind::Config`]: a name of no bytes or of more than 1,024. Else as
    /// [`save`](Self::save).
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.2.4; NIST SP 800-63B-4, section 5.1.
    pub async fn bind(&self, principal: &str) -> Result<()> {
        if principal.is_empty() || principal.len() > MAX_PRINCIPAL_BYTES {
            return Err(Error::config(format!(
                "the name of a principal has {} bytes: give it 1 to {MAX_PRINCIPAL_BYTES}",
                principal.len()
            )));
        }
        self.check_head()?;
        let interface = self.interface();
        let shared = interface.shared();
        let own = self.lock().base.as_ref().map(|base| *base.id());
        if let MaxSessions::Refuse(max) = shared.policy.max_sessions {
            let others = shared.of_principal(principal).await?;
            if others.iter().filter(|(record, _)| Some(*record.id()) != own).count() >= max {
                return Err(Error::new(
                    ErrorKind::TooManySessions,
                    "core",
                    "the principal has as many sessions as are allowed",
                ));
            }
        }
        let saved = self.commit(Purpose::Bind(principal), &mut |_| Ok(())).await?;
        if saved == Saved::Gone {
            return Err(Error::gone());
        }
        if let MaxSessions::EndOldest(max) = shared.policy.max_sessions {
            let own = self.lock().base.as_ref().map(|base| age(base.id(), &base.contents));
            // The login is stored: what cannot be ended now is told by the events, and is ended by
            // the next login.
            let Ok(sessions) = shared.of_principal(principal).await else { return Ok(()) };
            let mut ages: Vec<_> =
                sessions.iter().map(|(record, contents)| age(record.id(), contents)).collect();
            ages.sort_unstable();
            let surplus = ages.len().saturating_sub(max);
            // None that is newer: of two logins at once, each would end the other.
            for (_, id) in ages.iter().take(surplus).take_while(|age| Some(**age) < own) {
                let _ = shared.revoke(id, principal).await;
            }
        }
        Ok(())
    }
}

/// Sorts sessions by their logins, those of the same moment in the same way for everyone.
fn age(id: &SessionId, contents: &Contents) -> (Option<Timestamp>, SessionId) {
    (contents.authenticated_at, *id)
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
        let listing = shared.listing()?;
        let mut revoked = 0;
        let mut cursor = None;
        loop {
            let page = listing.scan(cursor.as_ref(), PAGE).await?;
            for id in page.ids {
                if shared.manager.remove(&id, None).await? == crate::Removal::Removed {
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
    fn listing(&self) -> Result<&dyn ListSessions> {
        self.manager.listing().ok_or_else(|| {
            Error::config("the manager cannot list sessions: take a backend that can")
        })
    }

    /// The live sessions of `principal`, found under the tags of all keys and looked at one by one.
    async fn of_principal(&self, principal: &str) -> Result<Vec<(Arc<Record>, Arc<Contents>)>> {
        let listing = self.listing()?;
        let tags: Vec<PrincipalTag> = self.keys.load().principal_tags(principal).collect();
        let mut ids = HashSet::new();
        for tag in &tags {
            let mut cursor = None;
            loop {
                let page = listing.by_principal(tag, cursor.as_ref(), PAGE).await?;
                ids.extend(page.ids);
                let Some(next) = page.next else { break };
                cursor = Some(next);
            }
        }
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some((record, contents)) = self.look(&id).await?
                && contents.principal.as_deref() == Some(principal)
                && record.principal_tag().is_some_and(|tag| tags.contains(&tag))
            {
                found.push((record, contents));
            }
        }
        Ok(found)
    }

    async fn revoke(&self, id: &SessionId, principal: &str) -> Result<bool> {
        let is_meant = |contents: &Contents| contents.principal.as_deref() == Some(principal);
        let revoked = self.remove_if(id, is_meant).await?;
        if revoked {
            self.events.tell(Event::Revoked, Some(id));
        }
        Ok(revoked)
    }
}
