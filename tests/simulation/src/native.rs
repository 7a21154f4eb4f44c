//! The add-on's domain run natively under the mock host: the same code as in the component, a thousand times faster.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mock_host::{Death, MockHost, OrDeath, contract};
use splynx_sageone::addon;
use splynx_sageone::capability::{
    Activity, Answer, Capabilities, Change, Entry, Failure, Pair, Request, Response, Row,
    Unanswered,
};
use splynx_sageone::choices;

use crate::world::World;

/// Runs a job; the error is the death that was ordered.
pub fn run_job(
    host: &mut MockHost<World>,
    job: &str,
    preview: bool,
    options: &[Pair],
) -> Result<Result<contract::Outcome, contract::Failure>, Death> {
    let mut native = Native(host);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        addon::run_job(&mut native, job, preview, options)
    }));
    match ended {
        Ok(outcome) => Ok(outcome.map(outcome_out).map_err(failure_out)),
        Err(panic) => match panic.downcast::<Death>() {
            Ok(death) => Err(*death),
            Err(other) => resume_unwind(other),
        },
    }
}

/// A person's act on rows of a page.
pub fn act(
    host: &mut MockHost<World>,
    page: &str,
    act: &str,
    rows: &[String],
    values: &[Pair],
) -> Result<String, contract::Failure> {
    addon::act(&mut Native(host), page, act, rows, values).map_err(failure_out)
}

/// Rows of a page.
pub fn view(
    host: &mut MockHost<World>,
    page: &str,
    query: &addon::Query,
) -> Result<addon::Rows, contract::Failure> {
    addon::view(&mut Native(host), page, query).map_err(failure_out)
}

/// What a field or mapping row can be set to.
pub fn choices(host: &mut MockHost<World>, source: &str) -> Result<Vec<Pair>, contract::Failure> {
    choices::choices(&mut Native(host), source).map_err(failure_out)
}

/// The readiness check.
pub fn check(host: &mut MockHost<World>) -> Result<Vec<addon::Finding>, contract::Failure> {
    addon::check(&mut Native(host)).map_err(failure_out)
}

struct Native<'h>(&'h mut MockHost<World>);

/// Ends the run at once where it dies, as the trap of a component does.
fn alive<T>(answer: OrDeath<T>) -> T {
    answer.unwrap_or_else(|death| resume_unwind(Box::new(death)))
}

impl Capabilities for Native<'_> {
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        let requests = requests.into_iter().map(request_out).collect();
        let answers = alive(self.0.send(requests));
        answers.into_iter().map(answer_in).collect()
    }

    fn get(&mut self, table: &str, keys: &[String]) -> Result<Vec<Entry>, Failure> {
        alive(self.0.get(table, keys))
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
        alive(self.0.scan(table, prefix, after, limit))
            .map(entries_in)
            .map_err(failure_in)
    }

    fn commit(
        &mut self,
        expect: Vec<Change>,
        changes: Vec<Change>,
        activities: Vec<Activity>,
    ) -> Result<(), Failure> {
        let activities = activities.into_iter().map(activity_out).collect();
        alive(
            self.0
                .commit(changes_out(expect), changes_out(changes), activities),
        )
        .map_err(failure_in)
    }

    fn settings(&mut self) -> Vec<Pair> {
        alive(self.0.settings())
    }

    fn set_fetched(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        alive(self.0.set_fetched(key, value)).map_err(failure_in)
    }

    fn context(&mut self) -> Vec<Pair> {
        alive(self.0.context())
    }

    fn now(&mut self) -> u64 {
        alive(self.0.now())
    }

    fn log(&mut self, level: &str, message: &str) {
        alive(self.0.log(level, message));
    }

    fn progress(&mut self, stage: &str, done: u64, total: u64) -> bool {
        alive(self.0.progress(stage, done, total))
    }

    fn report(&mut self, kind: &str, rows: Vec<Row>) -> Result<(), Failure> {
        let rows = rows
            .into_iter()
            .map(|row| contract::Row {
                id: row.id,
                cells: row.cells,
                more: row.more,
            })
            .collect();
        alive(self.0.report(kind, rows)).map_err(failure_in)
    }
}

fn outcome_out(outcome: addon::Outcome) -> contract::Outcome {
    contract::Outcome {
        state: outcome.state.to_owned(),
        resume_at: outcome.resume_at,
        why: outcome.why.map(failure_out),
        counts: outcome.counts,
        more: Vec::new(),
    }
}

fn failure_out(failure: Failure) -> contract::Failure {
    contract::Failure {
        code: failure.code,
        message: failure.message,
        retry_at: failure.retry_at,
        more: failure.more,
    }
}

fn request_out(request: Request) -> contract::Request {
    contract::Request {
        options: request.options(),
        connection: request.connection.to_owned(),
        effect: request.effect.as_str().to_owned(),
        method: request.method.to_owned(),
        path: request.path,
        query: request.query,
        headers: request.headers,
        body: request.body,
    }
}

fn answer_in(answer: contract::Answer) -> Answer {
    match answer {
        Ok(response) => Ok(Response {
            status: response.status,
            headers: response.headers,
            body: response.body,
        }),
        Err(unanswered) => Err(Unanswered {
            maybe_sent: unanswered.maybe_sent,
            reason: failure_in(unanswered.reason),
        }),
    }
}

fn failure_in(failure: contract::Failure) -> Failure {
    Failure {
        code: failure.code,
        message: failure.message,
        retry_at: failure.retry_at,
        more: failure.more,
    }
}

fn entries_in(entries: Vec<contract::Entry>) -> Vec<Entry> {
    entries
        .into_iter()
        .map(|entry| Entry {
            key: entry.key,
            value: entry.value,
        })
        .collect()
}

fn changes_out(changes: Vec<Change>) -> Vec<contract::Change> {
    changes
        .into_iter()
        .map(|change| contract::Change {
            table: change.table.to_owned(),
            key: change.key,
            value: change.value,
        })
        .collect()
}

fn activity_out(activity: Activity) -> contract::Activity {
    contract::Activity {
        entity: activity.entity,
        action: activity.action,
        local_id: activity.local_id,
        remote_id: activity.remote_id,
        customer_id: activity.customer_id,
        label: activity.label,
        code: activity.code,
        message: activity.message,
        more: activity.more,
    }
}
