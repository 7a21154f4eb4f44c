//! From a folder to a package file. The same content gives the same bytes, whenever and wherever it is packed.

use std::io::{Cursor, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{
    ICON, LARGEST_COMPONENT, LARGEST_ICON, LARGEST_MANIFEST, LARGEST_TEXT, MANIFEST, PackageError,
    TEXTS, read,
};
use addon_manifest::Manifest;

/// Packs `addon.toml` of a folder, the component that it names, and the icon and texts that are there. Nothing else of the
/// folder is looked at. The result has been read back and checked.
pub fn pack(folder: &Path) -> Result<Vec<u8>, PackageError> {
    let manifest = required(folder, MANIFEST, LARGEST_MANIFEST)?;
    let text = String::from_utf8(manifest)
        .map_err(|_| PackageError::Refused(format!("{MANIFEST} is not UTF-8")))?;
    let component = Manifest::parse(&text)?.addon.component;
    let mut entries = vec![
        (MANIFEST, text.into_bytes()),
        (
            &*component,
            required(folder, &component, LARGEST_COMPONENT)?,
        ),
    ];
    for (name, most) in TEXTS
        .map(|name| (name, LARGEST_TEXT))
        .into_iter()
        .chain([(ICON, LARGEST_ICON)])
    {
        if let Some(bytes) = optional(folder, name, most)? {
            entries.push((name, bytes));
        }
    }
    let bytes = archive(&entries)?;
    read(&bytes)?;
    Ok(bytes)
}

/// A zip file of these, the same for the same.
pub fn archive(entries: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, PackageError> {
    write(entries).map_err(|error| PackageError::NoZip(error.to_string()))
}

fn write(entries: &[(&str, Vec<u8>)]) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

fn required(folder: &Path, name: &str, most: usize) -> Result<Vec<u8>, PackageError> {
    optional(folder, name, most)?.ok_or_else(|| PackageError::File {
        path: folder.join(name),
        source: std::io::Error::new(std::io::ErrorKind::NotFound, "there is no such file"),
    })
}

fn optional(folder: &Path, name: &str, most: usize) -> Result<Option<Vec<u8>>, PackageError> {
    let path = folder.join(name);
    match std::fs::read(&path) {
        Ok(bytes) if bytes.len() > most => Err(PackageError::TooLarge {
            what: path.display().to_string(),
            most,
        }),
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PackageError::File { path, source }),
    }
}
