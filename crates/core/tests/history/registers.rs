//! Registers: the order of the writes follows from transactions that read before they write, and from
//! real time.

use std::collections::BTreeMap;

use super::graph::{Graph, Why};
use super::{Anomaly, End, Kind, Object, Op, Transaction};

/// What is known of one register.
#[derive(Default)]
struct Register {
    /// Who has written each value that stayed.
    writers: BTreeMap<u64, usize>,
    /// Transactions and what they have read before they wrote.
    reads: Vec<(usize, Option<u64>)>,
    /// Values of which the second was written over the first, or later.
    order: Vec<(Option<u64>, u64)>,
}

/// Adds what the registers say about the order of the transactions.
pub(crate) fn add_edges(history: &[Transaction], graph: &mut Graph) -> Result<(), Anomaly> {
    for (name, mut register) in collect(history)? {
        let writes: Vec<(u64, usize)> =
            register.writers.iter().map(|(value, by)| (*value, *by)).collect();
        for (value, by) in &writes {
            register.order.push((None, *value));
            let before = writes.iter().filter(|(_, other)| {
                history[*other].end == End::Committed
                    && history[*other].responded < history[*by].invoked
            });
            register.order.extend(before.map(|(other, _)| (Some(*other), *value)));
        }
        let mut next = BTreeMap::<Option<u64>, Vec<u64>>::new();
        for (old, new) in &register.order {
            next.entry(*old).or_default().push(*new);
            if let Some(old) = old {
                let what = format!("register {name}: {old} then {new}");
                graph.add(register.writers[old], register.writers[new], Why::WriteWrite, what);
            }
        }
        for (reader, value) in &register.reads {
            if let Some(value) = value {
                let what = format!("register {name}: {value}");
                graph.add(register.writers[value], *reader, Why::WriteRead, what);
            }
            for new in next.get(value).into_iter().flatten() {
                let what = format!("register {name}: read {value:?}, not {new}");
                graph.add(*reader, register.writers[new], Why::ReadWrite, what);
            }
        }
    }
    Ok(())
}

fn collect(history: &[Transaction]) -> Result<BTreeMap<Object, Register>, Anomaly> {
    let mut registers = BTreeMap::<Object, Register>::new();
    let mut overwritten = BTreeMap::new();
    let mut aborted = BTreeMap::new();
    for (number, transaction) in history.iter().enumerate() {
        let (mut first_reads, mut last_writes) = (BTreeMap::new(), BTreeMap::new());
        for op in &transaction.ops {
            match op {
                Op::Read(register, value) if !last_writes.contains_key(register) => {
                    first_reads.entry(*register).or_insert(*value);
                }
                Op::Write(register, value) => {
                    if let Some(old) = last_writes.insert(*register, *value) {
                        overwritten.insert(old, number);
                    }
                }
                _ => {}
            }
        }
        for (register, value) in &first_reads {
            registers.entry(*register).or_default().reads.push((number, *value));
        }
        for (register, value) in last_writes {
            if transaction.end == End::Aborted {
                aborted.insert(value, number);
                continue;
            }
            let register_known = registers.entry(register).or_default();
            let other = register_known.writers.insert(value, number);
            assert!(other.is_none(), "the test writes {value} twice");
            if let Some(read) = first_reads.get(&register)
                && transaction.end == End::Committed
            {
                register_known.order.push((*read, value));
            }
        }
    }
    for (name, register) in &mut registers {
        check_reads(*name, register, &overwritten, &aborted)?;
        let reads = &register.reads;
        // A write whose outcome is unknown counts if a reader has seen it.
        register.writers.retain(|value, by| {
            history[*by].end == End::Committed
                || reads.iter().any(|(_, read)| *read == Some(*value))
        });
    }
    Ok(registers)
}

fn check_reads(
    name: Object,
    register: &Register,
    overwritten: &BTreeMap<u64, usize>,
    aborted: &BTreeMap<u64, usize>,
) -> Result<(), Anomaly> {
    for (reader, value) in &register.reads {
        let Some(value) = value.filter(|value| !register.writers.contains_key(value)) else {
            continue;
        };
        let (kind, why) = if let Some(by) = overwritten.get(&value) {
            (Kind::IntermediateRead, format!("which T{by} has overwritten itself"))
        } else if let Some(by) = aborted.get(&value) {
            (Kind::AbortedRead, format!("which T{by} has written, which was aborted"))
        } else {
            (Kind::Garbage, "which no transaction has written".into())
        };
        let proof = format!("register {name}: T{reader} has read {value}, {why}");
        return Err(Anomaly::new(kind, proof));
    }
    Ok(())
}
