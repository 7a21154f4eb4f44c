//! Values that come from files, and tables that go into files.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use addon_host::exports::Export;
use addon_host::manifest::LONGEST_TEXT_BYTES;
use anyhow::{Context as _, Result, bail};
use tempfile::NamedTempFile;

/// The value of `KEY=VALUE`, where `@FILE` stands for what a file holds and `@-` for standard input.
pub fn value((key, value): (String, String)) -> Result<(String, String)> {
    let Some(file) = value.strip_prefix('@') else {
        return Ok((key, value));
    };
    let text = if file == "-" {
        read(io::stdin())
    } else {
        File::open(file).map_err(Into::into).and_then(read)
    };
    let text = text.with_context(|| format!("{key}: {file} cannot be read"))?;
    Ok((key, text))
}

/// All values, in their order.
pub fn values(given: Vec<(String, String)>) -> Result<Vec<(String, String)>> {
    given.into_iter().map(value).collect()
}

fn read(source: impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    // One more than may be, so that what is too long is seen to be.
    source
        .take(LONGEST_TEXT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST_TEXT_BYTES {
        bail!("it is longer than {} MB", LONGEST_TEXT_BYTES >> 20);
    }
    String::from_utf8(bytes).context("it is no text in UTF-8; save it as CSV UTF-8")
}

/// Writes a table to a file, which appears when it is whole, or to standard output (`-`).
pub async fn write(mut export: Export, target: &str) -> Result<()> {
    if target == "-" {
        let mut out = io::stdout();
        while let Some(piece) = export.next().await? {
            match out.write_all(piece.as_bytes()).and_then(|()| out.flush()) {
                // Whoever reads has read enough (`| head`): nothing more is read for nobody.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
        }
        return Ok(());
    }
    let unwritable = || format!("{target} cannot be written");
    let folder = Path::new(target).parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let mut file =
        NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(unwritable)?;
    while let Some(piece) = export.next().await? {
        file.write_all(piece.as_bytes()).with_context(unwritable)?;
    }
    file.persist(target).with_context(unwritable)?;
    Ok(())
}
