//! Questions that a person answers before something happens.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Result, bail};

/// Asks whether to go on, below what is to be known; an error where the answer is no. Where nobody can answer, the error is `otherwise`.
pub fn ask(known: &str, question: &str, otherwise: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("{known}\n{otherwise}");
    }
    eprint!("{known}\n{question} [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("nothing was changed");
    }
    Ok(())
}
