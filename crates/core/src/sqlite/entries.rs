//! Keys, values and the alarm, in the tables `_cf_KV` and `_cf_METADATA`.

use super::database::Database;
use super::fixed::Fixed;
use super::statement::Statement;
use super::value::{Binding, Column};
use crate::error::Result;
use crate::key::{Entry, Value};
use crate::range::Scan;
use crate::write_batch::WriteBatch;

impl Database {
    /// The value of a key.
    pub fn value(&mut self, key: &[u8]) -> Result<Option<Value>> {
        if !self.has_keys()? {
            return Ok(None);
        }
        self.run(Fixed::Get, &[Binding::Text(key)], |row| bytes(row, 0))
    }

    /// The entries of a walk, in its order.
    pub fn entries(&mut self, scan: &Scan) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        if let Some(mut rows) = self.prepare_list(scan)? {
            loop {
                if !self.step(&mut rows)? {
                    break;
                }
                entries.push((bytes(&rows, 0), bytes(&rows, 1)));
            }
        }
        Ok(entries)
    }

    /// A walk through the keys as a statement, unless it certainly finds nothing.
    pub(super) fn prepare_list(&mut self, scan: &Scan) -> Result<Option<Statement>> {
        if scan.is_empty() || !self.has_keys()? {
            return Ok(None);
        }
        let limit = scan.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let (start, limit) = (Binding::Text(&scan.range.start), Binding::Integer(limit));
        let (name, bindings) = match (&scan.range.end, scan.reverse) {
            (Some(end), false) => (Fixed::ListUp, vec![start, Binding::Text(end), limit]),
            (Some(end), true) => (Fixed::ListDown, vec![start, Binding::Text(end), limit]),
            (None, false) => (Fixed::ListUpToEnd, vec![start, limit]),
            (None, true) => (Fixed::ListDownFromEnd, vec![start, limit]),
        };
        let mut statement = self.prepare_fixed(name)?;
        for (index, value) in bindings.iter().enumerate() {
            statement.bind(index, value)?;
        }
        Ok(Some(statement))
    }

    /// The alarm, in milliseconds.
    pub fn alarm(&mut self) -> Result<Option<i64>> {
        if let Some(known) = self.known_alarm {
            return Ok(known);
        }
        let alarm = if self.has_metadata()? { self.number(Fixed::Alarm)? } else { None };
        self.known_alarm = Some(alarm);
        Ok(alarm)
    }

    /// A number that grows with each call, and is kept with the database.
    pub fn next_bookmark(&mut self) -> Result<i64> {
        self.begin()?;
        self.create_metadata()?;
        let bookmark = self.number(Fixed::Bookmark)?.unwrap_or(0);
        self.run(Fixed::SetBookmark, &[Binding::Integer(bookmark + 1)], |_| ())?;
        Ok(bookmark)
    }

    /// Applies a batch inside the transaction of the turn.
    pub fn apply(&mut self, writes: &WriteBatch) -> Result<()> {
        self.begin()?;
        if writes.clears() && self.has_keys()? {
            self.run(Fixed::Clear, &[], |_| ())?;
        }
        for (key, value) in writes.entries() {
            let key = Binding::Text(key);
            // As in production, a delete makes the table too.
            self.create_keys()?;
            match value {
                Some(value) => self.run(Fixed::Put, &[key, Binding::Blob(value)], |_| ())?,
                None => self.run(Fixed::Delete, &[key], |_| ())?,
            };
        }
        if writes.alarm().is_some() {
            self.known_alarm = None;
        }
        match writes.alarm() {
            Some(Some(at)) => {
                self.create_metadata()?;
                self.run(Fixed::SetAlarm, &[Binding::Integer(at)], |_| ())?;
            }
            Some(None) if self.has_metadata()? => {
                self.run(Fixed::DeleteAlarm, &[], |_| ())?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Stores entries and an alarm in a new database, and commits them.
    pub fn fill(&mut self, entries: Vec<Entry>, alarm: Option<i64>) -> Result<()> {
        if entries.is_empty() && alarm.is_none() {
            return Ok(());
        }
        let mut writes = WriteBatch::default();
        for (key, value) in entries {
            writes.put(key, value);
        }
        if alarm.is_some() {
            writes.set_alarm(alarm);
        }
        self.apply(&writes)?;
        self.commit().map(drop)
    }

    /// Whether there is neither a key nor an alarm nor a table of the worker.
    pub fn is_empty(&mut self) -> Result<bool> {
        let has_key = self.has_keys()? && self.run(Fixed::AnyKey, &[], |_| ())?.is_some();
        let has_table = self.run(Fixed::AnyTable, &[], |_| ())?.is_some();
        Ok(!has_key && !has_table && self.alarm()?.is_none())
    }

    fn has_keys(&mut self) -> Result<bool> {
        if let Some(known) = self.has_keys {
            return Ok(known);
        }
        let found = self.run(Fixed::KeysExist, &[], |_| ())?.is_some();
        self.has_keys = Some(found);
        Ok(found)
    }

    fn has_metadata(&mut self) -> Result<bool> {
        if let Some(known) = self.has_metadata {
            return Ok(known);
        }
        let found = self.run(Fixed::MetadataExists, &[], |_| ())?.is_some();
        self.has_metadata = Some(found);
        Ok(found)
    }

    fn create_keys(&mut self) -> Result<()> {
        if !self.has_keys()? {
            self.run(Fixed::CreateKeys, &[], |_| ())?;
            self.has_keys = Some(true);
        }
        Ok(())
    }

    fn create_metadata(&mut self) -> Result<()> {
        if !self.has_metadata()? {
            self.run(Fixed::CreateMetadata, &[], |_| ())?;
            self.has_metadata = Some(true);
        }
        Ok(())
    }
}

/// A text or a blob as bytes.
fn bytes(row: &Statement, column: usize) -> Value {
    match row.column(column) {
        Column::Blob(bytes) | Column::Text(bytes) => bytes.into(),
        _ => Value::from([]),
    }
}
