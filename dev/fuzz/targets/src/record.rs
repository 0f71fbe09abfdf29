//! The bytes of a record, as a store that was tampered with returns them.

use std::sync::Arc;

use bytes::Bytes;
use session_core::{Expect, Outcome, Record, SessionManager};

use crate::world::{CONTENT, Stored, block_on, tampered};

thread_local! {
    static STORED: (Stored, Vec<u8>) = {
        let stored = Stored::new();
        let genuine = stored.record().to_bytes().to_vec();
        (stored, genuine)
    };
}

/// Bytes are a record or are refused; what is a record is written as it was read; and a record that
/// is not the one that was sealed shows its owner nothing, or what was sealed.
///
/// The input is bytes, or changes to the genuine ones: see `tampered`.
pub fn record_bytes(input: &[u8]) {
    STORED.with(|(stored, genuine)| {
        let id = stored.id();
        let bytes = tampered(genuine, input);
        let Ok(record) = Record::from_bytes(&id, Bytes::from(bytes.clone())) else { return };
        assert_eq!(*record.id(), id, "the record is of the session it was read for");
        assert_eq!(record.to_bytes(), bytes, "what was read is what is written");
        let moved = record.with_expires_at(record.deadline());
        assert_eq!(moved.version(), record.version(), "a touch changes no version");
        let _ = block_on(stored.manager.remove(&id, None)).expect("memory removes");
        let put = block_on(stored.manager.put(&Arc::new(record), Expect::Absent));
        assert_eq!(put.expect("memory stores"), Outcome::Stored);
        let seen = stored.seen_by(stored.cookie.as_bytes());
        assert!(seen.is_none_or(|seen| seen == CONTENT), "nobody wrote that");
        if bytes == *genuine {
            assert_eq!(seen, Some(CONTENT), "and the owner sees what was");
        }
    });
}
