//! Each service's paths and names of fields stand in its own folder of the add-on, and nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugin/src");

struct Service {
    folder: &'static str,
    /// What there looks like the name of a field, or a path.
    is_its: fn(&str) -> bool,
    /// What is meant by another thing of that name elsewhere.
    shared: &'static [&'static str],
}

const SERVICES: [Service; 2] = [
    Service {
        folder: "sage",
        is_its: of_sage,
        shared: &[],
    },
    Service {
        folder: "splynx",
        is_its: of_splynx,
        // A field of a form on the page of statements.
        shared: &["payment_type"],
    },
];

fn of_sage(text: &str) -> bool {
    let is_name = text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric());
    let is_method = text.chars().all(|c| c.is_ascii_uppercase()) && text != "ID";
    is_name && !is_method || text.contains("/Get") || text.contains("/Save")
}

fn of_splynx(text: &str) -> bool {
    let is_name = text.contains('_')
        && text.split('_').all(|part| !part.is_empty())
        && (text.chars()).all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_name || text.starts_with("admin/")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let within = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    };
    paths.flat_map(within).collect()
}

/// The texts in a file's code, without its tests and comments.
fn texts(path: &Path) -> BTreeSet<String> {
    let source = fs::read_to_string(path).expect("a source");
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = (code.lines()).filter(|line| !line.trim_start().starts_with("//"));
    let texts = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    texts.map(str::to_owned).collect()
}

#[test]
fn the_fields_and_paths_of_a_service_stand_in_its_folder_only() {
    let root = Path::new(SOURCES);
    let all: Vec<_> = (sources(root).into_iter())
        .map(|path| (path.clone(), texts(&path)))
        .collect();
    let mut strays = Vec::new();
    for Service {
        folder,
        is_its,
        shared,
    } in SERVICES
    {
        let home = root.join(folder);
        let (own, others): (Vec<_>, Vec<_>) =
            all.iter().partition(|(path, _)| path.starts_with(&home));
        let names = own.iter().flat_map(|(_, texts)| texts);
        let names: BTreeSet<&String> = names.filter(|text| is_its(text)).collect();
        assert!(names.len() > 30, "{folder}: {names:?}");
        for (path, texts) in others {
            let stray = texts
                .iter()
                .filter(|text| names.contains(text) && !shared.contains(&text.as_str()));
            strays.extend(stray.map(|text| format!("{}: {text:?} is {folder}'s", path.display())));
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}
