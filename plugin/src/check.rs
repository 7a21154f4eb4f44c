//! Readiness: is everything in place, and if not, what cures it?
//!
//! One finding a problem, each with the field that it is about. What needs a service is asked here, what the settings alone tell is in
//! [`combinations`].

mod combinations;
mod permissions;

use crate::capability::{Capabilities, Failure};
use crate::sage::{self, Company};
use crate::settings::SPLYNX_ADDRESS;
use crate::splynx::{self, Customer, Permission, Resource};
use crate::sync::lists;
use crate::sync::mapping::Mapping;
use crate::sync::pipeline;
use crate::write::ledger::{Run, RunError, RunResult};
use crate::write::limits;
use crate::write::record::Kind;

/// Where the company is kept that the pairs are of.
pub const COMPANY: &str = "company";

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
    // Each service is tried as soon as its own settings are there.
    let mut findings = Vec::new();
    let has_splynx = SPLYNX.has_settings(&run, &mut findings);
    if has_splynx {
        let answer = splynx_answers(&mut run);
        let answers = answer.is_ok();
        SPLYNX.answered(answer, &mut findings);
        if answers {
            findings.extend(permissions::reading(&mut run));
        }
    }
    let has_sage = SAGE.has_settings(&run, &mut findings);
    if has_sage {
        let company = company(&mut run);
        SAGE.answered(company, &mut findings);
    }
    if has_splynx && has_sage {
        findings.extend(mappings(&mut run).map_err(RunError::into_failure)?);
        findings.extend(combinations::settings(&mut run).map_err(RunError::into_failure)?);
    }
    Ok(findings)
}

/// What is needed to ask a service, and where trouble with it is shown.
struct ToAsk {
    title: &'static str,
    code: &'static str,
    /// Setting and title, as the manifest has them.
    settings: &'static [(&'static str, &'static str)],
    /// Of the address.
    address: &'static str,
    /// Of what the service knows somebody by.
    credential: &'static str,
}

const SPLYNX: ToAsk = ToAsk {
    title: "Splynx",
    code: "splynx-connection",
    settings: &[
        (SPLYNX_ADDRESS, "API domain"),
        ("splynx_api_key", "API key"),
        ("splynx_api_secret", "API secret"),
    ],
    address: SPLYNX_ADDRESS,
    credential: "splynx_api_key",
};

const SAGE: ToAsk = ToAsk {
    title: "Sage",
    code: "sage-connection",
    settings: &[
        ("sage_api_url", "API address"),
        ("sage_login", "Login"),
        ("sage_password", "Password"),
        ("sage_api_key", "API key"),
    ],
    address: "sage_api_url",
    credential: "sage_login",
};

impl ToAsk {
    /// Whether it can be asked; else what is missing.
    fn has_settings(&self, run: &Run, findings: &mut Vec<Finding>) -> bool {
        let before = findings.len();
        for (key, title) in self.settings {
            if run.settings.value(key).is_empty() {
                findings.push(finding(
                    "error",
                    "setting-missing",
                    format!("{title} of {} is not set.", self.title),
                    format!("Enter it under Settings, {}.", self.title),
                    key,
                ));
            }
        }
        let address = run.settings.value(self.address);
        if self.address == SPLYNX_ADDRESS && !address.is_empty() && !address.ends_with('/') {
            findings.push(finding(
                "error",
                "slash-missing",
                "The API domain does not end in a slash.",
                format!("Write {address}/."),
                self.address,
            ));
        }
        findings.len() == before
    }

    /// An answer is judged by whoever asked; without one, the address or the credentials are to blame.
    fn answered(&self, result: RunResult<Vec<Finding>>, findings: &mut Vec<Finding>) {
        findings.extend(match result {
            Ok(found) => found,
            Err(halt) => {
                let failure = halt.into_failure();
                let field = match failure.code.as_str() {
                    "denied" => self.credential,
                    _ => self.address,
                };
                vec![finding("error", self.code, failure.message, "", field)]
            }
        });
    }
}

/// The pairs of an installation belong to one company: under another they would point at strangers.
///
/// # Errors
/// The store's.
pub fn other_company(run: &mut Run, chosen: &str) -> RunResult<Option<Failure>> {
    let known = run.meta(COMPANY)?;
    let other = known.filter(|known| !chosen.is_empty() && known != chosen);
    Ok(other.map(|known| {
        Failure::new(
            "other-company",
            format!(
                "This installation has worked with Sage company {known}, and the settings now name {chosen}. Make another installation for {chosen}, or set the company back."
            ),
        )
    }))
}

/// Every job that talks to Sage needs a company.
pub fn no_company() -> Failure {
    Failure::new(
        "no-company",
        "No Sage company is chosen. Save login, password and API key under Settings, Sage: the company is fetched then.",
    )
}

fn splynx_answers(run: &mut Run) -> RunResult<Vec<Finding>> {
    // Whether it may read them is another question.
    if let Permission::Unknown(why) = splynx::may_list(run, Customer::PATH)? {
        return Err(RunError::Failed(why));
    }
    Ok(vec![finding(
        "ok",
        "splynx-connection",
        "Splynx answers, and knows the API key.",
        "",
        "splynx_api_domain",
    )])
}

fn company(run: &mut Run) -> RunResult<Vec<Finding>> {
    let companies = sage::companies(run)?;
    let chosen = run.settings.company_id.clone();
    let id = Company::id_text;
    if let Some(failure) = other_company(run, &chosen)? {
        return Ok(vec![finding(
            "error",
            "other-company",
            failure.message,
            "",
            "sage_company_id",
        )]);
    }
    if let Some(company) = companies.iter().find(|company| id(company) == chosen) {
        return standing(run, company);
    }
    Ok(vec![match companies.as_slice() {
        [only] => {
            run.cap.set_fetched("sage_company_id", &id(only))?;
            run.settings.company_id = id(only);
            return standing(run, only);
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
                .map(|company| format!("{} = {}", id(company), company.name()))
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
    }])
}

/// That it answers, and what it does not let through.
fn standing(run: &mut Run, company: &Company) -> RunResult<Vec<Finding>> {
    let mut findings = vec![connected(company)];
    if let Some(until) = company.locked_until() {
        // A closed year is as it should be, unless something is to go into it.
        let kinds = [Kind::Invoice, Kind::CreditNote, Kind::Payment];
        let mut is_wanted = limits::is_waited_for(run)?;
        for kind in kinds {
            let is_before = run.settings.from(kind).is_none_or(|from| from <= until);
            is_wanted |= is_before && !pipeline::was_scanned(run, kind)?;
        }
        findings.push(finding(
            if is_wanted { "warning" } else { "ok" },
            "period-locked",
            format!(
                "The company in Sage is locked up to {until}: what is dated earlier, or that day, is held and not sent."
            ),
            "Move the lockdown date in Sage, under Company, Change Company Settings, Financial Years; or let exports begin later, under \"Invoices from\", \"Credit notes from\" and \"Payments from\".",
            "export_invoices_from",
        ));
    }
    Ok(findings)
}

fn connected(company: &Company) -> Finding {
    finding(
        "ok",
        "sage-connection",
        format!(
            "Connected to {} (company {}).",
            company.name(),
            company.id_text()
        ),
        "",
        "sage_company_id",
    )
}

/// What the lists tell of the mappings; where they were never loaded, how they are (F47, F56).
fn mappings(run: &mut Run) -> RunResult<Vec<Finding>> {
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
