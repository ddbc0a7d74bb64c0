//! Judges a whole history.

use super::graph::Graph;
use super::{Anomaly, Kind, Op, Transaction, lists, registers};

/// Finds an anomaly, if the history is not strictly serializable.
pub(crate) fn check(history: &[Transaction]) -> Result<(), Anomaly> {
    for (number, transaction) in history.iter().enumerate() {
        check_own_writes(number, transaction)?;
    }
    let mut graph = Graph::new(history.len());
    lists::add_edges(history, &mut graph)?;
    registers::add_edges(history, &mut graph)?;
    graph.add_real_time(history);
    graph.worst_cycle(history).map_or(Ok(()), Err)
}

/// Each transaction sees its own writes over one and the same state.
fn check_own_writes(number: usize, transaction: &Transaction) -> Result<(), Anomaly> {
    for (position, op) in transaction.ops.iter().enumerate() {
        let before = &transaction.ops[..position];
        let holds = match op {
            Op::List(list, elements) => sees_own_appends(before, *list, elements),
            Op::Read(register, value) => before
                .iter()
                .rev()
                .find_map(|op| match op {
                    Op::Write(written, own) if written == register => Some(Some(*own)),
                    Op::Read(read, old) if read == register => Some(*old),
                    _ => None,
                })
                .is_none_or(|known| known == *value),
            Op::Append(..) | Op::Write(..) => true,
        };
        if !holds {
            let proof = format!("T{number} does {before:?} and then {op:?}");
            return Err(Anomaly::new(Kind::Internal, proof));
        }
    }
    Ok(())
}

fn sees_own_appends(before: &[Op], list: u32, elements: &[u64]) -> bool {
    let mut own = Vec::new();
    for op in before.iter().rev() {
        match op {
            Op::Append(appended, element) if *appended == list => own.insert(0, *element),
            Op::List(read, old) if *read == list => {
                return *elements == [&old[..], &own[..]].concat();
            }
            _ => {}
        }
    }
    elements.ends_with(&own)
}
