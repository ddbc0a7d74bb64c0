//! A program that knows nothing of our locks has a database open, or wants to open it.

use std::sync::Arc;

use ferroflare_core::backend::Store;
use rocksdb::{DB, Options};

use super::state::{End, object, use_object, written};
use crate::places::FSYNC;
use crate::support::Caller;

#[tokio::test]
async fn a_database_that_another_program_has_open_is_told_with_what_to_do() {
    let directory = written(FSYNC, 1, End::Closed).await;
    let program = DB::open(&Options::default(), object(&directory)).unwrap();
    let [_, written] = use_object(&directory, FSYNC).await;
    let error = written.unwrap_err();
    assert_eq!(error.code(), "ERR_STORAGE_HELD", "{error}");
    let (path, lock) = (object(&directory), object(&directory).join("LOCK"));
    let expected = format!(
        "The database {} is open in another program, which has locked {}. Close it there, or use another directory.",
        path.display(),
        lock.display()
    );
    assert_eq!(error.to_string(), expected);
    drop(program);
    let [found, later] = use_object(&directory, FSYNC).await;
    assert_eq!(found.map(|keys| keys.len() + 1), later.map(|keys| keys.len()));
}

#[tokio::test]
async fn a_program_cannot_open_what_is_open_here_though_it_is_in_this_process() {
    let directory = written(FSYNC, 1, End::Closed).await;
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    let caller = Caller::new(&place);
    caller.put("a", "value").await;
    // Closing any descriptor of the file would end a lock that belongs to the process.
    drop(std::fs::File::open(object(&directory).join("LOCK")).unwrap());
    for _ in 0..2 {
        let refused = DB::open(&Options::default(), object(&directory));
        assert!(refused.is_err_and(|error| error.as_ref().contains("lock")));
    }
    caller.put("a", "later").await;
    place.close().wait().await.unwrap();
}
