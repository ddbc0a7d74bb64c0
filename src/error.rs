//! The one mapping of core errors to JavaScript: class by kind, message and `code` as they are.

use std::ffi::CString;
use std::ptr;

use ferroflare_core::{Error, ErrorKind};
use napi::{Env, Status, sys};

/// Throws `error` in JavaScript and gives the marker that a callback returns then.
pub(crate) fn thrown(env: Env, error: &Error) -> napi::Error {
    let code = CString::new(error.code()).unwrap_or_default();
    let message = c_message(error);
    let (code, message) = (code.as_ptr(), message.as_ptr());
    // SAFETY: `env` is the environment of the running callback; both strings outlive the call.
    let status = unsafe {
        match error.kind() {
            ErrorKind::Type => sys::napi_throw_type_error(env.raw(), code, message),
            ErrorKind::Range => sys::napi_throw_range_error(env.raw(), code, message),
            ErrorKind::Usage | ErrorKind::Storage | ErrorKind::Internal => {
                sys::napi_throw_error(env.raw(), code, message)
            }
        }
    };
    match status {
        sys::Status::napi_ok => napi::Error::from_status(Status::PendingException),
        _ => napi::Error::from_reason(error.to_string()),
    }
}

/// Makes the JavaScript error object for `error`, for rejections.
pub(crate) fn object(env: Env, error: &Error) -> napi::Result<sys::napi_value> {
    let text = |text: &str| {
        let mut value = ptr::null_mut();
        // SAFETY: `env` is the environment of the running callback, and `text` is valid for its length.
        let status = unsafe {
            sys::napi_create_string_utf8(
                env.raw(),
                text.as_ptr().cast(),
                text.len().cast_signed(),
                &raw mut value,
            )
        };
        napi::check_status!(status).map(|()| value)
    };
    let (code, message) = (text(error.code())?, text(&error.to_string())?);
    let mut value = ptr::null_mut();
    // SAFETY: `code` and `message` are strings of this environment.
    let status = unsafe {
        match error.kind() {
            ErrorKind::Type => {
                sys::napi_create_type_error(env.raw(), code, message, &raw mut value)
            }
            ErrorKind::Range => {
                sys::napi_create_range_error(env.raw(), code, message, &raw mut value)
            }
            ErrorKind::Usage | ErrorKind::Storage | ErrorKind::Internal => {
                sys::napi_create_error(env.raw(), code, message, &raw mut value)
            }
        }
    };
    napi::check_status!(status).map(|()| value)
}

/// A NUL in a message (a key may hold one) ends a C string: it is shown as its symbol instead.
fn c_message(error: &Error) -> CString {
    CString::new(error.to_string().replace('\0', "\u{2400}")).unwrap_or_default()
}
