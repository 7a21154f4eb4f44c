//! The shell: the contract's exports onto [`crate::addon`], [`Capabilities`] over the contract's imports. Conversion only.

use crate::addon;
use crate::capability::{
    Activity, Answer, Capabilities, Change, Entry, Failure, Pair, Request, Response, Row,
    Unanswered,
};
use crate::choices;
use crate::digested;

/// Generated code, which crosses the boundary by raw pointers.
#[allow(unsafe_code)]
mod bindings {
    wit_bindgen::generate!({ path: "../wit", world: "sync-addon" });

    use super::Component;
    export!(Component);
}

use bindings::exports::splynx::addon::addon as exported;
use bindings::splynx::addon::{http, run, storage, types};

struct Component;

fn pairs_out(pairs: Vec<Pair>) -> Vec<types::Pair> {
    pairs
        .into_iter()
        .map(|(name, value)| types::Pair { name, value })
        .collect()
}

fn pairs_in(pairs: Vec<types::Pair>) -> Vec<Pair> {
    pairs.into_iter().map(|p| (p.name, p.value)).collect()
}

fn failure_out(failure: Failure) -> types::Failure {
    types::Failure {
        code: failure.code,
        message: failure.message,
        retry_at: failure.retry_at,
        more: pairs_out(failure.more),
    }
}

fn failure_in(failure: types::Failure) -> Failure {
    Failure {
        code: failure.code,
        message: failure.message,
        retry_at: failure.retry_at,
        more: pairs_in(failure.more),
    }
}

fn row_out(row: Row) -> run::Row {
    run::Row {
        id: row.id,
        cells: row.cells,
        more: pairs_out(row.more),
    }
}

/// What the host lends.
struct Imports;

impl Capabilities for Imports {
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        let requests: Vec<http::Request> = requests
            .into_iter()
            .map(|request| http::Request {
                options: pairs_out(request.options()),
                connection: request.connection.to_owned(),
                effect: request.effect.as_str().to_owned(),
                method: request.method.to_owned(),
                path: request.path,
                query: pairs_out(request.query),
                headers: pairs_out(request.headers),
                body: request.body,
            })
            .collect();
        http::send(&requests)
            .into_iter()
            .map(|answer| match answer {
                Ok(response) => Ok(Response {
                    status: response.status,
                    headers: pairs_in(response.headers),
                    body: response.body,
                }),
                Err(unanswered) => Err(Unanswered {
                    maybe_sent: unanswered.maybe_sent,
                    reason: failure_in(unanswered.reason),
                }),
            })
            .collect()
    }

    fn get(&mut self, table: &str, keys: &[String]) -> Result<Vec<Entry>, Failure> {
        storage::get(table, keys)
            .map(entries_in)
            .map_err(failure_in)
    }

    fn scan(
        &mut self,
        table: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Entry>, Failure> {
        storage::scan(table, prefix, after, limit)
            .map(entries_in)
            .map_err(failure_in)
    }

    fn commit(
        &mut self,
        expect: Vec<Change>,
        changes: Vec<Change>,
        activities: Vec<Activity>,
    ) -> Result<(), Failure> {
        let activities: Vec<storage::Activity> = activities
            .into_iter()
            .map(|activity| storage::Activity {
                entity: activity.entity,
                action: activity.action,
                local_id: activity.local_id,
                remote_id: activity.remote_id,
                customer_id: activity.customer_id,
                label: activity.label,
                code: activity.code,
                message: activity.message,
                more: pairs_out(activity.more),
            })
            .collect();
        storage::commit(&changes_out(expect), &changes_out(changes), &activities)
            .map_err(failure_in)
    }

    fn settings(&mut self) -> Vec<Pair> {
        pairs_in(run::settings())
    }

    fn set_fetched(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        run::set_fetched(key, value).map_err(failure_in)
    }

    fn context(&mut self) -> Vec<Pair> {
        pairs_in(run::context())
    }

    fn now(&mut self) -> u64 {
        run::now()
    }

    fn log(&mut self, level: &str, message: &str) {
        run::log(level, message);
    }

    fn progress(&mut self, stage: &str, done: u64, total: u64) -> bool {
        run::progress(stage, done, total)
    }

    fn report(&mut self, kind: &str, rows: Vec<Row>) -> Result<(), Failure> {
        let rows: Vec<run::Row> = rows.into_iter().map(row_out).collect();
        run::report(kind, &rows).map_err(failure_in)
    }
}

fn entries_in(entries: Vec<storage::Entry>) -> Vec<Entry> {
    entries
        .into_iter()
        .map(|entry| Entry {
            key: entry.key,
            value: entry.value,
        })
        .collect()
}

fn changes_out(changes: Vec<Change>) -> Vec<storage::Change> {
    changes
        .into_iter()
        .map(|change| storage::Change {
            table: change.table.to_owned(),
            key: change.key,
            value: change.value,
        })
        .collect()
}

impl exported::Guest for Component {
    fn check() -> Result<Vec<exported::Finding>, types::Failure> {
        let findings = addon::check(&mut Imports).map_err(failure_out)?;
        Ok(findings
            .into_iter()
            .map(|finding| exported::Finding {
                code: finding.code.to_owned(),
                severity: finding.severity.to_owned(),
                message: finding.message,
                cure: finding.cure,
                field: finding.field,
                more: Vec::new(),
            })
            .collect())
    }

    fn run_job(
        job: String,
        preview: bool,
        options: Vec<types::Pair>,
    ) -> Result<exported::Outcome, types::Failure> {
        let context = Imports.context();
        if context.iter().any(|(name, _)| name == digested::RECORDED) {
            digested::keep();
        }
        let ended = addon::run_job(&mut Imports, &job, preview, &pairs_in(options));
        for text in digested::take() {
            run::log(digested::LEVEL, &text);
        }
        let outcome = ended.map_err(failure_out)?;
        Ok(exported::Outcome {
            state: outcome.state.to_owned(),
            resume_at: outcome.resume_at,
            why: outcome.why.map(failure_out),
            counts: outcome.counts,
            more: Vec::new(),
        })
    }

    fn choices(source: String) -> Result<Vec<types::Pair>, types::Failure> {
        choices::choices(&mut Imports, &source)
            .map(pairs_out)
            .map_err(failure_out)
    }

    fn view(page: String, query: exported::Query) -> Result<exported::Rows, types::Failure> {
        let query = addon::Query {
            search: query.search,
            filters: pairs_in(query.filters),
            after: query.after,
            limit: query.limit,
        };
        let page = addon::view(&mut Imports, &page, &query).map_err(failure_out)?;
        Ok(exported::Rows {
            rows: page.rows.into_iter().map(row_out).collect(),
            next: page.next,
            more: Vec::new(),
        })
    }

    fn act(
        page: String,
        act: String,
        rows: Vec<String>,
        values: Vec<types::Pair>,
    ) -> Result<String, types::Failure> {
        addon::act(&mut Imports, &page, &act, &rows, &pairs_in(values)).map_err(failure_out)
    }

    fn migrate(from_version: u32) -> Result<u32, types::Failure> {
        addon::migrate(from_version).map_err(failure_out)
    }
}
