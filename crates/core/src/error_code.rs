//! The stable names of errors, for programs.

use crate::error::Error;

impl Error {
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
            Self::AlarmTime { .. } => "ERR_ALARM_TIME",
            Self::SelfConflict { .. } => "ERR_SELF_CONFLICT",
            Self::UnknownTransaction { .. } => "ERR_UNKNOWN_TRANSACTION",
            Self::AttemptsExhausted { .. } => "ERR_ATTEMPTS_EXHAUSTED",
            Self::NewerFormat { .. } => "ERR_STORAGE_FORMAT",
            Self::Corrupt { .. } | Self::Incomplete { .. } | Self::CorruptMarker { .. } => {
                "ERR_STORAGE_CORRUPT"
            }
            Self::OldData { .. } => "ERR_STORAGE_OLD_DATA",
            Self::OtherSpelling { .. } => "ERR_STORAGE_OTHER_SPELLING",
            Self::NotADirectory { .. } => "ERR_STORAGE_NOT_A_DIRECTORY",
            Self::Link { .. } => "ERR_STORAGE_LINK",
            Self::Held { .. } | Self::Locked { .. } => "ERR_STORAGE_HELD",
            Self::Vanished { .. } | Self::LockVanished { .. } => "ERR_STORAGE_VANISHED",
            Self::Io { .. } => "ERR_STORAGE_IO",
            Self::RedisUrl { .. } => "ERR_REDIS_URL",
            Self::RedisUnreachable { .. } => "ERR_REDIS_UNREACHABLE",
            Self::RedisUnknownOutcome { .. } => "ERR_REDIS_UNKNOWN_OUTCOME",
            Self::RedisAccess { .. } => "ERR_REDIS_ACCESS",
            Self::RedisRefused { .. } => "ERR_REDIS_REFUSED",
            Self::RedisAnswer { .. } => "ERR_REDIS_ANSWER",
            Self::Sql { .. } => "ERR_SQL",
            Self::StorageBackend { .. } => "ERR_STORAGE_BACKEND",
            Self::NoSql => "ERR_NO_SQL",
            Self::SqlUsage { .. } => "ERR_SQL_USAGE",
            Self::NoAnswer { .. } => "ERR_STORAGE_NO_ANSWER",
            Self::Ending => "ERR_STORAGE_ENDING",
            Self::Closed => "ERR_STORAGE_CLOSED",
            Self::Internal(_) => "ERR_INTERNAL",
        }
    }
}
