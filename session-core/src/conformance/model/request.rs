//! One request to the model: what it has seen, and what it wants.

use std::collections::BTreeMap;

use super::{
    model::{Token, Values},
    stored::Stored,
};

/// What became of a save.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Saved {
    Unchanged,
    Stored,
    Gone,
    Refused,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// When it arrived.
    pub(super) arrived: u64,
    pub(super) life: Life,
    pub(super) changes: Changes,
    pub(super) renew: bool,
    pub(super) due: Due,
}

#[derive(Clone, Debug)]
pub(super) enum Life {
    Unknown {
        /// Its token was replaced around the time it arrived.
        is_overtaken: bool,
        /// The session and the token it came with, which was replaced a moment ago; and whether a
        /// login may take it over.
        claim: Option<(usize, Token, bool)>,
    },
    Known(Base),
    Ended {
        last: Base,
        is_overtaken: bool,
    },
    /// The handler asked for the end of this one; what follows is for a new session.
    Ending(Base),
}

#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) session: usize,
    pub(super) seen: Stored,
    /// The token the request came with; `None` if the session began in it.
    pub(super) came_with: Option<Token>,
    /// It is still the session's token, as far as is known.
    pub(super) is_current: bool,
}

/// Of each key, what becomes of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    is_cleared: bool,
    values: BTreeMap<u8, Option<u32>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Set(u8, u32),
    Remove(u8),
    Clear,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Save,
    Finish,
    Bind(u8),
    /// Only the value under this key stays.
    Unbind(u8),
    Update(u8),
    /// An update that stops at a bound, where it changes nothing.
    UpdateUpTo(u8),
    /// An update that refuses beyond a bound.
    TryUpdate(u8),
    Take(u8),
}

/// A number that is not exceeded by `UpdateUpTo` and `TryUpdate`.
pub(super) const BOUND: u32 = 2;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Cookie {
    #[default]
    Keep,
    Set(Token),
    Remove,
}

/// Which cookie the response needs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Due {
    #[default]
    Keep,
    Remove,
    /// Of a session that began in this request.
    Begun,
    Changed,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        !self.is_cleared && self.values.is_empty()
    }

    pub(super) fn removes(&self) -> bool {
        self.is_cleared || self.values.values().any(Option::is_none)
    }

    pub(super) fn apply(&self, values: &mut Values) {
        if self.is_cleared {
            values.clear();
        }
        for (key, change) in &self.values {
            match change {
                Some(value) => values.insert(*key, *value),
                None => values.remove(key),
            };
        }
    }
}

impl Request {
    pub(super) fn new(arrived: u64, life: Life) -> Self {
        Self { arrived, life, changes: Changes::default(), renew: false, due: Due::Keep }
    }

    /// What the handler sees.
    pub(super) fn view(&self) -> Values {
        let mut values = match &self.life {
            Life::Known(base) | Life::Ended { last: base, .. } => base.seen.values.clone(),
            Life::Unknown { .. } | Life::Ending(_) => Values::new(),
        };
        self.changes.apply(&mut values);
        values
    }

    pub(super) fn is_new(&self) -> bool {
        matches!(self.life, Life::Unknown { .. } | Life::Ending(_))
    }

    pub(super) fn has_changes(&self) -> bool {
        self.renew || !self.changes.is_empty() || matches!(self.life, Life::Ending(_))
    }

    /// The session it has.
    pub(super) fn owner(&self) -> Option<usize> {
        match &self.life {
            Life::Known(base) | Life::Ended { last: base, .. } => Some(base.session),
            Life::Unknown { .. } | Life::Ending(_) => None,
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        let view = self.view();
        let is_known = matches!(self.life, Life::Known(_));
        let changes = &mut self.changes;
        match change {
            Change::Set(key, value) if view.get(&key) != Some(&value) => {
                changes.values.insert(key, Some(value));
            }
            Change::Remove(key) if is_known || view.contains_key(&key) => {
                changes.values.insert(key, None);
            }
            Change::Clear => {
                changes.values.clear();
                changes.is_cleared = is_known;
            }
            Change::Set(..) | Change::Remove(_) => {}
        }
    }

    pub(super) fn renew(&mut self) {
        self.renew = matches!(self.life, Life::Known(_));
    }

    pub(super) fn purge(&mut self) {
        self.drop_changes();
        self.life = match self.life.clone() {
            Life::Known(base) => Life::Ending(base),
            Life::Ended { is_overtaken, .. } => Life::Unknown { is_overtaken, claim: None },
            Life::Unknown { is_overtaken, claim } => {
                let claim = claim.map(|(session, token, _)| (session, token, false));
                Life::Unknown { is_overtaken, claim }
            }
            life @ Life::Ending(_) => life,
        };
    }

    pub(super) fn drop_changes(&mut self) {
        self.changes = Changes::default();
        self.renew = false;
    }
}

/// Changes what depends on what is there; returns the number it made or got, and whether it
/// refused.
pub(super) fn edit(values: &mut Values, purpose: Purpose) -> (Option<u32>, bool) {
    let next = |key| values.get(&key).map_or(1, |before: &u32| before.wrapping_add(1));
    match purpose {
        Purpose::Update(key) => {
            let after = next(key);
            values.insert(key, after);
            (Some(after), false)
        }
        Purpose::UpdateUpTo(key) => {
            let after = next(key).min(BOUND);
            values.insert(key, after);
            (Some(after), false)
        }
        Purpose::TryUpdate(key) => {
            let after = next(key);
            if after > BOUND {
                return (None, true);
            }
            values.insert(key, after);
            (Some(after), false)
        }
        Purpose::Take(key) => (values.remove(&key), false),
        Purpose::Save | Purpose::Finish | Purpose::Bind(_) | Purpose::Unbind(_) => (None, false),
    }
}
