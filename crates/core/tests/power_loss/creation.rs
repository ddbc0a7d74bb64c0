//! A database of which a power loss has left parts begins again, if nothing in it was ever acknowledged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferroflare_core::backend::files::FileOptions;
use ferroflare_core::backend::{ObjectKey, ReadView, Store};

use crate::places::{Directory, FSYNC};
use crate::support::{Caller, fresh, key, put, text};

const PROCESS: FileOptions = FileOptions { fsync: false, ..FSYNC };
const MARKER: &str = "UNFINISHED";

fn object(directory: &Directory) -> PathBuf {
    directory.path().join("OBJECT/one")
}

async fn write(directory: &Arc<Directory>, options: FileOptions, text: &str) {
    let place: Arc<dyn Store> = directory.open_apart(options);
    Caller::new(&place).write(put(&["a"], text)).await;
    place.close().wait().await.unwrap();
}

async fn read(directory: &Arc<Directory>, options: FileOptions) -> Result<Option<String>, String> {
    let place: Arc<dyn Store> = directory.open_apart(options);
    let found = Caller::new(&place).0.read(vec![key("a")], ReadView::Latest(None)).wait().await;
    place.close().wait().await.unwrap();
    found
        .map(|found| fresh(found).remove(0).as_deref().map(text))
        .map_err(|error| error.to_string())
}

/// The manifest and the file that names it.
fn files(object: &Path) -> [PathBuf; 2] {
    let current = object.join("CURRENT");
    let manifest = fs::read_to_string(&current).unwrap();
    [object.join(manifest.trim_end()), current]
}

#[tokio::test]
async fn the_mark_of_a_new_database_goes_with_the_first_acknowledgement() {
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    let caller = Caller::new(&place);
    caller.write(put(&["a"], "text")).await;
    assert!(!object(&directory).join(MARKER).exists());

    // Without fsync nothing is known to be durable, until the database is written again.
    let directory = Directory::new();
    write(&directory, PROCESS, "text").await;
    assert!(object(&directory).join(MARKER).exists());
    assert_eq!(read(&directory, PROCESS).await, Ok(Some("text".into())));
    assert!(object(&directory).join(MARKER).exists());
    assert_eq!(read(&directory, FSYNC).await, Ok(Some("text".into())));
    assert!(!object(&directory).join(MARKER).exists());
}

#[tokio::test]
async fn an_unfinished_database_begins_anew_where_a_finished_one_is_corrupt() {
    for broken in 0..2 {
        let template = Directory::new();
        write(&template, PROCESS, "text").await;
        let length = fs::read(&files(&object(&template))[broken]).unwrap().len();
        for kept in (0..length).step_by(1 + length / 16) {
            let options = if kept % 4 < 2 { PROCESS } else { FSYNC };
            let directory = Directory::new();
            write(&directory, PROCESS, "text").await;
            let file = files(&object(&directory))[broken].clone();
            let content = fs::read(&file).unwrap();
            fs::write(&file, &content[..kept]).unwrap();
            // What it says holds until the system starts again.
            fs::remove_file(directory.path().join(".ferroflare/locks/OBJECT.one")).unwrap();
            let found = read(&directory, options).await;
            // A manifest may be complete before its end.
            let opens = found == Ok(Some("text".into()));
            assert!(
                opens || found == Ok(None),
                "{kept} of {length} bytes of {}: {found:?}",
                file.display()
            );
            write(&directory, options, "newer").await;
            assert_eq!(read(&directory, options).await, Ok(Some("newer".into())));

            let directory = Directory::new();
            write(&directory, PROCESS, "text").await;
            fs::remove_file(object(&directory).join(MARKER)).unwrap();
            fs::write(&files(&object(&directory))[broken], &content[..kept]).unwrap();
            let found = read(&directory, options).await;
            let corrupt = found.as_ref().is_err_and(|text| text.contains("one"));
            assert!(corrupt, "{kept} of {length} bytes of {}: {found:?}", file.display());
        }
    }
}

#[tokio::test]
async fn an_unfinished_database_is_not_taken_for_data_of_miniflare_2() {
    let directory = Directory::new();
    let key = ObjectKey { name: "OBJECT".into(), id: "0f".repeat(32).into() };
    let place: Arc<dyn Store> = directory.open_apart(PROCESS);
    Caller::of(&place, &key).write(put(&["a"], "text")).await;
    place.close().wait().await.unwrap();
    assert!(directory.path().join("OBJECT").join(&*key.id).join(MARKER).exists());
    // So another process may find it that looked for the marker of the root a moment too early.
    fs::remove_dir_all(directory.path().join(".ferroflare")).unwrap();
    let place: Arc<dyn Store> = directory.open_apart(PROCESS);
    assert_eq!(Caller::of(&place, &key).get("a").await.as_deref(), Some("text"));
}

#[tokio::test]
async fn a_value_of_the_name_of_the_marker_is_no_marker() {
    let directory = Directory::new();
    write(&directory, FSYNC, "text").await;
    fs::remove_dir_all(object(&directory)).unwrap();
    fs::create_dir(object(&directory)).unwrap();
    // As Miniflare 2 stores a value.
    fs::write(object(&directory).join(MARKER), [0xFF, 0x0F, 0x22, 0x00]).unwrap();
    let found = read(&directory, FSYNC).await;
    assert!(found.as_ref().is_err_and(|text| text.contains("ferroflare import")), "{found:?}");
    assert!(object(&directory).join(MARKER).exists());
}
