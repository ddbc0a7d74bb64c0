//! What was acknowledged of a SQLite database survives a power loss, also while its log moves into it.

use std::sync::Arc;

use ferroflare_core::backend::Store;
use ferroflare_core::sqlite::{Binding, Column};

use super::losing_disk::{LosingDisk, lose_power};
use crate::places::{Directory, FSYNC};
use crate::seed::{Random, seed};
use crate::support::Caller;

/// About 90 pages each: the log moves three times.
const ROUNDS: i64 = 40;
const BYTES: usize = 360_000;
/// The same rows are written again, so that pages of the database change.
const ROWS: i64 = 3;

async fn run(place: &Arc<dyn Store>, sql: &str, bindings: &[Binding<'_>]) -> Vec<i64> {
    let caller = Caller::new(place);
    let storage = caller.0.sql().unwrap();
    storage.open_sql().wait().await.unwrap();
    let mut found = Vec::new();
    let ticket = storage
        .with_sql(&mut |database| {
            let mut take = |value: Column<'_>| {
                if let Column::Integer(number) = value {
                    found.push(number);
                }
            };
            let step = database.execute(sql, bindings, &mut take)?;
            database.advance(step.cursor, usize::MAX, &mut take).map(drop)
        })
        .unwrap();
    caller.0.seal();
    caller.0.durable(ticket).wait().await.unwrap();
    storage.close_sql();
    found
}

#[tokio::test]
async fn everything_acknowledged_survives_and_is_sound() {
    let seed = seed();
    println!("FERROFLARE_SEED={seed}");
    let mut random = Random::new(seed);
    let disk = Arc::new(LosingDisk::new());
    let directory = Directory::new();
    let place: Arc<dyn Store> = directory.open_apart_in("root", FSYNC, disk.clone());
    run(&place, "CREATE TABLE t(id INTEGER PRIMARY KEY, round, bytes)", &[]).await;
    for round in 1..=ROUNDS {
        let bytes: Vec<u8> =
            std::iter::repeat_with(|| random.next().to_le_bytes()).flatten().take(BYTES).collect();
        let row = Binding::Integer(round % ROWS);
        let values = [row, Binding::Integer(round), Binding::Blob(&bytes)];
        run(&place, "INSERT OR REPLACE INTO t VALUES (?, ?, ?)", &values).await;
        let after = Directory::new();
        lose_power(directory.path(), after.path(), &mut random);
        let copy: Arc<dyn Store> = after.open_apart_in("root", FSYNC, disk.clone());
        assert_eq!(run(&copy, "SELECT max(round) FROM t", &[]).await, [round]);
        let damaged = "SELECT count(*) FROM pragma_quick_check WHERE quick_check <> 'ok'";
        assert_eq!(run(&copy, damaged, &[]).await, [0], "after round {round}");
        let sizes = "SELECT count(*) FROM t WHERE length(bytes) <> 360000";
        assert_eq!(run(&copy, sizes, &[]).await, [0]);
        copy.close().wait().await.unwrap();
    }
    place.close().wait().await.unwrap();
}
