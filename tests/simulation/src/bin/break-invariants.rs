//! Breaks each invariant of the host on purpose, one line at a time, and sees the test fail that watches over it.
//!
//! In a copy of the project's files, so that nothing is left broken. It takes some minutes a line: everything that depends on it is built
//! again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use simulation::invariants::{Broken, Invariants};

const USAGE: &str = "usage: scripts/break-invariants [NUMBER...]

Breaks the invariants of tests/simulation/invariants.toml on purpose, all or those of these numbers, one line at a time in a copy of the
project, and runs the test that must fail then. Exit code 1 where one does not.";

fn main() -> ExitCode {
    let mut numbers = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.parse::<u32>() {
            Ok(number) => numbers.push(number),
            Err(_) => {
                println!("{USAGE}");
                return ExitCode::from(u8::from(argument != "--help" && argument != "-h"));
            }
        }
    }
    match break_all(&numbers) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            println!("{missed} not noticed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn break_all(numbers: &[u32]) -> Result<usize, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .map_err(|error| format!("the project's folder: {error}"))?;
    let copy = root.join("target/broken");
    copy_files(&root, &copy)?;
    let mut missed = 0;
    for invariant in Invariants::read().invariant {
        if !numbers.is_empty() && !numbers.contains(&invariant.number) {
            continue;
        }
        for broken in &invariant.broken {
            let noticed = try_one(&root, &copy, broken)?;
            println!(
                "invariant {}: {}: {} by {}",
                invariant.number,
                broken.what,
                if noticed { "noticed" } else { "NOT noticed" },
                broken.test
            );
            missed += usize::from(!noticed);
        }
    }
    Ok(missed)
}

/// Brings the copy up to date with the project's own files. What has not changed keeps its time, and need not be built again.
fn copy_files(root: &Path, copy: &Path) -> Result<(), String> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git: {error}"))?;
    let files = listed.stdout.split(|byte| *byte == 0);
    let files: BTreeSet<PathBuf> = files
        .map(|file| PathBuf::from(String::from_utf8_lossy(file).into_owned()))
        .filter(|file| root.join(file).is_file())
        .collect();
    remove_others(copy, Path::new(""), &files)?;
    for file in files {
        let (from, to) = (root.join(&file), copy.join(&file));
        let told = |error: std::io::Error| format!("{}: {error}", file.display());
        let text = std::fs::read(&from).map_err(told)?;
        if std::fs::read(&to).is_ok_and(|there| there == text) {
            continue;
        }
        std::fs::create_dir_all(to.parent().unwrap_or(copy)).map_err(told)?;
        std::fs::copy(&from, &to).map_err(told)?;
    }
    Ok(())
}

/// Files that the project no longer has; what was built stays.
fn remove_others(copy: &Path, folder: &Path, files: &BTreeSet<PathBuf>) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    let Ok(entries) = std::fs::read_dir(copy.join(folder)) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.map_err(told)?;
        let place = folder.join(entry.file_name());
        if place == Path::new("target") {
            continue;
        }
        if entry.file_type().map_err(told)?.is_dir() {
            remove_others(copy, &place, files)?;
        } else if !files.contains(&place) {
            std::fs::remove_file(entry.path()).map_err(told)?;
        }
    }
    Ok(())
}

/// Whether the test notices. The line is put right again in any case.
fn try_one(root: &Path, copy: &Path, broken: &Broken) -> Result<bool, String> {
    let file = copy.join(&broken.file);
    let told = |error: std::io::Error| format!("{}: {error}", broken.file);
    let right = std::fs::read_to_string(&file).map_err(told)?;
    std::fs::write(&file, broken.broken(&right)?).map_err(told)?;
    let tried = run_test(root, copy, broken);
    std::fs::write(&file, right).map_err(told)?;
    tried
}

fn run_test(root: &Path, copy: &Path, broken: &Broken) -> Result<bool, String> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["test", "-p", &broken.package, "--", &broken.test])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", root.join("target"))
        .env("RUST_BACKTRACE", "0");
    if broken.component {
        let component = copy.join("broken.wasm");
        let built = Command::new(copy.join("scripts/build-plugin"))
            .arg("-o")
            .arg(&component)
            .output()
            .map_err(|error| format!("scripts/build-plugin: {error}"))?;
        if !built.status.success() {
            return Err(format!(
                "{}: the broken component cannot be built: {}",
                broken.what,
                String::from_utf8_lossy(&built.stderr)
            ));
        }
        cargo.env("ADDON_COMPONENT", component);
    }
    let ended = cargo.output().map_err(|error| format!("cargo: {error}"))?;
    let said = String::from_utf8_lossy(&ended.stdout);
    let ran = said.lines().any(|line| {
        line.starts_with("test ") && line.contains(&broken.test) && !line.contains("ignored")
    });
    if ran {
        Ok(!ended.status.success())
    } else {
        Err(format!(
            "{}: the test {} did not run: {}",
            broken.what,
            broken.test,
            String::from_utf8_lossy(&ended.stderr)
        ))
    }
}
