//! Sessions of a principal: listing, revoking.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::{
    Look, SessionHandle, SessionInfo, SessionInterface, Shared,
    candidates::{Candidates, Opened, Owner, PAGE},
    tally::Tally,
};
use crate::{
    Error, ErrorKind, Event, Reason, Removal, Result, SessionId,
    session::{MAX_CONFLICTS, contended},
};

/// Calls for single sessions that are under way at a time.
const AT_ONCE: usize = 32;
/// A principal's sessions are revoked again until a pass finds none.
const MAX_PASSES: usize = 10;

impl SessionInterface {
    /// All live sessions of `principal`, in no order.
    ///
    /// Complete: a session that is live for the whole duration of the call is in it; and exact:
    /// each was looked at in the store itself, past every cache. Sessions whose key is not in the
    /// ring of this server, or whose format is of a later release, cannot be read and are not in
    /// it: see [`KeyRing`](crate::KeyRing) for the order of a rotation.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`]: the manager cannot list. [`ErrorKind::Contended`]: sessions were
    /// sealed under other keys faster than they could be listed; try again. Else those of the
    /// store.
    pub async fn sessions_of(&self, principal: &str) -> Result<Vec<SessionInfo>> {
        let shared = self.shared();
        let now = shared.now();
        let found = shared.of_principal(principal, usize::MAX).await?;
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
    ///
    /// # Errors
    ///
    /// As [`sessions_of`](Self::sessions_of); the session may then still be alive.
    pub async fn revoke(&self, principal: &str, handle: &SessionHandle) -> Result<bool> {
        let shared = self.shared();
        let mut candidates = Candidates::of(shared, principal);
        while let Some(ids) = candidates.next().await? {
            if let Some(id) = ids.iter().find(|id| SessionHandle::of(id) == *handle) {
                return shared.revoke(id, &candidates.owner).await;
            }
        }
        Ok(false)
    }

    /// Ends all sessions of `principal`, but the one called `except`, and returns how many.
    ///
    /// For a changed password (with the session it was changed in as `except`) and for a closed
    /// account. A login that is stored while this runs may remain: change the password first.
    /// So may one that is sealed under a key this server does not have: see
    /// [`KeyRing`](crate::KeyRing).
    ///
    /// # Errors
    ///
    /// As [`sessions_of`](Self::sessions_of). [`ErrorKind::Unavailable`] if a session is found that
    /// this server cannot read: call it on one that can. [`ErrorKind::Contended`] if sessions were
    /// still found after ten passes: something logs in all the time. A session that cannot be ended
    /// keeps none of the others alive; the error comes at the end, with how many were ended and how
    /// many were not. Calling it again is right.
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.4.2 and 7.4.3.
    pub async fn revoke_all(&self, principal: &str, except: Option<&SessionHandle>) -> Result<u64> {
        let shared = self.shared();
        let mut tally = Tally::default();
        for _ in 0..MAX_PASSES {
            let before = tally.ended;
            let mut candidates = Candidates::of(shared, principal);
            loop {
                let ids = match candidates.next().await {
                    Ok(Some(ids)) => ids,
                    Ok(None) => break,
                    Err(error) => return tally.cut_short(error),
                };
                let owner = &candidates.owner;
                let meant = ids.into_iter().filter(|id| except != Some(&SessionHandle::of(id)));
                let mut answers = stream::iter(meant)
                    .map(|id| async move { shared.revoke(&id, owner).await })
                    .buffer_unordered(AT_ONCE);
                while let Some(answer) = answers.next().await {
                    tally.count(answer);
                }
            }
            if tally.first_error.is_some() || tally.ended == before {
                return tally.finish();
            }
        }
        tally.cut_short(Error::new(
            ErrorKind::Contended,
            "core",
            "the principal logs in faster than sessions are ended: stop the logins, then try again",
        ))
    }

    /// Ends every session in the store, of principals and of unknown visitors, and returns how
    /// many.
    ///
    /// No record is read, so a session ends whatever its key, its format or its state is. A session
    /// that begins while this runs may remain.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`]: the manager cannot list. A session that cannot be removed keeps none
    /// of the others alive: the error of the first comes at the end, with how many were ended and
    /// how many were not.
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.4.5.
    pub async fn revoke_everyone(&self) -> Result<u64> {
        let shared = self.shared();
        let mut tally = Tally::default();
        let mut cursor = None;
        loop {
            let page = match shared.store.scan(cursor.as_ref(), PAGE).await {
                Ok(page) => page,
                Err(error) => return tally.cut_short(error),
            };
            let mut answers = stream::iter(page.ids)
                .map(|id| async move {
                    let removal = shared.store.remove(&id, None).await;
                    shared.revoked(&id, removal)
                })
                .buffer_unordered(AT_ONCE);
            while let Some(answer) = answers.next().await {
                tally.count(answer);
            }
            let Some(next) = page.next else { return tally.finish() };
            cursor = Some(next);
        }
    }
}

impl Shared {
    /// The live sessions of `principal`, each looked at in the store; no more of them once there
    /// are `enough`.
    pub(crate) async fn of_principal(&self, principal: &str, enough: usize) -> Result<Vec<Opened>> {
        let mut candidates = Candidates::of(self, principal);
        // By ids: when keys are replaced meanwhile, what was looked at is looked at again.
        let mut found = HashMap::new();
        while let Some(ids) = candidates.next().await? {
            let mut looks = stream::iter(ids)
                .map(|id| async move { self.look_past_caches(&id).await })
                .buffer_unordered(AT_ONCE);
            while let Some(look) = looks.try_next().await? {
                if let Look::Live(record, contents) = look
                    && candidates.owner.owns(&record, &contents)
                {
                    found.insert(*record.id(), (record, contents));
                }
                if found.len() >= enough {
                    return Ok(found.into_values().collect());
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// Ends those of the sessions under `ids` that are of `principal`. What fails is reported by
    /// the events.
    pub(crate) async fn revoke_some(
        &self,
        ids: impl Iterator<Item = SessionId> + Send,
        principal: &str,
    ) {
        let owner = &Owner::of(&self.keys.load(), principal);
        stream::iter(ids)
            .map(|id| async move { self.revoke(&id, owner).await })
            .buffer_unordered(AT_ONCE)
            .for_each(|_| std::future::ready(()))
            .await;
    }

    /// Ends the session under `id` if it is one of `owner`.
    async fn revoke(&self, id: &SessionId, owner: &Owner<'_>) -> Result<bool> {
        for _ in 0..MAX_CONFLICTS {
            let record = match self.look_past_caches(id).await? {
                Look::Live(record, contents) if owner.owns(&record, &contents) => record,
                // Another server may read it, and let its visitor in.
                Look::Unreadable(Reason::UnknownKey | Reason::Unsupported) => {
                    return Err(self.unreadable(id));
                }
                Look::Live(..) | Look::Nothing | Look::Unreadable(_) => return Ok(false),
            };
            let removal = self.store.remove(id, Some(record.version())).await;
            if !matches!(removal, Ok(Removal::Conflict)) {
                return self.revoked(id, removal);
            }
        }
        Err(self.failed(contended(), id))
    }

    /// Whether the session under `id` was ended by a removal that was answered so.
    fn revoked(&self, id: &SessionId, removal: Result<Removal>) -> Result<bool> {
        let ended = removal.map_err(|error| self.failed(error, id))? == Removal::Removed;
        if ended {
            self.events.tell(Event::Revoked, Some(id));
        }
        Ok(ended)
    }
}
