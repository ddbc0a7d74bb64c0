//! SQLite, with a few lines more. It counts the rows that a statement reads and writes, and knows whether a row is certainly
//! the last one. It shows the authorizer the new name of a table.
//!
//! The sources are those of the crate `libsqlite3-sys`, which compiles nothing itself here (feature `in_gecko` of
//! rusqlite).

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// As production compiles it. Statements that a worker may not use are refused when they are prepared.
const DEFINES: &[(&str, &str)] = &[
    ("SQLITE_CORE", "1"),
    // Databases are for this user alone.
    ("SQLITE_DEFAULT_FILE_PERMISSIONS", "0600"),
    ("SQLITE_DEFAULT_FOREIGN_KEYS", "1"),
    ("SQLITE_DEFAULT_MEMSTATUS", "0"),
    ("SQLITE_ENABLE_FTS5", "1"),
    ("SQLITE_ENABLE_MATH_FUNCTIONS", "1"),
    ("SQLITE_ENABLE_RTREE", "1"),
    ("SQLITE_OMIT_LOAD_EXTENSION", "1"),
    ("SQLITE_OMIT_SHARED_CACHE", "1"),
    ("SQLITE_PRINTF_PRECISION_LIMIT", "100000"),
    // No temporary files.
    ("SQLITE_TEMP_STORE", "3"),
    // A connection is used by one thread at a time.
    ("SQLITE_THREADSAFE", "2"),
];

/// Counters of a statement, beside those that SQLite has. `sqlite3_stmt_status()` reads them.
const READ: &str = "p->aCounter[9]";
const WRITTEN: &str = "p->aCounter[10]";

/// Where a line is inserted.
enum Place {
    Before,
    After,
}
use Place::{After, Before};

/// Lines of code to insert: the section that begins with a text, a text that occurs once in it, where, and the code.
fn insertions() -> Vec<(&'static str, &'static str, Place, String)> {
    let one_read = || format!("{READ}++;");
    let one_written = || format!("if( !pC->isEphemeral ) {WRITTEN}++;");
    let counted = "rc = sqlite3BtreeCount(db, pCrsr, &nEntry);";
    let changed = "if( pOp->p5 & OPFLAG_NCHANGE ){";
    let deleted = "if( opflags & OPFLAG_NCHANGE ){";
    let jumps = "if( pOp->p2>0 ){";
    let is_tree = "assert( pC->eCurType==CURTYPE_BTREE );";
    let cleared = "p->nChange += nChange;";
    vec![
        ("\ncase OP_Count:", counted, After, format!("{READ} += (u32)nEntry;")),
        ("\ncase OP_SeekGT:", "#ifdef SQLITE_TEST\n  sqlite3_search", Before, one_read()),
        ("\ncase OP_NotExists:", "pC->seekResult = res;", After, one_read()),
        ("\ncase OP_Last:", jumps, Before, one_read()),
        ("\ncase OP_Rewind:", jumps, Before, one_read()),
        ("\ncase OP_Next:", "p->aCounter[pOp->p5]++;", After, one_read()),
        ("\ncase OP_VNext:", "res = pModule->xEof(", Before, one_read()),
        ("\ncase OP_Insert:", changed, Before, one_written()),
        ("\ncase OP_Delete:", deleted, After, one_written()),
        ("\ncase OP_IdxInsert:", is_tree, Before, one_written()),
        ("\ncase OP_Clear:", cleared, After, format!("{WRITTEN} += (u32)nChange;")),
        ("\ncase OP_VUpdate:", "p->nChange++;", Before, format!("{WRITTEN}++;")),
    ]
}

/// Texts to replace: the section that begins with a text, a text that occurs once in it, and the new text.
const REPLACEMENTS: &[(&str, &str, &str)] = &[
    ("\nstruct Vdbe {", "u32 aCounter[9];", "u32 aCounter[11];"),
    (
        "SQLITE_PRIVATE void sqlite3AlterRenameTable(\n",
        "SQLITE_ALTER_TABLE, zDb, pTab->zName, 0)",
        "SQLITE_ALTER_TABLE, zDb, pTab->zName, zName)",
    ),
];

/// Whether a statement stands on a row behind which it has nothing left to do but to end.
const ON_LAST_ROW: &str = "
int ferroflare_is_on_last_row(sqlite3_stmt *statement){
  Vdbe *p = (Vdbe*)statement;
  return p->pFrame==0 && p->pc>0 && p->pc<p->nOp
      && p->aOp[p->pc].opcode==OP_Halt && p->aOp[p->pc].p1==SQLITE_OK;
}
";

/// Compiles SQLite.
pub(crate) fn compile() -> Result<(), Box<dyn Error>> {
    let sources = sources()?;
    let file = sources.join("sqlite3.c");
    println!("cargo:rerun-if-changed={}", file.display());
    let mut code = fs::read_to_string(&file)?;
    for (section, text, replacement) in REPLACEMENTS {
        replace(&mut code, section, text, replacement)?;
    }
    for (section, text, place, line) in insertions() {
        let replacement = match place {
            Before => format!("{line}\n  {text}"),
            After => format!("{text}\n  {line}"),
        };
        replace(&mut code, section, text, &replacement)?;
    }
    code.push_str(ON_LAST_ROW);
    let changed = PathBuf::from(env::var("OUT_DIR")?).join("sqlite3.c");
    fs::write(&changed, code)?;
    let mut build = cc::Build::new();
    build.file(changed).include(sources).warnings(false).opt_level(3);
    for (name, value) in DEFINES {
        build.define(name, *value);
    }
    build.compile("sqlite3");
    Ok(())
}

/// Replaces `text`, which occurs once between `section` and the next opcode or the next function.
fn replace(code: &mut String, section: &str, text: &str, replacement: &str) -> Result<(), String> {
    let missing = |what: &str| format!("this version of SQLite has no {what:?} after {section:?}");
    let start = code.find(section).ok_or_else(|| missing("section"))?;
    let end = code[start..].find("\n}\n").map_or(code.len(), |length| start + length);
    let end = code[start..end].find("/* Opcode:").map_or(end, |length| start + length);
    let found: Vec<_> = code[start..end].match_indices(text).collect();
    let [(at, _)] = found[..] else {
        return Err(missing(text));
    };
    code.replace_range(start + at..start + at + text.len(), replacement);
    Ok(())
}

/// The directory of SQLite's sources in the crate `libsqlite3-sys`.
fn sources() -> Result<PathBuf, Box<dyn Error>> {
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version=1", "--offline", "--filter-platform"])
        .arg(env::var("TARGET")?)
        .current_dir(env::var("CARGO_MANIFEST_DIR")?)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let package = packages.iter().find(|package| package["name"] == "libsqlite3-sys");
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = PathBuf::from(manifest.ok_or("the crate libsqlite3-sys is not used")?);
    Ok(manifest.with_file_name("sqlite3"))
}
