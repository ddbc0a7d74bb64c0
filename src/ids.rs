//! Ids of one object name.

use ferroflare_core::id::IdFactory as Ids;
use napi::Env;
use napi_derive::napi;

use crate::error::thrown;

/// Makes and checks the ids of one binding name.
#[napi]
pub struct IdFactory(Ids);

#[napi]
impl IdFactory {
    /// `objectName` is the name of the binding.
    #[napi(constructor, catch_unwind)]
    pub fn new(object_name: String) -> Self {
        Self(Ids::new(object_name))
    }

    /// The id of a name: always the same 64 hex digits.
    #[napi(catch_unwind)]
    pub fn id_from_name(&self, name: String) -> String {
        self.0.id_from_name(&name)
    }

    /// A new id. `nowMs` is the time in milliseconds.
    #[napi(catch_unwind)]
    pub fn new_unique_id(&self, now_ms: f64) -> napi::Result<String> {
        let mut failure = None;
        let mut random = |bytes: &mut [u8]| failure = getrandom::fill(bytes).err();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates; a clock before 1970 counts as 1970"
        )]
        let id = self.0.new_unique_id(now_ms as u64, &mut random);
        match failure {
            None => Ok(id),
            Some(error) => Err(napi::Error::from_reason(format!(
                "newUniqueId() needs random bytes, but the system gives none: {error}."
            ))),
        }
    }

    /// Checks an id string, and returns it in lower case.
    #[napi(catch_unwind)]
    pub fn id_from_string(&self, env: Env, hex_id: String) -> napi::Result<String> {
        self.0.id_from_string(&hex_id).map_err(|error| thrown(env, &error))
    }

    /// Whether an id string ends with this name's digits.
    #[napi(catch_unwind)]
    pub fn owns(&self, hex_id: String) -> bool {
        self.0.owns(&hex_id)
    }
}
