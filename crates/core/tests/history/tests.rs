//! The checker finds each anomaly, and none in histories that are strictly serializable.

use super::{Anomaly, End, Kind, Op, Transaction, check};
use Op::{Append, List, Read, Write};

/// Transactions that all overlap.
fn together(transactions: &[&[Op]]) -> Vec<Transaction> {
    transactions.iter().map(|ops| transaction(ops, 0, 100, End::Committed)).collect()
}

/// Transactions one after the other.
fn in_turn(transactions: &[&[Op]]) -> Vec<Transaction> {
    let times = (0..).step_by(2);
    transactions
        .iter()
        .zip(times)
        .map(|(ops, at)| transaction(ops, at, at + 1, End::Committed))
        .collect()
}

fn transaction(ops: &[Op], invoked: u64, responded: u64, end: End) -> Transaction {
    Transaction { ops: ops.to_vec(), invoked, responded, end }
}

fn with_end(mut history: Vec<Transaction>, number: usize, end: End) -> Vec<Transaction> {
    history[number].end = end;
    history
}

fn anomaly(history: &[Transaction]) -> Anomaly {
    check(history).expect_err("an anomaly is not found")
}

fn assert_anomaly(history: &[Transaction], kind: Kind) {
    let anomaly = anomaly(history);
    assert_eq!((anomaly.kind, anomaly.real_time), (kind, false), "{anomaly}");
}

fn assert_anomaly_in_real_time(history: &[Transaction], kind: Kind) {
    let anomaly = anomaly(history);
    assert_eq!((anomaly.kind, anomaly.real_time), (kind, true), "{anomaly}");
}

#[test]
fn serializable_histories_pass() {
    check(&[]).unwrap();
    check(&in_turn(&[
        &[Append(1, 1), List(1, vec![1]), Append(1, 2), Write(9, 1)],
        &[List(1, vec![1, 2]), Read(9, Some(1)), Write(9, 2), Read(9, Some(2))],
        &[List(1, vec![1, 2]), Append(1, 3), List(1, vec![1, 2, 3]), Read(9, Some(2))],
        &[List(1, vec![1, 2, 3]), List(2, vec![]), Read(8, None)],
    ]))
    .unwrap();
    // The last one ran first.
    check(&together(&[
        &[List(1, vec![1, 2]), Read(9, Some(1))],
        &[Append(1, 2), Read(9, Some(1))],
        &[Append(1, 1), Write(9, 1)],
        &[List(1, vec![]), Read(9, None)],
    ]))
    .unwrap();
}

#[test]
fn lost_update() {
    let history = together(&[
        &[List(1, vec![]), Append(1, 1)],
        &[List(1, vec![]), Append(1, 2)],
        &[List(1, vec![1, 2])],
    ]);
    assert_anomaly(&history, Kind::ReadSkew);
    let history = together(&[&[Read(1, None), Write(1, 1)], &[Read(1, None), Write(1, 2)]]);
    assert_anomaly(&history, Kind::WriteSkew);
}

#[test]
fn write_skew() {
    let history = together(&[
        &[List(1, vec![]), List(2, vec![]), Append(1, 1)],
        &[List(1, vec![]), List(2, vec![]), Append(2, 2)],
    ]);
    assert_anomaly(&history, Kind::WriteSkew);
    let history = together(&[
        &[Read(1, None), Read(2, None), Write(1, 1)],
        &[Read(1, None), Read(2, None), Write(2, 2)],
    ]);
    assert_anomaly(&history, Kind::WriteSkew);
}

#[test]
fn read_skew() {
    let history = together(&[
        &[Append(1, 1), Append(2, 2)],
        &[List(1, vec![]), List(2, vec![2])],
        &[List(1, vec![1])],
    ]);
    assert_anomaly(&history, Kind::ReadSkew);
    let history = together(&[&[Write(1, 1), Write(2, 2)], &[Read(1, None), Read(2, Some(2))]]);
    assert_anomaly(&history, Kind::ReadSkew);
}

#[test]
fn read_skew_of_an_attempt_that_loses() {
    let history = together(&[&[Write(1, 1), Write(2, 2)], &[Read(1, None), Read(2, Some(2))]]);
    assert_anomaly(&with_end(history, 1, End::Aborted), Kind::ReadSkew);
}

#[test]
fn dirty_write() {
    let history = together(&[
        &[Append(1, 1), Append(2, 1001)],
        &[Append(1, 2), Append(2, 1002)],
        &[List(1, vec![1, 2]), List(2, vec![1002, 1001])],
    ]);
    assert_anomaly(&history, Kind::DirtyWrite);
}

#[test]
fn circular_information() {
    let history = together(&[&[Append(1, 1), List(2, vec![2])], &[Append(2, 2), List(1, vec![1])]]);
    assert_anomaly(&history, Kind::CircularInformation);
    let history = together(&[&[Write(1, 1), Read(2, Some(2))], &[Write(2, 2), Read(1, Some(1))]]);
    assert_anomaly(&history, Kind::CircularInformation);
}

#[test]
fn long_cycle() {
    let history = together(&[
        &[List(1, vec![]), Append(2, 2)],
        &[List(2, vec![]), Append(3, 3)],
        &[List(3, vec![]), Append(4, 4)],
        &[List(4, vec![]), Append(1, 1)],
        &[List(9, vec![])],
    ]);
    let anomaly = anomaly(&history);
    assert_eq!(anomaly.kind, Kind::WriteSkew);
    for number in 0..4 {
        assert!(anomaly.proof.contains(&format!("before T{number}")), "{anomaly}");
    }
    assert!(!anomaly.proof.contains("T4"), "{anomaly}");
}

#[test]
fn stale_read() {
    let history = in_turn(&[&[Append(1, 1)], &[List(1, vec![])], &[List(1, vec![1])]]);
    assert_anomaly_in_real_time(&history, Kind::ReadSkew);
    let history = in_turn(&[&[Write(1, 1)], &[Write(1, 2)], &[Read(1, Some(1))]]);
    assert_anomaly_in_real_time(&history, Kind::ReadSkew);
}

#[test]
fn stale_read_over_several_transactions() {
    let history = in_turn(&[
        &[Append(1, 1)],
        &[List(2, vec![])],
        &[List(3, vec![])],
        &[List(1, vec![])],
        &[List(1, vec![1])],
    ]);
    assert_anomaly_in_real_time(&history, Kind::ReadSkew);
}

#[test]
fn append_that_nobody_sees_any_more() {
    let history = in_turn(&[&[Append(1, 1)], &[Append(1, 2)], &[List(1, vec![1])]]);
    assert_anomaly_in_real_time(&history, Kind::ReadSkew);
    let history = in_turn(&[&[Append(1, 1)], &[List(1, vec![])]]);
    assert_anomaly_in_real_time(&history, Kind::ReadSkew);
}

#[test]
fn order_against_real_time() {
    let history = in_turn(&[&[Append(1, 1)], &[Append(1, 2)], &[List(1, vec![2, 1])]]);
    assert_anomaly_in_real_time(&history, Kind::DirtyWrite);
}

#[test]
fn incompatible_order() {
    let history =
        together(&[&[Append(1, 1)], &[Append(1, 2)], &[List(1, vec![1, 2])], &[List(1, vec![2])]]);
    assert_anomaly(&history, Kind::IncompatibleOrder);
}

#[test]
fn aborted_read() {
    let history = together(&[&[Append(1, 1)], &[List(1, vec![1])]]);
    assert_anomaly(&with_end(history, 0, End::Aborted), Kind::AbortedRead);
    let history = together(&[&[Write(1, 1)], &[Read(1, Some(1))]]);
    assert_anomaly(&with_end(history, 0, End::Aborted), Kind::AbortedRead);
}

#[test]
fn write_of_unknown_end_may_be_there_or_not() {
    for (list, register) in [(vec![1], Some(1)), (vec![], None)] {
        let ops = [List(1, list), Read(2, register)];
        let history = in_turn(&[&[Append(1, 1), Write(2, 1)], &ops, &ops]);
        check(&with_end(history, 0, End::Unknown)).unwrap();
    }
}

#[test]
fn intermediate_read() {
    let history =
        together(&[&[Append(1, 1), Append(1, 2)], &[List(1, vec![1])], &[List(1, vec![1, 2])]]);
    assert_anomaly(&history, Kind::IntermediateRead);
    let history = together(&[&[Write(1, 1), Write(1, 2)], &[Read(1, Some(1))]]);
    assert_anomaly(&history, Kind::IntermediateRead);
}

#[test]
fn garbage_and_duplicates() {
    assert_anomaly(&together(&[&[List(1, vec![7])]]), Kind::Garbage);
    assert_anomaly(&together(&[&[Append(2, 7)], &[List(1, vec![7])]]), Kind::Garbage);
    assert_anomaly(&together(&[&[Read(1, Some(7))]]), Kind::Garbage);
    assert_anomaly(&together(&[&[Append(1, 7)], &[List(1, vec![7, 7])]]), Kind::Duplicate);
}

#[test]
fn own_writes_that_are_not_seen() {
    assert_anomaly(&together(&[&[Append(1, 1), List(1, vec![])]]), Kind::Internal);
    let history = together(&[&[List(1, vec![]), List(1, vec![1])], &[Append(1, 1)]]);
    assert_anomaly(&history, Kind::Internal);
    assert_anomaly(&together(&[&[Write(1, 1), Read(1, None)]]), Kind::Internal);
    let history = together(&[&[Read(1, None), Read(1, Some(1))], &[Write(1, 1)]]);
    assert_anomaly(&history, Kind::Internal);
}
