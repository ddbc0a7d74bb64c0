//! What becomes of an object when its table fails, is taken away or cannot be opened: `LocalObject` over
//! a table and an opener that fail on command.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ferroflare_core::alarm_index::AlarmIndex;
use ferroflare_core::backend::local::{Access, IdleTable, LocalObject, Table, TableOpener};
use ferroflare_core::backend::{
    CommitOutcome, Committed, ObjectKey, ObjectStorage, ReadResult, ReadView, Ticket,
};
use ferroflare_core::concurrency::turn::OPTIMISTIC_ATTEMPTS_MAX;
use ferroflare_core::durability::Durability;
use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::{ListOptions, Scan};
use ferroflare_core::transaction::{Attempt, Transaction};
use ferroflare_core::write_batch::WriteBatch;
use ferroflare_core::{Answer, Error, Result};

/// What is stored, and what shall go wrong.
#[derive(Default)]
struct Disk {
    entries: BTreeMap<Key, Value>,
    alarm: Option<i64>,
    exists: bool,
    /// Openings that wait for [`Fixture::finish_opening`].
    openings: Vec<(Access, Arc<LocalObject<FakeTable>>)>,
    failing_openings: u32,
    failing_seals: u32,
    failing_applies: u32,
    /// Tables that were handed over.
    handed_over: u32,
    /// Tables that took no writes and were given to the opener to be upgraded.
    upgraded: u32,
}

type Shared = Arc<Mutex<Disk>>;

struct FakeTable {
    disk: Shared,
    durability: Arc<Durability>,
    access: Access,
    gathering: WriteBatch,
    ticket: Ticket,
}

fn broken(action: &'static str) -> Error {
    Error::Io { action, path: "disk".into(), reason: "broken on command".into() }
}

impl FakeTable {
    fn new(disk: Shared, access: Access, durability: Arc<Durability>) -> Self {
        disk.lock().unwrap().exists = true;
        let ticket = durability.next_ticket();
        Self { disk, durability, access, gathering: WriteBatch::default(), ticket }
    }

    fn entries(&self) -> BTreeMap<Key, Value> {
        let mut entries = self.disk.lock().unwrap().entries.clone();
        if self.gathering.clears() {
            entries.clear();
        }
        for (key, value) in self.gathering.entries() {
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        entries
    }
}

/// Whether a thing shall fail this time.
fn fails(times: &mut u32) -> bool {
    let now = *times > 0;
    *times = times.saturating_sub(1);
    now
}

impl Table for FakeTable {
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(self.entries().get(key).cloned())
    }

    fn scan(&self, scan: &Scan) -> Result<Vec<Entry>> {
        let within = |entry: &Entry| scan.range.start[..] <= entry.0[..];
        Ok(self.entries().into_iter().filter(within).collect())
    }

    fn alarm(&self) -> Result<Option<i64>> {
        let stored = self.disk.lock().unwrap().alarm;
        Ok(self.gathering.alarm().unwrap_or(stored))
    }

    fn apply(&mut self, writes: WriteBatch) -> Result<Ticket> {
        assert_eq!(self.access, Access::Write, "written to a table that takes no writes");
        if fails(&mut self.disk.lock().unwrap().failing_applies) {
            return Err(broken("apply"));
        }
        self.gathering.append(writes);
        Ok(self.ticket)
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(self.entries().is_empty() && self.alarm()?.is_none())
    }

    fn takes_writes(&self) -> bool {
        self.access == Access::Write
    }

    fn is_dirty(&self) -> bool {
        !self.gathering.is_empty()
    }

    fn seal(&mut self) -> Result<()> {
        if self.gathering.is_empty() {
            return Ok(());
        }
        let (ticket, entries, alarm) = (self.ticket, self.entries(), self.alarm()?);
        self.ticket += 1;
        self.gathering = WriteBatch::default();
        let mut disk = self.disk.lock().unwrap();
        if fails(&mut disk.failing_seals) {
            self.durability.fail(ticket, &broken("seal"));
            return Err(broken("seal"));
        }
        disk.entries = entries;
        disk.alarm = alarm;
        self.durability.settle(ticket);
        Ok(())
    }
}

struct FakeOpener {
    disk: Shared,
}

impl TableOpener<FakeTable> for FakeOpener {
    fn is_absent(&self) -> bool {
        !self.disk.lock().unwrap().exists
    }

    fn open(self: Arc<Self>, access: Access, object: Arc<LocalObject<FakeTable>>) {
        self.disk.lock().unwrap().openings.push((access, object));
    }

    fn upgrade(self: Arc<Self>, table: FakeTable, object: Arc<LocalObject<FakeTable>>) {
        assert!(!table.takes_writes(), "a table that takes writes is opened anew");
        let mut disk = self.disk.lock().unwrap();
        disk.upgraded += 1;
        disk.openings.push((Access::Write, object));
    }

    fn closed(self: Arc<Self>, table: FakeTable) {
        assert!(!table.is_dirty(), "an unsealed batch is given away");
        self.disk.lock().unwrap().handed_over += 1;
    }
}

struct Fixture {
    disk: Shared,
    durability: Arc<Durability>,
    alarms: Arc<AlarmIndex>,
    object: Arc<LocalObject<FakeTable>>,
}

fn fixture() -> Fixture {
    let disk = Shared::default();
    let (durability, alarms): (Arc<Durability>, Arc<AlarmIndex>) = Default::default();
    let key = ObjectKey { name: "NAME".into(), id: "id".into() };
    let opener = Arc::new(FakeOpener { disk: disk.clone() });
    let object = LocalObject::over(opener, durability.clone(), key, alarms.clone());
    Fixture { disk, durability, alarms, object }
}

impl Fixture {
    /// An object that exists and is open for everything.
    fn opened() -> Self {
        let fixture = Self::opened_to_read();
        let mut removal = WriteBatch::default();
        removal.delete(key("nothing"));
        let _later = fixture.object.write(removal, None);
        fixture.finish_opening();
        fixture.object.seal();
        fixture
    }

    /// An object that exists and is open to be read.
    fn opened_to_read() -> Self {
        let fixture = fixture();
        fixture.disk.lock().unwrap().exists = true;
        let _later = fixture.read("a");
        fixture.finish_opening();
        fixture
    }

    /// Ends every opening that is under way; false if there is none.
    fn finish_opening(&self) -> bool {
        let openings = std::mem::take(&mut self.disk.lock().unwrap().openings);
        let any = !openings.is_empty();
        for (access, object) in openings {
            let fails = fails(&mut self.disk.lock().unwrap().failing_openings);
            object.opened(if fails {
                Err(broken("open"))
            } else {
                Ok(FakeTable::new(self.disk.clone(), access, self.durability.clone()))
            });
        }
        any
    }

    fn handed_over(&self) -> u32 {
        self.disk.lock().unwrap().handed_over
    }

    /// Another process has the object for a moment, and writes.
    fn write_elsewhere(&self, name: &str, text: &str) {
        let mut disk = self.disk.lock().unwrap();
        disk.exists = true;
        disk.entries.insert(key(name), key(text));
    }

    fn put(&self, name: &str, text: &str) -> Answer<Committed> {
        let mut writes = WriteBatch::default();
        writes.put(key(name), key(text));
        self.object.write(writes, None)
    }

    fn read(&self, name: &str) -> Answer<ReadResult<Vec<Option<Value>>>> {
        self.object.read(vec![key(name)], ReadView::Latest(None))
    }

    fn begin(&self) -> (Transaction, Arc<Attempt>) {
        let transaction = Transaction::new(self.object.clone());
        let _id = now(transaction.begin(None));
        let attempt = transaction.attempt().unwrap();
        (transaction, attempt)
    }

    /// A transaction that has lost so often that it runs alone.
    fn begin_alone(&self) -> (Transaction, Arc<Attempt>) {
        let transaction = Transaction::new(self.object.clone());
        for _ in 0..=OPTIMISTIC_ATTEMPTS_MAX {
            let _id = now(transaction.begin(None));
        }
        assert!(transaction.has_turn());
        let attempt = transaction.attempt().unwrap();
        (transaction, attempt)
    }
}

fn key(text: &str) -> Key {
    Key::from(text.as_bytes())
}

/// An answer that has to be there at once.
fn now<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Now(result) => result.unwrap(),
        Answer::Later(_) => panic!("the answer comes later"),
    }
}

fn is_later<T>(answer: &Answer<T>) -> bool {
    matches!(answer, Answer::Later(_))
}

async fn value(answer: Answer<ReadResult<Vec<Option<Value>>>>) -> Option<String> {
    match answer.wait().await.unwrap() {
        ReadResult::Value(mut values) => {
            values.pop().flatten().map(|value| String::from_utf8(value.to_vec()).unwrap())
        }
        ReadResult::Conflict(conflict) => panic!("a plain read is stale: {conflict:?}"),
    }
}

fn commit(transaction: &Transaction, attempt: Arc<Attempt>) -> Answer<CommitOutcome> {
    drop(attempt);
    transaction.commit(false)
}

#[tokio::test]
async fn everybody_who_waits_for_an_opening_that_fails_gets_the_error_and_the_next_one_tries_again()
{
    let fixture = fixture();
    fixture.disk.lock().unwrap().failing_openings = 2;
    for _ in 0..2 {
        let (put, read, other) = (fixture.put("a", "1"), fixture.read("a"), fixture.put("b", "2"));
        assert!(fixture.finish_opening());
        assert_eq!(put.wait().await, Err(broken("open")));
        assert_eq!(read.wait().await, Err(broken("open")));
        assert_eq!(other.wait().await, Err(broken("open")));
    }
    let put = fixture.put("a", "1");
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    assert_eq!(value(fixture.read("a")).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn one_opening_serves_all_who_wait_in_the_order_of_their_calls() {
    let fixture = fixture();
    let first = fixture.put("a", "1");
    let read = fixture.read("a");
    let second = fixture.put("a", "2");
    assert_eq!(fixture.disk.lock().unwrap().openings.len(), 1);
    fixture.finish_opening();
    assert_eq!(value(read).await.as_deref(), Some("1"));
    let (first, second) = (first.wait().await.unwrap(), second.wait().await.unwrap());
    assert_eq!(first.ticket, second.ticket, "writes of one turn are one batch");
    assert_eq!(value(fixture.read("a")).await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_write_that_cannot_be_applied_leaves_nothing() {
    let fixture = Fixture::opened();
    fixture.disk.lock().unwrap().failing_applies = 1;
    assert_eq!(fixture.put("a", "1").wait().await, Err(broken("apply")));
    assert_eq!(value(fixture.read("a")).await, None);
    assert!(fixture.put("a", "2").wait().await.is_ok());
}

#[tokio::test]
async fn a_batch_that_cannot_be_sealed_fails_as_a_whole_and_the_object_starts_anew() {
    let fixture = Fixture::opened();
    let kept = now(fixture.put("kept", "1"));
    fixture.object.seal();
    assert_eq!(fixture.object.durable(kept.ticket).wait().await, Ok(()));
    fixture.disk.lock().unwrap().failing_seals = 1;
    let (a, b) = (now(fixture.put("a", "1")), now(fixture.put("b", "1")));
    assert_eq!(a.ticket, b.ticket);
    let waiting = fixture.object.durable(a.ticket);
    fixture.object.seal();
    assert_eq!(waiting.wait().await, Err(broken("seal")));

    let (read, lost) = (fixture.read("kept"), fixture.read("a"));
    assert!(fixture.finish_opening(), "the table is opened anew");
    assert_eq!(value(read).await.as_deref(), Some("1"));
    assert_eq!(value(lost).await, None);
    let again = fixture.put("a", "2");
    assert!(fixture.finish_opening(), "and once more to be written to");
    let again = again.wait().await.unwrap();
    assert!(again.ticket > a.ticket, "a ticket is never given out twice");
    fixture.object.seal();
    assert_eq!(fixture.object.durable(again.ticket).wait().await, Ok(()));
    assert_eq!(fixture.object.durable(a.ticket).wait().await, Err(broken("seal")));
}

#[tokio::test]
async fn a_turn_that_ends_before_the_table_is_there_is_a_batch_that_is_sealed_when_it_comes() {
    let fixture = fixture();
    let (a, b) = (fixture.put("a", "1"), fixture.put("b", "1"));
    fixture.object.seal();
    let c = fixture.put("c", "1");
    assert!(fixture.finish_opening());
    let (a, b, c) = (a.wait().await.unwrap(), b.wait().await.unwrap(), c.wait().await.unwrap());
    assert_eq!(a.ticket, b.ticket);
    assert_eq!(now(fixture.object.durable(a.ticket)), ());
    assert!(c.ticket > a.ticket, "the writes of two turns are two batches");
    let waiting = fixture.object.durable(c.ticket);
    assert!(is_later(&waiting), "nobody has said that the later turn has ended");
    fixture.object.seal();
    assert_eq!(waiting.wait().await, Ok(()));
}

#[tokio::test]
async fn an_attempt_that_runs_when_its_table_fails_loses_and_is_not_blamed_for_it() {
    let fixture = Fixture::opened();
    for alone in [false, true] {
        let (transaction, attempt) = if alone { fixture.begin_alone() } else { fixture.begin() };
        assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
        drop(fixture.object.take_failed());
        attempt.put(vec![(key("a"), key("1"))]).unwrap();
        let outcome = commit(&transaction, attempt);
        fixture.finish_opening();
        assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Lost(_))), "alone: {alone}");
    }
}

#[tokio::test]
async fn those_who_wait_behind_a_turn_go_on_when_the_table_fails() {
    let fixture = Fixture::opened();
    let (transaction, attempt) = fixture.begin_alone();
    let waiting = fixture.put("a", "1");
    assert!(is_later(&waiting));
    drop(fixture.object.take_failed());
    assert!(fixture.finish_opening());
    assert!(waiting.wait().await.is_ok());
    drop((transaction, attempt));
}

#[tokio::test]
async fn a_transaction_that_began_before_another_process_created_the_object_loses() {
    let fixture = fixture();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    fixture.write_elsewhere("a", "theirs");
    attempt.put(vec![(key("a"), key("mine"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    fixture.finish_opening();
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Lost(_))));
    assert_eq!(value(fixture.read("a")).await.as_deref(), Some("theirs"));
}

#[tokio::test]
async fn no_attempt_sees_an_object_both_before_and_after_another_process_created_it() {
    let fixture = fixture();
    let (_transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    fixture.write_elsewhere("b", "theirs");
    let read = attempt.list(Scan::new(&ListOptions::default()));
    fixture.finish_opening();
    assert!(matches!(read.wait().await, Ok(ReadResult::Conflict(_))));
}

#[tokio::test]
async fn a_transaction_that_creates_the_object_itself_commits_at_once() {
    let fixture = fixture();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    attempt.put(vec![(key("a"), key("1"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    fixture.finish_opening();
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Committed(..))));
}

#[tokio::test]
async fn what_waits_behind_a_turn_goes_before_what_came_later_and_waits_for_the_table() {
    let fixture = fixture();
    let (first, attempt) = fixture.begin_alone();
    let second = Transaction::new(fixture.object.clone());
    for _ in 0..OPTIMISTIC_ATTEMPTS_MAX {
        let _id = now(second.begin(None));
    }
    let alone = second.begin(None);
    let put = fixture.put("a", "later");
    drop(attempt);
    first.rollback();
    fixture.finish_opening();
    alone.wait().await.unwrap();
    let attempt = second.attempt().unwrap();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    assert!(matches!(now(commit(&second, attempt)), CommitOutcome::Committed(..)));
    assert!(put.wait().await.is_ok());
    assert_eq!(value(fixture.read("a")).await.as_deref(), Some("later"));
}

#[tokio::test]
async fn reads_and_removals_behind_a_turn_create_no_object() {
    let fixture = fixture();
    let (holder, attempt) = fixture.begin_alone();
    let mut clearing = WriteBatch::default();
    clearing.clear();
    let cleared = fixture.object.write(clearing, None);
    let (read, begin) = (fixture.read("a"), fixture.object.begin(true, None));
    assert!(is_later(&cleared) && is_later(&read) && is_later(&begin));
    drop(attempt);
    holder.rollback();
    assert_eq!(cleared.wait().await, Ok(Committed::default()));
    assert_eq!(value(read).await, None);
    fixture.object.end(begin.wait().await.unwrap());
    assert!(!fixture.finish_opening(), "nobody has stored anything");
}

#[tokio::test]
async fn an_attempt_goes_on_when_its_object_is_found_empty_and_removed() {
    let fixture = Fixture::opened();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    assert!(fixture.object.take_empty().is_some());
    fixture.disk.lock().unwrap().exists = false;
    assert_eq!(now(attempt.read(vec![key("b")])), ReadResult::Value(vec![None]));
    attempt.put(vec![(key("a"), key("1"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    fixture.finish_opening();
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Committed(..))));
}

#[tokio::test]
async fn removing_from_a_closed_object_that_does_not_exist_fails_like_any_other_operation() {
    let fixture = fixture();
    assert!(fixture.object.close().is_none());
    let mut clearing = WriteBatch::default();
    clearing.clear();
    assert_eq!(fixture.object.write(clearing, None).wait().await, Err(Error::Closed));
}

#[tokio::test]
async fn an_object_is_not_handed_over_between_two_writes_of_a_turn_of_the_event_loop() {
    let fixture = Fixture::opened();
    let first = now(fixture.put("a", "1"));
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0);
    let second = now(fixture.put("b", "2"));
    assert_eq!(first.ticket, second.ticket);
    fixture.object.seal();
    assert_eq!(fixture.handed_over(), 1);
}

#[tokio::test]
async fn an_object_is_handed_over_between_the_turns_of_transactions_that_queue_for_it() {
    let fixture = Fixture::opened();
    let (first, attempt) = fixture.begin_alone();
    let second = Transaction::new(fixture.object.clone());
    for _ in 0..OPTIMISTIC_ATTEMPTS_MAX {
        let _id = now(second.begin(None));
    }
    let alone = second.begin(None);
    assert!(is_later(&alone), "one turn at a time");
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0, "not while a turn is on");
    attempt.put(vec![(key("a"), key("1"))]).unwrap();
    let committed = now(commit(&first, attempt));
    assert!(matches!(committed, CommitOutcome::Committed(..)), "the turn ends well");
    let later = fixture.put("b", "2");
    assert!(is_later(&later), "nobody overtakes those who wait");
    fixture.object.seal();
    assert_eq!(fixture.handed_over(), 1);

    fixture.write_elsewhere("a", "theirs");
    assert!(fixture.finish_opening(), "those who wait need the object again");
    alone.wait().await.unwrap();
    let attempt = second.attempt().unwrap();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![Some(key("theirs"))]));
    let outcome = commit(&second, attempt);
    assert!(fixture.finish_opening(), "its writes need a table that takes them");
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Committed(..))));
    assert!(later.wait().await.is_ok());
}

#[tokio::test]
async fn attempts_lose_when_the_object_is_handed_over_and_see_nothing_of_what_came_after() {
    let fixture = Fixture::opened();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 1);
    fixture.write_elsewhere("a", "theirs");
    let read = attempt.read(vec![key("b")]);
    fixture.finish_opening();
    assert!(matches!(read.wait().await, Ok(ReadResult::Conflict(_))));
    drop(attempt);
    assert!(matches!(transaction.commit(false).wait().await, Ok(CommitOutcome::Lost(_))));
}

#[tokio::test]
async fn an_object_that_is_being_opened_is_handed_over_only_after_it_has_served_those_who_wait() {
    let fixture = fixture();
    let put = fixture.put("a", "1");
    fixture.object.hand_over();
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0, "the put is not sealed");
    fixture.object.seal();
    assert_eq!(fixture.handed_over(), 1);
}

#[tokio::test]
async fn an_object_that_is_closed_while_it_is_opened_fails_those_who_wait_and_keeps_no_table() {
    let fixture = fixture();
    let put = fixture.put("a", "1");
    assert!(fixture.object.close().is_none());
    assert_eq!(put.wait().await, Err(Error::Closed));
    assert!(fixture.finish_opening());
    assert!(!fixture.object.is_open());
    assert_eq!(fixture.put("a", "1").wait().await, Err(Error::Closed));
    assert!(!fixture.finish_opening());
}

#[tokio::test]
async fn an_alarm_that_is_taken_while_the_object_is_opened_is_sealed_by_itself() {
    let fixture = fixture();
    {
        let mut disk = fixture.disk.lock().unwrap();
        disk.exists = true;
        disk.alarm = Some(100);
    }
    let taken = fixture.object.take_alarm(100);
    let again = fixture.object.take_alarm(100);
    fixture.finish_opening();
    assert_eq!(taken.wait().await, Ok(true));
    assert_eq!(again.wait().await, Ok(false), "one of all who try gets it");
    assert_eq!(fixture.disk.lock().unwrap().alarm, None);
    assert_eq!(fixture.alarms.get(fixture.object.key()), Ok(None));
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 1, "nothing keeps the object here");
}

#[tokio::test]
async fn an_alarm_that_cannot_be_taken_for_good_is_not_taken() {
    let fixture = Fixture::opened();
    let mut writes = WriteBatch::default();
    writes.set_alarm(Some(100));
    let _committed = now(fixture.object.write(writes, None));
    fixture.object.seal();
    fixture.disk.lock().unwrap().failing_seals = 1;
    assert_eq!(fixture.object.take_alarm(100).wait().await, Err(broken("seal")));
    let again = fixture.object.take_alarm(100);
    fixture.finish_opening();
    assert_eq!(again.wait().await, Ok(true));
}

#[tokio::test]
async fn memory_is_not_saved_where_an_attempt_runs_or_a_write_is_not_sealed() {
    let fixture = Fixture::opened();
    let (transaction, attempt) = fixture.begin();
    assert!(matches!(fixture.object.take_idle(), IdleTable::InUse));
    drop(attempt);
    transaction.rollback();
    let _committed = now(fixture.put("a", "1"));
    assert!(matches!(fixture.object.take_idle(), IdleTable::InUse));
    fixture.object.seal();
    assert!(matches!(fixture.object.take_idle(), IdleTable::Taken(_)));
    let read = fixture.read("a");
    fixture.finish_opening();
    assert_eq!(value(read).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn only_an_empty_object_is_vacated() {
    let fixture = Fixture::opened();
    let _committed = now(fixture.put("a", "1"));
    fixture.object.seal();
    assert!(fixture.object.take_empty().is_none());
    let mut writes = WriteBatch::default();
    writes.clear();
    let _committed = now(fixture.object.write(writes, None));
    assert!(fixture.object.take_empty().is_none(), "the clearing is not sealed");
    fixture.object.seal();
    assert!(fixture.object.take_empty().is_some());
}

#[tokio::test]
async fn reading_opens_a_table_to_be_read_and_the_first_write_one_that_takes_writes() {
    let fixture = Fixture::opened_to_read();
    assert_eq!(value(fixture.read("a")).await, None);
    let (put, read, other) = (fixture.put("a", "1"), fixture.read("a"), fixture.put("b", "2"));
    assert!(is_later(&put) && is_later(&read) && is_later(&other), "in the order of the calls");
    assert_eq!(fixture.disk.lock().unwrap().upgraded, 1);
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    assert_eq!(value(read).await.as_deref(), Some("1"));
    assert!(other.wait().await.is_ok());
    let _committed = now(fixture.put("c", "3"));
    assert!(!fixture.finish_opening(), "nothing is opened anew");
}

#[tokio::test]
async fn a_transaction_that_has_read_commits_although_its_table_is_opened_anew() {
    for alone in [false, true] {
        let fixture = Fixture::opened_to_read();
        fixture.write_elsewhere("a", "1");
        let (transaction, attempt) = if alone { fixture.begin_alone() } else { fixture.begin() };
        assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![Some(key("1"))]));
        attempt.put(vec![(key("a"), key("2"))]).unwrap();
        let outcome = commit(&transaction, attempt);
        assert!(fixture.finish_opening());
        assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Committed(..))), "alone: {alone}");
    }
}

#[tokio::test]
async fn a_write_that_waits_for_a_table_that_takes_writes_still_conflicts_with_attempts() {
    let fixture = Fixture::opened_to_read();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    let put = fixture.put("a", "1");
    attempt.put(vec![(key("b"), key("2"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Lost(_))));
}

#[tokio::test]
async fn attempts_lose_when_a_table_cannot_be_opened_anew_because_the_object_was_let_go() {
    let fixture = Fixture::opened_to_read();
    let (transaction, attempt) = fixture.begin();
    assert_eq!(now(attempt.read(vec![key("a")])), ReadResult::Value(vec![None]));
    fixture.disk.lock().unwrap().failing_openings = 1;
    let put = fixture.put("b", "1");
    assert!(fixture.finish_opening());
    assert_eq!(put.wait().await, Err(broken("open")));
    fixture.write_elsewhere("a", "theirs");
    attempt.put(vec![(key("c"), key("mine"))]).unwrap();
    let outcome = commit(&transaction, attempt);
    assert!(fixture.finish_opening());
    assert!(matches!(outcome.wait().await, Ok(CommitOutcome::Lost(_))));
}

#[tokio::test]
async fn an_object_is_handed_over_after_its_table_was_opened_anew_not_meanwhile() {
    let fixture = Fixture::opened_to_read();
    let put = fixture.put("a", "1");
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0);
    assert!(fixture.finish_opening());
    assert!(put.wait().await.is_ok());
    fixture.object.hand_over();
    fixture.object.seal();
    assert_eq!(fixture.handed_over(), 1);
}

#[tokio::test]
async fn a_hand_over_that_was_asked_for_ends_with_a_failed_upgrade() {
    let fixture = Fixture::opened_to_read();
    let (holder, attempt) = fixture.begin_alone();
    fixture.object.hand_over();
    assert_eq!(fixture.handed_over(), 0, "not while a turn is held");
    attempt.put(vec![(key("a"), key("1"))]).unwrap();
    fixture.disk.lock().unwrap().failing_openings = 1;
    let outcome = commit(&holder, attempt);
    assert!(fixture.finish_opening());
    assert_eq!(outcome.wait().await, Err(broken("open")));
    let read = fixture.read("a");
    assert!(fixture.finish_opening());
    assert_eq!(fixture.handed_over(), 0, "the failed upgrade has let go of the object already");
    assert_eq!(value(read).await, None);
}
