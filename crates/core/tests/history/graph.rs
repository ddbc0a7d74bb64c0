//! Which transaction must have run before which, and why; and the cycles in that.

use std::collections::VecDeque;
use std::fmt::Write;

use super::{Anomaly, Kind, Transaction};

/// Why one transaction must have run before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The other one overwrites what it has written.
    WriteWrite,
    /// The other one has read what it has written.
    WriteRead,
    /// The other one overwrites what it has read.
    ReadWrite,
    /// It was answered before the other one was asked for.
    RealTime,
}

struct Edge {
    to: usize,
    why: Why,
    what: String,
}

/// Transactions by their number in the history.
pub(crate) struct Graph {
    edges: Vec<Vec<Edge>>,
}

impl Graph {
    pub(crate) fn new(transactions: usize) -> Self {
        Self { edges: (0..transactions).map(|_| Vec::new()).collect() }
    }

    /// Notes that `from` must have run before `to`.
    pub(crate) fn add(&mut self, from: usize, to: usize, why: Why, what: String) {
        if from != to {
            self.edges[from].push(Edge { to, why, what });
        }
    }

    /// Adds the order in real time: each transaction after the latest ones that were over when it
    /// began. The order among all others follows from that.
    pub(crate) fn add_real_time(&mut self, history: &[Transaction]) {
        let mut events: Vec<(u64, bool, usize)> = Vec::new();
        for (number, transaction) in history.iter().enumerate() {
            events.push((transaction.invoked, false, number));
            events.push((transaction.responded, true, number));
        }
        events.sort_unstable();
        let mut latest: Vec<usize> = Vec::new();
        for (_, is_over, number) in events {
            if is_over {
                latest.retain(|old| history[*old].responded >= history[number].invoked);
                latest.push(number);
            } else {
                for before in &latest {
                    self.add(*before, number, Why::RealTime, String::new());
                }
            }
        }
    }

    /// The worst cycle: one with as few kinds of reasons as possible.
    pub(crate) fn worst_cycle(&self, history: &[Transaction]) -> Option<Anomaly> {
        use Why::{ReadWrite, RealTime, WriteRead, WriteWrite};
        let searches: [&[Why]; 6] = [
            &[WriteWrite],
            &[WriteWrite, RealTime],
            &[WriteWrite, WriteRead],
            &[WriteWrite, WriteRead, RealTime],
            &[WriteWrite, WriteRead, ReadWrite],
            &[WriteWrite, WriteRead, ReadWrite, RealTime],
        ];
        searches.iter().find_map(|reasons| {
            let cycle = self.shortest_cycle(reasons)?;
            Some(Self::describe(&cycle, history))
        })
    }

    fn describe(cycle: &[(usize, &Edge)], history: &[Transaction]) -> Anomaly {
        let count = |why| cycle.iter().filter(|(_, edge)| edge.why == why).count();
        let kind = match (count(Why::ReadWrite), count(Why::WriteRead)) {
            (0, 0) => Kind::DirtyWrite,
            (0, _) => Kind::CircularInformation,
            (1, _) => Kind::ReadSkew,
            _ => Kind::WriteSkew,
        };
        let mut proof = String::from("each must have run before the next:\n");
        for (from, Edge { to, why, what }) in cycle {
            let Transaction { ops, invoked, responded, end } = &history[*from];
            let _ = writeln!(proof, "  T{from} {end:?} {ops:?} [{invoked}..{responded}]");
            let _ = writeln!(proof, "    before T{to} ({why:?} {what})");
        }
        Anomaly { kind, real_time: count(Why::RealTime) > 0, proof }
    }

    /// A shortest cycle of edges with these reasons.
    fn shortest_cycle(&self, reasons: &[Why]) -> Option<Vec<(usize, &Edge)>> {
        let components = self.components(reasons);
        let mut sizes = vec![0_usize; self.edges.len()];
        for component in &components {
            sizes[*component] += 1;
        }
        let suspects = (0..self.edges.len()).filter(|node| sizes[components[*node]] > 1);
        suspects
            .take(100)
            .filter_map(|node| self.cycle_through(node, reasons, &components))
            .min_by_key(Vec::len)
    }

    fn cycle_through(
        &self,
        node: usize,
        reasons: &[Why],
        components: &[usize],
    ) -> Option<Vec<(usize, &Edge)>> {
        let mut reached_by: Vec<Option<(usize, &Edge)>> = vec![None; self.edges.len()];
        let mut queue = VecDeque::from([node]);
        while let Some(from) = queue.pop_front() {
            for edge in self.edges[from].iter().filter(|edge| reasons.contains(&edge.why)) {
                if components[edge.to] != components[node] || reached_by[edge.to].is_some() {
                    continue;
                }
                reached_by[edge.to] = Some((from, edge));
                queue.push_back(edge.to);
            }
        }
        let mut cycle = vec![reached_by[node]?];
        while cycle[cycle.len() - 1].0 != node {
            cycle.push(reached_by[cycle[cycle.len() - 1].0]?);
        }
        cycle.reverse();
        Some(cycle)
    }

    /// The strongly connected component of each transaction: Tarjan's algorithm without recursion.
    fn components(&self, reasons: &[Why]) -> Vec<usize> {
        const NONE: usize = usize::MAX;
        let count = self.edges.len();
        let (mut index, mut low) = (vec![NONE; count], vec![NONE; count]);
        let mut component = vec![NONE; count];
        let (mut next_index, mut next_component) = (0, 0);
        let mut stack = Vec::new();
        for root in 0..count {
            if index[root] != NONE {
                continue;
            }
            let mut calls = vec![(root, 0)];
            while let Some((node, position)) = calls.pop() {
                if position == 0 {
                    index[node] = next_index;
                    low[node] = next_index;
                    next_index += 1;
                    stack.push(node);
                }
                if let Some(edge) = self.edges[node].get(position) {
                    calls.push((node, position + 1));
                    if !reasons.contains(&edge.why) {
                        continue;
                    }
                    if index[edge.to] == NONE {
                        calls.push((edge.to, 0));
                    } else if component[edge.to] == NONE {
                        low[node] = low[node].min(index[edge.to]);
                    }
                    continue;
                }
                if low[node] == index[node] {
                    while let Some(member) = stack.pop() {
                        component[member] = next_component;
                        if member == node {
                            break;
                        }
                    }
                    next_component += 1;
                }
                if let Some((caller, _)) = calls.last() {
                    low[*caller] = low[*caller].min(low[node]);
                }
            }
        }
        component
    }
}
