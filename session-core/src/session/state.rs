//! What a `ManagedSession` knows.

use crate::{
    SessionId, Timestamp,
    interface::{Base, CookieAction, Step},
    record::Data,
    session::Change,
    token::Token,
};

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, in any combination")]
pub(crate) struct State {
    /// The session as it was last seen in the store; `None` while nothing is stored.
    pub(crate) base: Option<Base>,
    /// The visitor came with a token that was replaced at this time.
    pub(crate) stale: Option<Timestamp>,
    /// What is not stored yet, in order.
    pub(crate) changes: Vec<Change>,
    /// What the session looks like with the changes; `None` while there are none.
    pub(crate) view: Option<Data>,
    /// A new token is asked for.
    pub(crate) renew: bool,
    /// The end of the session is asked for; the changes are those made since.
    pub(crate) purge: bool,
    /// How often it was asked for.
    pub(crate) purges: u64,
    /// The session ended, or was taken from this request.
    pub(crate) gone: bool,
    /// Under which id and token a new session is stored. Kept over a failed try, so that the next
    /// one knows its own work.
    pub(crate) fresh: Option<(SessionId, Token)>,
    /// The token a renewal leads to; kept for the same reason.
    pub(crate) successor: Option<Token>,
    /// A put was asked for and not answered, or met a record that was not looked at yet: it may
    /// have taken place.
    pub(crate) unsure: bool,
    /// What to tell the browser.
    pub(crate) cookie: CookieAction,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Phase {
    /// The handler runs; what it changes is saved at the end.
    #[default]
    Handling,
    /// The end was: nobody saves any more.
    Finished,
    /// The handler saves by itself.
    Late,
}

/// How far the changes go that a plan was made from: others may be added, and all be dropped by a
/// purge, before it is carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    purges: u64,
    changes: usize,
}

impl State {
    /// The values and settings as this request sees them.
    pub(crate) fn data<T>(&self, read: impl FnOnce(&Data) -> T) -> T {
        match (&self.view, &self.base) {
            (Some(view), _) => read(view),
            (None, Some(base)) => read(&base.contents.data),
            (None, None) => read(&Data::default()),
        }
    }

    /// What [`data`](Self::data) shows, to be changed.
    pub(crate) fn view(&mut self) -> &mut Data {
        let base = &self.base;
        self.view.get_or_insert_with(|| {
            base.as_ref().map_or_else(Data::default, |base| base.contents.data.clone())
        })
    }

    /// Whether there is a record to be ended, as far as is known: also that of a creation that is
    /// under way or was not answered.
    pub(crate) fn may_be_stored(&self) -> bool {
        self.base.is_some() || self.fresh.is_some()
    }

    /// Whether the handler asked for anything that is not stored.
    pub(crate) fn has_changes(&self) -> bool {
        !self.changes.is_empty() || self.renew || self.purge
    }

    /// The tokens by which this request may hold a record.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token> {
        let fresh = self.fresh.iter().filter(|_| self.base.is_none()).map(|(_, token)| token);
        let base = self.base.iter().map(|base| &base.token);
        fresh.chain(base).chain(&self.successor).cloned()
    }

    /// A newer record of the session becomes the base; the changes stay to be applied.
    pub(crate) fn rebase(&mut self, base: Base) {
        if self.is_successor(&base.token) {
            self.renew = false;
            self.successor = None;
        }
        self.base = Some(base);
        // What comes after this session has an id of its own.
        self.fresh = None;
        self.look_again();
    }

    /// Whether `token` is the one an earlier try of ours, of unclear result, was to put in place.
    pub(crate) fn is_successor(&self, token: &Token) -> bool {
        self.successor.as_ref().is_some_and(|successor| successor.is(token))
    }

    /// The changes up to `mark` are stored in `base`, under a new token if `renewed`.
    pub(crate) fn committed(&mut self, base: Base, mark: Mark, renewed: bool) {
        self.changes.drain(..self.up_to(mark));
        self.base = Some(base);
        self.fresh = None;
        self.stale = None;
        if renewed {
            self.renew = false;
            self.successor = None;
        }
        self.look_again();
    }

    /// Where the pending changes end now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { purges: self.purges, changes: self.changes.len() }
    }

    /// How many of the pending changes are from before `mark`: none that follow a purge since.
    fn up_to(&self, mark: Mark) -> usize {
        if self.purges == mark.purges { mark.changes.min(self.changes.len()) } else { 0 }
    }

    /// What a plan is made from, to be made without holding the session locked.
    pub(crate) fn draft(&self) -> Self {
        Self {
            base: self.base.clone(),
            stale: self.stale,
            changes: self.changes.clone(),
            view: None,
            renew: self.renew,
            purge: self.purge,
            purges: self.purges,
            gone: self.gone,
            fresh: self.fresh.clone(),
            successor: self.successor.clone(),
            unsure: self.unsure,
            cookie: CookieAction::Keep,
            phase: self.phase,
        }
    }

    /// Takes over what was decided for `draft`.
    pub(crate) fn planned(&mut self, draft: &Self, step: &Step) {
        self.fresh.clone_from(&draft.fresh);
        if self.purges != draft.purges {
            // Asked for while there was nothing to end yet: now there may be.
            self.purge = self.may_be_stored();
        }
        self.successor.clone_from(&draft.successor);
        // A look that fails leaves it as it was.
        if !matches!(step, Step::Look(_)) {
            self.unsure = matches!(step, Step::Put(_));
        }
        // The edit saw the changes before it, and together they come to nothing: left pending, they
        // would be applied once more without it.
        if matches!(step, Step::Rest | Step::Touch(_)) {
            self.settle(draft.mark());
        }
    }

    /// There is nothing to store of the changes: they came to nothing, or there is no value to keep
    /// for this visitor. What a session is to be like waits for its first value.
    fn settle(&mut self, mark: Mark) {
        let later = self.changes.split_off(self.up_to(mark));
        if self.base.is_some() || self.phase != Phase::Handling {
            self.changes.clear();
        } else {
            self.changes.retain(|change| matches!(change, Change::Permanent(_) | Change::Label(_)));
        }
        self.changes.extend(later);
        self.look_again();
    }

    /// The session is gone: what was to be changed is dropped, and the browser is told nothing.
    pub(crate) fn end(&mut self) {
        self.changes.clear();
        self.view = None;
        self.renew = false;
        self.purge = false;
        self.gone_unnoticed();
    }

    /// The session is gone, and no change is lost by it.
    pub(crate) fn gone_unnoticed(&mut self) {
        self.gone = true;
        self.cookie = CookieAction::Keep;
    }

    fn look_again(&mut self) {
        // Of a session that is to end nothing is seen any more.
        self.view = self.purge.then(Data::default);
        if !self.changes.is_empty() {
            let changes = std::mem::take(&mut self.changes);
            let view = self.view();
            for change in &changes {
                change.apply(view);
            }
            self.changes = changes;
        }
    }
}
