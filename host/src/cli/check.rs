//! `addon-host check`

use std::process::ExitCode;

use addon_host::facts::Answers;
use addon_host::host::Finding;
use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};

use super::context::{Context, installed};
use super::files;
use super::output::{object, printable, table};

#[derive(Args)]
pub struct Check {
    /// Name of the installation
    installation: String,
    /// Instead, and without asking anybody: which facts of a file of answers, as `sandbox verify -o FILE` writes it, differ from what the
    /// add-on assumes; exit code 1 where one does
    #[arg(long, value_name = "FILE")]
    facts: Option<String>,
}

impl Check {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        if let Some(file) = &self.facts {
            return compare(context, &self.installation, file).await;
        }
        let findings = context.host().await?.check(&self.installation).await?;
        context
            .output
            .show(json(&findings), || listing(&findings))?;
        let ready = findings.iter().all(|finding| finding.severity != "error");
        Ok(if ready {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// Shows what of a file of answers differs from what the installation's add-on assumes.
async fn compare(context: &Context, installation: &str, file: &str) -> Result<ExitCode> {
    let (_, manifest) = installed(&context.store().await?, installation).await?;
    let text = files::text(file).with_context(|| format!("{file} cannot be read"))?;
    let answers = Answers::parse(&text).with_context(|| file.to_owned())?;
    let installed = manifest.addon.version.to_string();
    if installed != answers.version {
        eprintln!(
            "warning: these answers are held against what version {} assumes, and {installation} runs {installed}",
            answers.version
        );
    }
    context
        .output
        .show(compared(&answers, &installed), || differing(&answers))?;
    Ok(match answers.differing.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn compared(answers: &Answers, installed: &str) -> Value {
    let differing = answers.differing.iter().map(|fact| {
        json!({
            "service": fact.service, "fact": fact.fact, "assumed": fact.assumed, "answer": fact.answer,
        })
    });
    json!({
        "asked_on": answers.asked_on, "assumed_by_version": answers.version, "installed_version": installed,
        "as_assumed": answers.as_assumed, "not_told": answers.not_told, "differing": differing.collect::<Vec<_>>(),
    })
}

fn differing(answers: &Answers) -> String {
    let rows = answers
        .differing
        .iter()
        .map(|fact| [&fact.service, &fact.fact, &fact.assumed, &fact.answer].map(Clone::clone));
    let asked = printable(&format!(
        "asked on {}: {} as assumed, {} not told",
        answers.asked_on, answers.as_assumed, answers.not_told
    ));
    eprintln!("{asked}");
    table(
        &["service", "fact", "assumed", "answered"],
        rows,
        "No fact is known to differ.",
    )
}

pub fn json(findings: &[Finding]) -> Value {
    let one = |finding: &Finding| {
        json!({
            "code": finding.code, "severity": finding.severity, "message": finding.message, "cure": finding.cure,
            "field": finding.field, "more": object(&finding.more),
        })
    };
    findings.iter().map(one).collect()
}

pub fn listing(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let field = if finding.field.is_empty() {
            String::new()
        } else {
            format!(" [{}]", finding.field)
        };
        let cure = if finding.cure.is_empty() {
            String::new()
        } else {
            format!("\n         {}", printable(&finding.cure))
        };
        format!(
            "{:<8} {}{field}{cure}\n",
            finding.severity,
            printable(&finding.message)
        )
    };
    findings.iter().map(line).collect()
}
