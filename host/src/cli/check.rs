//! `addon-host check`

use std::process::ExitCode;

use addon_host::host::Finding;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::output::{object, printable};

#[derive(Args)]
pub struct Check {
    /// Name of the installation
    installation: String,
}

impl Check {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
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
