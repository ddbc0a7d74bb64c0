//! The SQL of an object: its transaction, savepoints and cursors, what survives, and what becomes of other data.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ferroflare_core::backend::files::FileOptions;
use ferroflare_core::backend::memory::MemoryStore;
use ferroflare_core::backend::{SqlStorage, Store};
use ferroflare_core::sqlite::{Binding, Column, Database, Savepoint};
use ferroflare_core::{Error, Result};

use crate::places::{Directory, FSYNC};
use crate::support::{Caller, alarm, object_key, put};

/// One object, with its database kept open.
struct Sql(Caller);

impl Sql {
    async fn open(place: &Arc<dyn Store>) -> Self {
        let caller = Caller::new(place);
        caller.0.sql().unwrap().open_sql().wait().await.unwrap();
        Self(caller)
    }

    fn storage(&self) -> &dyn SqlStorage {
        self.0.0.sql().unwrap()
    }

    /// Works with the database; also gives the ticket.
    fn with<R>(&self, mut work: impl FnMut(&mut Database) -> Result<R>) -> Result<(R, u64)> {
        let mut result = None;
        let ticket = self.storage().with_sql(&mut |database| {
            result = Some(work(database)?);
            Ok(())
        })?;
        Ok((result.unwrap(), ticket))
    }

    /// All rows of a statement, as text.
    fn rows(&self, sql: &str) -> Result<Vec<String>> {
        let (rows, _) = self.with(|database| {
            let mut found = Vec::new();
            let mut take = |value: Column<'_>| found.push(shown(value));
            let step = database.execute(sql, &[], &mut take)?;
            if step.cursor > 0 {
                database.advance(step.cursor, usize::MAX, &mut take)?;
            }
            Ok(found)
        })?;
        Ok(rows)
    }

    /// Runs a statement, and ends the turn of the event loop; gives how its commit has ended.
    async fn commit(&self, sql: &str) -> Result<()> {
        let (_, ticket) = self.with(|database| database.execute(sql, &[], &mut |_| ()))?;
        self.0.0.seal();
        self.0.0.durable(ticket).wait().await
    }
}

fn shown(value: Column<'_>) -> String {
    match value {
        Column::Null => "NULL".to_owned(),
        Column::Integer(number) => number.to_string(),
        Column::Number(number) => number.to_string(),
        Column::Text(text) | Column::Blob(text) => String::from_utf8_lossy(text).into_owned(),
    }
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn message<R>(result: Result<R>) -> String {
    result.err().map_or_else(String::new, |error| error.to_string())
}

#[tokio::test]
async fn what_is_written_in_a_turn_is_committed_with_keys_and_the_alarm_or_taken_back_with_them() {
    let sql = Sql::open(&memory()).await;
    sql.commit("CREATE TABLE t(a)").await.unwrap();
    for (undoes, expected) in [(true, vec![]), (false, vec!["1"])] {
        let _ = sql.0.0.write(put(&["key"], "value"), None).wait().await.unwrap();
        let _ = sql.0.0.write(alarm(Some(7)), None).wait().await.unwrap();
        assert_eq!(sql.rows("INSERT INTO t VALUES (1) RETURNING a").unwrap(), ["1"]);
        if undoes {
            sql.0.0.undo(0).wait().await.unwrap();
        }
        sql.0.0.seal();
        assert_eq!(sql.rows("SELECT a FROM t").unwrap(), expected);
        let (found, at) = (sql.0.get("key").await, sql.0.alarm().await);
        assert_eq!((found.is_none(), at), (undoes, (!undoes).then_some(7)));
    }
}

#[tokio::test]
async fn a_constraint_that_is_broken_at_the_end_of_a_turn_takes_back_the_turn_and_says_so() {
    let sql = Sql::open(&memory()).await;
    sql.commit("CREATE TABLE p(id INTEGER PRIMARY KEY)").await.unwrap();
    let child = "CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)";
    sql.commit(child).await.unwrap();
    let broken = sql.commit("INSERT INTO c VALUES (5)").await;
    let expected = "Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)";
    assert_eq!(message(broken), expected);
    assert_eq!(sql.rows("SELECT count(*) FROM c").unwrap(), ["0"]);
    sql.commit("INSERT INTO p VALUES (5)").await.unwrap();
    sql.commit("INSERT INTO c VALUES (5)").await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_sql_has_rolled_back_is_told_when_the_turn_ends() {
    let sql = Sql::open(&memory()).await;
    sql.commit("CREATE TABLE t(a UNIQUE)").await.unwrap();
    sql.commit("INSERT INTO t VALUES (1)").await.unwrap();
    sql.rows("INSERT INTO t VALUES (2)").unwrap();
    let ticket = sql.0.0.pending_ticket();
    let refused = sql.rows("INSERT OR ROLLBACK INTO t VALUES (1)");
    let text =
        "UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)";
    assert_eq!(message(refused), text);
    sql.0.0.seal();
    let told = message(sql.0.0.durable(ticket).wait().await);
    assert!(told.contains("has rolled back the transaction of this turn"), "{told}");
    assert_eq!(sql.rows("SELECT a FROM t").unwrap(), ["1"]);
    sql.commit("INSERT INTO t VALUES (3)").await.unwrap();
    assert_eq!(sql.rows("SELECT a FROM t").unwrap(), ["1", "3"]);
}

#[tokio::test]
async fn savepoints_nest_and_take_back_the_alarm_too() {
    let sql = Sql::open(&memory()).await;
    sql.commit("CREATE TABLE t(a)").await.unwrap();
    let savepoint = |action| sql.with(|database| database.savepoint(action)).unwrap();
    savepoint(Savepoint::Begin);
    sql.rows("INSERT INTO t VALUES (1)").unwrap();
    savepoint(Savepoint::Begin);
    sql.rows("INSERT INTO t VALUES (2)").unwrap();
    let _ = sql.0.0.write(alarm(Some(5)), None).wait().await.unwrap();
    savepoint(Savepoint::RollBack);
    assert_eq!(sql.0.alarm().await, None);
    savepoint(Savepoint::Begin);
    sql.rows("INSERT INTO t VALUES (3)").unwrap();
    savepoint(Savepoint::Release);
    savepoint(Savepoint::Release);
    sql.0.0.seal();
    assert_eq!(sql.rows("SELECT a FROM t").unwrap(), ["1", "3"]);
    assert_eq!(sql.0.0.pending_ticket(), 0);
}

#[tokio::test]
async fn a_cursor_that_writes_does_not_stand_in_the_way_of_the_commit() {
    let sql = Sql::open(&memory()).await;
    sql.commit("CREATE TABLE t(a)").await.unwrap();
    let insert = "INSERT INTO t VALUES (1), (2), (3) RETURNING a";
    let (step, ticket) = sql.with(|database| database.execute(insert, &[], &mut |_| ())).unwrap();
    sql.0.0.seal();
    sql.0.0.durable(ticket).wait().await.unwrap();
    let mut rest = Vec::new();
    sql.with(|database| database.advance(step.cursor, 9, &mut |value| rest.push(shown(value))))
        .unwrap();
    assert_eq!(rest, ["2", "3"]);
}

#[tokio::test]
async fn an_attempt_that_ran_beside_sql_loses() {
    let place = memory();
    let sql = Sql::open(&place).await;
    sql.commit("CREATE TABLE t(a)").await.unwrap();
    let attempt = sql.0.begin().await;
    let _ = attempt.get("key").await;
    sql.commit("INSERT INTO t VALUES (1)").await.unwrap();
    attempt.put("key", "value");
    assert!(!attempt.commit().await, "SQL may have written what the attempt has read");
}

#[tokio::test]
async fn a_text_of_any_bytes_is_found_as_it_was_stored() {
    let sql = Sql::open(&memory()).await;
    let bytes = b"x\0\xED\xA0\x80y";
    let mut found = Vec::new();
    sql.with(|database| {
        let bindings = [Binding::Text(bytes)];
        database.execute("SELECT ?", &bindings, &mut |value| {
            if let Column::Text(text) = value {
                found = text.to_vec();
            }
        })
    })
    .unwrap();
    assert_eq!(found, bytes);
}

/// Where the first object of a directory lies.
fn object_in(directory: &Directory) -> PathBuf {
    directory.path().join("OBJECT/one")
}

const PROCESS: FileOptions = FileOptions { fsync: false, open_objects_max: 4 };

#[tokio::test]
async fn an_object_moves_into_its_database_with_all_keys_and_the_alarm() {
    for options in [FSYNC, PROCESS] {
        let directory = Directory::new();
        let place: Arc<dyn Store> = directory.open_apart(options);
        Caller::new(&place).write(put(&["a", "b"], "value")).await;
        Caller::new(&place).write(alarm(Some(9))).await;
        place.close().wait().await.unwrap();
        drop(place);
        for round in 0..2 {
            let place: Arc<dyn Store> = directory.open_apart(options);
            let sql = Sql::open(&place).await;
            assert_eq!(sql.rows("SELECT 1").unwrap(), ["1"]);
            let values = (sql.0.get("a").await, sql.0.get("b").await, sql.0.alarm().await);
            let value = || Some("value".to_owned());
            assert_eq!(values, (value(), value(), Some(9)), "{options:?}, round {round}");
            assert!(object_in(&directory).join("object.sqlite").exists());
            assert!(!object_in(&directory).join("CURRENT").exists());
            sql.storage().close_sql();
            place.close().wait().await.unwrap();
            drop(sql);
        }
        let names = fs::read_dir(object_in(&directory)).unwrap();
        assert_eq!(names.count(), 1, "a closed database is one file");
    }
}

#[tokio::test]
async fn an_object_that_is_open_moves_when_its_class_wants_sql() {
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    let caller = Caller::new(&place);
    caller.put("a", "value").await;
    let sql = Sql::open(&place).await;
    sql.commit("CREATE TABLE t(a)").await.unwrap();
    assert_eq!(caller.get("a").await.as_deref(), Some("value"));
    sql.storage().close_sql();
}

#[tokio::test]
async fn a_database_that_was_never_written_leaves_nothing_and_is_in_no_list() {
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    let sql = Sql::open(&place).await;
    assert_eq!(sql.rows("SELECT 1").unwrap(), ["1"]);
    assert_eq!(place.object_ids("OBJECT").wait().await.unwrap().len(), 0);
    sql.storage().close_sql();
    place.close().wait().await.unwrap();
    assert!(!object_in(&directory).exists());
}

#[tokio::test]
async fn what_a_killed_process_has_committed_is_there_and_torn_tails_are_cut() {
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    let sql = Sql::open(&place).await;
    sql.commit("CREATE TABLE t(a)").await.unwrap();
    sql.commit("INSERT INTO t VALUES (1)").await.unwrap();
    sql.rows("INSERT INTO t VALUES (2)").unwrap();
    // As a kill leaves it, with half a frame at the end of the log.
    let copy = Directory::new();
    let target = object_in(&copy);
    fs::create_dir_all(&target).unwrap();
    for file in ["object.sqlite", "object.sqlite-wal"] {
        let mut content = fs::read(object_in(&directory).join(file)).unwrap();
        if file.ends_with("wal") {
            content.extend(vec![7; 3_000]);
        }
        fs::write(target.join(file), content).unwrap();
    }
    let after: Arc<dyn Store> = copy.open_apart(FSYNC);
    let found = Sql::open(&after).await;
    assert_eq!(found.rows("SELECT a FROM t").unwrap(), ["1"]);
    found.storage().close_sql();
    sql.storage().close_sql();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told_and_left_as_it_is() {
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    let sql = Sql::open(&place).await;
    sql.commit("CREATE TABLE t(a)").await.unwrap();
    sql.storage().close_sql();
    place.close().wait().await.unwrap();
    drop((sql, place));
    let file = object_in(&directory).join("object.sqlite");
    let mut garbled = fs::read(&file).unwrap();
    garbled[..16].fill(b'x');
    fs::write(&file, &garbled).unwrap();
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    let object = place.object(&object_key("one")).unwrap();
    let error = object.sql().unwrap().open_sql().wait().await.unwrap_err();
    assert_eq!(error.code(), "ERR_STORAGE_CORRUPT", "{error}");
    assert_eq!(fs::read(&file).unwrap(), garbled);
}

#[tokio::test]
async fn a_database_without_fsync_is_not_created_again_when_it_is_damaged() {
    let directory = Directory::new();
    for _ in 0..2 {
        let place: Arc<dyn Store> = directory.open_apart(PROCESS);
        let sql = Sql::open(&place).await;
        sql.commit("CREATE TABLE IF NOT EXISTS t(a)").await.unwrap();
        sql.storage().close_sql();
        place.close().wait().await.unwrap();
    }
    let file = object_in(&directory).join("object.sqlite");
    let mut garbled = fs::read(&file).unwrap();
    garbled[..16].fill(b'x');
    fs::write(&file, &garbled).unwrap();
    let place: Arc<dyn Store> = directory.open_apart(PROCESS);
    let object = place.object(&object_key("one")).unwrap();
    let error = object.sql().unwrap().open_sql().wait().await.unwrap_err();
    assert_eq!(error.code(), "ERR_STORAGE_CORRUPT", "{error}");
}

#[tokio::test]
async fn another_program_that_has_the_database_open_is_told_and_cannot_open_ours() {
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    let sql = Sql::open(&place).await;
    sql.commit("CREATE TABLE t(a)").await.unwrap();
    let file = object_in(&directory).join("object.sqlite");
    let program = rusqlite::Connection::open(&file).unwrap();
    program.busy_timeout(std::time::Duration::ZERO).unwrap();
    let refused = program.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
    assert!(refused.is_err_and(|error| error.to_string().contains("locked")));
    drop(program);
    sql.storage().close_sql();
    place.close().wait().await.unwrap();
    drop((sql, place));
    let program = rusqlite::Connection::open(&file).unwrap();
    program.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let place: Arc<dyn Store> = directory.open_apart(FSYNC);
    let object = place.object(&object_key("one")).unwrap();
    let error = object.sql().unwrap().open_sql().wait().await.unwrap_err();
    assert_eq!(error.code(), "ERR_STORAGE_HELD", "{error}");
}

#[tokio::test]
async fn an_object_that_is_kept_open_is_wanted_and_goes_to_the_other_process_when_it_is_let_go() {
    let directory = Directory::new();
    let sides: [Arc<dyn Store>; 2] = [(); 2].map(|()| directory.open_apart(FSYNC) as _);
    let first = Sql::open(&sides[0]).await;
    first.commit("CREATE TABLE t(a)").await.unwrap();
    let other = sides[1].object(&object_key("one")).unwrap();
    let opening = tokio::spawn(async move {
        other.sql().unwrap().open_sql().wait().await.unwrap();
        other
    });
    while !first.storage().is_wanted() {
        tokio::task::yield_now().await;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(first.rows("SELECT count(*) FROM t").unwrap(), ["0"]);
    first.storage().close_sql();
    let second = opening.await.unwrap();
    let mut tables = 0;
    let query = "SELECT count(*) FROM sqlite_master WHERE name = 't'";
    second
        .sql()
        .unwrap()
        .with_sql(&mut |database| {
            database
                .execute(query, &[], &mut |value| {
                    tables += usize::from(value == Column::Integer(1));
                })
                .map(drop)
        })
        .unwrap();
    assert_eq!(tables, 1);
    second.sql().unwrap().close_sql();
}

#[tokio::test]
async fn a_class_without_sql_says_so() {
    let place = memory();
    let object = place.object(&object_key("one")).unwrap();
    let refused = object.sql().unwrap().with_sql(&mut |_| Ok(()));
    assert_eq!(refused, Err(Error::NoSql));
}
