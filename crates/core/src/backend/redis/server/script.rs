//! Calls the Lua scripts that run inside the server: by their hash, or with their text if the server does not
//! know the hash.

use once_cell::sync::Lazy;
use redis::{Cmd, Script};

/// A Lua script.
pub(crate) struct LuaScript {
    body: String,
    hash: String,
}

impl LuaScript {
    fn new(parts: &[&str]) -> Self {
        let body = parts.concat();
        let hash = Script::new(&body).get_hash().to_owned();
        Self { body, hash }
    }

    /// The start of a call; `whole` sends the text of the script instead of its hash.
    pub(crate) fn call(&self, whole: bool) -> Cmd {
        if whole {
            let mut cmd = redis::cmd("EVAL");
            cmd.arg(&self.body);
            cmd
        } else {
            let mut cmd = redis::cmd("EVALSHA");
            cmd.arg(&self.hash);
            cmd
        }
    }
}

macro_rules! object_scripts {
    ($($(#[$doc:meta])* $name:ident = [$($part:literal),*] $file:literal),+ $(,)?) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: Lazy<LuaScript> = Lazy::new(|| {
                LuaScript::new(&[
                    include_str!("../scripts/parts/base.lua"),
                    $(include_str!(concat!("../scripts/parts/", $part)),)*
                    include_str!(concat!("../scripts/", $file)),
                ])
            });
        )+
    };
}

// Each script has only the parts that it uses: the server creates their functions again in every call.
object_scripts! {
    /// Reads keys and the alarm for an attempt.
    READ = ["start.lua", "keys.lua"] "read.lua",
    /// One page of a list.
    LIST = ["start.lua", "ranges.lua"] "list.lua",
    /// Validates and writes.
    COMMIT = ["keys.lua", "ranges.lua", "leave.lua", "queue.lua", "chunks.lua"] "commit.lua",
    /// Asks for a turn.
    TURN = ["start.lua", "leave.lua"] "turn.lua",
    /// Ends attempts that do not commit.
    LEAVE = ["leave.lua"] "leave.lua",
    /// Extends leases.
    RENEW = [] "renew.lua",
    /// Claims a due alarm.
    TAKE_ALARM = ["leave.lua", "queue.lua"] "take_alarm.lua",
    /// Ends the handling of an alarm.
    ALARM_DONE = ["leave.lua"] "alarm_done.lua",
    /// Claims a due alarm, which stays stored.
    CLAIM_ALARM = ["leave.lua", "queue.lua"] "claim_alarm.lua",
    /// Ends a claim, or lets it wait.
    FINISH_ALARM = ["leave.lua"] "finish_alarm.lua",
}

/// Adds an object that is about to be written to the index.
pub(crate) static REGISTER: Lazy<LuaScript> =
    Lazy::new(|| LuaScript::new(&[include_str!("../scripts/register.lua")]));
/// Removes an object without data from the index.
pub(crate) static FORGET: Lazy<LuaScript> =
    Lazy::new(|| LuaScript::new(&[include_str!("../scripts/forget.lua")]));
