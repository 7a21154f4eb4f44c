//! The slow round over everything: what vanished from Splynx, and what Splynx has and nothing ever told of.
//!
//! Change stamps are not to be trusted alone: a clock may have been days apart, a record may have no date, ids come late or twice. So
//! all ids are counted, range by range, and only where Splynx has another number than we know the range is halved, and read in the end.
//! It goes round, a slice a time; memory stays flat, and Sage is asked for nothing but what turns out to be new.

use chrono::{Days, NaiveDate};

use crate::collect::{Set, ToSet};
use crate::planted::{Mistake, is_planted};
use crate::splynx::{Row, Window};
use crate::sync::births;
use crate::sync::pipeline::{SyncSource, is_ours_to_decide, look_at, prepare, was_scanned};
use crate::write::ledger::{META, Run, RunResult};
use crate::write::record::{Batch, Kind, Record, RecordKey, State, Stored};
use crate::write::recovery;

/// Known records of a kind that are counted in one sweep.
const COUNTED: usize = 50_000;
/// Counts and lists of a kind that are asked for in one sweep, besides what is read of the records that turn up.
const REQUESTS: u32 = 600;
/// A range that holds no more is read and not halved again: a page of Splynx's lists.
const PAGE: u64 = 200;
/// All of a list.
const EVERYTHING: Window = Window {
    changed_since: None,
    dated_from: None,
};

/// Looks at a slice of a kind.
pub fn sweep(run: &mut Run, of: &dyn SyncSource) -> RunResult<()> {
    // Before that, the first scan has yet to meet most of them.
    if was_scanned(run, of.kind())? {
        prepare(run, of)?;
        count(run, of)?;
    } else {
        recovery::recover(run, of.kind())?;
    }
    read(run, of)
}

fn place_key(what: &str, kind: Kind) -> String {
    format!("{what}/{}", kind.name())
}

fn set_place(run: &mut Run, what: &str, kind: Kind, place: String) -> RunResult<()> {
    let mut batch = Batch::default();
    batch.set(META, place_key(what, kind), place);
    run.commit(batch)
}

/// A page of the known records, read in full whatever the counts say.
fn read(run: &mut Run, of: &dyn SyncSource) -> RunResult<()> {
    let kind = of.kind();
    let after = run.meta(&place_key("read", kind))?.unwrap_or_default();
    let page = run.known(kind, &after)?;
    let mut next = page.last().map(|(last, _)| last.to_string());
    if let Some(last) = &next
        && run.known(kind, last)?.is_empty()
    {
        // The next one begins again at once.
        next = None;
    }
    let ids: Vec<i64> = page
        .iter()
        .filter(|(key, stored)| !key.is_parted() && is_watched(stored))
        .map(|(key, _)| key.id)
        .collect();
    run.progress(&format!("{}: still there?", kind.title()), 0, 0)?;
    look_at(run, of, &ids)?;
    set_place(run, "read", kind, next.unwrap_or_default())
}

/// Counts what Splynx has against what we know, from where the sweep before ended.
fn count(run: &mut Run, of: &dyn SyncSource) -> RunResult<()> {
    const WHAT: &str = "counted-to";
    let kind = of.kind();
    let text = run.meta(&place_key(WHAT, kind))?;
    let mut low: i64 = text.and_then(|id| id.parse().ok()).unwrap_or(0);
    let mut sweep = Sweep {
        of,
        from: run.settings.from(kind),
        left: REQUESTS,
    };
    let mut seen = 0;
    while sweep.left > 0 && seen < COUNTED {
        let stage = format!("{}: all there?", kind.title());
        run.progress(&stage, seen as u64, 0)?;
        let mut page = run.known(kind, &RecordKey::new(kind, low - 1).to_string())?;
        page.retain(|(key, _)| !key.is_parted());
        seen += page.len();
        let Some(high) = page.last().map(|(last, _)| last.id) else {
            // Above all that are known.
            let next = sweep.take_in_page(run, low)?;
            low = next.unwrap_or(0);
            set_place(run, WHAT, kind, low.to_string())?;
            if next.is_none() {
                return Ok(());
            }
            continue;
        };
        low = sweep.compare(run, &page, low, high)?;
        set_place(run, WHAT, kind, low.to_string())?;
    }
    Ok(())
}

/// What a person has settled is looked at as well: it may have changed since.
fn is_watched(stored: &Stored) -> bool {
    let record = stored.record.as_ref();
    is_ours_to_decide(stored) || record.is_some_and(Record::is_a_persons)
}

/// Whether a version has stored it that kept no births.
fn lacks_birth(stored: &Stored) -> bool {
    let record = stored.record.as_ref();
    record.is_some_and(|record| record.state == State::Synced && record.born.is_none())
}

struct Sweep<'s> {
    of: &'s dyn SyncSource,
    from: Option<NaiveDate>,
    /// Requests.
    left: u32,
}

impl Sweep<'_> {
    /// Compares a range of ids with the known records in it; answers the id at which to go on.
    fn compare(
        &mut self,
        run: &mut Run,
        known: &[(RecordKey, Stored)],
        low: i64,
        high: i64,
    ) -> RunResult<i64> {
        let mut ranges = vec![(low, high)];
        while let Some((low, high)) = ranges.pop() {
            if self.left == 0 {
                return Ok(low);
            }
            let known: Vec<_> = known
                .iter()
                .filter(|(key, _)| (low..=high).contains(&key.id))
                .collect();
            let there = self.count(run, low, high)?;
            let is_complete =
                there == known.len() as u64 || self.is_complete(run, &known, there, low, high)?;
            if is_complete && !known.iter().any(|(_, stored)| lacks_birth(stored)) {
                continue;
            }
            if there > PAGE && low < high {
                let middle = low + (high - low) / 2;
                ranges.push((middle + 1, high));
                ranges.push((low, middle));
                continue;
            }
            self.read(run, &known, low, high)?;
        }
        Ok(high + 1)
    }

    fn count(&mut self, run: &mut Run, low: i64, high: i64) -> RunResult<u64> {
        self.left = self.left.saturating_sub(1);
        self.of.listing().count_between(run, &EVERYTHING, low, high)
    }

    /// Whether only records of before the from-date are missing: these are not known on purpose.
    fn is_complete(
        &mut self,
        run: &mut Run,
        known: &[&(RecordKey, Stored)],
        there: u64,
        low: i64,
        high: i64,
    ) -> RunResult<bool> {
        let Some(before) = self
            .from
            .and_then(|from| from.checked_sub_days(Days::new(1)))
        else {
            return Ok(false);
        };
        self.left = self.left.saturating_sub(1);
        let older = self.of.listing().count_dated(run, before, low, high)?;
        let is_older = |stored: &Stored| {
            let record = stored.record.as_ref();
            record.is_some_and(|r| r.state == State::Skipped && r.reason.code == "too-early")
        };
        let wanted = known.iter().filter(|(_, stored)| !is_older(stored)).count();
        Ok(there.saturating_sub(older) == wanted as u64)
    }

    /// Reads a range: takes in what is not known, and looks at what is known and not there.
    fn read(
        &mut self,
        run: &mut Run,
        known: &[&(RecordKey, Stored)],
        low: i64,
        high: i64,
    ) -> RunResult<()> {
        let mut unlisted = known.iter().map(|(key, _)| key.id).to_set();
        let mut at = low;
        while at <= high {
            let rows = self.page(run, at)?;
            let Some(last) = rows.last().map(|(id, _)| *id) else {
                break;
            };
            for (id, _) in &rows {
                unlisted.remove(id);
            }
            let within = rows.into_iter().filter(|(id, _)| *id <= high).collect();
            self.take_in(run, within)?;
            at = last + 1;
        }
        let gone: Vec<i64> = known
            .iter()
            .filter(|(key, stored)| unlisted.contains(&key.id) && is_watched(stored))
            .map(|(key, _)| key.id)
            .collect();
        look_at(run, self.of, &gone)
    }

    fn page(&mut self, run: &mut Run, low: i64) -> RunResult<Vec<Row>> {
        self.left = self.left.saturating_sub(1);
        self.of.listing().above(run, &EVERYTHING, low - 1)
    }

    /// Takes in a page from an id on; answers where the next one begins, none where there is none.
    fn take_in_page(&mut self, run: &mut Run, low: i64) -> RunResult<Option<i64>> {
        let rows = self.page(run, low)?;
        let next = rows.last().map(|(id, _)| *id + 1);
        self.take_in(run, rows)?;
        Ok(next)
    }

    /// Hands over the rows that are not known, but for those of before the from-date. What has no date that can be read is among them, and is
    /// held for that.
    fn take_in(&self, run: &mut Run, mut rows: Vec<Row>) -> RunResult<()> {
        if is_planted(Mistake::StampsBelieved) {
            return Ok(());
        }
        births::hold_others(run, self.of.kind(), &rows)?;
        let keys = rows
            .iter()
            .map(|(id, _)| RecordKey::new(self.of.kind(), *id));
        let records = run.records(keys.collect::<Vec<_>>())?;
        let known: Set<i64> = records
            .iter()
            .filter(|(_, stored)| stored.record.is_some())
            .map(|(key, _)| key.id)
            .to_set();
        let listing = self.of.listing();
        let is_wanted = |row: &Row| {
            let date = listing.date_of(row);
            date.zip(self.from).is_none_or(|(date, from)| date >= from)
        };
        rows.retain(|row| !known.contains(&row.0) && is_wanted(row));
        self.of.handle(run, rows)
    }
}
