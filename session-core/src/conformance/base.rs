//! The five verbs.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

pub use super::race::{
    a_create_is_one_step, a_get_is_one_step, a_put_is_one_step, a_remove_is_one_step,
    a_touch_is_one_step,
};
use super::{
    Harness,
    subject::{
        IDLE, LIFETIME, TICK, assert_absent, assert_is, assert_same, create, created, get, lasting,
        new_id, poll_once, put, record, tagged,
    },
};
use crate::{
    Expect, Outcome, PrincipalTag, Record, Removal, SessionId, SessionManager, Timestamp, Version,
};

/// An id nobody stored anything under has no record.
pub fn absent_is_none<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        assert_absent(&h, &new_id(), "nothing was ever stored under the id").await;
        created(&h, b"another").await;
        assert_absent(&h, &new_id(), "only another id was stored").await;
    });
}

/// A removed record is absent.
pub fn removed_is_none<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        let removal = h.manager().remove(record.id(), None).await.expect("remove");
        assert_eq!(removal, Removal::Removed);
        assert_absent(&h, record.id(), "removed").await;
    });
}

/// Removing what is not there is no error, and is told apart from removing.
pub fn remove_absent_is_gone<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let id = new_id();
        assert_eq!(h.manager().remove(&id, None).await.expect("remove"), Removal::Gone);
        let first = h.manager().remove(&id, Some(Version::FIRST)).await.expect("remove");
        assert_eq!(first, Removal::Gone);
        let record = created(&h, b"value").await;
        h.manager().remove(record.id(), None).await.expect("remove");
        let again = h.manager().remove(record.id(), None).await.expect("remove");
        assert_eq!(again, Removal::Gone);
    });
}

/// A removal that names a version removes no other.
pub fn remove_names_the_version<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        let wrong = h.manager().remove(record.id(), Some(Version::new(2))).await.expect("remove");
        assert_eq!(wrong, Removal::Conflict);
        assert_is(&h, &record).await;
        let right = h.manager().remove(record.id(), Some(Version::FIRST)).await.expect("remove");
        assert_eq!(right, Removal::Removed);
        assert_absent(&h, record.id(), "past its deadline").await;
    });
}

/// An expired record is absent, though nothing swept it.
pub fn expired_is_none<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        h.advance(IDLE + TICK);
        assert_absent(&h, record.id(), "removed by its version").await;
    });
}

/// A record is live until just before its deadline and expired at it.
pub fn expiry_at_the_deadline<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        let left = record.expires_at().saturating_since(h.now());
        h.advance(left.saturating_sub(TICK));
        if h.now() < record.expires_at() {
            assert_is(&h, &record).await;
        }
        h.advance(record.expires_at().saturating_since(h.now()));
        assert_absent(&h, record.id(), "at its deadline").await;
    });
}

/// No verb finds an expired record.
pub fn an_expired_record_is_gone_for_put_touch_and_remove<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let [a, b, c] = [created(&h, b"a").await, created(&h, b"b").await, created(&h, b"c").await];
        h.advance(IDLE);
        assert_eq!(put(&h, &record(&h, *a.id(), 2, b"new"), 1).await, Outcome::Gone);
        let later = h.now().saturating_add(IDLE);
        let touched = h.manager().touch(b.id(), Version::FIRST, later).await.expect("touch");
        assert_eq!(touched, Outcome::Gone);
        assert_eq!(h.manager().remove(c.id(), None).await.expect("remove"), Removal::Gone);
        for record in [a, b, c] {
            assert_absent(&h, record.id(), "expired").await;
        }
    });
}

/// An expired record does not stand in the way of a new one.
pub fn an_expired_record_may_be_created_again<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let old = created(&h, b"old").await;
        h.advance(IDLE);
        let new = record(&h, *old.id(), 1, b"new");
        create(&h, &new).await;
        assert_is(&h, &new).await;
    });
}

/// `exists` and `get` say the same.
pub fn exists_agrees_with_get<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let exists = async |id: &SessionId| h.manager().exists(id).await.expect("exists");
        assert!(!exists(&new_id()).await, "unknown");
        let removed = created(&h, b"removed").await;
        assert!(exists(removed.id()).await, "live");
        h.manager().remove(removed.id(), None).await.expect("remove");
        assert!(!exists(removed.id()).await, "removed");
        let expired = created(&h, b"expired").await;
        h.advance(IDLE);
        assert!(!exists(expired.id()).await, "expired");
    });
}

/// What was put is what is got, byte for byte.
pub fn put_then_get_returns_the_same_bytes<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let tag = PrincipalTag::from_bytes([7; 16]);
        let first = tagged(&h, new_id(), 1, b"first", Some(tag));
        create(&h, &first).await;
        assert_is(&h, &first).await;
        let second = record(&h, *first.id(), 2, b"second");
        assert_eq!(put(&h, &second, 1).await, Outcome::Stored);
        assert_is(&h, &second).await;
    });
}

/// No byte means anything to the store.
pub fn arbitrary_bytes_round_trip<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let all: Vec<u8> = (0..=255).collect();
        for body in
            [&all[..], &[0; 64], &[0xff; 64], b"\r\n'\";--\0%s{}", "\u{feff}\u{2028}".as_bytes()]
        {
            let record = created(&h, body).await;
            assert_is(&h, &record).await;
        }
    });
}

/// The smallest and the largest record are both kept.
pub fn empty_and_largest_body_round_trip<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let empty = created(&h, b"").await;
        let room = Record::MAX_BYTES - empty.encoded_len();
        let largest = created(&h, &vec![0xa5; room]).await;
        assert_is(&h, &empty).await;
        assert_is(&h, &largest).await;
        let smaller = record(&h, *largest.id(), 2, b"small again");
        assert_eq!(put(&h, &smaller, 1).await, Outcome::Stored);
        assert_is(&h, &smaller).await;
        let grown = record(&h, *empty.id(), 2, &vec![0x5a; room]);
        assert_eq!(put(&h, &grown, 1).await, Outcome::Stored);
        assert_is(&h, &grown).await;
    });
}

/// Each id has its own record.
pub fn records_do_not_bleed<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let mut records = Vec::new();
        for at in 0..20_u8 {
            records.push(created(&h, &[at; 40]).await);
        }
        let changed = record(&h, *records[3].id(), 2, b"changed");
        assert_eq!(put(&h, &changed, 1).await, Outcome::Stored);
        records[3] = changed;
        h.manager().remove(records.remove(7).id(), None).await.expect("remove");
        for record in &records {
            assert_is(&h, record).await;
        }
    });
}

/// Reading is not use.
pub fn get_does_not_touch<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        for _ in 0..4 {
            h.advance(IDLE / 5);
            assert_is(&h, &record).await;
            assert!(h.manager().exists(record.id()).await.expect("exists"));
        }
        h.advance(IDLE / 5);
        assert_absent(&h, record.id(), "past its deadline, though it was read").await;
    });
}

/// Creating under an id that is taken changes nothing.
pub fn create_never_replaces<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let old = created(&h, b"old").await;
        for version in [1, 2] {
            let new = record(&h, *old.id(), version, b"new");
            let outcome = h.manager().put(&new, Expect::Absent).await.expect("put");
            assert_eq!(outcome, Outcome::Conflict);
            assert_is(&h, &old).await;
        }
    });
}

/// A put replaces the version it names and no other.
pub fn put_names_the_version_it_replaces<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let first = created(&h, b"first").await;
        let second = record(&h, *first.id(), 2, b"second");
        assert_eq!(put(&h, &second, 1).await, Outcome::Stored);
        for (version, over) in [(2, 1), (4, 3), (2, 1)] {
            let stale = record(&h, *first.id(), version, b"stale");
            assert_eq!(put(&h, &stale, over).await, Outcome::Conflict);
            assert_is(&h, &second).await;
        }
        let third = record(&h, *first.id(), 3, b"third");
        assert_eq!(put(&h, &third, 2).await, Outcome::Stored);
        assert_is(&h, &third).await;
    });
}

/// A put that expects a record creates none.
pub fn put_never_resurrects<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let never = record(&h, new_id(), 2, b"never stored");
        assert_eq!(put(&h, &never, 1).await, Outcome::Gone);
        assert_absent(&h, never.id(), "a put that expected a version").await;
        let removed = created(&h, b"removed").await;
        h.manager().remove(removed.id(), None).await.expect("remove");
        assert_eq!(put(&h, &record(&h, *removed.id(), 2, b"back"), 1).await, Outcome::Gone);
        assert_absent(&h, removed.id(), "removed, then put").await;
    });
}

/// Nothing of the old record is left in the new one.
pub fn put_replaces_the_whole_record<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let tag = PrincipalTag::from_bytes([9; 16]);
        let long = tagged(&h, new_id(), 1, &[1; 5_000], Some(tag));
        create(&h, &long).await;
        let soon = h.now().saturating_add(Duration::from_secs(5));
        let short = lasting(*long.id(), 2, b"short", None, soon, soon);
        assert_eq!(put(&h, &short, 1).await, Outcome::Stored);
        assert_is(&h, &short).await;
        let other = PrincipalTag::from_bytes([10; 16]);
        let again = tagged(&h, *long.id(), 3, &[2; 9_000], Some(other));
        assert_eq!(put(&h, &again, 2).await, Outcome::Stored);
        assert_is(&h, &again).await;
    });
}

/// The absolute deadline a touch is clamped to is that of the last put.
pub fn a_touch_reaches_the_deadline_of_the_last_put<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let first = created(&h, b"first").await;
        let end = h.now().saturating_add(LIFETIME * 2);
        let idle = h.now().saturating_add(IDLE);
        let second = lasting(*first.id(), 2, b"second", None, end, idle);
        assert_eq!(put(&h, &second, 1).await, Outcome::Stored);
        let touched = h.manager().touch(first.id(), second.version(), end).await.expect("touch");
        assert_eq!(touched, Outcome::Stored);
        assert_is(&h, &second.with_expires_at(end)).await;
    });
}

/// What a touch left beside the record does not outlive the next put.
pub fn a_put_after_a_touch_has_its_own_deadline<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        for (touched, put_to) in [(IDLE * 2, IDLE), (IDLE / 2, IDLE)] {
            let first = created(&h, b"first").await;
            let touched = h.now().saturating_add(touched);
            let outcome = h.manager().touch(first.id(), Version::FIRST, touched).await;
            assert_eq!(outcome.expect("touch"), Outcome::Stored);
            let end = h.now().saturating_add(LIFETIME);
            let idle = h.now().saturating_add(put_to);
            let second = lasting(*first.id(), 2, b"second", None, end, idle);
            assert_eq!(put(&h, &second, 1).await, Outcome::Stored);
            assert_is(&h, &second).await;
        }
    });
}

/// Every deadline there can be is kept: a session may be kept without end.
pub fn the_latest_deadline_is_kept<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let end = Timestamp::MAX;
        let record = lasting(new_id(), 1, b"for ever", None, end, end);
        create(&h, &record).await;
        assert_is(&h, &record).await;
        let soon = h.now().saturating_add(IDLE);
        for to in [soon, end] {
            let touched = h.manager().touch(record.id(), record.version(), to).await;
            assert_eq!(touched.expect("touch"), Outcome::Stored);
            assert_is(&h, &record.with_expires_at(to)).await;
        }
    });
}

/// A record that comes too late is not readable, and neither is what it replaced.
pub fn putting_an_expired_record_leaves_nothing_live<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let old = created(&h, b"old").await;
        let now = h.now();
        let late = lasting(*old.id(), 2, b"late", None, now.saturating_add(LIFETIME), now);
        assert_eq!(put(&h, &late, 1).await, Outcome::Stored);
        assert_absent(&h, old.id(), "replaced by an expired record").await;
        let never = lasting(new_id(), 1, b"late", None, now, now);
        assert_eq!(h.manager().put(&never, Expect::Absent).await.expect("put"), Outcome::Stored);
        assert_absent(&h, never.id(), "created when it was expired already").await;
    });
}

/// A touched record lives until its new deadline.
pub fn touch_moves_the_deadline<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        h.advance(IDLE / 2);
        let later = h.now().saturating_add(IDLE);
        let outcome = h.manager().touch(record.id(), Version::FIRST, later).await.expect("touch");
        assert_eq!(outcome, Outcome::Stored);
        h.advance(IDLE * 3 / 4);
        let found = get(&h, record.id()).await.expect("live beyond the old deadline");
        assert_eq!(found.expires_at(), later);
        h.advance(IDLE / 4);
        assert_absent(&h, record.id(), "at its new deadline").await;
    });
}

/// A touch of a version that is not there any more changes nothing.
pub fn touch_names_the_version<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let first = created(&h, b"first").await;
        let later = h.now().saturating_add(IDLE * 2);
        let early = h.manager().touch(first.id(), Version::new(2), later).await.expect("touch");
        assert_eq!(early, Outcome::Conflict);
        assert_is(&h, &first).await;
        let second = record(&h, *first.id(), 2, b"second");
        assert_eq!(put(&h, &second, 1).await, Outcome::Stored);
        let late = h.manager().touch(first.id(), Version::FIRST, later).await.expect("touch");
        assert_eq!(late, Outcome::Conflict);
        assert_is(&h, &second).await;
    });
}

/// A touch creates nothing.
pub fn touch_never_resurrects<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let later = h.now().saturating_add(IDLE);
        let id = new_id();
        let outcome = h.manager().touch(&id, Version::FIRST, later).await.expect("touch");
        assert_eq!(outcome, Outcome::Gone);
        assert_absent(&h, &id, "only touched").await;
        let removed = created(&h, b"removed").await;
        h.manager().remove(removed.id(), None).await.expect("remove");
        let outcome = h.manager().touch(removed.id(), Version::FIRST, later).await.expect("touch");
        assert_eq!(outcome, Outcome::Gone);
        assert_absent(&h, removed.id(), "removed, then touched").await;
    });
}

/// No touch leads beyond the absolute deadline.
pub fn touch_is_clamped_to_the_absolute_deadline<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        let beyond = record.deadline().saturating_add(IDLE);
        let outcome = h.manager().touch(record.id(), Version::FIRST, beyond).await.expect("touch");
        assert_eq!(outcome, Outcome::Stored);
        assert_eq!(get(&h, record.id()).await.expect("live").expires_at(), record.deadline());
        h.advance(LIFETIME);
        assert_absent(&h, record.id(), "at its absolute deadline").await;
    });
}

/// A touch may bring the deadline nearer: after a clock was set back, or a policy was tightened.
pub fn touch_can_shorten<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        let sooner = h.now().saturating_add(IDLE / 2);
        let outcome = h.manager().touch(record.id(), Version::FIRST, sooner).await.expect("touch");
        assert_eq!(outcome, Outcome::Stored);
        h.advance(IDLE / 2);
        assert_absent(&h, record.id(), "at its nearer deadline").await;
    });
}

/// A touch changes the deadline alone.
pub fn touch_keeps_bytes_and_version<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let tag = PrincipalTag::from_bytes([3; 16]);
        let record = tagged(&h, new_id(), 1, &[7; 3_000], Some(tag));
        create(&h, &record).await;
        let later = h.now().saturating_add(IDLE * 2);
        let outcome = h.manager().touch(record.id(), Version::FIRST, later).await.expect("touch");
        assert_eq!(outcome, Outcome::Stored);
        assert_is(&h, &record.with_expires_at(later)).await;
    });
}

/// Of several that replace the same version one wins, and all others know that they did not.
pub fn parallel_puts_have_one_winner<H: Harness>() {
    let h = H::start();
    let first = h.block_on(created(&h, b"first"));
    let id = *first.id();
    for version in 2..12 {
        let outcomes = in_parallel(&h, |writer| {
            let record = record(&h, id, version, &[writer; 500]);
            let h = &h;
            async move { (writer, put(h, &record, version - 1).await) }
        });
        let won: Vec<_> =
            outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Stored).collect();
        assert_eq!(won.len(), 1, "writers that were told they replaced version {}", version - 1);
        assert!(outcomes.iter().all(|(_, outcome)| *outcome != Outcome::Gone));
        let found = h.block_on(get(&h, &id)).expect("live");
        assert_eq!(found.version().get(), version);
        assert!(found.sealed().ends_with(&[won[0].0; 500]), "the winner's bytes");
    }
    let fresh = new_id();
    let outcomes = in_parallel(&h, |writer| {
        let record = record(&h, fresh, 1, &[writer; 500]);
        let h = &h;
        async move { h.manager().put(&record, Expect::Absent).await.expect("put") }
    });
    let won = outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count();
    assert_eq!(won, 1, "writers that were told they created the record");
}

/// Readers beside writers see whole records only.
pub fn parallel_puts_leave_one_whole_record<H: Harness>() {
    let h = H::start();
    let id = new_id();
    let bodies = |writer: u8, round: u8| {
        vec![writer.wrapping_mul(31) ^ round; 200 + 40 * usize::from(round)]
    };
    h.block_on(async { create(&h, &record(&h, id, 1, &bodies(0, 0))).await });
    in_parallel(&h, |writer| {
        let h = &h;
        async move {
            for round in 0..10 {
                let found = get(h, &id).await.expect("never absent");
                let body = &found.sealed()[40..];
                assert!(body.iter().all(|byte| *byte == body[0]), "a record of one writer");
                let next = record(h, id, found.version().get() + 1, &bodies(writer, round));
                let _ = put(h, &next, found.version().get()).await;
            }
        }
    });
}

/// A write whose future is dropped took place or did not; there is no third.
pub fn a_dropped_future_leaves_a_whole_record<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        for polls in 0..8 {
            // A session for each: a put that was dropped may still be under way.
            let before = created(&h, &[1; 2_000]).await;
            let id = *before.id();
            let next = record(&h, id, before.version().get() + 1, &[2; 3_000]);
            {
                let mut put = Box::pin(h.manager().put(&next, Expect::Version(before.version())));
                for _ in 0..polls {
                    if poll_once(put.as_mut()).await.is_ready() {
                        break;
                    }
                }
            }
            let after = get(&h, &id).await.expect("a dropped put leaves the record in place");
            let expected = if after.version() == before.version() { &before } else { &next };
            assert_same(Some(&after), expected);
        }
    });
}

/// `Debug` tells nothing that identifies a session.
pub fn debug_hides_ids_and_bytes<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"FINDME-IN-DEBUG").await;
        get(&h, record.id()).await;
        let mut buffer = [0; SessionId::TEXT_BYTES];
        let text = record.id().encode(&mut buffer);
        let shown = format!("{0:?} {0:#?}", h.manager());
        assert!(!shown.contains(text), "the id");
        assert!(!shown.contains(&text.replace('-', "")), "the id without hyphens");
        assert!(!shown.contains("FINDME"), "the body");
        assert!(!shown.contains("70, 73, 78, 68, 77, 69"), "the body as numbers");
    });
}

/// A pointer to a manager is that manager.
pub fn works_behind_arc_and_box<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let boxed: Box<dyn SessionManager> = Box::new(h.handle());
        let shared: Arc<dyn SessionManager> = Arc::new(boxed);
        let direct = h.manager();
        assert_eq!(shared.sweeping().is_some(), direct.sweeping().is_some());
        assert_eq!(shared.listing().is_some(), direct.listing().is_some());
        assert_eq!(shared.probing().is_some(), direct.probing().is_some());
        assert_eq!(shared.watching().is_some(), direct.watching().is_some());
        assert_eq!(shared.recalling().is_some(), direct.recalling().is_some());
        assert_eq!(shared.forgetting().is_some(), direct.forgetting().is_some());
        let first = record(&h, new_id(), 1, b"first");
        assert_eq!(shared.put(&first, Expect::Absent).await.expect("put"), Outcome::Stored);
        assert!(shared.exists(first.id()).await.expect("exists"));
        assert_same(shared.get(first.id()).await.expect("get").as_deref(), &first);
        let later = h.now().saturating_add(IDLE * 2);
        let touched = shared.touch(first.id(), Version::FIRST, later).await.expect("touch");
        assert_eq!(touched, Outcome::Stored);
        let removed = shared.remove(first.id(), Some(Version::FIRST)).await.expect("remove");
        assert_eq!(removed, Removal::Removed);
        assert!(!shared.exists(first.id()).await.expect("exists"));
    });
}

/// Runs eight writers: two threads of four futures each.
pub(super) fn in_parallel<H, F, Fut>(h: &H, writer: F) -> Vec<Fut::Output>
where
    H: Harness,
    F: Fn(u8) -> Fut + Sync,
    Fut: Future,
    Fut::Output: Send,
{
    std::thread::scope(|scope| {
        let threads: Vec<_> = [0..4, 4..8]
            .into_iter()
            .map(|writers| scope.spawn(|| h.block_on(join_all(writers.map(&writer)))))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a writer panicked")).collect()
    })
}
