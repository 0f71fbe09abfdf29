//! One request to the model: what it has seen, and what it wants.

use super::model::{Stored, Token, Values};
use crate::Saved;

/// One request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) base: Option<Base>,
    pub(super) stale: Option<u64>,
    pub(super) changes: Vec<Change>,
    pub(super) renew: bool,
    pub(super) purge: bool,
    pub(super) gone: bool,
    pub(super) cookie: Cookie,
}

#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) session: usize,
    pub(super) seen: Stored,
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
    Update(u8),
    Take(u8),
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Cookie {
    #[default]
    Keep,
    Set(Token),
    Remove,
}

pub(super) fn apply(changes: &[Change], values: &mut Values) {
    for change in changes {
        match *change {
            Change::Set(key, value) => {
                values.insert(key, value);
            }
            Change::Remove(key) => {
                values.remove(&key);
            }
            Change::Clear => values.clear(),
        }
    }
}

impl Request {
    /// What the handler sees.
    pub(super) fn view(&self) -> Values {
        let mut values = match &self.base {
            Some(base) if !self.purge => base.seen.values.clone(),
            _ => Values::new(),
        };
        apply(&self.changes, &mut values);
        values
    }

    pub(super) fn is_new(&self) -> bool {
        self.base.is_none()
    }

    /// The session it has.
    pub(super) fn owner(&self) -> Option<usize> {
        self.base.as_ref().map(|base| base.session)
    }

    pub(super) fn change(&mut self, change: Change) {
        let view = self.view();
        let is_one = match change {
            Change::Set(key, value) => view.get(&key) != Some(&value),
            Change::Remove(key) => view.contains_key(&key),
            Change::Clear => self.base.is_some() || !self.changes.is_empty(),
        };
        if is_one {
            self.changes.push(change);
        }
    }

    pub(super) fn renew(&mut self) {
        self.renew = self.base.is_some() && !self.purge;
    }

    pub(super) fn purge(&mut self) {
        self.changes.clear();
        self.renew = false;
        self.purge = self.base.is_some();
    }

    /// The session is another's now, or nobody's.
    pub(super) fn lose(&mut self, session: &Stored, now: u64) {
        self.gone = true;
        if session.is_live(now) {
            self.stale = self.stale.max(Some(session.token_at));
        }
    }

    pub(super) fn end(&mut self) -> Saved {
        self.changes.clear();
        (self.renew, self.purge, self.gone) = (false, false, true);
        self.cookie = Cookie::Keep;
        Saved::Gone
    }
}

pub(super) fn edit(values: &mut Values, purpose: Purpose) -> Option<u32> {
    match purpose {
        Purpose::Update(key) => {
            let after = values.get(&key).map_or(1, |before| before.wrapping_add(1));
            values.insert(key, after);
            Some(after)
        }
        Purpose::Take(key) => values.remove(&key),
        Purpose::Save | Purpose::Finish | Purpose::Bind(_) => None,
    }
}
