//! A user of the server that may do no more than the README says.

use std::sync::{Arc, Mutex};

use session_core::{
    Expect, ListSessions, PrincipalTag, Removal, SessionId, SessionManager, Version, WatchChanges,
    WatchSessions,
};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{HOUR, Server, block_on, create, new_id, now, tagged, touch, until};

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<SessionId>>);

impl WatchChanges for Heard {
    fn changed(&self, id: &SessionId) {
        self.0.lock().expect("no panic while locked").push(*id);
    }

    fn alive(&self) {}

    fn broken(&self) {}
}

/// The words of the command in the README that begins so.
fn words(begin: &str) -> Vec<&'static str> {
    let readme = include_str!("../../README.md");
    let from = readme.find(begin).expect("the README has the command");
    readme[from..].split("```").next().expect("it ends").split_whitespace().collect()
}

pub(crate) fn user() -> Vec<&'static str> {
    words("ACL SETUSER sessions")
}

pub(crate) fn finder() -> Vec<&'static str> {
    words("ACL SETUSER finder")
}

pub(crate) fn works(config: &RedisConfig) {
    let tag = PrincipalTag::from_bytes([7; 16]);
    let manager = block_on(RedisSessionManager::with_config(config)).expect("a manager");
    let heard = Arc::new(Heard::default());
    let _watch = manager.watch(heard.clone()).expect("a watch");
    let id = new_id();
    create(&manager, &tagged(id, 1, tag, b"first"));
    touch(&manager, &id, now().saturating_add(HOUR));
    let second = tagged(id, 2, tag, b"second");
    let stored = block_on(manager.put(&second, Expect::Version(Version::FIRST))).expect("put");
    assert_eq!(stored, session_core::Outcome::Stored);
    assert!(block_on(manager.get(&id)).expect("get").is_some());
    assert!(block_on(manager.exists(&id)).expect("exists"));
    assert_eq!(block_on(manager.by_principal(&tag, None, 10)).expect("list").ids, [id]);
    let mut scanned = block_on(manager.scan(None, 10)).expect("scan");
    while let (true, Some(next)) = (scanned.ids.is_empty(), &scanned.next) {
        scanned = block_on(manager.scan(Some(next), 10)).expect("scan");
    }
    assert_eq!(scanned.ids, [id]);
    until("changes are told", || {
        // The feed begins a moment after the watch.
        touch_again(&manager, &id);
        heard.0.lock().expect("no panic while locked").contains(&id).then_some(())
    });
    assert_eq!(block_on(manager.remove(&id, None)).expect("remove"), Removal::Removed);
    until("the index lets go", || {
        block_on(manager.by_principal(&tag, None, 10)).expect("list").ids.is_empty().then_some(())
    });
}

fn touch_again(manager: &RedisSessionManager, id: &SessionId) {
    let later = now().saturating_add(HOUR);
    let touched = block_on(manager.touch(id, Version::new(2), later)).expect("touch");
    assert_eq!(touched, session_core::Outcome::Stored);
}

#[test]
fn the_rights_in_the_readme_are_enough() {
    let server = Server::start(&[]);
    server.ask::<()>(&user());
    works(&RedisConfig::new(server.url()).username("sessions").password("PASSWORD"));
    let log: Vec<redis::Value> = server.ask(&["ACL", "LOG"]);
    assert!(log.is_empty(), "nothing was refused: {log:?}");
}

#[test]
fn the_rights_in_the_readme_are_enough_in_a_cluster() {
    let cluster = crate::support::Cluster::start(3, false);
    for node in cluster.nodes() {
        node.ask::<()>(&user());
        let more = ["+cluster|shards", "+cluster|info", "+asking"];
        node.ask::<()>(&[&["ACL", "SETUSER", "sessions"], &more[..]].concat());
    }
    works(&RedisConfig::cluster(cluster.urls()).username("sessions").password("PASSWORD"));
    for node in cluster.nodes() {
        let log: Vec<redis::Value> = node.ask(&["ACL", "LOG"]);
        assert!(log.is_empty(), "nothing was refused: {log:?}");
    }
}
