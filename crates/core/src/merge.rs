//! Lays newer writes over older entries, both in the order of one walk.

use crate::key::{Entry, Key, Value};
use crate::range::Scan;

/// The result of a walk over `stored` entries with `newer` writes above them. A removal hides an entry. `newer` is in
/// ascending order and is read no further than needed. `stored` must reach far enough: see [`Scan::widened`].
pub(crate) fn merge<N>(stored: Vec<Entry>, newer: N, scan: &Scan) -> Vec<Entry>
where
    N: IntoIterator<Item = (Key, Option<Value>), IntoIter: DoubleEndedIterator>,
{
    let limit = scan.limit.unwrap_or(usize::MAX);
    let newer = newer.into_iter();
    let mut merged = Vec::with_capacity((stored.len() + newer.size_hint().0).min(limit));
    let mut newer: Box<dyn Iterator<Item = (Key, Option<Value>)>> =
        if scan.reverse { Box::new(newer.rev()) } else { Box::new(newer) };
    let before = |a: &Key, b: &Key| if scan.reverse { a > b } else { a < b };
    let mut stored = stored.into_iter().peekable();
    let mut next = newer.next();
    while merged.len() < limit {
        match (stored.peek(), next.take()) {
            (None, None) => break,
            (Some((key, _)), Some(write)) if before(key, &write.0) => {
                merged.extend(stored.next());
                next = Some(write);
            }
            (Some(_), None) => merged.extend(stored.next()),
            (_, Some((key, value))) => {
                stored.next_if(|(hidden, _)| *hidden == key);
                merged.extend(value.map(|value| (key, value)));
                next = newer.next();
            }
        }
    }
    merged
}
