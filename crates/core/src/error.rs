//! The one error type of the core. Its kinds say what the caller does next.

use crate::limits::{KEY_BYTES_MAX, KEYS_MAX, VALUE_BYTES_CEILING};
use crate::remedy;

/// Result with the core's error.
pub type Result<T> = std::result::Result<T, Error>;

/// What the caller does next; the binding maps each kind to one JavaScript class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Pass an argument of another type or form: `TypeError`.
    Type,
    /// Pass a smaller or shorter argument: `RangeError`.
    Range,
    /// Change the program: the call is never right in this state: `Error`.
    Usage,
    /// Check where the data is stored: `Error`.
    Storage,
    /// Report it: the core broke one of its own invariants: `Error`.
    Internal,
}

/// Every way in which the core refuses or fails. Conflicts are outcomes, not errors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A single key is over the limit.
    #[error("Keys cannot be larger than {KEY_BYTES_MAX} bytes.")]
    KeyTooLarge,
    /// A key of a batch is over the limit.
    #[error("Key \"{key}\" is larger than the limit of {KEY_BYTES_MAX} bytes.")]
    BatchKeyTooLarge {
        /// The whole key.
        key: String,
    },
    /// A single value is over the limit.
    #[error("Values cannot be larger than {limit} bytes.")]
    ValueTooLarge {
        /// The configured limit, in bytes.
        limit: usize,
    },
    /// A value of a batch is over the limit.
    #[error("Value for key \"{key}\" is above the limit of {limit} bytes.")]
    BatchValueTooLarge {
        /// The value's key.
        key: String,
        /// The configured limit, in bytes.
        limit: usize,
    },
    /// A batch names too many keys.
    #[error("Maximum number of keys is {KEYS_MAX}.")]
    TooManyKeys,
    /// A batch has too many pairs.
    #[error("Maximum number of pairs is {KEYS_MAX}.")]
    TooManyPairs,
    /// A transaction writes too many keys.
    #[error("Maximum number of keys modified in a transaction is {KEYS_MAX}.")]
    TooManyKeysWritten,
    /// The configured value limit is out of range.
    #[error(
        "The value limit must be a whole number from 1 to {VALUE_BYTES_CEILING} bytes, but it is {bytes}."
    )]
    ValueLimit {
        /// The refused limit.
        bytes: usize,
    },
    /// An id string is malformed.
    #[error("Invalid Durable Object ID. Durable Object IDs must be 64 hex digits.")]
    IdFormat,
    /// An id string belongs to another object name.
    #[error("Invalid Durable Object ID. The ID does not match this Durable Object class.")]
    IdOwner,
    /// An alarm time is not positive, or no `Date` can hold it.
    #[error("setAlarm() cannot be called with an alarm time {reason}")]
    AlarmTime {
        /// What is wrong with the time.
        reason: String,
    },
    /// A transaction's closure writes through the storage what it reads through the transaction.
    #[error(
        "Transaction can never commit: its closure changes {what} outside the transaction (for example through `storage` instead of `txn`) after reading it through the transaction. Use `txn` for both."
    )]
    SelfConflict {
        /// What was read and then changed: a key in quotes, a range or the alarm.
        what: String,
    },
    /// A transaction number that is not, or no longer, in use.
    #[error("Transaction {id} is not running: it has already finished.")]
    UnknownTransaction {
        /// The number.
        id: u64,
    },
    /// A transaction lost more often than the algorithm allows.
    #[error(
        "Transaction gave up after {attempts} attempts: each time it ran alone for {seconds} seconds without finishing, and then lost to another commit. Do less inside the closure."
    )]
    AttemptsExhausted {
        /// Attempts made.
        attempts: u32,
        /// How long a turn lasts.
        seconds: u64,
    },
    /// A database was written by a newer version.
    #[error(
        "{path} was written by a newer version of ferroflare (format {version}). Update ferroflare, or use another {place}."
    )]
    NewerFormat {
        /// The database, directory or server.
        path: String,
        /// Its format.
        version: u32,
        /// What else could be used instead.
        place: &'static str,
    },
    /// A database cannot be read.
    #[error(
        "The database {path} is corrupt: {reason}. Restore it from a copy, or delete the directory to begin with an empty object."
    )]
    Corrupt {
        /// The database.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A database is not as the lock file says that it was left.
    #[error(
        "The database {path} is corrupt: {reason}, according to {record}. Nothing was changed. Restore it from a copy, or delete the directory to begin with an empty object. To use what is left of it, delete {record}."
    )]
    Incomplete {
        /// The database.
        path: String,
        /// What is wrong with it.
        reason: String,
        /// The lock file, with the record that the last holder has left.
        record: String,
    },
    /// The file that marks a directory as ours cannot be read.
    #[error(
        "The file {path} is corrupt: it holds no version. Restore it from a copy. If no newer version of ferroflare has used {root}, write {version} into it instead: the objects in there are not touched."
    )]
    CorruptMarker {
        /// The file.
        path: String,
        /// The directory that it marks.
        root: String,
        /// What this version writes into it.
        version: u32,
    },
    /// A directory holds data of Miniflare 2.
    #[error(
        "{path} holds Durable Object data of Miniflare 2. Convert it with `npx ferroflare import {root} <new directory>`, and use the new directory."
    )]
    OldData {
        /// Where the data was found.
        path: String,
        /// The directory to import from.
        root: String,
    },
    /// A file system that ignores case holds the name in another spelling.
    #[error(
        "{path} holds \"{other}\", and its file system cannot keep \"{file}\" beside it, because it ignores case. Rename one of them, or use a directory on another file system."
    )]
    OtherSpelling {
        /// The directory that holds the names.
        path: String,
        /// The spelling that exists.
        other: String,
        /// The one that was asked for.
        file: String,
    },
    /// A symbolic link lies where we write and delete.
    #[error(
        "{path} is a symbolic link. Nothing was changed: what it leads to would be written to, and deleted, like data of Durable Objects. Move that data here, or use its directory for all objects."
    )]
    Link {
        /// The link.
        path: String,
    },
    /// A file lies where a directory is needed.
    #[error(
        "{path} is not a directory, so no Durable Object data can be stored in it. Move it away, or use another directory."
    )]
    NotADirectory {
        /// The path.
        path: String,
    },
    /// Another process does not release an object.
    #[error(
        "{path} is in use by another process ({holder}), which did not release it within {seconds} seconds. Stop that process, or use another directory."
    )]
    Held {
        /// The database.
        path: String,
        /// Who holds it.
        holder: String,
        /// How long we have waited.
        seconds: u64,
    },
    /// A program that does not ask for our locks has a database open.
    #[error(
        "The database {path} is open in another program, which has locked {lock}. Close it there, or use another directory."
    )]
    Locked {
        /// The database.
        path: String,
        /// RocksDB's lock.
        lock: String,
    },
    /// A lock file has been deleted or moved while its object was in use.
    #[error(
        "The lock file {path} has been deleted or moved while its object was in use. Another process may have written to the object since, so the last writes were refused. The object is read again from what is stored. Leave .ferroflare alone while a process uses the directory."
    )]
    LockVanished {
        /// The lock file.
        path: String,
    },
    /// A database has been deleted or moved while it was in use.
    #[error(
        "{path} has been deleted or moved while it was in use: what was written there is lost. The object is read again from what is stored there now."
    )]
    Vanished {
        /// The database.
        path: String,
    },
    /// The file system fails.
    #[error("Cannot {action} {path}: {reason}.{}", remedy::of_system(reason))]
    Io {
        /// What failed: a verb.
        action: &'static str,
        /// The file or directory.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A URL of Redis cannot be used.
    #[error(
        "The Redis URL {url} cannot be used: {reason}. It has the form redis[s]://[user:password@]host[:port][,host:port...][/database]."
    )]
    RedisUrl {
        /// The URL without its password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Redis does not answer.
    #[error(
        "Cannot reach Redis at {url}: {reason}. Start the server, or correct the URL of durableObjectsPersist."
    )]
    RedisUnreachable {
        /// The URL without its password.
        url: String,
        /// What the last attempt met.
        reason: String,
    },
    /// Redis was reached, but did not answer a write in time: it may have been applied.
    #[error(
        "Redis at {url} did not answer for {seconds} seconds ({reason}), so that the last writes may or may not have been applied. Check the server, then read the data again."
    )]
    RedisUnknownOutcome {
        /// The URL without its password.
        url: String,
        /// How long we have waited.
        seconds: u64,
        /// What the last attempt met.
        reason: String,
    },
    /// Redis does not accept the user or the password.
    #[error(
        "Redis at {url} rejected the login: {reason}. Correct the user and the password in the URL of durableObjectsPersist, or the rights of that user."
    )]
    RedisAccess {
        /// The URL without its password.
        url: String,
        /// What the server says.
        reason: String,
    },
    /// Redis refuses a command.
    #[error("Redis at {url} has refused a command: {reason}.{}", remedy::of_redis(reason))]
    RedisRefused {
        /// The URL without its password.
        url: String,
        /// What the server says.
        reason: String,
    },
    /// Redis gives an answer of a kind that the command does not have.
    #[error(
        "Redis has given an answer that it cannot give: {shown}. Check that the URL of durableObjectsPersist leads to a Redis server, and that no program in between changes its answers."
    )]
    RedisAnswer {
        /// The beginning of the answer.
        shown: String,
    },
    /// The store below an overlay does not answer.
    #[error(
        "Reading the stored data took longer than {seconds} seconds. Check what else uses that directory or server, and whether it can be reached."
    )]
    NoAnswer {
        /// How long we have waited.
        seconds: u64,
    },
    /// SQLite refuses or fails.
    #[error("{message}")]
    Sql {
        /// What SQLite says, in the words of production.
        message: String,
        /// Its primary result code.
        code: i32,
    },
    /// An object is in a SQLite database, but its class is not SQLite-backed.
    #[error(
        "{object} is in a SQLite database, but its class is not SQLite-backed, and its tables cannot be kept any other way. Make the class SQLite-backed again (`new_sqlite_classes`, `useSQLite` or --do-sqlite), or use another directory."
    )]
    StorageBackend {
        /// The directory of the object, or its name and id.
        object: String,
    },
    /// The class of an object is not SQLite-backed, or its data is in Redis.
    #[error("Durable Object is not backed by SQL.")]
    NoSql,
    /// The SQL of a worker is used in a way that is never right.
    #[error("{message}")]
    SqlUsage {
        /// What production says.
        message: String,
    },
    /// The process has ended the threads that read and write.
    #[error(
        "Stored data cannot be reached any more: the process is ending. Read and write earlier, and await it: process.on(\"beforeExit\") may still do so, process.on(\"exit\") may not."
    )]
    Ending,
    /// The store was closed.
    #[error("The storage of this object is closed: its Miniflare instance has been disposed.")]
    Closed,
    /// An invariant does not hold.
    #[error("Internal error in ferroflare: {0}. Please report it.")]
    Internal(String),
}

impl Error {
    /// A failure of the file system.
    pub fn io(action: &'static str, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{AlreadyExists, NotADirectory};
        // A device, too, is no directory.
        let file = path.ancestors().find(|above| above.exists() && !above.is_dir());
        if let (Some(file), NotADirectory | AlreadyExists) = (file, error.kind()) {
            let path = file.display().to_string();
            return Self::NotADirectory { path };
        }
        Self::Io { action, path: path.display().to_string(), reason: error.to_string() }
    }

    /// What the caller does next.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::IdFormat | Self::IdOwner | Self::AlarmTime { .. } => ErrorKind::Type,
            Self::KeyTooLarge
            | Self::BatchKeyTooLarge { .. }
            | Self::ValueTooLarge { .. }
            | Self::BatchValueTooLarge { .. }
            | Self::TooManyKeys
            | Self::TooManyPairs
            | Self::ValueLimit { .. } => ErrorKind::Range,
            Self::TooManyKeysWritten
            | Self::SelfConflict { .. }
            | Self::UnknownTransaction { .. }
            | Self::AttemptsExhausted { .. }
            | Self::Sql { .. }
            | Self::NoSql
            | Self::SqlUsage { .. } => ErrorKind::Usage,
            Self::NewerFormat { .. }
            | Self::Corrupt { .. }
            | Self::Incomplete { .. }
            | Self::CorruptMarker { .. }
            | Self::OldData { .. }
            | Self::OtherSpelling { .. }
            | Self::NotADirectory { .. }
            | Self::Link { .. }
            | Self::Held { .. }
            | Self::Locked { .. }
            | Self::Vanished { .. }
            | Self::StorageBackend { .. }
            | Self::LockVanished { .. }
            | Self::Io { .. }
            | Self::RedisUrl { .. }
            | Self::RedisUnreachable { .. }
            | Self::RedisUnknownOutcome { .. }
            | Self::RedisAccess { .. }
            | Self::RedisRefused { .. }
            | Self::RedisAnswer { .. }
            | Self::NoAnswer { .. }
            | Self::Ending
            | Self::Closed => ErrorKind::Storage,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }
}
