//! The contract's imports for a component: generated code, and conversions between its records and [`crate::contract`].
//!
//! Conversion only: what a call does is [`MockHost`]'s business. A death becomes an error of the call, which ends the instance.

use wasmtime::Result;

use crate::contract::{
    Activity, Answer, Change, Entry, Failure, Finding, Outcome, Pair, Query, Request, Response,
    Row, Rows, Unanswered,
};
use crate::host::{MockHost, OrDeath};
use crate::world::World;

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "sync-addon",
        imports: { default: trappable },
    });
}

pub use generated::exports::splynx::addon::addon as exported;
pub use generated::splynx::addon::{http, run, storage, types};
pub use generated::{SyncAddon, SyncAddonPre};

impl<W: World> types::Host for MockHost<W> {}

impl<W: World> http::Host for MockHost<W> {
    fn send(
        &mut self,
        requests: Vec<http::Request>,
    ) -> Result<Vec<Result<http::Response, http::Unanswered>>> {
        let answers = MockHost::send(self, requests.into_iter().map(Request::from).collect())?;
        Ok(answers.into_iter().map(answer_out).collect())
    }
}

impl<W: World> storage::Host for MockHost<W> {
    fn get(
        &mut self,
        table: String,
        keys: Vec<String>,
    ) -> Result<Result<Vec<storage::Entry>, types::Failure>> {
        entries_out(MockHost::get(self, &table, &keys))
    }

    fn scan(
        &mut self,
        table: String,
        prefix: String,
        after: String,
        limit: u32,
    ) -> Result<Result<Vec<storage::Entry>, types::Failure>> {
        entries_out(MockHost::scan(self, &table, &prefix, &after, limit))
    }

    fn commit(
        &mut self,
        expect: Vec<storage::Change>,
        changes: Vec<storage::Change>,
        activities: Vec<storage::Activity>,
    ) -> Result<Result<(), types::Failure>> {
        let changes_in =
            |changes: Vec<storage::Change>| changes.into_iter().map(Change::from).collect();
        let activities = activities.into_iter().map(Activity::from).collect();
        done(MockHost::commit(
            self,
            changes_in(expect),
            changes_in(changes),
            activities,
        ))
    }
}

impl<W: World> run::Host for MockHost<W> {
    fn settings(&mut self) -> Result<Vec<types::Pair>> {
        Ok(pairs_out(MockHost::settings(self)?))
    }

    fn set_fetched(&mut self, key: String, value: String) -> Result<Result<(), types::Failure>> {
        done(MockHost::set_fetched(self, &key, &value))
    }

    fn context(&mut self) -> Result<Vec<types::Pair>> {
        Ok(pairs_out(MockHost::context(self)?))
    }

    fn now(&mut self) -> Result<u64> {
        Ok(MockHost::now(self)?)
    }

    fn log(&mut self, level: String, message: String) -> Result<()> {
        Ok(MockHost::log(self, &level, &message)?)
    }

    fn progress(&mut self, stage: String, completed: u64, total: u64) -> Result<bool> {
        Ok(MockHost::progress(self, &stage, completed, total)?)
    }

    fn report(&mut self, kind: String, rows: Vec<run::Row>) -> Result<Result<(), types::Failure>> {
        done(MockHost::report(
            self,
            &kind,
            rows.into_iter().map(Row::from).collect(),
        ))
    }
}

fn done(answer: OrDeath<Result<(), Failure>>) -> Result<Result<(), types::Failure>> {
    Ok(answer?.map_err(types::Failure::from))
}

fn entries_out(
    answer: OrDeath<Result<Vec<Entry>, Failure>>,
) -> Result<Result<Vec<storage::Entry>, types::Failure>> {
    let entry_out = |Entry { key, value }| storage::Entry { key, value };
    Ok(answer?
        .map(|found| found.into_iter().map(entry_out).collect())
        .map_err(types::Failure::from))
}

fn answer_out(answer: Answer) -> Result<http::Response, http::Unanswered> {
    match answer {
        Ok(Response {
            status,
            headers,
            body,
        }) => Ok(http::Response {
            status,
            headers: pairs_out(headers),
            body,
        }),
        Err(Unanswered { maybe_sent, reason }) => Err(http::Unanswered {
            maybe_sent,
            reason: reason.into(),
        }),
    }
}

pub fn pairs_out(pairs: Vec<Pair>) -> Vec<types::Pair> {
    pairs
        .into_iter()
        .map(|(name, value)| types::Pair { name, value })
        .collect()
}

pub fn pairs_in(pairs: Vec<types::Pair>) -> Vec<Pair> {
    pairs
        .into_iter()
        .map(|pair| (pair.name, pair.value))
        .collect()
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        let Failure {
            code,
            message,
            retry_at,
            more,
        } = failure;
        Self {
            code,
            message,
            retry_at,
            more: pairs_out(more),
        }
    }
}

impl From<types::Failure> for Failure {
    fn from(failure: types::Failure) -> Self {
        let types::Failure {
            code,
            message,
            retry_at,
            more,
        } = failure;
        Self {
            code,
            message,
            retry_at,
            more: pairs_in(more),
        }
    }
}

impl From<http::Request> for Request {
    fn from(request: http::Request) -> Self {
        let http::Request {
            connection,
            effect,
            method,
            path,
            query,
            headers,
            body,
            options,
        } = request;
        let [query, headers, options] = [query, headers, options].map(pairs_in);
        Self {
            connection,
            effect,
            method,
            path,
            query,
            headers,
            body,
            options,
        }
    }
}

impl From<storage::Change> for Change {
    fn from(change: storage::Change) -> Self {
        let storage::Change { table, key, value } = change;
        Self { table, key, value }
    }
}

impl From<storage::Activity> for Activity {
    fn from(activity: storage::Activity) -> Self {
        let storage::Activity {
            entity,
            action,
            local_id,
            remote_id,
            customer_id,
            label,
            code,
            message,
            more,
        } = activity;
        Self {
            entity,
            action,
            local_id,
            remote_id,
            customer_id,
            label,
            code,
            message,
            more: pairs_in(more),
        }
    }
}

impl From<run::Row> for Row {
    fn from(row: run::Row) -> Self {
        Self {
            id: row.id,
            cells: row.cells,
            more: pairs_in(row.more),
        }
    }
}

impl From<exported::Outcome> for Outcome {
    fn from(outcome: exported::Outcome) -> Self {
        let exported::Outcome {
            state,
            resume_at,
            why,
            counts,
            more,
        } = outcome;
        Self {
            state,
            resume_at,
            why: why.map(Failure::from),
            counts,
            more: pairs_in(more),
        }
    }
}

impl From<exported::Finding> for Finding {
    fn from(finding: exported::Finding) -> Self {
        let exported::Finding {
            code,
            severity,
            message,
            cure,
            field,
            more,
        } = finding;
        Self {
            code,
            severity,
            message,
            cure,
            field,
            more: pairs_in(more),
        }
    }
}

impl From<Query> for exported::Query {
    fn from(query: Query) -> Self {
        let Query {
            search,
            filters,
            sort,
            after,
            limit,
        } = query;
        Self {
            search,
            filters: pairs_out(filters),
            sort,
            after,
            limit,
        }
    }
}

impl From<exported::Rows> for Rows {
    fn from(rows: exported::Rows) -> Self {
        let exported::Rows { rows, next, more } = rows;
        Self {
            rows: rows.into_iter().map(Row::from).collect(),
            next,
            more: pairs_in(more),
        }
    }
}
