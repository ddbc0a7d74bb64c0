//! Lists: what was read shows the order of the appends.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, Why};
use super::{Anomaly, End, Kind, Object, Op, Transaction};

/// A list that a transaction has read, without what it had appended itself.
struct Read<'a> {
    reader: usize,
    elements: &'a [u64],
}

/// Adds what the lists say about the order of the transactions.
pub(crate) fn add_edges(history: &[Transaction], graph: &mut Graph) -> Result<(), Anomaly> {
    let appended = appends(history);
    for (list, reads) in reads(history) {
        let longest = longest(list, &reads)?;
        check_elements(history, &appended, list, longest)?;
        for read in &reads {
            check_last(history, &appended, read)?;
        }
        let writer = |element: &u64| appended[element].0;
        for pair in longest.windows(2) {
            let what = format!("list {list}: {} then {}", pair[0], pair[1]);
            graph.add(writer(&pair[0]), writer(&pair[1]), Why::WriteWrite, what);
        }
        let unseen: Vec<(&u64, usize)> = appended
            .iter()
            .filter(|(element, (by, of))| {
                *of == list && history[*by].end == End::Committed && !longest.contains(element)
            })
            .map(|(element, (by, _))| (element, *by))
            .collect();
        if let Some(last) = longest.last() {
            for (element, by) in &unseen {
                let what = format!("list {list}: {element}, unseen, after {last}");
                graph.add(writer(last), *by, Why::WriteWrite, what);
            }
        }
        for Read { reader, elements } in &reads {
            if let Some(last) = elements.last() {
                graph.add(writer(last), *reader, Why::WriteRead, format!("list {list}: {last}"));
            }
            if let Some(next) = longest.get(elements.len()) {
                let what = format!("list {list}: read without {next}");
                graph.add(*reader, writer(next), Why::ReadWrite, what);
            } else {
                for (element, by) in &unseen {
                    let what = format!("list {list}: read without {element}");
                    graph.add(*reader, *by, Why::ReadWrite, what);
                }
            }
        }
    }
    Ok(())
}

/// Who has appended each element, and to which list.
fn appends(history: &[Transaction]) -> BTreeMap<u64, (usize, Object)> {
    let mut appended = BTreeMap::new();
    for (number, transaction) in history.iter().enumerate() {
        for op in &transaction.ops {
            if let Op::Append(list, element) = op {
                let other = appended.insert(*element, (number, *list));
                assert!(other.is_none(), "the test appends {element} twice");
            }
        }
    }
    appended
}

fn reads(history: &[Transaction]) -> BTreeMap<Object, Vec<Read<'_>>> {
    let mut reads = BTreeMap::<_, Vec<_>>::new();
    for (reader, transaction) in history.iter().enumerate() {
        let mut own = BTreeMap::<Object, usize>::new();
        for op in &transaction.ops {
            match op {
                Op::Append(list, _) => *own.entry(*list).or_default() += 1,
                Op::List(list, elements) => {
                    let own = own.get(list).copied().unwrap_or(0);
                    let elements = &elements[..elements.len().saturating_sub(own)];
                    reads.entry(*list).or_default().push(Read { reader, elements });
                }
                Op::Write(..) | Op::Read(..) => {}
            }
        }
    }
    reads
}

/// The longest of the reads; all others must be its beginnings.
fn longest<'a>(list: Object, reads: &[Read<'a>]) -> Result<&'a [u64], Anomaly> {
    let longest = reads.iter().max_by_key(|read| read.elements.len());
    let Some(longest) = longest else {
        return Ok(&[]);
    };
    match reads.iter().find(|read| !longest.elements.starts_with(read.elements)) {
        None => Ok(longest.elements),
        Some(read) => {
            let proof = format!(
                "list {list}: T{} has read {:?}, T{} has read {:?}",
                read.reader, read.elements, longest.reader, longest.elements
            );
            Err(Anomaly::new(Kind::IncompatibleOrder, proof))
        }
    }
}

fn check_elements(
    history: &[Transaction],
    appended: &BTreeMap<u64, (usize, Object)>,
    list: Object,
    elements: &[u64],
) -> Result<(), Anomaly> {
    let mut seen = BTreeSet::new();
    for element in elements {
        let anomaly = match appended.get(element) {
            _ if !seen.insert(element) => (Kind::Duplicate, "is in it twice".into()),
            Some((by, of)) if *of != list => {
                (Kind::Garbage, format!("was appended to list {of} by T{by}"))
            }
            Some((by, _)) if history[*by].end == End::Aborted => {
                (Kind::AbortedRead, format!("was appended by T{by}, which was aborted"))
            }
            Some(_) => continue,
            None => (Kind::Garbage, "was appended by no transaction".into()),
        };
        let (kind, why) = anomaly;
        return Err(Anomaly::new(kind, format!("list {list}: {element} {why}: {elements:?}")));
    }
    Ok(())
}

/// A read ends with the last append of a transaction, not in the middle of it.
fn check_last(
    history: &[Transaction],
    appended: &BTreeMap<u64, (usize, Object)>,
    read: &Read<'_>,
) -> Result<(), Anomaly> {
    let Some(end) = read.elements.last() else {
        return Ok(());
    };
    let (by, list) = appended[end];
    let of_writer = history[by].ops.iter().rev().find_map(|op| match op {
        Op::Append(of, element) if *of == list => Some(*element),
        _ => None,
    });
    if of_writer == Some(*end) || by == read.reader {
        return Ok(());
    }
    let proof = format!("list {list}: T{} has read {end} of T{by} without the rest", read.reader);
    Err(Anomaly::new(Kind::IntermediateRead, proof))
}
