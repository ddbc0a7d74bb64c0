//! Two openings of one directory that hand each object to and fro: between plain operations, and between
//! attempts, everything must be as with one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ferroflare_core::backend::files::FileOptions;
use ferroflare_core::backend::{
    AlarmClaim, AlarmEnd, ClaimId, CommitOutcome, Committed, ObjectKey, ObjectStorage, ReadResult,
    ReadView, Start, Store, Ticket,
};
use ferroflare_core::concurrency::{ReadSet, TransactionId};
use ferroflare_core::key::{Entry, Key, Value};
use ferroflare_core::range::Scan;
use ferroflare_core::write_batch::{TurnId, WriteBatch};
use ferroflare_core::{Answer, Result};

use super::files::Directory;
use super::{Opening, TestPlace};

/// An object changes hands at every so many of the operations at which it may.
const OPERATIONS: u32 = 3;

/// Files that two users have, each of whom gets the objects again and again.
pub(crate) struct HandedFiles;

impl TestPlace for HandedFiles {
    fn open(&self) -> Opening<'_, Arc<dyn Store>> {
        let options = FileOptions { fsync: false, open_objects_max: 8 };
        let directory = Directory::new();
        Box::pin(async move {
            let sides = [(); 2].map(|()| directory.open_apart(options) as Arc<dyn Store>);
            Arc::new(HandedPlace { sides, objects: Mutex::default() }) as Arc<dyn Store>
        })
    }

    fn answers_at_once(&self) -> bool {
        false
    }

    fn log_shares_keys(&self) -> bool {
        false
    }

    fn forgets_emptied_objects(&self) -> bool {
        false
    }

    fn cost(&self) -> u32 {
        400
    }
}

struct HandedPlace {
    sides: [Arc<dyn Store>; 2],
    objects: Mutex<HashMap<ObjectKey, Arc<HandedObject>>>,
}

impl Store for HandedPlace {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn ObjectStorage>> {
        let sides = [self.sides[0].object(key)?, self.sides[1].object(key)?];
        let make = || Arc::new(HandedObject { sides, hands: Arc::default() });
        Ok(self.objects.lock().unwrap().entry(key.clone()).or_insert_with(make).clone())
    }

    /// Each alarm as the side has it which has the object: the other hears of it later.
    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        let objects = self.objects.lock().unwrap();
        let mut alarms = Vec::new();
        for (side, place) in self.sides.iter().enumerate() {
            let own = |key: &ObjectKey| objects.get(key).is_some_and(|object| object.knows(side));
            alarms.extend(place.alarms(names)?.into_iter().filter(|(_, key)| own(key)));
        }
        alarms.sort();
        Ok(alarms)
    }

    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>> {
        self.sides[0].object_ids(name)
    }

    fn object_names(&self) -> Answer<Vec<Arc<str>>> {
        self.sides[0].object_names()
    }

    fn record_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()> {
        self.sides[0].record_name(key, name)
    }

    fn recorded_name(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        self.sides[0].recorded_name(key)
    }

    fn close(&self) -> Answer<()> {
        let answers = [self.sides[0].close(), self.sides[1].close()];
        Answer::later(async move {
            for answer in answers {
                answer.wait().await?;
            }
            Ok(())
        })
    }
}

/// Which side has an object, and what keeps it there.
#[derive(Default)]
struct Hands {
    side: usize,
    /// Attempts that run, and operations that wait.
    busy: u32,
    operations: u32,
    /// Which side has claimed the alarm.
    claimed: Option<usize>,
}

struct HandedObject {
    sides: [Arc<dyn ObjectStorage>; 2],
    hands: Arc<Mutex<Hands>>,
}

/// Keeps an object on its side.
struct Stay {
    hands: Arc<Mutex<Hands>>,
    side: usize,
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.hands.lock().unwrap().busy -= 1;
    }
}

impl HandedObject {
    /// Whether that side knows best which alarm is due.
    fn knows(&self, side: usize) -> bool {
        let hands = self.hands.lock().unwrap();
        hands.claimed.unwrap_or(hands.side) == side
    }

    /// Brings the object to the side that has claimed its alarm, which alone can go on with the claim, and keeps it there.
    fn stay_with_claimer(&self) -> Stay {
        let mut hands = self.hands.lock().unwrap();
        let side = hands.claimed.unwrap_or(hands.side);
        if side != hands.side && hands.busy == 0 {
            self.sides[hands.side].seal();
            hands.side = side;
        }
        hands.busy += 1;
        Stay { hands: self.hands.clone(), side }
    }

    fn note_claim(hands: &Mutex<Hands>, side: Option<usize>) {
        hands.lock().unwrap().claimed = side;
    }

    /// Keeps the object where it is, or brings it to the other side first, if it is time.
    fn stay(&self) -> Stay {
        let mut hands = self.hands.lock().unwrap();
        hands.operations += 1;
        if hands.busy == 0 && hands.operations.is_multiple_of(OPERATIONS) {
            // The turn of the event loop ends: a batch that gathers would hold the object.
            self.sides[hands.side].seal();
            hands.side = 1 - hands.side;
        }
        hands.busy += 1;
        Stay { hands: self.hands.clone(), side: hands.side }
    }

    /// Makes a call on the side that has the object, which stays there until it is answered.
    fn ask<T, U>(
        &self,
        call: impl FnOnce(&dyn ObjectStorage) -> Answer<T>,
        then: impl FnOnce(T, Stay) -> U + Send + 'static,
    ) -> Answer<U>
    where
        T: Send + 'static,
        U: Send + 'static,
    {
        let stay = self.stay();
        let answer = call(&*self.sides[stay.side]);
        answer.and_then(move |answer| Ok(then(answer, stay)))
    }

    fn current(&self) -> &dyn ObjectStorage {
        &*self.sides[self.hands.lock().unwrap().side]
    }

    /// An attempt does not keep the object any more.
    fn release(&self) {
        self.hands.lock().unwrap().busy -= 1;
    }
}

/// Each side counts its own tickets.
fn ticket_of(ticket: Ticket, side: usize) -> Ticket {
    if ticket == 0 { 0 } else { ticket * 2 + side as Ticket }
}

fn committed_on(committed: Committed, side: usize) -> Committed {
    Committed { ticket: ticket_of(committed.ticket, side), ..committed }
}

impl ObjectStorage for HandedObject {
    fn read(&self, keys: Vec<Key>, view: ReadView) -> Answer<ReadResult<Vec<Option<Value>>>> {
        self.ask(|object| object.read(keys, view), |read, _| read)
    }

    fn list(&self, scan: Scan, view: ReadView) -> Answer<ReadResult<Vec<Entry>>> {
        self.ask(|object| object.list(scan, view), |listed, _| listed)
    }

    fn alarm(&self, view: ReadView) -> Answer<ReadResult<Option<i64>>> {
        self.ask(|object| object.alarm(view), |alarm, _| alarm)
    }

    fn write(&self, writes: WriteBatch, issued_by: Option<TransactionId>) -> Answer<Committed> {
        self.ask(
            |object| object.write(writes, issued_by),
            |committed, stay| committed_on(committed, stay.side),
        )
    }

    /// An object that has changed hands has been sealed: its turn has ended.
    fn undo(&self, turn: TurnId) -> Answer<()> {
        self.current().undo(turn)
    }

    fn end_turn(&self, turn: TurnId) {
        self.current().end_turn(turn);
    }

    fn take_alarm(&self, due_ms: i64) -> Answer<bool> {
        self.ask(|object| object.take_alarm(due_ms), |taken, _| taken)
    }

    fn claim_alarm(&self, due_ms: i64, again: Option<ClaimId>) -> Answer<Option<AlarmClaim>> {
        let stay = if again.is_some() { self.stay_with_claimer() } else { self.stay() };
        let claiming = self.sides[stay.side].claim_alarm(due_ms, again);
        claiming.and_then(move |claim| {
            if claim.is_some() {
                Self::note_claim(&stay.hands, Some(stay.side));
            }
            Ok(claim)
        })
    }

    fn finish_alarm(&self, claim: ClaimId, end: AlarmEnd) -> Answer<bool> {
        let stay = self.stay_with_claimer();
        let finishing = self.sides[stay.side].finish_alarm(claim, end);
        finishing.and_then(move |kept| {
            if !kept || end != AlarmEnd::Postponed {
                Self::note_claim(&stay.hands, None);
            }
            Ok(kept)
        })
    }

    fn begin(&self, turn: bool, issued_by: Option<TransactionId>) -> Answer<Start> {
        // An attempt keeps the object on its side, and the claim may have to go on meanwhile.
        let is_claimed = self.hands.lock().unwrap().claimed.is_some();
        let stay = if is_claimed { self.stay_with_claimer() } else { self.stay() };
        self.sides[stay.side].begin(turn, issued_by).and_then(move |start| {
            // Until it is committed or ended.
            std::mem::forget(stay);
            Ok(start)
        })
    }

    fn commit(&self, start: Start, read_set: ReadSet, writes: WriteBatch) -> Answer<CommitOutcome> {
        let answer = self.ask(
            |object| object.commit(start, read_set, writes),
            |outcome, stay| match outcome {
                CommitOutcome::Committed(committed) => {
                    CommitOutcome::Committed(committed_on(committed, stay.side))
                }
                lost @ CommitOutcome::Lost(_) => lost,
            },
        );
        self.release();
        answer
    }

    fn end(&self, start: Start) {
        self.current().end(start);
        self.release();
    }

    fn pending_ticket(&self) -> Ticket {
        self.sides
            .iter()
            .enumerate()
            .map(|(side, object)| ticket_of(object.pending_ticket(), side))
            .max()
            .unwrap_or(0)
    }

    fn durable(&self, ticket: Ticket) -> Answer<()> {
        self.sides[usize::from(ticket % 2 == 1)].durable(ticket / 2)
    }

    fn seal(&self) {
        self.current().seal();
    }
}
