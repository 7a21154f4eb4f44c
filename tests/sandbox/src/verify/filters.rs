//! Which conditions of a `$filter` Sage takes.

use super::asker::Stop;
use super::sage::{Company, number};
use crate::sage::behaviour::{Filtering, LongIds};

/// Most ids that a filter is tried with; what takes them all has no limit that matters.
const MOST_IDS: usize = 40;
/// Nodes of `ID eq 1 or ` in OData's count (SAGE-51).
const NODES_OF_AN_ID: usize = 5;

/// Asks what filters on customers do.
pub fn ask(company: &mut Company) -> Result<(), Stop> {
    let customer = company.specimen.customer.clone();
    match customer.filter(|_| !company.may_not("Customer/Get")) {
        Some((id, name)) => {
            let name = name.replace('\'', "''");
            let (yes, no) = (
                format!("Name eq '{name}'"),
                "Name eq 'no customer has this name'".to_owned(),
            );
            term(company, "string_filters", id, &yes, &no)?;
            let (yes, no) = (
                "Modified ge datetime'2000-01-01T00:00:00'".to_owned(),
                "Modified ge datetime'2999-01-01T00:00:00'".to_owned(),
            );
            term(company, "modified_filters", id, &yes, &no)?;
            long_ids(company)?;
            nodes(company)
        }
        None => {
            for switch in [
                "string_filters",
                "modified_filters",
                "long_ids",
                "filter_nodes",
            ] {
                company
                    .findings
                    .not_told(switch, "there is no customer, or they may not be read");
            }
            Ok(())
        }
    }
}

/// Rows that a filter finds; none where it is refused.
fn found(company: &mut Company, filter: &str) -> Result<Option<i64>, Stop> {
    let params = [("$filter", filter), ("$top", "1"), ("$orderby", "ID")];
    let reply = company.get("Customer/Get", &params)?;
    Ok(Some(number(&reply.body, "TotalResults").unwrap_or(0)).filter(|_| reply.is_success()))
}

/// How a kind of condition is treated, asked of one customer, for whom `yes` holds and `no` does not.
fn term(
    company: &mut Company,
    switch: &'static str,
    id: i64,
    yes: &str,
    no: &str,
) -> Result<(), Stop> {
    let yes = found(company, &format!("ID eq {id} and {yes}"))?;
    let no = found(company, &format!("ID eq {id} and {no}"))?;
    let filtering = match (yes, no) {
        (Some(1), Some(0)) => Filtering::Works,
        (Some(1), Some(1)) => Filtering::Ignored,
        (Some(0), Some(0)) => Filtering::Empty,
        (None, None) => Filtering::Refused,
        _ => {
            company
                .findings
                .not_told(switch, "it answers in a way that is not known");
            return Ok(());
        }
    };
    company.findings.is(switch, filtering);
    Ok(())
}

fn long_ids(company: &mut Company) -> Result<(), Stop> {
    let bare = found(company, "ID eq 5000000000")?.is_some();
    let suffixed = found(company, "ID eq 5000000000L")?.is_some();
    let position = match (bare, suffixed) {
        (true, true) => LongIds::Either,
        (true, false) => LongIds::Bare,
        (false, true) => LongIds::Suffixed,
        (false, false) => {
            company
                .findings
                .not_told("long_ids", "both ways to write them are refused");
            return Ok(());
        }
    };
    company.findings.is("long_ids", position);
    Ok(())
}

/// How many ids a filter may name, and so how many nodes it may have.
fn nodes(company: &mut Company) -> Result<(), Stop> {
    let (mut taken, mut refused) = (0, MOST_IDS + 1);
    let mut next = MOST_IDS;
    while taken + 1 < refused {
        let terms: Vec<String> = (1..=next).map(|id| format!("ID eq {id}")).collect();
        if found(company, &terms.join(" or "))?.is_some() {
            taken = next;
        } else {
            refused = next;
        }
        // What OData has by default comes first.
        next = match (taken, refused) {
            (0, refused) if refused > MOST_IDS - 1 => 20,
            (20, refused) if refused > 21 => 21,
            _ => (taken + refused) / 2,
        };
    }
    let most = (taken < MOST_IDS).then_some(taken * NODES_OF_AN_ID);
    company.findings.is("filter_nodes", most);
    Ok(())
}
