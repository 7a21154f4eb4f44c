//! Values that come from files, and tables that go into files.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::Path;

use addon_host::exports::{Export, Format, csv, xlsx};
use addon_host::manifest::LONGEST_TEXT_BYTES;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use tempfile::NamedTempFile;

/// The value of `KEY=VALUE`, where `@FILE` stands for what a file holds and `@-` for standard input.
pub fn value((key, value): (String, String)) -> Result<(String, String)> {
    let Some(file) = value.strip_prefix('@') else {
        return Ok((key, value));
    };
    let text = text(file).with_context(|| format!("{key}: {file} cannot be read"))?;
    Ok((key, text))
}

/// What a file holds, or standard input (`-`).
pub fn text(file: &str) -> Result<String> {
    if file == "-" {
        return read(io::stdin());
    }
    File::open(file).map_err(Into::into).and_then(read)
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

/// A table as a file instead of on the terminal.
#[derive(Args)]
pub struct Target {
    /// Writes the rows as CSV to a file; `-`: to standard output
    #[arg(long, value_name = "FILE")]
    csv: Option<String>,
    /// Writes the rows to a file for a spreadsheet; amounts are numbers, whatever separators its country has
    #[arg(long, value_name = "FILE", conflicts_with = "csv")]
    xlsx: Option<String>,
}

impl Target {
    pub fn is_given(&self) -> bool {
        self.csv.is_some() || self.xlsx.is_some()
    }

    /// Writes it; nothing where none is given.
    pub async fn write(self, export: Export) -> Result<()> {
        match (self.csv, self.xlsx) {
            (Some(file), _) => write(export, Format::Csv, &file).await,
            (None, Some(file)) => write(export, Format::Xlsx, &file).await,
            (None, None) => Ok(()),
        }
    }
}

/// Writes a table to a file, which appears when it is whole, or to standard output (`-`). A file of CSV begins with a mark by which
/// spreadsheets know its encoding, as in the browser; what goes to another program does not.
pub async fn write(mut export: Export, format: Format, target: &str) -> Result<()> {
    if format == Format::Xlsx {
        return write_workbook(export, target).await;
    }
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
    let mut file = beside(target).with_context(unwritable)?;
    if format == Format::Csv {
        file.write_all(csv::BYTE_ORDER_MARK.as_bytes())
            .with_context(unwritable)?;
    }
    while let Some(piece) = export.next().await? {
        file.write_all(piece.as_bytes()).with_context(unwritable)?;
    }
    file.persist(target).with_context(unwritable)?;
    Ok(())
}

/// Writes a file, which appears when it is whole, or to standard output (`-`).
pub fn write_bytes(target: &str, bytes: &[u8]) -> Result<()> {
    if target == "-" {
        return Ok(io::stdout().write_all(bytes)?);
    }
    let unwritable = || format!("{target} cannot be written");
    let mut file = beside(target).with_context(unwritable)?;
    file.write_all(bytes).with_context(unwritable)?;
    file.persist(target).with_context(unwritable)?;
    Ok(())
}

async fn write_workbook(export: Export, target: &str) -> Result<()> {
    if target == "-" && io::stdout().is_terminal() {
        bail!("a workbook is nothing to read: send it to a file, with > FILE.xlsx");
    }
    let mut workbook = xlsx::workbook(export).await?;
    if target == "-" {
        io::copy(&mut workbook, &mut io::stdout())?;
        return Ok(());
    }
    let unwritable = || format!("{target} cannot be written");
    let mut file = beside(target).with_context(unwritable)?;
    io::copy(&mut workbook, &mut file).with_context(unwritable)?;
    file.persist(target).with_context(unwritable)?;
    Ok(())
}

/// A file that gets its name when it is whole.
fn beside(target: &str) -> io::Result<NamedTempFile> {
    let folder = Path::new(target).parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
}
