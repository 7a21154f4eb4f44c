//! What the Splynx API key may read. A key is given its permissions one by one, by hand, and one that is missing would end a run in
//! the middle. Every list that a run reads is asked for one record, and for a record that there cannot be.
//!
//! What the key may change is not tried: there is no request for it that changes nothing for sure.

use super::{Finding, finding};
use crate::settings::Settings;
use crate::splynx::{
    self, CreditNote, Customer, CustomerInfo, Invoice, Payment, RELATIONS, Resource,
    StatementRecord, Transaction,
};
use crate::sync::lists::List;
use crate::write::ledger::{Job, Run};

/// A list of Splynx, and where the dialog of permissions has it (Splynx API 1.5).
struct Asked {
    path: &'static str,
    title: &'static str,
    /// Single records are read as well.
    singly: bool,
}

fn asked(settings: &Settings) -> Vec<Asked> {
    let asked = |path, title, singly| Asked {
        path,
        title,
        singly,
    };
    let mut lists = vec![
        asked(Customer::PATH, "Customers, Customer", true),
        asked(CustomerInfo::PATH, "Customers, Customer information", true),
        asked(Invoice::PATH, "Finance, Invoices", true),
        asked(Payment::PATH, "Finance, Payments", true),
        asked(Transaction::PATH, "Finance, Transactions", true),
        asked(RELATIONS, "Finance, Invoice relations", false),
    ];
    if settings.use_credit_notes {
        lists.push(asked(CreditNote::PATH, "Finance, Credit notes", true));
    }
    if settings.direction.from_sage() {
        let title = "Finance, Bank statements records";
        lists.push(asked(StatementRecord::PATH, title, true));
    }
    for list in List::ALL {
        let title = match list {
            List::SplynxCategories => "Finance, Transaction categories",
            List::SplynxTaxes => "Config, Taxes",
            List::SplynxMethods => "Finance, Payment methods",
            List::SplynxPartners => "Administration, Partners",
            _ => continue,
        };
        lists.extend(list.splynx_path().map(|path| asked(path, title, false)));
    }
    lists
}

/// A finding for each permission that is missing; one that says so where none is.
pub fn reading(run: &mut Run) -> Job<Vec<Finding>> {
    let mut findings = Vec::new();
    let lists = asked(&run.settings);
    for list in &lists {
        let mut missing = Vec::new();
        if !splynx::may_list(run, list.path)? {
            missing.push("index");
        }
        if list.singly && !splynx::may_view(run, list.path)? {
            missing.push("view");
        }
        if !missing.is_empty() {
            findings.push(finding(
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
            ));
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
    Ok(findings)
}
