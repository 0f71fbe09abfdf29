//! Probes beside writers of another manager on the folder.

use std::time::Duration;

use session_core::{
    Expect, Outcome, Probe, ProbeVersions, Removal, SessionId, SessionManager, Version,
};

use crate::{
    records::{new_id, record},
    store::{Store, block_on, changed, dates, open},
};

fn probe(manager: &session_fs::FileBackedSessionManager, id: &SessionId) -> Option<Probe> {
    block_on(ProbeVersions::probe(manager, id)).expect("an answer")
}

/// Some changes follow a time of rest, in which the probing manager comes to know the file well,
/// and some follow another change within a tick of the clock that dates files.
#[test]
fn a_probe_shows_what_another_manager_has_just_stored() {
    const REST: Duration = Duration::from_millis(10);
    let store = Store::new();
    let beside = tempfile::tempdir_in(store.folder.path()).expect("a folder on the same disk");
    let other_file = beside.path().join("other");
    let other = open(store.folder.path(), &store.clock);
    let id = new_id();
    let put = |version: u64| {
        let expect = match version {
            1 => Expect::Absent,
            _ => Expect::Version(Version::new(version - 1)),
        };
        let record = record(id, version, store.idle(), b"value");
        assert_eq!(block_on(other.put(&record, expect)).expect("put"), Outcome::Stored);
    };
    for version in 1..=500 {
        put(version);
        let rested = (version % 5 == 0).then(|| changed(&store.file(&id)) + REST);
        let mut looks = 0;
        while looks < 3 {
            let found = probe(&store.manager, &id).map(|probe| probe.version.get());
            assert_eq!(found, Some(version));
            looks += u32::from(rested.is_none_or(|rested| dates(&other_file) >= rested));
        }
    }
    assert_eq!(block_on(other.remove(&id, None)).expect("remove"), Removal::Removed);
    assert_eq!(probe(&store.manager, &id), None);
}
