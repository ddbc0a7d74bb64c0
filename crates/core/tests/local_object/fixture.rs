//! A `LocalObject` over a table that fails on command.

use std::sync::Arc;

use ferroflare_core::Answer;
use ferroflare_core::alarm_index::AlarmIndex;
use ferroflare_core::backend::local::LocalObject;
use ferroflare_core::backend::{
    CommitOutcome, Committed, ObjectKey, ObjectStorage, ReadResult, ReadView,
};
use ferroflare_core::concurrency::turn::OPTIMISTIC_ATTEMPTS_MAX;
use ferroflare_core::durability::Durability;
use ferroflare_core::key::{Key, Value};
use ferroflare_core::transaction::{Attempt, Transaction};
use ferroflare_core::write_batch::WriteBatch;

use super::fake_table::{FakeOpener, FakeTable, Shared, broken, fails};

pub(crate) struct Fixture {
    pub(crate) disk: Shared,
    pub(crate) durability: Arc<Durability>,
    pub(crate) alarms: Arc<AlarmIndex>,
    pub(crate) object: Arc<LocalObject<FakeTable>>,
}

pub(crate) fn fixture() -> Fixture {
    let disk = Shared::default();
    let (durability, alarms): (Arc<Durability>, Arc<AlarmIndex>) = Default::default();
    let key = ObjectKey { name: "NAME".into(), id: "id".into() };
    let opener = Arc::new(FakeOpener { disk: disk.clone() });
    let object = LocalObject::over(opener, durability.clone(), key, alarms.clone());
    Fixture { disk, durability, alarms, object }
}

impl Fixture {
    /// An object that exists and is open for everything.
    pub(crate) fn opened() -> Self {
        let fixture = Self::opened_to_read();
        let mut removal = WriteBatch::default();
        removal.delete(key("nothing"));
        let _later = fixture.object.write(removal, None);
        fixture.finish_opening();
        fixture.object.seal();
        fixture
    }

    /// An object that exists and is open to be read.
    pub(crate) fn opened_to_read() -> Self {
        let fixture = fixture();
        fixture.disk.lock().unwrap().exists = true;
        let _later = fixture.read("a");
        fixture.finish_opening();
        fixture
    }

    /// Ends every opening that is under way; false if there is none.
    pub(crate) fn finish_opening(&self) -> bool {
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

    pub(crate) fn handed_over(&self) -> u32 {
        self.disk.lock().unwrap().handed_over
    }

    /// Another process has the object for a moment, and writes.
    pub(crate) fn write_elsewhere(&self, name: &str, text: &str) {
        let mut disk = self.disk.lock().unwrap();
        disk.exists = true;
        disk.entries.insert(key(name), key(text));
    }

    pub(crate) fn put(&self, name: &str, text: &str) -> Answer<Committed> {
        let mut writes = WriteBatch::default();
        writes.put(key(name), key(text));
        self.object.write(writes, None)
    }

    pub(crate) fn read(&self, name: &str) -> Answer<ReadResult<Vec<Option<Value>>>> {
        self.object.read(vec![key(name)], ReadView::Latest(None))
    }

    pub(crate) fn begin(&self) -> (Transaction, Arc<Attempt>) {
        let transaction = Transaction::new(self.object.clone());
        let _id = now(transaction.begin(None));
        let attempt = transaction.attempt().unwrap();
        (transaction, attempt)
    }

    /// A transaction that has lost so often that it runs alone.
    pub(crate) fn begin_alone(&self) -> (Transaction, Arc<Attempt>) {
        let transaction = Transaction::new(self.object.clone());
        for _ in 0..=OPTIMISTIC_ATTEMPTS_MAX {
            let _id = now(transaction.begin(None));
        }
        assert!(transaction.has_turn());
        let attempt = transaction.attempt().unwrap();
        (transaction, attempt)
    }
}

pub(crate) fn key(text: &str) -> Key {
    Key::from(text.as_bytes())
}

/// An answer that has to be there at once.
pub(crate) fn now<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Now(result) => result.unwrap(),
        Answer::Later(_) => panic!("the answer comes later"),
    }
}

pub(crate) fn is_later<T>(answer: &Answer<T>) -> bool {
    matches!(answer, Answer::Later(_))
}

pub(crate) async fn value(answer: Answer<ReadResult<Vec<Option<Value>>>>) -> Option<String> {
    match answer.wait().await.unwrap() {
        ReadResult::Value(mut values) => {
            values.pop().flatten().map(|value| String::from_utf8(value.to_vec()).unwrap())
        }
        ReadResult::Conflict(conflict) => panic!("a plain read is stale: {conflict:?}"),
    }
}

pub(crate) fn commit(transaction: &Transaction, attempt: Arc<Attempt>) -> Answer<CommitOutcome> {
    drop(attempt);
    transaction.commit(false)
}
