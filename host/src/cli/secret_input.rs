//! Secrets come through standard input: not as arguments, which other programs of the machine can see.

use std::io::{IsTerminal, Read};

use anyhow::{Context as _, Result};

/// Longer than any secret.
const MOST_STDIN_BYTES: u64 = 64 << 10;

/// One secret, without the end of its line.
pub fn read() -> Result<String> {
    if std::io::stdin().is_terminal() {
        eprintln!("Type the value, then Enter and Ctrl-D (it shows as you type):");
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
    Ok(text.to_owned())
}
