//! Checks keys and pairs before an operation, and throws what is wrong with them.

use ferroflare_core::Error;
use ferroflare_core::checks::{self, ValueLimit};
use ferroflare_core::key::Key;
use napi::Env;
use napi_derive::napi;

use crate::arguments::{KeyArgument, whole};
use crate::error::thrown;
use crate::packing::Unpack;

/// The keys packed in `bytes`.
pub(crate) fn batch_keys(env: Env, bytes: &[u8]) -> napi::Result<Vec<Key>> {
    let keys = Unpack(bytes).keys()?;
    for key in &keys {
        checks::check_batch_key(key).map_err(|error| thrown(env, &error))?;
    }
    Ok(keys)
}

/// The pairs packed in `bytes`; `count` is the number of pairs that the user passed.
pub(crate) fn batch_pairs(
    env: Env,
    limit: ValueLimit,
    count: f64,
    bytes: &[u8],
) -> napi::Result<Vec<(&[u8], &[u8])>> {
    let throw = |error: Error| thrown(env, &error);
    checks::check_pair_count(whole(count)).map_err(throw)?;
    let pairs = Unpack(bytes).pairs()?;
    for (key, value) in &pairs {
        checks::check_batch_key(key)
            .and_then(|()| limit.check_in_batch(key, value))
            .map_err(throw)?;
    }
    Ok(pairs)
}

/// Throws an error if a key is wrong, in the words for a single key.
#[napi(catch_unwind)]
pub fn check_key(env: Env, #[napi(ts_arg_type = "string")] key: KeyArgument) -> napi::Result<()> {
    checks::check_key(&key.0).map_err(|error| thrown(env, &error))
}

/// Throws an error if a batch names too many keys; keys that are `undefined` count too.
#[napi(catch_unwind)]
pub fn check_key_count(env: Env, count: f64) -> napi::Result<()> {
    checks::check_key_count(whole(count)).map_err(|error| thrown(env, &error))
}
