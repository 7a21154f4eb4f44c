//! From the bytes of a package file to a [`Package`].
//!
//! Zip has two descriptions of every entry (one beside the data, one at the end) and room for data that neither mentions.
//! Readers that believe different ones see different packages, so both must agree, nothing may overlap, come twice, or
//! stand before or behind the archive. Stated sizes are not trusted: reading ends one byte after the limit.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{
    ICON, LARGEST_COMPONENT, LARGEST_ICON, LARGEST_MANIFEST, LARGEST_PACKAGE, LARGEST_TEXT,
    MANIFEST, Package, PackageError, TEXTS, check_component, sha256,
};
use addon_manifest::Manifest;

type Archive<'b> = ZipArchive<Cursor<&'b [u8]>>;

/// What an archive begins with.
const FIRST_ENTRY: &[u8] = b"PK\x03\x04";

/// Whether the bytes begin as an archive does.
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(FIRST_ENTRY)
}

/// The end of an archive without a comment: signature, 18 more bytes, of which the last two count the comment's.
const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const END_BYTES: usize = 22;

/// Reads a package file and checks everything that can be checked without running it.
pub fn read(bytes: &[u8]) -> Result<Package, PackageError> {
    if bytes.len() > LARGEST_PACKAGE {
        return Err(PackageError::TooLarge {
            what: "the package".to_owned(),
            most: LARGEST_PACKAGE,
        });
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(no_zip)?;
    check_archive(bytes, &mut archive)?;

    let manifest_text =
        text(&mut archive, MANIFEST, LARGEST_MANIFEST)?.ok_or_else(|| missing(MANIFEST))?;
    let manifest = Manifest::parse(&manifest_text)?;
    let name = &manifest.addon.component;
    check_names(&archive, name)?;
    let component = entry(&mut archive, name, LARGEST_COMPONENT)?.ok_or_else(|| missing(name))?;
    check_component(name, &component)?;
    let mut texts = BTreeMap::new();
    for name in TEXTS {
        if let Some(text) = text(&mut archive, name, LARGEST_TEXT)? {
            texts.insert(name.to_owned(), text);
        }
    }
    let icon = entry(&mut archive, ICON, LARGEST_ICON)?;
    if icon
        .as_ref()
        .is_some_and(|icon| !icon.starts_with(b"\x89PNG\r\n\x1a\n"))
    {
        return Err(PackageError::Refused(format!("`{ICON}` is no PNG picture")));
    }
    let (component_sha256, sha256) = (sha256(&component), sha256(bytes));
    Ok(Package {
        component_sha256,
        sha256,
        manifest,
        manifest_text,
        component,
        texts,
        icon,
    })
}

fn check_archive(bytes: &[u8], archive: &mut Archive<'_>) -> Result<(), PackageError> {
    let refuse = |why: &str| Err(PackageError::Refused(why.to_owned()));
    let end = bytes
        .len()
        .checked_sub(END_BYTES)
        .and_then(|at| bytes.get(at..));
    let ends_plainly =
        end.is_some_and(|end| end.starts_with(&END_SIGNATURE) && end.ends_with(&[0, 0]));
    // The first entry begins with the file: `offset` alone would allow an archive that counts what stands before it.
    if !ends_plainly || archive.offset() != 0 || !is_archive(bytes) {
        return refuse("there is data before or behind the archive");
    }
    if archive.has_duplicate_names() {
        return refuse("a name comes twice");
    }
    if archive.has_overlapping_files().map_err(no_zip)? {
        return refuse("entries overlap");
    }
    archive
        .validate_header_consistency()
        .map_err(|error| PackageError::Refused(error.to_string()))
}

/// Every entry must be one that we read; nothing is carried along unseen.
fn check_names(archive: &Archive<'_>, component: &str) -> Result<(), PackageError> {
    for raw in archive.file_names_raw() {
        let known = |name: &str| raw == name.as_bytes();
        if !(known(MANIFEST) || known(component) || known(ICON) || TEXTS.into_iter().any(known)) {
            let name = String::from_utf8_lossy(raw).escape_debug().to_string();
            let allowed = TEXTS.join(", ");
            return Err(PackageError::Refused(format!(
                "`{name}` does not belong in it; allowed are {MANIFEST}, {component}, {ICON}, {allowed}"
            )));
        }
    }
    Ok(())
}

fn entry(
    archive: &mut Archive<'_>,
    name: &str,
    most: usize,
) -> Result<Option<Vec<u8>>, PackageError> {
    let Some(index) = archive.index_for_name_raw(name.as_bytes()) else {
        return Ok(None);
    };
    let mut file = archive
        .by_index(index)
        .map_err(|error| PackageError::Refused(format!("`{name}`: {error}")))?;
    // The upper bits of the mode say what an entry is; zero is how tools that know no modes leave them.
    let kind = file.unix_mode().unwrap_or(0) & 0o170_000;
    if file.encrypted() || !(kind == 0 || kind == 0o100_000) {
        return Err(PackageError::Refused(format!(
            "`{name}` is no ordinary file"
        )));
    }
    let mut bytes = Vec::new();
    let limit = most as u64 + 1;
    file.by_ref()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| PackageError::NoZip(format!("`{name}`: {error}")))?;
    if bytes.len() > most {
        return Err(PackageError::TooLarge {
            what: format!("`{name}`"),
            most,
        });
    }
    Ok(Some(bytes))
}

fn text(
    archive: &mut Archive<'_>,
    name: &str,
    most: usize,
) -> Result<Option<String>, PackageError> {
    let bytes = entry(archive, name, most)?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| PackageError::Refused(format!("`{name}` is not UTF-8")))
}

fn missing(name: &str) -> PackageError {
    PackageError::Missing(name.to_owned())
}

fn no_zip(error: ZipError) -> PackageError {
    PackageError::NoZip(error.to_string())
}
