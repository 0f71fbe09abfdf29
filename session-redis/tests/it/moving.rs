//! A part of the keys moves to another server of the Cluster.

use session_core::{Expect, Outcome, SessionManager, Version};
use session_redis::RedisConfig;

use crate::{
    feed::{Told, watched},
    support::{Cluster, Server, block_on, create, new_id, record, text},
};

/// Moves a session from one server to another. The servers have rising epochs.
fn moves(from: usize, to: usize) {
    let cluster = Cluster::start(3, false);
    let (manager, recorder, _watch) = watched(&RedisConfig::cluster(cluster.urls()));
    let (from, to) = (&cluster.masters[from], &cluster.masters[to]);
    let (id, key) = loop {
        let id = new_id();
        create(&manager, &record(id, 1, b"first"));
        recorder.hears(Told::Changed(id));
        let key = format!("session:s:{}", text(&id));
        if from.ask::<u64>(&["DBSIZE"]) == 1 {
            break (id, key);
        }
    };
    let slot: String = from.ask::<u64>(&["CLUSTER", "KEYSLOT", &key]).to_string();
    let name = |server: &Server| server.ask::<String>(&["CLUSTER", "MYID"]);
    to.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &name(from)]);
    from.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &name(to)]);
    from.ask::<()>(&["MIGRATE", "127.0.0.1", &to.port.to_string(), &key, "0", "5000"]);
    recorder.hears(Told::Changed(id));

    // On its way: the old server sends everyone to the new one, who answers only if asked so.
    assert!(block_on(manager.get(&id)).expect("get").is_some());
    let put = |version: u64| {
        let expect = Expect::Version(Version::new(version - 1));
        let outcome = block_on(manager.put(&record(id, version, b"next"), expect)).expect("put");
        assert_eq!(outcome, Outcome::Stored);
    };
    put(2);
    recorder.hears(Told::Changed(id));

    for server in &cluster.masters {
        server.ask::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &name(to)]);
    }
    put(3);
    recorder.hears(Told::Changed(id));
    let found = block_on(manager.get(&id)).expect("get").expect("it moved");
    assert_eq!(found.version(), Version::new(3));
    assert_eq!(recorder.breaks(), 0, "both servers are watched");
}

#[test]
fn a_slot_that_moves_takes_its_sessions_along_and_its_changes_are_told() {
    // The new owner takes a new epoch, as a server that is not watched would.
    moves(1, 0);
}

#[test]
fn changes_are_told_where_the_new_owner_needs_no_new_epoch() {
    moves(1, 2);
}
