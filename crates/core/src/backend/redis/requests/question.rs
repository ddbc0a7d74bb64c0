//! What each kind of request defines: its command, its place in the order of the calls, what its reply tells.

use std::collections::HashSet;
use std::sync::Arc;

use redis::{Cmd, Value as Reply};
use tokio::time::Duration;

use super::awaited::{Caller, Delivery};
use crate::backend::ReadResult;
use crate::backend::redis::layout::ObjectNames;
use crate::backend::redis::server::script::LuaScript;
use crate::error::Error;
use crate::range::KeyRange;

/// How long the server remembers an attempt whose process shows no sign of life.
const LEASE: Duration = Duration::from_secs(30);
/// How long a waiting request keeps its place in the server's queue without asking again, in milliseconds.
pub(crate) const WAIT_LEASE_MS: u64 = 3_000;

/// Name of an attempt on the server.
pub(crate) type AttemptName = Arc<str>;

/// One kind of request.
pub(crate) trait Question: Sized {
    /// Where it stands among the other requests of its object.
    fn order(&self) -> Order;

    /// Whether it is still sent when the store is closed.
    fn is_sent_at_close(&self) -> bool {
        true
    }

    /// The attempt that it reads for, or asks a turn for.
    fn asks_for(&self) -> Option<&AttemptName> {
        None
    }

    /// The attempt that it ends.
    fn ends(&self) -> Option<&AttemptName> {
        None
    }

    /// The command that asks the server.
    fn command(&self, context: &RequestContext<'_>) -> Cmd;

    /// Adds what the reply tells to `findings`. Returns the question if the server says that it has to wait.
    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self>;

    /// Adds what follows from giving up: the callers get the error.
    fn fail(self, error: &Error, findings: &mut Vec<Finding>);
}

/// Where a request stands among the other requests of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// It changes nothing, so it may travel behind plain writes and be asked twice.
    Read,
    /// It changes something, in the order of the calls. While one waits for the end of a turn, all later ones wait
    /// behind it.
    Queued,
    /// It belongs to a turn or only ends something, so it waits for no other request.
    Free,
}

/// What a command needs to know besides the request.
#[derive(Clone, Copy)]
pub(crate) struct RequestContext<'a> {
    /// The keys of the object.
    pub(crate) names: &'a ObjectNames,
    /// Name of this client.
    pub(crate) client: &'a str,
    /// The attempts that the server knows.
    pub(crate) registered: &'a HashSet<AttemptName>,
    /// Whether to send the text of the script instead of its hash.
    pub(crate) whole: bool,
}

impl RequestContext<'_> {
    /// A call of a script with the keys of the object.
    pub(crate) fn call(&self, script: &LuaScript) -> Cmd {
        let mut cmd = script.call(self.whole);
        cmd.arg(self.names.all().len()).arg(self.names.all());
        cmd
    }

    /// Whether the server knows the attempt, as scripts take it.
    pub(crate) fn is_registered(&self, attempt: &AttemptName) -> u8 {
        u8::from(self.registered.contains(attempt))
    }
}

/// The lease of an attempt, as scripts take it.
pub(crate) fn lease_ms() -> u64 {
    u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX)
}

/// A range as `ZRANGEBYLEX` takes it.
pub(crate) fn lex_bounds(range: &KeyRange) -> (Vec<u8>, Vec<u8>) {
    let bound = |sign: u8, key: &[u8]| [&[sign], key].concat();
    let max = range.end.as_deref().map_or_else(|| b"+".to_vec(), |end| bound(b'(', end));
    (bound(b'[', &range.start), max)
}

/// What a reply tells.
pub(crate) enum Finding {
    /// The server knows this attempt now.
    Registered(AttemptName),
    /// The server no longer knows this attempt.
    Left(AttemptName),
    /// The attempt has its turn, if its caller still waits for it.
    TurnGranted(AttemptName, Caller<()>),
    /// The alarm of the object is this, in milliseconds.
    AlarmIs(Option<i64>),
    /// The alarm of that name is no longer set.
    AlarmGone(String),
    /// The claim of the alarm waits: it ends when the alarm is set or removed.
    ClaimWaits,
    /// A commit has ended: the server need not remember the reply in this slot.
    SlotFree(usize),
    /// The callers have their answer.
    Answer(Delivery),
}

/// What the server replied to a read of an attempt. A conflict names what was written since the attempt started.
pub(crate) type ReadReply<T> = ReadResult<T, String>;
