//! Secrets come through standard input: not as arguments, which other programs of the machine can see.

use std::io::{IsTerminal, Read};

use anyhow::{Context as _, Result, ensure};

/// Longer than any secret.
const MOST_STDIN_BYTES: u64 = 64 << 10;

/// One secret, without the end of its line.
pub fn read() -> Result<String> {
    if std::io::stdin().is_terminal() {
        let typed = rpassword::prompt_password("Type the value, then Enter (it does not show): ");
        return given(typed.context("the terminal cannot be read")?);
    }
    let mut text = String::new();
    let read = std::io::stdin()
        .take(MOST_STDIN_BYTES)
        .read_to_string(&mut text);
    read.context("standard input cannot be read as text")?;
    let text = text
        .strip_suffix('\n')
        .map(|text| text.strip_suffix('\r').unwrap_or(text))
        .unwrap_or(&text);
    given(text.to_owned())
}

/// A pipe that brought nothing, as from a command that failed, must remove no secret.
fn given(text: String) -> Result<String> {
    ensure!(
        !text.is_empty(),
        "nothing came on standard input, and nothing was changed"
    );
    Ok(text)
}
