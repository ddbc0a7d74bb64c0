//! Compiles the C and C++ of the core: SQLite, and what RocksDB calls.

mod rocksdb;
mod sqlite;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build");
    rocksdb::compile()?;
    sqlite::compile()
}
