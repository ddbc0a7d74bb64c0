//! The records in lock files: a record of an earlier version counts, and a record that is out of date does not.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ferroflare_core::backend::Store;

use super::state::{
    End, PROCESS, assert_told, content, copy_of, expected, last_of, lock_file, object, use_object,
    written,
};
use crate::places::{Directory, FSYNC};
use crate::support::{Caller, clear, put};

const SESSIONS: usize = 2;

#[tokio::test]
async fn a_database_that_an_earlier_version_has_left_clean_is_read_without_a_change() {
    let directory = written(FSYNC, SESSIONS, End::Closed).await;
    fs::write(lock_file(&directory), "settled").unwrap();
    let before = content(&directory);
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    assert!(Caller::new(&place).get("key 0000").await.is_some());
    place.close().wait().await.unwrap();
    assert_eq!(content(&directory), before);
    assert_eq!(fs::read_to_string(lock_file(&directory)).unwrap(), "settled");
}

#[tokio::test]
async fn a_record_says_what_exists_until_the_next_write_also_after_reading() {
    let directory = written(FSYNC, SESSIONS, End::Closed).await;
    let record = fs::read_to_string(lock_file(&directory)).unwrap();
    assert!(record.starts_with("settled\n"), "{record}");
    for options in [FSYNC, PROCESS] {
        let place: Arc<dyn Store> = directory.open_apart(options);
        assert!(Caller::new(&place).get("key 0000").await.is_some());
        let held = fs::read_to_string(lock_file(&directory)).unwrap();
        assert!(held.starts_with(&format!("process {}\n", std::process::id())), "{held}");
        place.close().wait().await.unwrap();
        assert_eq!(fs::read_to_string(lock_file(&directory)).unwrap(), record, "{options:?}");
    }
    assert!(!assert_told(&directory, FSYNC, SESSIONS, "a write").await);
    assert_ne!(fs::read_to_string(lock_file(&directory)).unwrap(), record);
}

#[tokio::test]
async fn a_damaged_database_is_told_again_and_again_and_works_when_it_is_restored() {
    let directory = written(FSYNC, SESSIONS, End::Closed).await;
    let record = fs::read_to_string(lock_file(&directory)).unwrap();
    let log = last_of(&directory, "log");
    let whole = fs::read(&log).unwrap();
    fs::remove_file(&log).unwrap();
    for _ in 0..3 {
        assert!(assert_told(&directory, FSYNC, SESSIONS, "no log").await);
        assert_eq!(fs::read_to_string(lock_file(&directory)).unwrap(), record);
    }
    fs::write(log, whole).unwrap();
    assert!(!assert_told(&directory, FSYNC, SESSIONS, "restored").await);
}

#[tokio::test]
async fn what_is_left_of_a_damaged_database_is_used_when_its_lock_file_is_deleted_as_the_error_says()
 {
    let directory = written(FSYNC, SESSIONS, End::Closed).await;
    fs::write(last_of(&directory, "log"), "").unwrap();
    assert!(assert_told(&directory, FSYNC, SESSIONS, "an empty log").await);
    fs::remove_file(lock_file(&directory)).unwrap();
    let [found, _] = use_object(&directory, FSYNC).await;
    assert_eq!(found, Ok(expected(SESSIONS - 1)));
}

#[tokio::test]
async fn an_older_copy_of_the_directory_of_an_object_is_used() {
    let directory = written(FSYNC, SESSIONS, End::Closed).await;
    let older = copy_of(&directory);
    assert!(!assert_told(&directory, FSYNC, SESSIONS, "a write").await);
    fs::remove_dir_all(object(&directory)).unwrap();
    super::state::copy_all(&object(&older), &object(&directory));
    assert!(!assert_told(&directory, FSYNC, SESSIONS, "the older copy").await);
}

#[tokio::test]
async fn an_object_whose_directory_was_deleted_or_emptied_starts_again() {
    for keeps_directory in [false, true] {
        let directory = written(FSYNC, SESSIONS, End::Closed).await;
        fs::remove_dir_all(object(&directory)).unwrap();
        if keeps_directory {
            fs::create_dir(object(&directory)).unwrap();
        }
        let [found, later] = use_object(&directory, FSYNC).await;
        assert_eq!((found, later), (Ok(vec![]), Ok(vec!["later".to_owned()])));
    }
}

/// A power loss may bring back any text that a lock file has had, because it is never synced.
#[tokio::test]
async fn a_record_that_is_out_of_date_is_ignored() {
    let directory = Directory::new();
    let mut records = Vec::new();
    let keep = |records: &mut Vec<String>| {
        // The records of files that were never synced do not count after the system has started again.
        let record = fs::read_to_string(lock_file(&directory)).ok();
        records.extend(record.filter(|record| !record.contains("\nboot ")));
    };
    for round in 0..6 {
        for options in [FSYNC, PROCESS] {
            let place: Arc<dyn Store> = directory.open_apart(options);
            let caller = Caller::new(&place);
            caller.put("a", &format!("{round}")).await;
            keep(&mut records);
            assert_old_records_ignored(&directory, &records, round).await;
            if round % 2 == 0 {
                // The object is deleted, and another one of its name is created.
                caller.write(clear()).await;
                caller.write(put(&["a"], &format!("{round}"))).await;
                keep(&mut records);
                assert_old_records_ignored(&directory, &records, round).await;
            }
            place.close().wait().await.unwrap();
            keep(&mut records);
            assert_old_records_ignored(&directory, &records, round).await;
        }
    }
}

async fn assert_old_records_ignored(directory: &Directory, records: &[String], round: u32) {
    for record in records {
        let copy = copy_of(directory);
        let lock = lock_file(&copy);
        fs::create_dir_all(lock.parent().unwrap_or(Path::new(""))).unwrap();
        fs::write(lock, record).unwrap();
        let place: Arc<dyn Store> = copy.open_apart(FSYNC);
        let found = Caller::new(&place).get("a").await;
        assert_eq!(found, Some(round.to_string()), "{record}");
        place.close().wait().await.unwrap();
    }
}
