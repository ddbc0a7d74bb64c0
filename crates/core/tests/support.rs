//! Short spellings for what the suites handle: bytes, batches, answers, callers and attempts.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ferroflare_core::answer::Pending;
use ferroflare_core::backend::{
    AlarmClaim, AlarmEnd, ClaimId, CommitOutcome, Committed, ObjectKey, ObjectStorage, ReadResult,
    ReadView, Start, Store,
};
use ferroflare_core::concurrency::TransactionId;
use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::transaction::{Attempt, Transaction};
use ferroflare_core::write_batch::WriteBatch;
use ferroflare_core::{Answer, Result};

pub(crate) fn key(name: &str) -> Key {
    Key::from(name.as_bytes())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn object_key(id: &str) -> ObjectKey {
    ObjectKey { name: "OBJECT".into(), id: id.into() }
}

/// A batch that stores `value` under each of `keys`.
pub(crate) fn put(keys: &[&str], value: &str) -> WriteBatch {
    let mut batch = WriteBatch::default();
    for name in keys {
        batch.put(key(name), key(value));
    }
    batch
}

pub(crate) fn remove(keys: &[&str]) -> WriteBatch {
    let mut batch = WriteBatch::default();
    for name in keys {
        batch.delete(key(name));
    }
    batch
}

pub(crate) fn clear() -> WriteBatch {
    let mut batch = WriteBatch::default();
    batch.clear();
    batch
}

pub(crate) fn alarm(at: Option<i64>) -> WriteBatch {
    let mut batch = WriteBatch::default();
    batch.set_alarm(at);
    batch
}

pub(crate) fn prefix(prefix: &str) -> ListOptions<'_> {
    ListOptions { prefix: Some(prefix.as_bytes()), ..ListOptions::default() }
}

/// What a pending answer has come to, if it has.
pub(crate) fn poll<T>(pending: &mut Pending<T>) -> Option<Result<T>> {
    match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// The answer of a call that need not wait.
pub(crate) fn now<T>(answer: Answer<T>) -> Result<T> {
    match answer {
        Answer::Now(result) => result,
        Answer::Later(_) => panic!("an operation waits although nothing is in its way"),
    }
}

/// The pending answer of a call that has to wait.
pub(crate) fn later<T>(answer: Answer<T>) -> Pending<T> {
    let Answer::Later(mut pending) = answer else {
        panic!("an operation takes effect during another attempt's turn");
    };
    assert!(poll(&mut pending).is_none(), "an operation takes effect during another's turn");
    pending
}

/// The state that a view of the newest one, or of an untouched one, finds.
pub(crate) fn fresh<T>(snapshot: ReadResult<T>) -> T {
    match snapshot {
        ReadResult::Value(found) => found,
        ReadResult::Conflict(conflict) => panic!("the read is stale: {conflict:?}"),
    }
}

/// What an attempt has read; it must not have lost.
pub(crate) fn found<T>(read: ReadResult<T>) -> T {
    match read {
        ReadResult::Value(found) => found,
        ReadResult::Conflict(_) => {
            panic!("the attempt has lost, but nothing that it read was written")
        }
    }
}

/// Whether a read says that its attempt has lost.
pub(crate) fn is_lost<T>(read: &ReadResult<T>) -> bool {
    matches!(read, ReadResult::Conflict(_))
}

/// A caller that uses one object, outside transactions.
#[derive(Clone)]
pub(crate) struct Caller(
    pub(crate) Arc<dyn ObjectStorage>,
    #[expect(dead_code, reason = "a place is open as long as a caller holds it")]
    Option<Arc<dyn Store>>,
);

impl Caller {
    /// A caller of the object `one`.
    pub(crate) fn new(place: &Arc<dyn Store>) -> Self {
        Self::of(place, &object_key("one"))
    }

    /// A caller of any object; it keeps the place open.
    pub(crate) fn of(place: &Arc<dyn Store>, key: &ObjectKey) -> Self {
        Self(place.object(key).unwrap(), Some(place.clone()))
    }

    /// A caller of an object that belongs to no place.
    pub(crate) fn without_place(object: Arc<dyn ObjectStorage>) -> Self {
        Self(object, None)
    }

    pub(crate) async fn write(&self, batch: WriteBatch) -> Committed {
        let written = self.0.write(batch, None);
        // What only a server knows is asked at the end of the batch; what has to be opened gathers later.
        self.0.seal();
        let committed = written.wait().await.unwrap();
        self.0.seal();
        self.0.durable(committed.ticket).wait().await.unwrap();
        committed
    }

    pub(crate) async fn put(&self, name: &str, value: &str) {
        self.write(put(&[name], value)).await;
    }

    pub(crate) async fn get(&self, name: &str) -> Option<String> {
        let read = self.0.read(vec![key(name)], ReadView::Latest(None)).wait().await.unwrap();
        fresh(read).remove(0).as_deref().map(text)
    }

    pub(crate) async fn keys(&self, options: &ListOptions<'_>) -> Vec<String> {
        let listed = self.0.list(Scan::new(options), ReadView::Latest(None)).wait().await.unwrap();
        names(fresh(listed))
    }

    pub(crate) async fn alarm(&self) -> Option<i64> {
        fresh(self.0.alarm(ReadView::Latest(None)).wait().await.unwrap())
    }

    pub(crate) async fn take_alarm(&self, due_ms: i64) -> bool {
        self.0.take_alarm(due_ms).wait().await.unwrap()
    }

    pub(crate) async fn claim(&self, due_ms: i64) -> Option<AlarmClaim> {
        self.0.claim_alarm(due_ms, None).wait().await.unwrap()
    }

    /// Goes on with a claim that was postponed.
    pub(crate) async fn go_on(&self, claim: ClaimId) -> Option<AlarmClaim> {
        self.0.claim_alarm(0, Some(claim)).wait().await.unwrap()
    }

    pub(crate) async fn finish(&self, claim: ClaimId, end: AlarmEnd) -> bool {
        self.0.finish_alarm(claim, end).wait().await.unwrap()
    }

    /// Starts an attempt beside others.
    pub(crate) async fn begin(&self) -> Txn {
        Txn::new(self, self.0.begin(false, None).wait().await.unwrap())
    }

    /// Starts an attempt that runs alone.
    pub(crate) async fn begin_alone(&self) -> Txn {
        Txn::new(self, self.0.begin(true, None).wait().await.unwrap())
    }

    /// Starts an attempt out of the closure of another.
    pub(crate) async fn begin_inside(&self, outer: &Txn) -> Txn {
        Txn::new(self, self.0.begin(false, Some(outer.id())).wait().await.unwrap())
    }

    /// Runs a closure until it commits; also gives the number of attempts.
    pub(crate) async fn transact<R>(
        &self,
        closure: impl AsyncFn(&Attempt) -> Result<ReadResult<R>>,
    ) -> Result<(R, u32)> {
        let transaction = Transaction::new(self.0.clone());
        let mut attempts = 0;
        loop {
            transaction.begin(None).wait().await?;
            attempts += 1;
            let attempt = transaction.attempt()?;
            let read = closure(&attempt).await?;
            drop(attempt);
            if let ReadResult::Value(result) = read
                && let CommitOutcome::Committed(..) = transaction.commit(false).wait().await?
            {
                return Ok((result, attempts));
            }
        }
    }
}

/// One attempt of a transaction.
pub(crate) struct Txn(pub(crate) Attempt);

impl Txn {
    pub(crate) fn new(caller: &Caller, start: Start) -> Self {
        Self(Attempt::new(caller.0.clone(), start))
    }

    pub(crate) fn id(&self) -> TransactionId {
        self.0.start().id
    }

    pub(crate) async fn get(&self, name: &str) -> ReadResult<Option<String>> {
        get(&self.0, name).await.unwrap()
    }

    pub(crate) async fn keys(&self, options: &ListOptions<'_>) -> ReadResult<Vec<String>> {
        self.0.list(Scan::new(options)).wait().await.unwrap().map(names)
    }

    pub(crate) async fn alarm(&self) -> ReadResult<Option<i64>> {
        self.0.alarm().wait().await.unwrap()
    }

    pub(crate) fn put(&self, name: &str, value: &str) {
        self.0.put(vec![(key(name), key(value))]).unwrap();
    }

    pub(crate) async fn delete(&self, keys: &[&str]) -> ReadResult<u32> {
        self.0.delete(keys.iter().map(|name| key(name)).collect()).wait().await.unwrap()
    }

    /// Commits; says whether the attempt has won.
    pub(crate) async fn commit(self) -> bool {
        won(&self.0.commit(false).wait().await.unwrap())
    }

    /// Ends as after a closure that has thrown; says whether what it saw still holds.
    pub(crate) async fn fail(self) -> bool {
        won(&self.0.commit(true).wait().await.unwrap())
    }
}

/// The value of one key, as text.
pub(crate) async fn get(attempt: &Attempt, name: &str) -> Result<ReadResult<Option<String>>> {
    let read = attempt.read(vec![key(name)]).wait().await?;
    Ok(read.map(|mut values| values.remove(0).as_deref().map(text)))
}

pub(crate) fn won(outcome: &CommitOutcome) -> bool {
    matches!(outcome, CommitOutcome::Committed(_))
}

pub(crate) fn names(entries: Vec<Entry>) -> Vec<String> {
    entries.into_iter().map(|(key, _)| text(&key)).collect()
}

pub(crate) fn values(pairs: &[(&str, &str)]) -> Vec<(Key, Value)> {
    pairs.iter().map(|(name, value)| (key(name), key(value))).collect()
}
