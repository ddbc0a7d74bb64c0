//! Checks keys and pairs before an operation, and throws what is wrong with them.

use ferroflare_core::Error;
use ferroflare_core::checks::{self, ValueLimit};
use ferroflare_core::key::Key;
use napi::Env;
use napi_derive::napi;

use crate::arguments::{KeyArgument, whole};
use crate::error::thrown;
use crate::packing::Unpack;

/// What the arguments of a handle's operations must keep.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// `None` for an object in a SQLite database, which has limits of its own.
    value: Option<ValueLimit>,
}

impl Limits {
    /// Limits with that value limit; infinity for none of ours.
    pub(crate) fn new(value_bytes_max: f64) -> Result<Self, Error> {
        let bytes = value_bytes_max.is_finite().then(|| ValueLimit::new(whole(value_bytes_max)));
        Ok(Self { value: bytes.transpose()? })
    }

    /// Checks the key of an operation on a single key.
    pub(crate) fn check_key(self, env: Env, key: &[u8]) -> napi::Result<()> {
        let checked = self.value.map_or(Ok(()), |_| checks::check_key(key));
        checked.map_err(|error| thrown(env, &error))
    }

    /// Checks the value of a `put` of a single key.
    pub(crate) fn check_value(self, env: Env, value: &[u8]) -> napi::Result<()> {
        let checked = self.value.map_or(Ok(()), |limit| limit.check(value));
        checked.map_err(|error| thrown(env, &error))
    }

    /// The keys packed in `bytes`.
    pub(crate) fn keys(self, env: Env, bytes: &[u8]) -> napi::Result<Vec<Key>> {
        let keys = Unpack(bytes).keys()?;
        if self.value.is_some() {
            for key in &keys {
                checks::check_batch_key(key).map_err(|error| thrown(env, &error))?;
            }
        }
        Ok(keys)
    }

    /// The pairs packed in `bytes`; `count` is the number of pairs that the user passed.
    pub(crate) fn pairs(
        self,
        env: Env,
        count: f64,
        bytes: &[u8],
    ) -> napi::Result<Vec<(&[u8], &[u8])>> {
        let Some(limit) = self.value else {
            return Unpack(bytes).pairs();
        };
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
