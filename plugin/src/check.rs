//! Readiness: is everything in place, and if not, what cures it?
//!
//! One finding a problem, each with the field that it is about. What needs a service is asked here, what the settings alone tell is in
//! [`combinations`].

mod combinations;
mod permissions;

use serde_json::Value;

use crate::capability::{Capabilities, Failure};
use crate::json;
use crate::sage;
use crate::splynx::{self, Customer, Permission, Resource};
use crate::sync::lists;
use crate::sync::mapping::Mapping;
use crate::write::ledger::{Halt, Job, Run};

/// One finding; `severity` is `error`, `warning` or `ok`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: &'static str,
    pub severity: &'static str,
    pub message: String,
    pub cure: String,
    pub field: String,
}

fn finding(
    severity: &'static str,
    code: &'static str,
    message: impl Into<String>,
    cure: impl Into<String>,
    field: &str,
) -> Finding {
    Finding {
        code,
        severity,
        message: message.into(),
        cure: cure.into(),
        field: field.to_owned(),
    }
}

/// Looks at settings, connections and mappings. Fetches the company's id where the login sees just one (F7).
///
/// # Errors
/// The host's own; what is wrong with the installation is a finding.
pub fn check(cap: &mut dyn Capabilities) -> Result<Vec<Finding>, Failure> {
    let mut run = match Run::new(cap) {
        Ok(run) => run,
        Err(failure) if failure.code == "invalid-settings" => {
            let field = failure.more.first().map_or("", |(_, field)| field);
            let found = finding(
                "error",
                "invalid-settings",
                failure.message.clone(),
                "",
                field,
            );
            return Ok(vec![found]);
        }
        Err(failure) => return Err(failure),
    };
    let mut findings = Vec::new();
    missing_settings(&run, &mut findings);
    if findings.is_empty() {
        let splynx = splynx_answers(&mut run);
        let answers = splynx.is_ok();
        connection(&mut findings, "splynx", splynx);
        if answers {
            findings.extend(permissions::reading(&mut run));
        }
        let company = company(&mut run);
        connection(&mut findings, "sage", company);
        findings.extend(mappings(&mut run).map_err(Halt::into_failure)?);
        findings.extend(combinations::settings(&mut run).map_err(Halt::into_failure)?);
    }
    Ok(findings)
}

/// Every job that talks to Sage needs a company.
pub fn no_company() -> Failure {
    Failure::new(
        "no-company",
        "No Sage company is chosen. Save login, password and API key under Settings, Sage: the company is fetched then.",
    )
}

fn missing_settings(run: &Run, findings: &mut Vec<Finding>) {
    for key in [
        "splynx_api_domain",
        "splynx_api_key",
        "splynx_api_secret",
        "sage_api_url",
        "sage_login",
        "sage_password",
        "sage_api_key",
    ] {
        if run.settings.value(key).is_empty() {
            findings.push(finding(
                "error",
                "setting-missing",
                format!("{key} is not set."),
                "Enter it under Settings.",
                key,
            ));
        }
    }
    let domain = run.settings.value("splynx_api_domain");
    if !domain.is_empty() && !domain.ends_with('/') {
        findings.push(finding(
            "error",
            "slash-missing",
            "The API domain does not end in a slash.",
            format!("Write {domain}/."),
            "splynx_api_domain",
        ));
    }
}

fn connection(findings: &mut Vec<Finding>, name: &'static str, result: Job<Finding>) {
    findings.push(match result {
        Ok(found) => found,
        Err(halt) => {
            let failure = halt.into_failure();
            let (code, field) = if name == "splynx" {
                ("splynx-connection", "splynx_api_domain")
            } else {
                ("sage-connection", "sage_login")
            };
            finding("error", code, failure.message, "", field)
        }
    });
}

fn splynx_answers(run: &mut Run) -> Job<Finding> {
    // Whether it may read them is another question.
    if let Permission::Unknown(why) = splynx::may_list(run, Customer::PATH)? {
        return Err(Halt::Failed(why));
    }
    Ok(finding(
        "ok",
        "splynx-connection",
        "Splynx answers, and knows the API key.",
        "",
        "splynx_api_domain",
    ))
}

fn company(run: &mut Run) -> Job<Finding> {
    let companies = sage::companies(run)?;
    let chosen = run.settings.company_id.clone();
    let id = |company: &Value| json::text(company, "ID");
    if let Some(company) = companies.iter().find(|company| id(company) == chosen) {
        return Ok(connected(company));
    }
    Ok(match companies.as_slice() {
        [only] => {
            run.cap.set_fetched("sage_company_id", &id(only))?;
            run.settings.company_id = id(only);
            connected(only)
        }
        [] => finding(
            "error",
            "no-company",
            "The Sage login sees no company.",
            "Give the login rights to the company in Sage.",
            "sage_login",
        ),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|company| format!("{} = {}", id(company), json::text(company, "Name")))
                .collect();
            finding(
                "error",
                "choose-company",
                format!(
                    "The Sage login sees several companies: {}.",
                    names.join(", ")
                ),
                "Choose one under Settings, Sage, Company.",
                "sage_company_id",
            )
        }
    })
}

fn connected(company: &Value) -> Finding {
    finding(
        "ok",
        "sage-connection",
        format!(
            "Connected to {} (company {}).",
            json::text(company, "Name"),
            json::text(company, "ID")
        ),
        "",
        "sage_company_id",
    )
}

/// What the lists tell of the mappings; where they were never loaded, how they are (F47, F56).
fn mappings(run: &mut Run) -> Job<Vec<Finding>> {
    if !lists::is_loaded(run)? {
        return Ok(vec![finding(
            "warning",
            "mapping-not-loaded",
            "The lists for the mappings were never loaded.",
            "Press \"Import mapping settings\".",
            "",
        )]);
    }
    // Something may have gone since. Where a list cannot be had, that is another finding.
    let lists = match Mapping::now(run) {
        Ok(lists) => lists,
        Err(_) => Mapping::loaded(run)?,
    };
    Ok(combinations::mappings(run, &lists))
}
