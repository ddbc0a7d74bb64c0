//! Decides what an error of Redis means: whether to try again, and what to report if that does not help.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::address::said;
use crate::error::Error;

/// What to do next.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server does not know the script: send its text.
    UnknownScript,
    /// Try again on the same connection: the server will accept the command soon.
    Soon(Error),
    /// Try again on a new connection. The server may have applied the command.
    Connection(Error),
    /// Try again on a new connection. Nothing was sent.
    Unreached(Error),
    /// Trying again does not help.
    Final(Error),
}

impl Failure {
    /// Judges an error. With `moves`, another server can become the primary.
    pub(crate) fn of(error: &RedisError, url: &str, moves: bool) -> Self {
        let (url, reason) = (url.to_owned(), said(error));
        let code = error.code().unwrap_or_default().to_owned();
        match (error.kind(), &*code) {
            (ErrorKind::Server(ServerErrorKind::NoScript), _) => Self::UnknownScript,
            (ErrorKind::AuthenticationFailed, _)
            | (_, "NOAUTH" | "WRONGPASS" | "NOPERM" | "DENIED") => {
                Self::Final(Error::RedisAccess { url, reason })
            }
            (_, "READONLY" | "CLUSTERDOWN" | "MASTERDOWN" | "MOVED" | "ASK") if moves => {
                Self::Connection(refused(url, &code, error))
            }
            (_, "LOADING" | "TRYAGAIN" | "BUSY" | "CLUSTERDOWN" | "MASTERDOWN") => {
                Self::Soon(refused(url, &code, error))
            }
            (ErrorKind::InvalidClientConfig, _) => Self::Final(Error::RedisUrl { url, reason }),
            (
                ErrorKind::Io
                | ErrorKind::Parse
                | ErrorKind::ClusterConnectionNotFound
                | ErrorKind::MasterNameNotFoundBySentinel
                | ErrorKind::NoValidReplicasFoundBySentinel,
                _,
            ) => Self::Connection(Error::RedisUnreachable { url, reason }),
            _ => Self::Final(refused(url, &code, error)),
        }
    }

    /// The same failure, before anything was sent.
    pub(crate) fn unsent(self) -> Self {
        match self {
            Self::Connection(error) => Self::Unreached(error),
            other => other,
        }
    }

    /// The error to report when trying again has not helped.
    pub(crate) fn error(&self) -> Error {
        match self {
            Self::UnknownScript => Error::Internal("Redis does not know a script".into()),
            Self::Soon(error)
            | Self::Connection(error)
            | Self::Unreached(error)
            | Self::Final(error) => error.clone(),
        }
    }
}

fn refused(url: String, code: &str, error: &RedisError) -> Error {
    let reason = match error.detail() {
        Some(detail) if !code.is_empty() => format!("{code}: {detail}"),
        _ => said(error),
    };
    // The line in our script does not help the user.
    let reason = reason.split(" script: ").next().unwrap_or_default();
    Error::RedisRefused { url, reason: reason.trim_end_matches('.').to_owned() }
}
