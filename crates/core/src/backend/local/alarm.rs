//! Who handles an object's alarm, and what callers see of it meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use super::claim::{ClaimMarker, Held, Standing};
use super::object::{LocalObject, TableOpener};
use super::state::{Need, State};
use super::table::Table;
use crate::answer::Answer;
use crate::backend::{AlarmClaim, AlarmEnd, ClaimId};
use crate::concurrency::turn::Intent;
use crate::error::Result;
use crate::write_batch::WriteBatch;

/// Names claims across all objects of the process.
static NEXT_CLAIM: AtomicU64 = AtomicU64::new(1);

impl<T: Table> LocalObject<T> {
    /// As [`crate::backend::ObjectStorage::claim_alarm`].
    pub(super) fn claim(&self, due_ms: i64, again: Option<ClaimId>) -> Answer<Option<AlarmClaim>> {
        match self.is_claimed_elsewhere() {
            // An object that another process uses is not asked for in vain.
            Ok(true) => return Answer::Now(Ok(None)),
            Ok(false) => {}
            Err(error) => return Answer::Now(Err(error)),
        }
        let opener = self.opener.clone();
        self.perform(None, Intent::Write, Need::Read, move |state| match again {
            Some(id) => state.claim_again(id),
            None => state.claim(due_ms, opener.as_deref()),
        })
    }

    /// As [`crate::backend::ObjectStorage::finish_alarm`].
    pub(super) fn finish_claim(&self, claim: ClaimId, end: AlarmEnd) -> Answer<bool> {
        if end == AlarmEnd::Released {
            return self.release_claim(claim);
        }
        let need = if end == AlarmEnd::Handled { Need::Remove } else { Need::Read };
        self.perform(None, Intent::Write, need, move |state| match end {
            AlarmEnd::Postponed => state.postpone_claim(claim),
            _ => state.end_handled(claim),
        })
    }

    /// Ends a claim at once, whatever becomes of the table, and looks whether its alarm is still set.
    fn release_claim(&self, claim: ClaimId) -> Answer<bool> {
        let released = self.locked().map(|mut state| {
            let held = state.claim.as_ref().filter(|held| held.id == claim);
            let kept = held.map(|held| (!held.replaced).then_some(held.at));
            if kept.is_some() {
                state.end_claim();
                state.note_other_alarm();
            }
            kept.flatten()
        });
        match released {
            Ok(Some(at)) => self.perform(None, Intent::Read, Need::Read, move |state| {
                Ok(state.stored_alarm()? == Some(at))
            }),
            Ok(None) => Answer::Now(Ok(false)),
            Err(error) => Answer::Now(Err(error)),
        }
    }

    /// Whether another process has claimed the alarm. Then it is not due here for a while.
    pub(super) fn is_claimed_elsewhere(&self) -> Result<bool> {
        let Some(opener) = &self.opener else {
            return Ok(false);
        };
        let state = self.locked()?;
        let claimed = if state.claim.is_some() { None } else { opener.claimed()? };
        let Some(claimed) = claimed else {
            return Ok(false);
        };
        if !claimed.runs && claimed.at != state.alarms.get(&state.key)? {
            // The alarm was set or removed since.
            return Ok(false);
        }
        state.alarms.refuse(&state.key)?;
        Ok(true)
    }
}

impl<T: Table> State<T> {
    /// The alarm of the table.
    fn stored_alarm(&self) -> Result<Option<i64>> {
        self.table.get().map_or(Ok(None), Table::alarm)
    }

    /// The alarm that no caller sees, because it is being handled; `stored` is what the table says.
    pub(super) fn hides(&self, stored: i64, opener: Option<&dyn TableOpener<T>>) -> Result<bool> {
        match (&self.claim, opener) {
            (Some(held), _) => Ok(held.runs && !held.replaced && held.at == stored),
            (None, Some(opener)) => {
                let claimed = opener.claimed()?;
                Ok(claimed.is_some_and(|claim| claim.runs && claim.at == Some(stored)))
            }
            (None, None) => Ok(false),
        }
    }

    fn claim(
        &mut self,
        due_ms: i64,
        opener: Option<&dyn TableOpener<T>>,
    ) -> Result<Option<AlarmClaim>> {
        let stored = self.stored_alarm()?;
        self.revise_claim(stored);
        let Some(at) = stored.filter(|at| *at <= due_ms && self.claim.is_none()) else {
            return Ok(None);
        };
        let marker = match opener {
            Some(opener) => opener.claim(at)?,
            None => Some(Box::new(()) as Box<dyn ClaimMarker>),
        };
        let Some(marker) = marker else {
            self.alarms.refuse(&self.key)?;
            return Ok(None);
        };
        let id = NEXT_CLAIM.fetch_add(1, Ordering::Relaxed);
        self.claim = Some(Held { id, at, runs: true, replaced: false, marker });
        self.alarms.withhold(&self.key)?;
        self.note_other_alarm();
        Ok(Some(AlarmClaim { id, at }))
    }

    /// Goes on with a claim that was postponed.
    fn claim_again(&mut self, id: ClaimId) -> Result<Option<AlarmClaim>> {
        let stored = self.stored_alarm()?;
        let Some(held) = self.claim.as_mut().filter(|held| held.id == id && !held.runs) else {
            return Ok(None);
        };
        if stored != Some(held.at) {
            self.end_claim();
            return Ok(None);
        }
        let at = held.at;
        held.marker.mark(at, true)?;
        held.runs = true;
        self.note_other_alarm();
        Ok(Some(AlarmClaim { id, at }))
    }

    fn postpone_claim(&mut self, claim: ClaimId) -> Result<bool> {
        let stored = self.stored_alarm()?;
        let Some(held) = self.claim.as_mut().filter(|held| held.id == claim) else {
            return Ok(false);
        };
        if held.replaced || stored != Some(held.at) {
            self.end_claim();
            return Ok(false);
        }
        held.marker.mark(held.at, false)?;
        held.runs = false;
        self.note_other_alarm();
        Ok(true)
    }

    fn end_handled(&mut self, claim: ClaimId) -> Result<bool> {
        let stored = self.stored_alarm()?;
        let Some(held) = self.claim.as_ref().filter(|held| held.id == claim) else {
            return Ok(false);
        };
        let is_set = !held.replaced && stored == Some(held.at);
        if is_set {
            let mut writes = WriteBatch::default();
            writes.set_alarm(None);
            self.apply(writes)?;
            // No caller waits for this write and seals it later.
            self.seal()?;
        }
        self.end_claim();
        Ok(is_set)
    }

    pub(super) fn claim_standing(&self) -> Standing {
        self.claim.as_ref().map(|held| (held.id, held.replaced))
    }

    /// The alarm is again as it was when the claim stood like that.
    pub(super) fn restore_claim(&mut self, standing: Standing) {
        if let (Some(held), Some((id, replaced))) = (&mut self.claim, standing)
            && held.id == id
        {
            held.replaced = replaced;
        }
    }

    /// The alarm was set or removed.
    pub(super) fn alarm_written(&mut self) {
        match &mut self.claim {
            Some(held) if held.runs => held.replaced = true,
            Some(_) => self.end_claim(),
            None => {}
        }
    }

    /// Ends a claim that waits for an alarm which is not set any more: another process has had the object.
    pub(super) fn revise_claim(&mut self, stored: Option<i64>) {
        if self.claim.as_ref().is_some_and(|held| !held.runs && stored != Some(held.at)) {
            self.end_claim();
        }
    }

    /// Whether the alarm is claimed, here or in another process.
    pub(super) fn is_claimed(&self, opener: Option<&dyn TableOpener<T>>) -> Result<bool> {
        let claimed =
            opener.filter(|_| self.claim.is_none()).map(TableOpener::claimed).transpose()?;
        Ok(self.claim.is_some() || claimed.flatten().is_some())
    }

    /// Forgets the claim, if there is one.
    pub(super) fn end_claim(&mut self) {
        if self.claim.take().is_some() {
            // The index is a help; the table is the truth.
            let _ = self.alarms.release(&self.key);
        }
    }

    /// Callers see another alarm than before, though the table is unchanged: attempts that have read it lose.
    fn note_other_alarm(&mut self) {
        self.sequence += 1;
        if self.log.is_needed() {
            let mut writes = WriteBatch::default();
            writes.set_alarm(None);
            self.log.record(self.sequence, &writes);
        }
    }
}
