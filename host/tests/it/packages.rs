use std::io::{Cursor, Write};

use addon_host::manifest::Manifest;
use addon_host::packages::{PackageError, may_replace, pack, read};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::fixtures::MANIFEST;

/// The first bytes of every component.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0and more";

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn good() -> Vec<u8> {
    zipped(&[
        ("addon.toml", MANIFEST.as_bytes()),
        ("example.wasm", COMPONENT),
    ])
}

#[test]
fn a_folder_packs_to_the_same_bytes_each_time_and_reads_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    put("addon.toml", MANIFEST.as_bytes());
    let error = pack(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("example.wasm"),
        "names what is missing: {error}"
    );

    put("example.wasm", COMPONENT);
    put("README.md", "Wörter".as_bytes());
    put("notes.txt", b"stays at home");
    let bytes = pack(folder.path()).unwrap();
    assert_eq!(pack(folder.path()).unwrap(), bytes);
    let package = read(&bytes).unwrap();
    assert_eq!(package.manifest.addon.id, "example");
    assert_eq!(
        (package.manifest_text.as_str(), package.component.as_slice()),
        (MANIFEST, COMPONENT)
    );
    assert_eq!(
        package.texts.iter().collect::<Vec<_>>(),
        [(&"README.md".to_owned(), &"Wörter".to_owned())]
    );
    assert_eq!(package.sha256.len(), 64);

    put(
        "addon.toml",
        MANIFEST
            .replace("per_minute = 90", "per_minute = 91")
            .as_bytes(),
    );
    let changed = read(&pack(folder.path()).unwrap()).unwrap();
    assert_ne!(changed.sha256, package.sha256);
    assert_eq!(changed.component_sha256, package.component_sha256);
}

#[test]
fn packages_with_tricks_are_refused() {
    read(&good()).unwrap();
    let manifest = ("addon.toml", MANIFEST.as_bytes());
    let component = ("example.wasm", COMPONENT);
    let with = |extra: (&str, &[u8])| zipped(&[manifest, component, extra]);
    let mut behind = good();
    behind.extend_from_slice(b"more");
    let mut two = good();
    two.extend_from_slice(&good());
    let mut before = b"#!/bin/sh\n".to_vec();
    before.extend_from_slice(&good());
    // Two entries of one name cannot be written, so one is renamed in the bytes.
    let twice = replaced(
        &with(("addon.tomm", b"id = 1")),
        b"addon.tomm",
        b"addon.toml",
    );
    // The description beside the data says another name than the one at the end.
    let disagree = replaced_first(&with(("README.md", b"x")), b"README.md", b"LICENSES!");
    let mut encrypted = good();
    let central = find(&encrypted, b"PK\x01\x02").unwrap();
    encrypted[central + 8] |= 1;
    encrypted[6] |= 1;
    let bomb = vec![0_u8; 33 << 20];
    let link = {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        writer.start_file("addon.toml", options).unwrap();
        writer.write_all(MANIFEST.as_bytes()).unwrap();
        writer
            .add_symlink("example.wasm", "/etc/passwd", options)
            .unwrap();
        writer.finish().unwrap().into_inner()
    };

    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "no package"),
        (
            "a text",
            b"hello, this is no zip at all, but long enough".to_vec(),
            "no package",
        ),
        (
            "half of it",
            good()[..good().len() / 2].to_vec(),
            "no package",
        ),
        ("no manifest", zipped(&[component]), "no `addon.toml`"),
        ("no component", zipped(&[manifest]), "no `example.wasm`"),
        (
            "another file",
            with(("run.sh", b"x")),
            "`run.sh` does not belong",
        ),
        (
            "a way out",
            with(("../addon.toml", b"x")),
            "does not belong",
        ),
        (
            "an absolute path",
            with(("/README.md", b"x")),
            "does not belong",
        ),
        (
            "another case",
            with(("ADDON.toml", b"x")),
            "does not belong",
        ),
        ("a folder", with(("README.md/", b"")), "does not belong"),
        (
            "a control character",
            with(("README.md\u{7}", b"x")),
            "does not belong",
        ),
        ("data behind", behind, "before or behind"),
        ("two archives", two, "before or behind"),
        ("data before", before, "before or behind"),
        ("one name twice", twice, ""),
        ("two descriptions", disagree, ""),
        ("encrypted", encrypted, ""),
        (
            "a bomb",
            zipped(&[manifest, ("example.wasm", &bomb)]),
            "more than",
        ),
        ("a link", link, "no ordinary file"),
        (
            "bad manifest",
            zipped(&[("addon.toml", b"[addon]"), component]),
            "`id` is missing",
        ),
        (
            "manifest in Latin 1",
            zipped(&[("addon.toml", b"# \xe4"), component]),
            "not UTF-8",
        ),
        (
            "a core module",
            zipped(&[manifest, ("example.wasm", b"\0asm\x01\0\0\0")]),
            "core module",
        ),
        (
            "an ELF",
            zipped(&[manifest, ("example.wasm", b"\x7fELF....")]),
            "does not begin",
        ),
        ("a script as icon", with(("icon.png", b"<svg/>")), "no PNG"),
    ];
    for (name, bytes, expected) in cases {
        let error = read(&bytes).expect_err(name).to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    // Whatever is damaged in whatever place: an answer, never a panic, and never another content.
    let whole = good();
    let original = read(&whole).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x41;
        if let Ok(package) = read(&damaged) {
            assert_eq!(
                (package.component, package.manifest_text),
                (original.component.clone(), MANIFEST.to_owned()),
                "byte {at}"
            );
        }
    }
}

#[test]
fn an_update_is_of_the_same_addon_and_never_older() {
    let manifest = |version: &str, serial: u32, state: u32, id: &str| {
        let text = MANIFEST
            .replace("1.2.3", version)
            .replace("state = 3", &format!("state = {state}\nserial = {serial}"));
        Manifest::parse(&text.replace("id = \"example\"", &format!("id = \"{id}\""))).unwrap()
    };
    let current = manifest("1.2.3", 3, 3, "example");
    for (next, fits) in [
        (manifest("1.2.3", 4, 3, "example"), true),
        (manifest("1.3.0", 5, 4, "example"), true),
        (manifest("1.2.2", 5, 3, "example"), false),
        (manifest("1.2.3-rc.1", 5, 3, "example"), false),
        (manifest("2.0.0", 5, 2, "example"), false),
        (manifest("2.0.0", 5, 3, "other"), false),
        // Between the one in use and this was a fourth, which was gone back from.
        (manifest("2.0.0", 3, 3, "example"), false),
    ] {
        let answer = may_replace(&current, &next, 4);
        assert_eq!(
            answer.is_ok(),
            fits,
            "{} {}: {answer:?}",
            next.addon.id,
            next.addon.version
        );
        assert!(fits || matches!(answer, Err(PackageError::NoUpdate(_))));
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn replaced_first(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = find(&bytes, from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while find(&bytes, from).is_some() {
        bytes = replaced_first(&bytes, from, to);
    }
    bytes
}
