//! Every file of a database is removed, emptied, zeroed, cut and garbled.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ferroflare_core::backend::files::FileOptions;

use super::state::{
    End, PROCESS, assert_told, copy_of, last_of, manifest_of, object, use_object, written,
    written_much,
};
use crate::places::{Directory, FSYNC};

const SESSIONS: usize = 2;

/// What is done to a file.
#[derive(Clone, Debug)]
enum Damage {
    Removed,
    /// So many bytes are left.
    Cut(usize),
    Zeroed(Range<usize>),
}

/// How many stretches of a file are damaged.
const STRETCHES: usize = 8;

fn damages(file: &Path) -> Vec<Damage> {
    let length = fs::read(file).unwrap().len();
    let mut all = vec![Damage::Removed, Damage::Cut(length - 1)];
    for stretch in 0..STRETCHES {
        let [start, next] = [stretch, stretch + 1].map(|place| length * place / STRETCHES);
        all.extend([
            Damage::Cut(start),
            Damage::Zeroed(start..length),
            Damage::Zeroed(start..next),
        ]);
    }
    all
}

impl Damage {
    fn apply(&self, file: &Path) {
        let mut content = fs::read(file).unwrap();
        match self {
            Self::Removed => return fs::remove_file(file).unwrap(),
            Self::Cut(length) => content.truncate(*length),
            Self::Zeroed(stretch) => content[stretch.clone()].fill(0),
        }
        fs::write(file, content).unwrap();
    }
}

/// Cuts the manifest at every byte; gives how many cuts were told.
async fn cut_manifest(template: &Arc<Directory>, options: FileOptions) -> (usize, usize) {
    let length = fs::read(manifest_of(template)).unwrap().len();
    let mut told = 0;
    for kept in 0..length {
        let directory = copy_of(template);
        let file = manifest_of(&directory);
        Damage::Cut(kept).apply(&file);
        let what = format!("{kept} of {length} bytes of {}", file.display());
        told += usize::from(assert_told(&directory, options, SESSIONS, &what).await);
    }
    (told, length)
}

#[tokio::test]
async fn a_manifest_that_is_cut_at_any_byte_is_told_however_the_last_process_has_ended() {
    for options in [FSYNC, PROCESS] {
        for end in [End::Closed, End::Killed] {
            let template = written(options, SESSIONS, end).await;
            let (told, length) = cut_manifest(&template, options).await;
            assert_eq!(told, length, "{options:?} {end:?}");
        }
    }
}

#[tokio::test]
async fn a_log_that_is_removed_emptied_zeroed_or_cut_after_a_clean_end_is_told() {
    for options in [FSYNC, PROCESS] {
        let template = written(options, SESSIONS, End::Closed).await;
        for damage in damages(&last_of(&template, "log")) {
            let directory = copy_of(&template);
            let file = last_of(&directory, "log");
            damage.apply(&file);
            let what = format!("{} {damage:?}", file.display());
            assert!(assert_told(&directory, options, SESSIONS, &what).await, "{what}");
        }
    }
}

#[tokio::test]
async fn a_table_that_is_removed_emptied_zeroed_or_cut_is_told_however_the_last_process_has_ended()
{
    for end in [End::Closed, End::Killed] {
        let template = written(FSYNC, SESSIONS, end).await;
        for damage in damages(&last_of(&template, "sst")) {
            let directory = copy_of(&template);
            let file = last_of(&directory, "sst");
            damage.apply(&file);
            let what = format!("{} {damage:?}", file.display());
            // What is zeroed may be no more than what helps to find keys: then all are found.
            let told = assert_told(&directory, FSYNC, SESSIONS, &what).await;
            assert!(told || matches!(damage, Damage::Zeroed(_)), "{what}");
        }
    }
}

#[tokio::test]
async fn the_first_manifest_of_a_database_that_was_never_synced_is_told_when_it_is_cut() {
    for end in [End::Closed, End::Killed] {
        let template = written(PROCESS, 1, end).await;
        let length = fs::read(manifest_of(&template)).unwrap().len();
        for kept in (0..length).step_by(7) {
            let directory = copy_of(&template);
            Damage::Cut(kept).apply(&manifest_of(&directory));
            let what = format!("{kept} of {length} bytes, {end:?}");
            assert!(assert_told(&directory, PROCESS, 1, &what).await, "{what}");
        }
    }
}

#[tokio::test]
async fn a_log_that_is_missing_after_a_kill_is_told() {
    for options in [FSYNC, PROCESS] {
        for sessions in [1, SESSIONS] {
            let directory = written(options, sessions, End::Killed).await;
            fs::remove_file(last_of(&directory, "log")).unwrap();
            assert!(assert_told(&directory, options, sessions, "no log").await);
        }
    }
}

#[tokio::test]
async fn everything_but_a_manifest_or_a_table_removed_is_told() {
    for kept in ["MANIFEST-", ".sst", ".log"] {
        let directory = written(FSYNC, SESSIONS, End::Closed).await;
        for entry in fs::read_dir(object(&directory)).unwrap() {
            let entry = entry.unwrap();
            if !entry.file_name().to_str().unwrap().contains(kept) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        assert!(assert_told(&directory, FSYNC, SESSIONS, kept).await);
    }
}

/// Several logs: what RocksDB has moved to tables is in the manifest, which grows meanwhile.
#[tokio::test]
async fn a_manifest_that_is_cut_after_it_has_grown_is_told_after_a_kill() {
    let template = written_much(FSYNC).await;
    let keys = use_object(&copy_of(&template), FSYNC).await[0].clone().unwrap();
    let length = fs::read(manifest_of(&template)).unwrap().len();
    for kept in (0..length).rev().step_by(5) {
        let directory = copy_of(&template);
        Damage::Cut(kept).apply(&manifest_of(&directory));
        let [found, _] = use_object(&directory, FSYNC).await;
        match found {
            Ok(found) => assert_eq!(found.len(), keys.len(), "{kept} of {length} bytes"),
            Err(error) => assert_eq!(error.code(), "ERR_STORAGE_CORRUPT", "{kept}: {error}"),
        }
    }
}
