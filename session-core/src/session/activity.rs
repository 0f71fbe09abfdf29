//! Long requests and connections: is the session alive, and keeping it so.

use std::time::Duration;

use super::{Life, MAX_CONFLICTS, contended, plan::Purpose};
use crate::{Error, ManagedSession, Outcome, Result, interface::Look, timer};

/// How often a store that reports no changes is asked whether a session has ended.
const ASKED: Duration = Duration::from_secs(10);
/// How often one that does is asked all the same.
const WATCHED: Duration = Duration::from_secs(600);

impl ManagedSession {
    /// Whether the session, as this request holds it, is still alive in the store: for long
    /// connections to ask now and then.
    ///
    /// A session of which nothing is stored yet is not alive. A rotated token does not end it.
    /// Asks the manager, so behind a cache the answer is as new as the cache promises.
    pub async fn is_live(&self) -> Result<bool> {
        let Life::Known(known) = self.lock().life().clone() else { return Ok(false) };
        let found = self.interface().shared().look(known.loaded.id()).await?;
        Ok(
            matches!(found, Look::Live(_, contents) if contents.epoch == known.loaded.contents.epoch),
        )
    }

    /// Waits until the session has ended: for web sockets and streams that should close then,
    /// beside whatever else they wait for.
    ///
    /// Where the store reports changes ([`WatchSessions`](crate::WatchSessions)), returns when it
    /// reports the end; else the store is asked every ten seconds. Reads past caches.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config): the interface has no
    /// [`timer`](crate::SessionInterfaceBuilder::timer). An outage of the store is waited out.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time.
    pub async fn ended(&self) -> Result<()> {
        let shared = self.interface().shared();
        let Life::Known(known) = self.lock().life().clone() else { return Ok(()) };
        let (id, epoch) = (*known.loaded.id(), known.loaded.contents.epoch);
        let Some(timer) = shared.store.timer.as_deref() else {
            return Err(Error::config(
                "to wait for the end of a session takes a timer: give the interface one",
            ));
        };
        let changes = shared.endings.changes(&*shared.store.manager, id);
        loop {
            let pause = match shared.look_past_caches(&id).await {
                Ok(Look::Live(record, contents)) if contents.epoch == epoch => {
                    let left = record.expires_at().saturating_since(shared.now());
                    left.min(if changes.is_some() { WATCHED } else { ASKED })
                }
                Ok(_) => return Ok(()),
                Err(_) => ASKED,
            };
            let notified = async {
                match &changes {
                    Some(changes) => changes.next().await,
                    None => std::future::pending().await,
                }
            };
            timer::within(Some(timer), pause, notified).await;
        }
    }

    /// Keeps the session alive: counts as activity, as a request does.
    ///
    /// For web sockets and streams, as often as you like: the store is asked once a tenth of the
    /// idle timeout has passed since the last use that was written. Never moves the end past the
    /// absolute deadline, and never revives what is over. Nothing happens while nothing of the
    /// session is stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone): the session ended: close the connection.
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable): not known; try again.
    pub async fn touch(&self) -> Result<()> {
        let shared = self.interface().shared();
        let loaded = match self.lock().life() {
            Life::Unknown(_) => return Ok(()),
            Life::Known(known) => known.loaded.clone(),
            Life::Ended(_) | Life::Ending(_) => return Err(Error::gone()),
        };
        let id = *loaded.id();
        let now = shared.now();
        if shared.policy.is_over(&loaded.record, &loaded.contents, now) {
            return Err(Error::gone());
        }
        let Some(expires_at) = shared.policy.touch_due(&loaded.record, &loaded.contents, now)
        else {
            return Ok(());
        };
        let mut version = loaded.version();
        for _ in 0..MAX_CONFLICTS {
            match shared.store.touch(&id, version, expires_at).await {
                Ok(Outcome::Stored) => {
                    let mut state = self.lock();
                    state.touched(loaded.version(), expires_at);
                    return Ok(());
                }
                Ok(Outcome::Conflict) => match shared.look_past_caches(&id).await? {
                    // The snapshot of the handler stays: only the deadline is of interest.
                    Look::Live(record, contents) if contents.epoch == loaded.contents.epoch => {
                        version = record.version();
                    }
                    Look::Unreadable(_) => return Err(shared.unreadable(&id)),
                    Look::Live(..) | Look::Nothing => break,
                },
                Ok(Outcome::Gone) => break,
                Err(error) => return Err(shared.failed(error, &id)),
            }
        }
        self.lock().lost(false);
        Err(Error::gone())
    }

    /// How long until half of the idle timeout is left: when an adapter calls
    /// [`touch`](Self::touch) for a request that is still under way. `None` if nothing is stored.
    pub fn until_touch(&self) -> Option<Duration> {
        let state = self.lock();
        let Life::Known(known) = state.life() else { return None };
        let shared = self.interface().shared();
        let half = shared.policy.idle_of(known.loaded.contents.data.permanent) / 2;
        let at = known.loaded.record.expires_at().saturating_sub(half);
        Some(at.saturating_since(shared.now()))
    }

    /// Reads the session again: what other requests stored since is seen here, with the changes of
    /// this one on top.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone): the session ended, or its token was replaced
    /// by a login. [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable): the store could not
    /// be asked; nothing changed here.
    pub async fn reload(&self) -> Result<()> {
        let shared = self.interface().shared();
        let Some(_saving) = shared.store.within(self.saving().lock()).await else {
            return Err(contended());
        };
        let id = match self.lock().life() {
            Life::Known(known) => *known.loaded.id(),
            Life::Ended(_) => return Err(Error::gone()),
            Life::Unknown(_) | Life::Ending(_) => return Ok(()),
        };
        self.look_again(&id, Purpose::Save).await?;
        if self.lock().is_ended() { Err(Error::gone()) } else { Ok(()) }
    }
}
