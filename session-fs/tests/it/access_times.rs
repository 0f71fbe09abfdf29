//! What reading leaves behind: nothing, on Linux, which alone reads a file without a trace.

use std::{
    fs::{self, File, FileTimes},
    time::Duration,
};

use crate::store::Store;

#[test]
fn a_read_does_not_write_the_access_time_of_a_file_dated_ahead() {
    let store = Store::new();
    let record = store.created(b"value");
    let path = store.file(record.id());
    let accessed = || fs::metadata(&path).and_then(|file| file.accessed()).expect("times");
    let hour = Duration::from_secs(3_600);
    let times = FileTimes::new().set_accessed(accessed() - hour).set_modified(accessed() + hour);
    let file = File::options().write(true).open(&path).expect("the file");
    file.set_times(times).expect("times");
    let before = accessed();

    assert_eq!(store.get(record.id()), Ok(Some(record.to_bytes().to_vec())));
    assert_eq!(accessed(), before);
}
