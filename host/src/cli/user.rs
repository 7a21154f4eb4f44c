//! `addon-host user`: accounts of the admin pages. The password comes in on standard input.

use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use addon_host::vault::Secret;
use addon_host::web::login::password;
use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;
use serde_json::json;

use super::context::Context;

#[derive(Subcommand)]
pub enum User {
    /// Makes an account for the admin pages, or changes its password (from standard input) and logs it out everywhere
    Set { name: String },
}

const LONGEST_NAME: usize = 64;

/// Longer than any password.
const MOST_STDIN_BYTES: u64 = 16 << 10;

impl User {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let Self::Set { name } = self;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        ensure!(
            !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain),
            "`{name}` cannot be an account's name: letters, digits, `-`, `_`, `.` and `@`, at most {LONGEST_NAME}"
        );
        let hash = password::hash(&read_password()?)?;
        context
            .store()
            .await?
            .save_account(&name, &hash, context.now())
            .await?;
        context.output.show(json!({ "account": name }), || {
            format!("The account {name} is set.")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The first line, or all there is.
fn read_password() -> Result<Secret> {
    if std::io::stdin().is_terminal() {
        eprintln!("Type the password, then Enter and Ctrl-D (it shows as you type):");
    }
    let mut text = String::new();
    std::io::stdin()
        .take(MOST_STDIN_BYTES)
        .read_to_string(&mut text)
        .context("standard input cannot be read as text")?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}
