//! The scripts that run inside of the server, each by its hash, or whole where the server does not know it.

use once_cell::sync::Lazy;
use redis::{Cmd, Script};

/// A script in Lua.
pub(super) struct LuaScript {
    body: String,
    hash: String,
}

impl LuaScript {
    fn new(parts: &[&str]) -> Self {
        let body = parts.concat();
        let hash = Script::new(&body).get_hash().to_owned();
        Self { body, hash }
    }

    /// The start of a call; `whole` sends the script itself.
    pub(super) fn call(&self, whole: bool) -> Cmd {
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
            pub(super) static $name: Lazy<LuaScript> = Lazy::new(|| {
                LuaScript::new(&[
                    include_str!("scripts/parts/base.lua"),
                    $(include_str!(concat!("scripts/parts/", $part)),)*
                    include_str!(concat!("scripts/", $file)),
                ])
            });
        )+
    };
}

// Each with the parts that it needs: making a function costs the server time at every call.
object_scripts! {
    /// Reads as an attempt may.
    READ = ["start.lua", "keys.lua"] "read.lua",
    /// One page of a list.
    LIST = ["start.lua", "ranges.lua"] "list.lua",
    /// Validates and writes.
    COMMIT = ["keys.lua", "ranges.lua", "leave.lua", "queue.lua", "chunks.lua"] "commit.lua",
    /// Asks for a turn.
    TURN = ["start.lua", "leave.lua"] "turn.lua",
    /// Ends attempts.
    LEAVE = ["leave.lua"] "leave.lua",
    /// Extends leases.
    RENEW = [] "renew.lua",
    /// Claims a due alarm.
    TAKE_ALARM = ["leave.lua", "queue.lua"] "take_alarm.lua",
    /// Ends the handling of an alarm.
    ALARM_DONE = ["leave.lua"] "alarm_done.lua",
}

/// Notes that an object is about to be written.
pub(super) static REGISTER: Lazy<LuaScript> =
    Lazy::new(|| LuaScript::new(&[include_str!("scripts/register.lua")]));
/// Forgets an object that is gone.
pub(super) static FORGET: Lazy<LuaScript> =
    Lazy::new(|| LuaScript::new(&[include_str!("scripts/forget.lua")]));
