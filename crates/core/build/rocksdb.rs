//! What RocksDB calls in C++, compiled against the headers of the RocksDB that is linked.

use std::env;
use std::path::PathBuf;

const SOURCES: &str = "src/backend/files/database/env";

/// Compiles it.
pub(crate) fn compile() -> Result<(), env::VarError> {
    println!("cargo:rerun-if-changed={SOURCES}");
    // Where the sources of librocksdb-sys are, as it tells those who depend on it.
    let headers =
        PathBuf::from(env::var("DEP_ROCKSDB_CARGO_MANIFEST_DIR")?).join("rocksdb/include");
    let mut build = cc::Build::new();
    build.cpp(true).file(format!("{SOURCES}/env.cc")).include(headers).define("NDEBUG", "1");
    // GCC 12 warns of its own std::string.
    build.warnings(false);
    // As librocksdb-sys compiles RocksDB.
    if build.get_compiler().is_like_msvc() {
        build.flag("-EHsc").flag("-std:c++20");
    } else {
        build.flag("-std=c++20");
    }
    build.compile("ferroflare_env");
    Ok(())
}
