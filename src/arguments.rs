//! Converts arguments for the core: keys become bytes in one copy.

use std::ptr;
use std::slice;
use std::sync::Arc;

use ferroflare_core::Error;
use ferroflare_core::key::Key;
use ferroflare_core::limits::KEY_BYTES_MAX;
use napi::bindgen_prelude::{FromNapiValue, TypeName, ValidateNapiValue};
use napi::{ValueType, sys};

/// Room for the longest key, one character too many, and the final NUL that Node writes.
const KEY_BUFFER_BYTES: usize = KEY_BYTES_MAX + 4 + 1;

/// A key, in UTF-8 with U+FFFD for lone surrogates.
pub struct KeyArgument(pub(crate) Key);

impl TypeName for KeyArgument {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for KeyArgument {}

impl FromNapiValue for KeyArgument {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut buffer = [0_u8; KEY_BUFFER_BYTES];
        // SAFETY: the caller passes a live value of `env`.
        let length = unsafe { read_text(env, value, &mut buffer) }?;
        if length > KEY_BYTES_MAX {
            // SAFETY: as above.
            let key = unsafe { String::from_napi_value(env, value) }?;
            return Ok(Self(key.into_bytes().into()));
        }
        Ok(Self(Arc::from(&buffer[..length])))
    }
}

/// Room for most statements, and the final NUL that Node writes.
const QUERY_BUFFER_BYTES: usize = 512;

/// The text of a query. A short one is read without asking for its length, and needs no memory of its own.
#[expect(clippy::large_enum_variant, reason = "a short text shall need no allocation")]
pub enum QueryArgument {
    Short([u8; QUERY_BUFFER_BYTES], usize),
    Long(String),
}

impl QueryArgument {
    /// The text.
    pub(crate) fn text(&self) -> ferroflare_core::Result<&str> {
        match self {
            // Node writes UTF-8, with U+FFFD for lone surrogates.
            Self::Short(bytes, length) => std::str::from_utf8(&bytes[..*length])
                .map_err(|error| Error::Internal(format!("a query is no UTF-8: {error}"))),
            Self::Long(text) => Ok(text),
        }
    }
}

impl TypeName for QueryArgument {
    fn type_name() -> &'static str {
        "string"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for QueryArgument {}

impl FromNapiValue for QueryArgument {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let mut buffer = [0_u8; QUERY_BUFFER_BYTES];
        // SAFETY: the caller passes a live value of `env`.
        let length = unsafe { read_text(env, value, &mut buffer) }?;
        // A text that fills the buffer may be longer; the last character that did not fit has at most 4 bytes.
        if length + 4 >= QUERY_BUFFER_BYTES {
            // SAFETY: as above.
            return unsafe { String::from_napi_value(env, value) }.map(Self::Long);
        }
        Ok(Self::Short(buffer, length))
    }
}

/// Reads as much of a string as fits; returns how many bytes that are.
///
/// # Safety
///
/// `value` is a live value of `env`.
unsafe fn read_text(
    env: sys::napi_env,
    value: sys::napi_value,
    buffer: &mut [u8],
) -> napi::Result<usize> {
    let mut length = 0;
    // SAFETY: the caller's promise; Node writes at most as many bytes as the buffer has.
    let status = unsafe {
        sys::napi_get_value_string_utf8(
            env,
            value,
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            &raw mut length,
        )
    };
    napi::check_status!(status, "the argument must be a string")?;
    Ok(length)
}

/// The scratch buffer, a `Uint8Array` that lives at least as long as the call it is passed to.
pub struct Scratch<'a>(pub(crate) &'a mut [u8]);

impl TypeName for Scratch<'_> {
    fn type_name() -> &'static str {
        "Uint8Array"
    }

    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl ValidateNapiValue for Scratch<'_> {}

impl FromNapiValue for Scratch<'_> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
        // SAFETY: the caller passes a live value of `env`; Node fills in what the call asks for.
        let status = unsafe {
            sys::napi_get_typedarray_info(
                env,
                value,
                &raw mut kind,
                &raw mut length,
                &raw mut data,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        napi::check_status!(status, "the scratch buffer must be a Uint8Array")?;
        if kind != sys::TypedarrayType::uint8_array {
            return Err(napi::Error::from_reason("the scratch buffer must be a Uint8Array"));
        }
        if data.is_null() {
            return Ok(Self(&mut []));
        }
        // SAFETY: Node guarantees `length` bytes at `data`. JavaScript cannot run before the call returns, so it cannot
        // change or free them. The face never passes the buffer twice.
        Ok(Self(unsafe { slice::from_raw_parts_mut(data.cast(), length) }))
    }
}

/// Milliseconds since the epoch as JavaScript has them, or NaN for none.
#[expect(clippy::cast_precision_loss, reason = "JavaScript's times are doubles")]
pub(crate) fn alarm_number(alarm: Option<i64>) -> f64 {
    alarm.map_or(f64::NAN, |at| at as f64)
}

/// A count or number that JavaScript passes as a double. Anything else becomes 0 or the largest number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and each use checks its own bounds"
)]
pub(crate) fn whole(number: f64) -> usize {
    number as usize
}

/// The first `length` bytes of `scratch`; an error if it has fewer.
pub(crate) fn packed(scratch: &[u8], length: f64) -> napi::Result<&[u8]> {
    scratch.get(..whole(length)).ok_or_else(|| {
        napi::Error::from_reason(format!(
            "Internal error in ferroflare: {length} packed bytes in a buffer of {}.",
            scratch.len()
        ))
    })
}
