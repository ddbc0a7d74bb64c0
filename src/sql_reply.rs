//! Packs the rows of a result, so that any number of them crosses the border once.
//!
//! Numbers come first, so that JavaScript reads all of them from one `Float64Array`: what [`HEAD`] lists, then one for each
//! value. The types of the values follow, then all texts, then all blobs.

use std::borrow::Cow;

use ferroflare_core::backend::Ticket;
use ferroflare_core::sqlite::{Column, Step};

use crate::codes::number;

/// Cursor, columns, names, rows, whether the last of them is the end, rows read, rows written, ticket, bytes of text, whether all text is ASCII, bytes of
/// blobs.
const HEAD: usize = 11;

const NULL: u8 = 0;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;

/// Rows on their way to JavaScript. The memory is used again for the next ones.
#[derive(Default)]
pub(crate) struct SqlReply {
    numbers: Vec<f64>,
    types: Vec<u8>,
    text: Vec<u8>,
    blobs: Vec<u8>,
    has_other_text: bool,
}

impl SqlReply {
    /// Begins a reply.
    pub(crate) fn begin(&mut self) {
        self.numbers.clear();
        self.numbers.resize(HEAD, 0.0);
        self.types.clear();
        self.text.clear();
        self.blobs.clear();
        self.has_other_text = false;
    }

    /// Adds a value.
    pub(crate) fn push(&mut self, column: Column<'_>) {
        let (kind, value) = match column {
            Column::Null => (NULL, 0.0),
            #[expect(clippy::cast_precision_loss, reason = "as JavaScript has it in production")]
            Column::Integer(integer) => (NUMBER, integer as f64),
            Column::Number(number) => (NUMBER, number),
            Column::Text(text) => (TEXT, self.push_text(text)),
            Column::Blob(bytes) => {
                self.blobs.extend_from_slice(bytes);
                (BLOB, number(bytes.len() as u64))
            }
        };
        self.types.push(kind);
        self.numbers.push(value);
    }

    /// Adds a text; returns its length in JavaScript.
    fn push_text(&mut self, text: &[u8]) -> f64 {
        if text.is_ascii() {
            self.text.extend_from_slice(text);
            return number(text.len() as u64);
        }
        self.has_other_text = true;
        let text: Cow<'_, str> = String::from_utf8_lossy(text);
        self.text.extend_from_slice(text.as_bytes());
        number(text.encode_utf16().count() as u64)
    }

    /// Notes what the step has come to.
    pub(crate) fn end(&mut self, step: Step, ticket: Ticket) {
        let head = [
            f64::from(step.cursor),
            number(step.columns as u64),
            number(step.names),
            number(step.rows as u64),
            f64::from(u8::from(step.is_last)),
            f64::from(step.read),
            f64::from(step.written),
            number(ticket),
            number(self.text.len() as u64),
            f64::from(u8::from(!self.has_other_text)),
            number(self.blobs.len() as u64),
        ];
        self.numbers[..HEAD].copy_from_slice(&head);
    }

    /// Writes the reply to `scratch`, if it fits. Returns its length.
    pub(crate) fn write(&self, scratch: &mut [u8]) -> Result<usize, usize> {
        let numbers = self.numbers.len() * size_of::<f64>();
        let parts = [&self.types[..], &self.text, &self.blobs];
        let length = numbers + parts.iter().map(|part| part.len()).sum::<usize>();
        let Some(target) = scratch.get_mut(..length) else {
            return Err(length);
        };
        let (head, mut rest) = target.split_at_mut(numbers);
        for (place, number) in head.chunks_exact_mut(size_of::<f64>()).zip(&self.numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        for part in parts {
            let (place, behind) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
        Ok(length)
    }
}
