//! The trait of each version of actix-session, over what they have in common.
//!
//! A version whose state is of another type gets a macro, or an implementation, of its own beside
//! these: [`ManagerStore`] takes any state.

use std::{collections::HashMap, time::Duration};

use session_core::{Error, ErrorKind};

use crate::{ManagerStore, store::state_of};

/// What actix-session keeps: JSON under names.
type State = HashMap<String, String>;
type Ttl = actix_web::cookie::time::Duration;

/// Less than nothing is nothing, which the interface refuses.
fn duration(ttl: &Ttl) -> Duration {
    Duration::try_from(*ttl).unwrap_or_default()
}

/// It is far below the limit of actix-session, 4064 bytes.
fn key_of<K: TryFrom<String>>(value: String) -> Result<K, Error> {
    value.try_into().map_err(|_| {
        Error::new(ErrorKind::Config, "actix-session", "the session key is too long for a cookie")
    })
}

macro_rules! keeps_strings {
    ($version:ident) => {
        use $version::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};

        use super::*;

        impl SessionStore for ManagerStore {
            async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
                let session = self.find(key.as_ref()).await;
                let session = session.map_err(|error| LoadError::Other(error.into()))?;
                state_of(&session).map_err(|error| LoadError::Deserialization(error.into()))
            }

            async fn save(&self, state: State, ttl: &Ttl) -> Result<SessionKey, SaveError> {
                let saved = self.create(&state, duration(ttl)).await.and_then(key_of);
                saved.map_err(|error| SaveError::Other(error.into()))
            }

            async fn update(
                &self,
                key: SessionKey,
                state: State,
                ttl: &Ttl,
            ) -> Result<SessionKey, UpdateError> {
                let replaced = self.replace(key.as_ref(), &state, duration(ttl)).await;
                let updated = replaced.and_then(|new| new.map_or(Ok(key), key_of));
                updated.map_err(|error| UpdateError::Other(error.into()))
            }

            async fn update_ttl(&self, key: &SessionKey, ttl: &Ttl) -> anyhow::Result<()> {
                Ok(self.extend(key.as_ref(), duration(ttl)).await?)
            }

            async fn delete(&self, key: &SessionKey) -> anyhow::Result<()> {
                Ok(self.end(key.as_ref()).await?)
            }
        }
    };
}

#[cfg(feature = "v0_10")]
mod v0_10 {
    keeps_strings!(actix_session_0_10);
}

#[cfg(feature = "v0_11")]
mod v0_11 {
    keeps_strings!(actix_session);
}
