//! By what Sage's lists can be searched, found out by asking (Sage API 5).

use super::client::{ask, company, read};
use super::{Filter, Service};
use crate::json;
use crate::write::ledger::{Run, RunResult};

/// Whether customers can be searched by the time of their last change. `customer`: one that there is.
pub fn searches_by_change(run: &mut Run, customer: i64) -> RunResult<bool> {
    let none = Filter::ChangedSince("2999-01-01T00:00:00").condition();
    let one = Filter::ChangedSince("2000-01-01T00:00:00").condition();
    let none = count(run, &none)?;
    let one = count(run, &format!("ID eq {customer} and {one}"))?;
    Ok(none == Some(0) && one == Some(1))
}

/// How many customers have a name that none has; `None`: Sage refuses the search.
pub fn searches_by_text(run: &mut Run) -> RunResult<Option<i64>> {
    count(run, "Name eq 'no customer has this name'")
}

/// How many customers a search finds; `None`: Sage refuses it.
fn count(run: &mut Run, condition: &str) -> RunResult<Option<i64>> {
    let path = format!("{}/Get", Service::Customer.name());
    let mut query = company(run);
    query.push(("$filter".to_owned(), condition.to_owned()));
    query.push(("$top".to_owned(), "1".to_owned()));
    let list = ask(run, read(path, query))?.ok();
    Ok(list.and_then(|list| json::integer(&list, "TotalResults")))
}
