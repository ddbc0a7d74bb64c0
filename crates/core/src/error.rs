//! The one error type of the core, with kinds by what the caller does next.

use crate::limits::{KEY_BYTES_MAX, KEYS_MAX, VALUE_BYTES_CEILING};

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
    /// Look at the place where the data lives: `Error`.
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
    /// An alarm time is not positive.
    #[error("setAlarm() cannot be called with an alarm time <= 0")]
    AlarmTime,
    /// A transaction's closure writes through the storage what it reads through the transaction.
    #[error(
        "Transaction can never commit: its closure changes {what} outside of the transaction (for example through `storage` instead of `txn`) after reading it through the transaction. Use `txn` for both."
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
    /// The place was closed.
    #[error("The storage of this object is closed: its Miniflare instance has been disposed.")]
    Closed,
    /// An invariant does not hold.
    #[error("Internal error in ferroflare: {0}. Please report it.")]
    Internal(String),
}

impl Error {
    /// What the caller does next.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::IdFormat | Self::IdOwner | Self::AlarmTime => ErrorKind::Type,
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
            | Self::AttemptsExhausted { .. } => ErrorKind::Usage,
            Self::Closed => ErrorKind::Storage,
            Self::Internal(_) => ErrorKind::Internal,
        }
    }

    /// Stable name of the error, for programs: the `code` property in JavaScript.
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyTooLarge | Self::BatchKeyTooLarge { .. } => "ERR_KEY_TOO_LARGE",
            Self::ValueTooLarge { .. } | Self::BatchValueTooLarge { .. } => "ERR_VALUE_TOO_LARGE",
            Self::TooManyKeys | Self::TooManyPairs => "ERR_TOO_MANY_KEYS",
            Self::TooManyKeysWritten => "ERR_TOO_MANY_KEYS_WRITTEN",
            Self::ValueLimit { .. } => "ERR_VALUE_LIMIT",
            Self::IdFormat => "ERR_ID_FORMAT",
            Self::IdOwner => "ERR_ID_OWNER",
            Self::AlarmTime => "ERR_ALARM_TIME",
            Self::SelfConflict { .. } => "ERR_SELF_CONFLICT",
            Self::UnknownTransaction { .. } => "ERR_UNKNOWN_TRANSACTION",
            Self::AttemptsExhausted { .. } => "ERR_ATTEMPTS_EXHAUSTED",
            Self::Closed => "ERR_STORAGE_CLOSED",
            Self::Internal(_) => "ERR_INTERNAL",
        }
    }
}
