//! Scripts come back to a server that lost them.

use session_core::{Expect, Outcome, Removal, SessionManager, Version};
use session_redis::RedisSessionManager;

use crate::support::{Server, block_on, new_id, now, record};

#[test]
fn a_server_that_forgot_the_scripts_is_told_them_again() {
    let server = Server::start(&[]);
    let manager = block_on(RedisSessionManager::new(&server.url())).expect("a manager");
    let id = new_id();
    let forget = || server.ask::<()>(&["SCRIPT", "FLUSH"]);
    let put = |version: u64, expect| block_on(manager.put(&record(id, version, b"v"), expect));
    for _ in 0..2 {
        forget();
        assert_eq!(put(1, Expect::Absent).unwrap(), Outcome::Stored);
        forget();
        assert_eq!(put(2, Expect::Version(Version::FIRST)).unwrap(), Outcome::Stored);
        forget();
        let later = now().saturating_add(std::time::Duration::from_secs(60));
        let touched = block_on(manager.touch(&id, Version::new(2), later)).unwrap();
        assert_eq!(touched, Outcome::Stored);
        forget();
        assert_eq!(block_on(manager.remove(&id, None)).unwrap(), Removal::Removed);
    }
}
