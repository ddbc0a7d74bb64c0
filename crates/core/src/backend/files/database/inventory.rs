//! An inventory of the files of a database, by which the next holder of the object notices damage from outside.
//!
//! A crash may leave a manifest that is cut off, or a log that is missing, empty or zeroed. So RocksDB accepts both: it
//! goes on without them, and deletes the tables that it no longer knows. The holder of an object therefore writes an
//! inventory into the lock file (`lock/object_lock.rs`). The next holder compares it before RocksDB opens the database,
//! and changes nothing.
//!
//! - When the holder opens the database to write, the inventory lists the manifest as far as it is written, and the log.
//! - When the holder has closed the database, the inventory lists every file. It has a digest of the manifest and of
//!   each log.
//!   Of a table it has only the length, because RocksDB checks each block that it reads.
//!
//! The lock file is never synced, so a power loss may bring back an older inventory. An inventory that does not belong
//! to the present state of the database has no effect. It is recognised by two facts. Each opening to write makes a
//! manifest with another name. And each database has its own id at the beginning of its manifest.

use std::fmt;
use std::fs;
use std::io;
use std::iter;
use std::path::Path;

use once_cell::sync::Lazy;
use sha2::{Digest, Sha256};

use super::file_names::{CURRENT, MANIFEST, is_a};
use crate::id::hex;

/// The first bytes of a manifest, which hold most of the database's id.
const ID_BYTES: usize = 40;
/// Bytes of a SHA-256 that are kept: enough to notice an accident.
const DIGEST_BYTES: usize = 16;
/// Names this run of the operating system, if the system has such a file.
const BOOT_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// What the files of a database are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The run of the system in which the inventory is valid; `None` if a power loss takes nothing from these files.
    boot: Option<String>,
    /// Digest of the beginning of the manifest.
    database: String,
    manifest: Listed,
    others: Vec<Listed>,
}

/// A file of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    name: String,
    /// The least length that the file has.
    length: u64,
    /// Whether the holder writes to the file, so that it may be longer.
    grows: bool,
    /// Digest of that many bytes; `None` for a table.
    digest: Option<String>,
}

impl Inventory {
    /// The inventory of a database that is open to write. `synced` says whether its files survive a power loss.
    pub fn of_open(path: &Path, synced: bool) -> io::Result<Self> {
        let mut inventory = Self::begin(path, synced, true)?;
        let logs = names(path)?.into_iter().filter(|name| is_a(name, "log"));
        // RocksDB deletes older logs as soon as it can. Names of one length are ordered by their numbers.
        let newest = logs.max_by_key(|name| (name.len(), name.clone()));
        let listed = |name| Listed { name, length: 0, grows: true, digest: None };
        inventory.others.extend(newest.map(listed));
        Ok(inventory)
    }

    /// The inventory of a database that is closed.
    pub fn of_closed(path: &Path, synced: bool) -> io::Result<Self> {
        let mut inventory = Self::begin(path, synced, false)?;
        for name in names(path)? {
            let file = path.join(&name);
            if is_a(&name, "log") {
                inventory.others.push(Listed::with_digest(name, &fs::read(file)?, false));
            } else if is_a(&name, "sst") {
                let length = fs::metadata(file)?.len();
                inventory.others.push(Listed { name, length, grows: false, digest: None });
            }
        }
        Ok(inventory)
    }

    fn begin(path: &Path, synced: bool, grows: bool) -> io::Result<Self> {
        let boot =
            if synced { None } else { Some(BOOT.clone().ok_or(io::ErrorKind::Unsupported)?) };
        let current = fs::read_to_string(path.join(CURRENT))?;
        let name = current.trim_end().to_owned();
        let content = fs::read(path.join(&name))?;
        let database = digest(&content[..ID_BYTES.min(content.len())]);
        let manifest = Listed::with_digest(name, &content, grows);
        Ok(Self { boot, database, manifest, others: Vec::new() })
    }

    /// Whether the inventory is valid although its files were never synced.
    pub fn is_of_unsynced(&self) -> bool {
        self.boot.is_some()
    }

    /// What is wrong with the database in `path`, which was not opened since. `None` if nothing is wrong, or if the
    /// inventory belongs to another database or another time.
    pub fn damage(&self, path: &Path) -> io::Result<Option<String>> {
        if self.boot.is_some() && self.boot != *BOOT {
            return Ok(None);
        }
        let Some(current) = read(&path.join(CURRENT))? else {
            return Ok(Some(format!("its file {CURRENT} is missing")));
        };
        if current.trim_ascii_end() != self.manifest.name.as_bytes() {
            return Ok(None);
        }
        let Some(manifest) = read(&path.join(&self.manifest.name))? else {
            return Ok(Some(self.manifest.missing()));
        };
        // No older inventory comes back until the system starts again.
        let is_another = digest(&manifest[..ID_BYTES.min(manifest.len())]) != self.database;
        if is_another && self.boot.is_none() {
            return Ok(None);
        }
        if let Some(wrong) = self.manifest.wrong(&manifest) {
            return Ok(Some(wrong));
        }
        // When RocksDB has moved the writes of a log into a table, the manifest is longer and the log is deleted.
        let may_miss_log = manifest.len() as u64 > self.manifest.length;
        for file in &self.others {
            if let Some(wrong) = file.damage(path, may_miss_log)? {
                return Ok(Some(wrong));
            }
        }
        Ok(None)
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().peekable();
        let boot = lines.next_if(|line| line.starts_with("boot "));
        let boot = boot.and_then(|line| line.strip_prefix("boot ")).map(str::to_owned);
        let database = lines.next()?.strip_prefix("database ")?.to_owned();
        let mut files = lines.map(Listed::parse);
        let manifest = files.next()??;
        Some(Self { boot, database, manifest, others: files.collect::<Option<_>>()? })
    }
}

/// Writes whole lines of text.
impl fmt::Display for Inventory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(boot) = &self.boot {
            writeln!(out, "boot {boot}")?;
        }
        writeln!(out, "database {}", self.database)?;
        for file in iter::once(&self.manifest).chain(&self.others) {
            let more = if file.grows { "+" } else { "" };
            let digest = file.digest.as_deref().unwrap_or("-");
            writeln!(out, "{} {}{more} {digest}", file.name, file.length)?;
        }
        Ok(())
    }
}

impl Listed {
    fn with_digest(name: String, content: &[u8], grows: bool) -> Self {
        Self { name, length: content.len() as u64, grows, digest: Some(digest(content)) }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (name, length, digest) = (words.next()?.to_owned(), words.next()?, words.next()?);
        let grows = length.ends_with('+');
        let length = length.trim_end_matches('+').parse().ok()?;
        let digest = (digest != "-").then(|| digest.to_owned());
        Some(Self { name, length, grows, digest })
    }

    fn damage(&self, path: &Path, may_be_missing: bool) -> io::Result<Option<String>> {
        let file = path.join(&self.name);
        if self.digest.is_some() {
            return Ok(
                read(&file)?.map_or_else(|| Some(self.missing()), |content| self.wrong(&content))
            );
        }
        match fs::metadata(&file) {
            Ok(found) => Ok(self.wrong_length(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok((!self.grows || !may_be_missing).then(|| self.missing()))
            }
            Err(error) => Err(error),
        }
    }

    fn wrong(&self, content: &[u8]) -> Option<String> {
        let wrong = self.wrong_length(content.len() as u64);
        let known = usize::try_from(self.length).ok().and_then(|length| content.get(..length));
        wrong.or_else(|| {
            let differs = known.map(digest) != self.digest;
            differs.then(|| format!("its file {} is not as it was left", self.name))
        })
    }

    fn wrong_length(&self, found: u64) -> Option<String> {
        let right = if self.grows { found >= self.length } else { found == self.length };
        let instead = if self.grows { "at least " } else { "" };
        (!right).then(|| {
            format!("its file {} has {found} bytes instead of {instead}{}", self.name, self.length)
        })
    }

    fn missing(&self) -> String {
        format!("its file {} is missing", self.name)
    }
}

static BOOT: Lazy<Option<String>> = Lazy::new(|| {
    let boot = fs::read_to_string(BOOT_FILE).ok()?.trim().to_owned();
    (!boot.is_empty() && !boot.contains(char::is_whitespace)).then_some(boot)
});

/// Whether a directory without a file `CURRENT` holds no other file of a database, or does not exist.
pub fn is_bare(path: &Path) -> io::Result<bool> {
    let of_database =
        |name: &String| name.starts_with(MANIFEST) || is_a(name, "log") || is_a(name, "sst");
    match names(path) {
        Ok(names) => Ok(!names.iter().any(of_database)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// A digest of some bytes, in hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..DIGEST_BYTES])
}

/// The content of a file; `None` if it is missing.
fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names of the files in a directory, in order.
fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}
