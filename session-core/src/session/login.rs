//! Changes of privilege: login, logout, renewal, the end.

use super::{Life, Purpose, State, plan::unreadable, writing::check_open};
use crate::{
    Error, ErrorKind, ManagedSession, MaxSessions, Result, SessionId, Timestamp, record::Contents,
};

/// A name, not a document.
const MAX_PRINCIPAL_BYTES: usize = 1024;
/// Sessions beyond the limit that one login looks at, and ends.
const SURPLUS: usize = 100;

impl ManagedSession {
    /// Gives the session to `principal`: a login. Stored, with everything pending, when it returns.
    ///
    /// One write binds the principal, replaces the token and starts the absolute lifetime again, so
    /// no login forgets to renew: the token from before is dead, and nothing of requests that came
    /// with it flows into the session any more. Values put in before stay (a cart), unless the
    /// session belonged to another principal: those are cleared, and what this request put in
    /// stays.
    ///
    /// Also for logging in again, as step-up: [`authenticated_at`](Self::authenticated_at) becomes
    /// now.
    ///
    /// # When the answer of a login is lost
    ///
    /// A browser that never received the new token comes with the old one again. For 60 seconds,
    /// and until the new token was presented, a login of the same principal with the old one takes
    /// the session over, with what is in it, and the lost token is dead. Any other login with it
    /// ends the session and begins a clean one. With the old token alone, nothing is read and
    /// nothing is written.
    ///
    /// A visitor with cookies of several live sessions, one of which may be planted, leaves all of
    /// them: they end, and a clean session begins.
    ///
    /// # Form and units
    ///
    /// `principal` is the application's name for the user, best one that never changes: 1 to 1,024
    /// bytes. It is stored sealed; the store sees a [tag](crate::PrincipalTag).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooManySessions`]: by the limit of [`MaxSessions::Refuse`].
    /// [`ErrorKind::Gone`]: the session ended, or another request logged in with it, meanwhile.
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
        let shared = self.interface().shared();
        let own = self.lock().id();
        if let MaxSessions::Refuse(max) = shared.policy.max_sessions {
            // The session itself may be among them.
            let others = shared.of_principal(principal, max.saturating_add(1)).await?;
            if others.iter().filter(|(record, _)| Some(*record.id()) != own).count() >= max {
                return Err(Error::new(
                    ErrorKind::TooManySessions,
                    "core",
                    "the principal has as many sessions as are allowed",
                ));
            }
        }
        self.commit(Purpose::Login(principal), None).await?;
        if let MaxSessions::EndOldest(max) = shared.policy.max_sessions {
            let own = self.lock().loaded().map(|loaded| age(loaded.id(), &loaded.contents));
            // The login is stored: what cannot be ended now is reported by the events, and is ended
            // by the next login.
            let looked_at = max.saturating_add(SURPLUS);
            let Ok(sessions) = shared.of_principal(principal, looked_at).await else {
                return Ok(());
            };
            let mut ages: Vec<_> =
                sessions.iter().map(|(record, contents)| age(record.id(), contents)).collect();
            ages.extend(own.filter(|own| !ages.contains(own)));
            ages.sort_unstable();
            // Of however many there are, these are not among the newest `max`.
            let surplus = ages.len().saturating_sub(max);
            // None that is newer: of two logins at once, each would end the other.
            let older = ages.into_iter().take(surplus).take_while(|age| Some(*age) < own);
            shared.revoke_some(older.map(|(_, id)| id), principal).await;
        }
        Ok(())
    }

    /// Takes the session from its principal: a logout that keeps something. Stored when it returns.
    ///
    /// The token is replaced, the values under the keys in `keep` stay (a language, a cart), all
    /// others go, with label and lifetime: it begins again. Without anything to keep,
    /// [`destroy`](Self::destroy) it. Nothing happens while nothing of the session is stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Gone`]: the session ended, or its token was replaced, meanwhile.
    /// [`ErrorKind::Finished`]: the head of the response has left and no cookie can be sent. Else
    /// as [`save`](Self::save).
    pub async fn unbind(&self, keep: &[&str]) -> Result<()> {
        self.check_head()?;
        if matches!(self.lock().life(), Life::Unknown(_)) {
            return Ok(());
        }
        self.commit(Purpose::Logout(keep), None).await.map(|_| ())
    }

    /// Asks for a new token at the next save: the old one is dead from then on, with no grace, also
    /// for requests under way.
    ///
    /// For every change of privilege that is not a [`bind`](Self::bind), which renews by itself.
    /// The record, its id and its values stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left, and
    /// no cookie can be sent.
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.2.4; OWASP Session Management Cheat Sheet, "Renew the Session ID After Any
    /// Privilege Level Change".
    pub fn renew(&self) -> Result<()> {
        self.check_head()?;
        self.lock().renew();
        Ok(())
    }

    /// Ends the session at the next save: all it holds is gone, here at once and in the store then.
    ///
    /// What is put in afterwards belongs to a new session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left; use
    /// [`destroy`](Self::destroy). [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable): it is
    /// stored, and this server cannot read it.
    pub fn purge(&self) -> Result<()> {
        let mut state = self.lock();
        check_open(&state)?;
        end(&mut state)
    }

    /// Ends the session now: when this has returned, its token is refused everywhere, and nothing
    /// that is under way brings it back. Of a visitor with cookies of several live sessions, all
    /// end.
    ///
    /// Returns the same if the session had ended already, or if its token was replaced meanwhile: a
    /// request with the token from before a login has no power over the session after it.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save); the session may then still be alive.
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) also where it is stored and this
    /// server cannot read it: try again on one that can.
    pub async fn destroy(&self) -> Result<()> {
        end(&mut self.lock())?;
        self.commit(Purpose::Save, None).await.map(|_| ())
    }

    /// Ends all sessions of this session's principal, this one too: "log out everywhere". Returns
    /// how many. The browser is sent a removal of its cookie.
    ///
    /// # Errors
    ///
    /// As [`SessionInterface::revoke_all`](crate::SessionInterface::revoke_all) and
    /// [`destroy`](Self::destroy).
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.4.2 and 7.4.3.
    pub async fn revoke_all(&self) -> Result<u64> {
        let own = self.handle();
        let revoked = match self.principal() {
            Some(principal) => self.interface().revoke_all(&principal, own.as_ref()).await?,
            None => 0,
        };
        self.destroy().await?;
        Ok(revoked + u64::from(own.is_some()))
    }
}

/// What cannot be read cannot be told from another visitor's session, and is not ended.
fn end(state: &mut State) -> Result<()> {
    if matches!(state.life(), Life::Unknown(unknown) if unknown.unreadable.is_some()) {
        return Err(unreadable());
    }
    state.end();
    Ok(())
}

/// Sorts sessions by their logins, those of the same moment in the same way for everyone.
fn age(id: &SessionId, contents: &Contents) -> (Option<Timestamp>, SessionId) {
    (contents.authenticated_at, *id)
}
