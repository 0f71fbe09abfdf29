//! A store whose calls wait for each other, for requests at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use async_trait::async_trait;
use session_core::{
    MemorySessionManager, Result, SessionInterface, SessionInterfaceBuilder, SessionManager,
};
use testkit::{Hooked, Hooks, Verb};

use crate::world::World;

/// Opens for good when enough have come to it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    awaited: AtomicUsize,
}

impl Gate {
    /// Closes until `comers` have come.
    pub(crate) fn close(&self, comers: usize) {
        self.awaited.store(comers, Ordering::SeqCst);
    }

    /// Comes, and does not wait.
    pub(crate) fn come(&self) {
        let less = |awaited: usize| Some(awaited.saturating_sub(1));
        let _ = self.awaited.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    }

    async fn pass(&self) {
        self.come();
        std::future::poll_fn(|_| {
            if self.awaited.load(Ordering::SeqCst) == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

pub(crate) type Gated = Hooked<Gates>;

#[derive(Clone, Debug)]
pub(crate) struct Gates {
    store: MemorySessionManager,
    /// Puts wait here before they are answered.
    pub(crate) puts: Arc<Gate>,
    /// Lists of a principal's sessions wait here before they are answered.
    pub(crate) lists: Arc<Gate>,
}

/// A server on the store of the world, with gates that are open.
pub(crate) fn gated(
    settings: impl FnOnce(SessionInterfaceBuilder) -> SessionInterfaceBuilder,
) -> (World, Gated, SessionInterface) {
    let world = World::new();
    let store = world.store.clone();
    let manager = Hooked(Gates { store, puts: Arc::default(), lists: Arc::default() });
    let server = world.on(manager.clone(), settings);
    (world, manager, server)
}

#[async_trait]
impl Hooks for Gates {
    fn parent(&self) -> &dyn SessionManager {
        &self.store
    }

    async fn after(&self, verb: Verb) -> Result<()> {
        match verb {
            Verb::Put => self.puts.pass().await,
            Verb::List => self.lists.pass().await,
            _ => {}
        }
        Ok(())
    }
}
