//! A manager around a manager, for tests that look at its calls, or break them.

use std::{fmt::Debug, ops::Deref, sync::Arc};

use async_trait::async_trait;
use session_core::{
    Cursor, Error, ErrorKind, Expect, ForgetSessions, ListSessions, Outcome, Page, PrincipalTag,
    Probe, ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionManager,
    SweepSessions, Timestamp, Version, WatchSessions,
};

/// A verb that was called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "tests tell them apart")]
pub enum Verb {
    /// [`SessionManager::exists`].
    Exists,
    /// [`SessionManager::get`].
    Get,
    /// [`SessionManager::put`].
    Put,
    /// [`SessionManager::touch`].
    Touch,
    /// [`SessionManager::remove`].
    Remove,
    /// [`ProbeVersions::probe`].
    Probe,
    /// [`ListSessions::by_principal`].
    List,
    /// [`ListSessions::scan`].
    Scan,
}

impl Verb {
    /// Whether it changes the store.
    pub fn writes(self) -> bool {
        matches!(self, Self::Put | Self::Touch | Self::Remove)
    }
}

/// What happens around the calls of a manager. Whatever is not overridden changes nothing.
#[async_trait]
pub trait Hooks: Debug + Send + Sync + 'static {
    /// The manager that does the work.
    fn parent(&self) -> &dyn SessionManager;

    /// Runs before a call. An error is the answer, and the parent is not called.
    async fn before(&self, verb: Verb) -> Result<()> {
        let _ = verb;
        Ok(())
    }

    /// Runs after a call that the parent answered. An error replaces its answer.
    async fn after(&self, verb: Verb) -> Result<()> {
        let _ = verb;
        Ok(())
    }

    /// What a get is answered with in place of the parent's answer.
    fn found(&self) -> Option<Arc<Record>> {
        None
    }

    /// What a put is answered with without a call of the parent.
    fn outcome(&self) -> Option<Outcome> {
        None
    }

    /// Whether it hands out what it has without a call.
    fn recalls(&self) -> bool {
        false
    }
}

/// A manager with hooks. Its abilities are those of the parent.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "tests make one and look inside")]
pub struct Hooked<H>(pub H);

impl<H> Deref for Hooked<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.0
    }
}

impl<H: Hooks> Hooked<H> {
    async fn around<T>(&self, verb: Verb, call: impl Future<Output = Result<T>> + Send) -> Result<T>
    where
        T: Send,
    {
        self.0.before(verb).await?;
        let answer = call.await?;
        self.0.after(verb).await?;
        Ok(answer)
    }
}

#[async_trait]
impl<H: Hooks> SessionManager for Hooked<H> {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.around(Verb::Exists, self.0.parent().exists(id)).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let found = self.around(Verb::Get, self.0.parent().get(id)).await?;
        Ok(self.0.found().or(found))
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        let call = async {
            match self.0.outcome() {
                Some(outcome) => Ok(outcome),
                None => self.0.parent().put(record, expect).await,
            }
        };
        self.around(Verb::Put, call).await
    }

    async fn touch(&self, id: &SessionId, version: Version, at: Timestamp) -> Result<Outcome> {
        self.around(Verb::Touch, self.0.parent().touch(id, version, at)).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.around(Verb::Remove, self.0.parent().remove(id, only)).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        self.0.parent().sweeping()
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        self.0.parent().listing().map(|_| self as _)
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        self.0.parent().probing().map(|_| self as _)
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        self.0.parent().watching()
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        if self.0.recalls() { self.0.parent().recalling() } else { None }
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        self.0.parent().forgetting()
    }
}

fn unable() -> Error {
    Error::new(ErrorKind::Config, "testkit", "the parent has no such ability")
}

#[async_trait]
impl<H: Hooks> ListSessions for Hooked<H> {
    async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        let parent = self.0.parent().listing().ok_or_else(unable)?;
        self.around(Verb::List, parent.by_principal(tag, cursor, limit)).await
    }

    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        let parent = self.0.parent().listing().ok_or_else(unable)?;
        self.around(Verb::Scan, parent.scan(cursor, limit)).await
    }
}

#[async_trait]
impl<H: Hooks> ProbeVersions for Hooked<H> {
    async fn probe(&self, id: &SessionId) -> Result<Option<Probe>> {
        let parent = self.0.parent().probing().ok_or_else(unable)?;
        self.around(Verb::Probe, parent.probe(id)).await
    }
}
