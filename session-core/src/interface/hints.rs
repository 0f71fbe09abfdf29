//! What an operator should be told once, with what to do.

use std::sync::{
    Once,
    atomic::{AtomicU32, Ordering},
};

/// So many well-formed cookies with a wrong MAC are no chance any more.
const FORGED: u32 = 10;

#[derive(Debug)]
pub(crate) struct Hints {
    ambiguous: Once,
    forged: AtomicU32,
}

impl Hints {
    pub(super) const fn new() -> Self {
        Self { ambiguous: Once::new(), forged: AtomicU32::new(0) }
    }

    /// A request brought cookies of several live sessions.
    pub(super) fn ambiguous(&self, cookie_name: &str) {
        self.ambiguous.call_once(|| {
            tracing::warn!(
                target: "session",
                cookie_name,
                "a browser sends cookies of several live sessions, as after a change of the \
                 cookie's domain or path: a login or logout ends them all. Give the cookie a new \
                 name when you change its scope, or keep the prefix `__Host-`"
            );
        });
    }

    /// A cookie of the right form has a wrong MAC.
    pub(super) fn forged(&self, cookie_name: &str) {
        if self.forged.fetch_add(1, Ordering::Relaxed) + 1 == FORGED {
            tracing::warn!(
                target: "session",
                cookie_name,
                "well-formed session cookies keep failing verification. Does another application \
                 on this host use the same cookie name (ports do not separate cookies), or were \
                 the keys, the realm or the name changed?"
            );
        }
    }
}
