//! Maps core errors to JavaScript, as data: the error object must belong to the realm of the caller.
//!
//! `lib/native/realm.ts` makes that object. An object made here would belong to the realm that loaded the addon first.

use ferroflare_core::{Error, ErrorKind};
use napi::{Env, Status};
use napi_derive::napi;

/// An error as data.
#[napi(object, object_from_js = false)]
pub struct Failure {
    /// Name of the JavaScript class.
    pub name: &'static str,
    /// Stable name of the error, for programs.
    pub code: &'static str,
    /// What was wrong, and what to do.
    pub message: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let name = match error.kind() {
            ErrorKind::Type => "TypeError",
            ErrorKind::Range => "RangeError",
            ErrorKind::Usage | ErrorKind::Storage | ErrorKind::Internal => "Error",
        };
        Self { name, code: error.code(), message: error.to_string() }
    }
}

/// Throws `error` in JavaScript. Returns the marker that a callback has to return then.
pub(crate) fn thrown(env: Env, error: &Error) -> napi::Error {
    match env.throw(Failure::from(error)) {
        Ok(()) => napi::Error::from_status(Status::PendingException),
        Err(_) => napi::Error::from_reason(error.to_string()),
    }
}
