//! What JavaScript asks once, when it loads the addon: the limits, and the version of the core.

use ferroflare_core::backend::files::OPEN_OBJECTS_DEFAULT;
use ferroflare_core::limits;
use napi_derive::napi;

/// The limits that the face needs to know: bytes and counts.
#[napi(object, object_from_js = false)]
pub struct Limits {
    /// Most keys or pairs in one operation.
    pub keys_max: u32,
    /// Value limit unless configured.
    pub value_bytes_default: u32,
    /// Largest value limit that can be configured.
    pub value_bytes_ceiling: u32,
    /// Bytes over the value limit that are still accepted.
    pub value_bytes_slack: u32,
    /// Most open objects of a directory unless configured.
    pub open_objects_default: u32,
    /// Most alarms of a binding that are read from a server at once.
    pub alarms_read_max: u32,
}

/// The limits of the storage API.
#[napi(catch_unwind)]
pub fn limits() -> Limits {
    Limits {
        keys_max: small(limits::KEYS_MAX),
        value_bytes_default: small(limits::VALUE_BYTES_DEFAULT),
        value_bytes_ceiling: small(limits::VALUE_BYTES_CEILING),
        value_bytes_slack: small(limits::VALUE_BYTES_SLACK),
        open_objects_default: small(OPEN_OBJECTS_DEFAULT),
        alarms_read_max: small(limits::ALARMS_READ_MAX),
    }
}

fn small(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

/// Version of the native core.
#[napi(catch_unwind)]
pub fn core_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
