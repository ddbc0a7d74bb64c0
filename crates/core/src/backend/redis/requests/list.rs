//! One page of a list, as an attempt sees it.

use redis::{Cmd, Value as Reply};

use super::awaited::Caller;
use super::question::{
    AttemptName, Finding, Order, Question, ReadReply, RequestContext, lease_ms, lex_bounds,
};
use crate::backend::redis::server::reply::{entries, first, text, words};
use crate::backend::redis::server::script::LIST;
use crate::error::{Error, Result};
use crate::key::Entry;
use crate::range::Scan;

/// Most entries of a page.
const PAGE_ENTRIES_MAX: usize = 1000;
/// About the most bytes of a page.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// Asks for one page of a list.
pub(crate) struct List {
    pub(crate) attempt: AttemptName,
    /// Whether the server registers the attempt only if another page follows.
    pub(crate) lazy: bool,
    pub(crate) scan: Scan,
    pub(crate) caller: Caller<ReadReply<Page>>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Whether more entries may follow.
    pub(crate) more: bool,
}

impl Question for List {
    fn order(&self) -> Order {
        Order::Read
    }

    fn asks_for(&self) -> Option<&AttemptName> {
        Some(&self.attempt)
    }

    fn command(&self, context: &RequestContext<'_>) -> Cmd {
        let (min, max) = lex_bounds(&self.scan.range);
        let mut cmd = context.call(&LIST);
        cmd.arg(&*self.attempt);
        if self.lazy {
            cmd.arg("lazy");
        } else {
            cmd.arg(context.is_registered(&self.attempt));
        }
        cmd.arg(lease_ms()).arg(min).arg(max).arg(u8::from(self.scan.reverse));
        match self.scan.limit {
            Some(limit) => cmd.arg(limit),
            None => cmd.arg(-1),
        };
        cmd.arg(PAGE_ENTRIES_MAX).arg(PAGE_BYTES_MAX);
        cmd
    }

    fn read_reply(self, reply: Reply, findings: &mut Vec<Finding>) -> Option<Self> {
        let page = page(reply);
        if matches!(page, Ok((true, _))) {
            findings.push(Finding::Registered(self.attempt));
        }
        findings.push(Finding::Answer(self.caller.delivery(page.map(|(_, page)| page))));
        None
    }

    fn fail(self, error: &Error, findings: &mut Vec<Finding>) {
        findings.push(Finding::Answer(self.caller.delivery(Err(error.clone()))));
    }
}

/// Whether the attempt is registered, and the page.
fn page(reply: Reply) -> Result<(bool, ReadReply<Page>)> {
    let words = words(reply)?;
    if first(&words)? == "stale" {
        return Ok((false, ReadReply::Conflict(text(words.into_iter().nth(1))?)));
    }
    let mut words = words.into_iter().skip(1);
    let registered = !text(words.next())?.is_empty();
    let more = text(words.next())? == "1";
    Ok((registered, ReadReply::Value(Page { entries: entries(words)?, more })))
}
