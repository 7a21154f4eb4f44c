//! What the Splynx API key may read. A key is given its permissions one by one, by hand, and one that is missing would end a run in
//! the middle. Every list that a run reads is asked for one record, and for a record that there cannot be. Only 403 says that a
//! permission is missing; any other trouble with one path is told, and keeps nobody from setting up the rest.
//!
//! What the key may change is not tried: there is no request for it that changes nothing for sure.

use super::{Finding, finding};
use crate::capability::Failure;
use crate::settings::Settings;
use crate::splynx::{
    self, CreditNote, Customer, INFO, Invoice, Payment, Permission, RELATIONS, Resource,
    StatementRecord, Transaction,
};
use crate::sync::lists::List;
use crate::write::ledger::{Run, RunResult};

/// A list of Splynx, and where the dialog of permissions has it (Splynx API 1.5).
struct Asked {
    path: &'static str,
    title: &'static str,
    reads: Reads,
}

/// How records of a path are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Lists,
    ListsAndOnes,
    Ones,
}

fn asked(settings: &Settings) -> Vec<Asked> {
    let asked = |path, title, reads| Asked { path, title, reads };
    let both = Reads::ListsAndOnes;
    let mut lists = vec![
        asked(Customer::PATH, "Customers, Customer", both),
        asked(INFO, "Customers, Customer information", Reads::Ones),
        asked(Invoice::PATH, "Finance, Invoices", both),
        asked(Payment::PATH, "Finance, Payments", both),
        asked(Transaction::PATH, "Finance, Transactions", both),
        asked(RELATIONS, "Finance, Invoice relations", Reads::Lists),
    ];
    if settings.use_credit_notes {
        lists.push(asked(CreditNote::PATH, "Finance, Credit notes", both));
    }
    if settings.direction.from_sage() {
        let title = "Finance, Bank statements records";
        lists.push(asked(StatementRecord::PATH, title, both));
    }
    for list in List::ALL {
        let title = match list {
            List::SplynxCategories => "Finance, Transaction categories",
            List::SplynxTaxes => "Config, Taxes",
            List::SplynxMethods => "Finance, Payment methods",
            List::SplynxPartners => "Administration, Partners",
            _ => continue,
        };
        lists.extend(
            list.of_splynx()
                .map(|list| asked(list.path(), title, Reads::Lists)),
        );
    }
    lists
}

/// A finding for each permission that is missing and each path that answers strangely; one that says so where none does.
pub fn reading(run: &mut Run) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lists = asked(&run.settings);
    for list in &lists {
        match permissions(run, list) {
            Ok((missing, strange)) => {
                findings.extend(strange.map(|why| strange_answer(&why)));
                findings.extend((!missing.is_empty()).then(|| lacking(list, &missing)));
            }
            // Splynx answers nobody any more: the rest would tell the same.
            Err(halt) => {
                findings.push(strange_answer(&halt.into_failure()));
                return findings;
            }
        }
    }
    if findings.is_empty() {
        findings.push(finding(
            "ok",
            "permissions",
            format!(
                "The Splynx API key may read all {} lists that are needed.",
                lists.len()
            ),
            "",
            "splynx_api_key",
        ));
    }
    findings
}

/// The permissions that the key lacks for a path, and the last answer that says nothing about them.
fn permissions(run: &mut Run, list: &Asked) -> RunResult<(Vec<&'static str>, Option<Failure>)> {
    let (mut missing, mut strange) = (Vec::new(), None);
    let mut note = |permission, name| match permission {
        Permission::Given => {}
        Permission::Missing => missing.push(name),
        Permission::Unknown(why) => strange = Some(why),
    };
    if list.reads != Reads::Ones {
        note(splynx::may_list(run, list.path)?, "index");
    }
    if list.reads != Reads::Lists {
        note(splynx::may_view(run, list.path)?, "view");
    }
    Ok((missing, strange))
}

fn lacking(list: &Asked, missing: &[&str]) -> Finding {
    finding(
        "error",
        "permission-missing",
        format!(
            "The Splynx API key may not read {}: it lacks {} of \"{}\".",
            list.path,
            missing.join(" and "),
            list.title
        ),
        "In Splynx under Administration, API keys, open the key's permissions and allow it. Then check again.",
        "splynx_api_key",
    )
}

fn strange_answer(why: &Failure) -> Finding {
    finding(
        "warning",
        "splynx-answers-strangely",
        why.message.clone(),
        "What needs this path waits until it answers; everything else works. Look at the Splynx server, then check again.",
        "splynx_api_domain",
    )
}
