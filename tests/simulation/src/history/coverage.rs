//! How often what happened, over many histories: a simulation that never meets something proves nothing about it.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by what was met, in groups: faults, jobs, reasons, people's acts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    pub histories: u64,
    pub runs: u64,
    pub requests: u64,
    pub deaths: u64,
    pub counts: BTreeMap<&'static str, BTreeMap<String, u64>>,
}

impl Coverage {
    pub fn note(&mut self, group: &'static str, what: &str, times: u64) {
        let group = self.counts.entry(group).or_default();
        match group.get_mut(what) {
            Some(count) => *count += times,
            None => {
                group.insert(what.to_owned(), times);
            }
        }
    }

    pub fn count(&self, group: &str, what: &str) -> u64 {
        let group = self.counts.get(group);
        group
            .and_then(|group| group.get(what))
            .copied()
            .unwrap_or(0)
    }

    /// What one group was never met of.
    pub fn missing<'w>(
        &self,
        group: &str,
        wanted: impl IntoIterator<Item = &'w str>,
    ) -> Vec<&'w str> {
        let wanted = wanted.into_iter();
        wanted.filter(|what| self.count(group, what) == 0).collect()
    }

    pub fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.runs += other.runs;
        self.requests += other.requests;
        self.deaths += other.deaths;
        for (group, counts) in &other.counts {
            for (what, times) in counts {
                self.note(group, what, *times);
            }
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group, counts) in &self.counts {
            let mut counts: Vec<_> = counts.iter().collect();
            counts.sort_by_key(|(what, times)| (std::cmp::Reverse(**times), (*what).clone()));
            let counts: Vec<String> = counts
                .iter()
                .map(|(what, times)| format!("{what} {times}"))
                .collect();
            writeln!(f, "{group}: {}", counts.join(", "))?;
        }
        Ok(())
    }
}
