//! Another writer that tries its luck at every call of the first.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use session_core::{Expect, Outcome, Record, Timestamp, Version};

use super::{
    ALICE, Bench,
    records::{new_id, tagged},
    shim::{Fate, Shim},
};
use crate::{
    Durability, FsConfig,
    error::TryError,
    native::NativeSyscalls,
    store::Store,
    syscalls::{Syscalls, WaitMode},
};

/// Whether a put of `rival` in place of `version` is stored when it is tried at a moment of `work`,
/// counted in calls, or at every moment.
fn stored_meanwhile(
    store: &Arc<Store<NativeSyscalls>>,
    shim: &Shim,
    (rival, version): (&Arc<Record>, Version),
    moment: Option<usize>,
    work: impl FnOnce(),
) -> bool {
    let stored = Arc::new(AtomicBool::new(false));
    let (store, rival, won) = (Arc::clone(store), Arc::clone(rival), Arc::clone(&stored));
    let looks = AtomicUsize::new(0);
    shim.begin(Fate::Whole);
    shim.observe(move || {
        let look = looks.fetch_add(1, Ordering::SeqCst);
        if moment.is_none_or(|moment| moment == look) {
            let put = store.put(&rival, Expect::Version(version), WaitMode::Blocking);
            won.fetch_or(matches!(put, Ok(Outcome::Stored)), Ordering::SeqCst);
        }
    });
    work();
    shim.end();
    stored.load(Ordering::SeqCst)
}

fn put<C: Syscalls>(store: &Store<C>, record: &Record, expect: Expect) -> bool {
    let put = store.put(record, expect, WaitMode::Blocking).map_err(TryError::into_error);
    put.expect("put") == Outcome::Stored
}

/// Gives up at once where somebody else is at it.
fn impatient(bench: &Bench) -> FsConfig {
    FsConfig::new(bench.folder.path())
        .clock(bench.clock.clone())
        .lock_timeout(std::time::Duration::ZERO)
}

#[test]
fn a_session_that_goes_back_to_its_owner_while_it_grows_is_in_the_owners_list() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    let of = |version, tag, body: &[u8]| tagged(id, version, Timestamp::MAX, tag, body);
    assert!(put(&bench.bad, &of(1, Some(ALICE), b"value"), Expect::Absent));
    let other = Arc::new(Store::open(&impatient(&bench), NativeSyscalls::NATIVE).expect("a store"));
    let back = of(3, Some(ALICE), b"value");
    let second = Version::new(2);
    let stored = stored_meanwhile(&other, &bench.shim, (&back, second), None, || {
        let grown = of(2, None, &[1; 3_000]);
        assert!(put(&bench.bad, &grown, Expect::Version(Version::FIRST)));
    });
    assert!(stored || put(&bench.bad, &back, Expect::Version(second)));
    let listed = bench.good.by_principal(&ALICE, None, 10).expect("a list");
    assert_eq!(listed.ids, [id]);
}

#[test]
fn of_two_managers_of_a_single_process_one_at_a_time_changes_a_session() {
    let bench = Bench::new(Durability::Buffered);
    let alone = impatient(&bench).single_process();
    let first = Store::open(&alone, bench.shim.clone()).expect("a store");
    let second = Arc::new(Store::open(&alone, NativeSyscalls::NATIVE).expect("a store"));
    for moment in 0..20 {
        let id = new_id();
        let of = |version, body: &[u8]| tagged(id, version, Timestamp::MAX, None, body);
        assert!(put(&first, &of(1, b"value"), Expect::Absent));
        let (next, rival) = (of(2, b"value"), of(2, b"the rival"));
        let over = Version::FIRST;
        let mut won = false;
        let lost = stored_meanwhile(&second, &bench.shim, (&rival, over), Some(moment), || {
            won = put(&first, &next, Expect::Version(over));
        });
        assert!(won != lost, "at call {moment}: {won}, {lost}");
    }
}
