//! The host as an operator's machine has it: the Debian package, and what systemd is told.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use addon_host::store::Store;

const PROGRAM: &str = env!("CARGO_BIN_EXE_addon-host");

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    found.is_ok_and(|output| output.status.success())
}

fn told(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

fn ok(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The package of the program under test.
fn package(folder: &Path) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/deb");
    let path = ok(Command::new(script)
        .args(["--binary", PROGRAM, "--output"])
        .arg(folder)
        // Smaller takes longer.
        .env("DEB_COMPRESSION", "none"));
    PathBuf::from(path.trim())
}

fn dpkg(root: &Path, arguments: &[&str], package: &Path) -> String {
    let output = Command::new("dpkg")
        .arg(format!("--root={}", root.display()))
        // A folder is no machine: there is neither systemd nor a library in it.
        .args(["--force-depends", "--force-script-chrootless"])
        .args(arguments)
        .arg(package)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    told(&output)
}

#[test]
fn the_package_makes_user_folders_and_a_key_once_and_keeps_them_through_updates_and_removals() {
    let root_user = ok(Command::new("id").arg("-u")).trim() == "0";
    if !root_user
        || !["dpkg", "dpkg-deb", "systemd-sysusers", "systemd-tmpfiles"]
            .into_iter()
            .all(has)
    {
        eprintln!("skipped: it takes root, dpkg and systemd's tools");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let package = package(folder.path());
    let listed = ok(Command::new("dpkg-deb").arg("--contents").arg(&package));
    for part in [
        "./usr/bin/addon-host",
        "./usr/lib/systemd/system/addon-host.service",
        "./usr/share/man/man1/addon-host-serve.1.gz",
        "./usr/share/bash-completion/completions/addon-host",
        "./usr/share/doc/addon-host/operations.md",
    ] {
        assert!(
            listed.lines().any(|line| line.ends_with(part)),
            "{part}: {listed}"
        );
    }

    let root = folder.path().join("root");
    std::fs::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
    std::fs::create_dir_all(root.join("var/lib/dpkg/updates")).unwrap();
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let said = dpkg(&root, &["--install"], &package);
    assert!(said.contains("does not run yet"), "{said}");
    let (keys, data) = (root.join("etc/addon-host"), root.join("var/lib/addon-host"));
    let key = keys.join("master.key");
    let first = std::fs::read_to_string(&key).unwrap();
    let about = std::fs::metadata(&key).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    assert_ne!(about.uid(), 0, "it is the service's own");
    for folder in [&keys, &data] {
        let about_folder = std::fs::metadata(folder).unwrap();
        assert_eq!(about_folder.permissions().mode() & 0o777, 0o700);
        assert_eq!(about_folder.uid(), about.uid());
    }
    let users = std::fs::read_to_string(root.join("etc/passwd")).unwrap();
    assert!(
        users
            .lines()
            .any(|line| line.starts_with("addon-host:") && line.ends_with("nologin"))
    );
    // Nobody is started who was not.
    assert!(
        !root
            .join("etc/systemd/system/multi-user.target.wants")
            .exists()
    );

    // The host takes the key that was made.
    let works = Command::new(root.join("usr/bin/addon-host"))
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg("--master-key-file")
        .arg(&key)
        .args(["master-key", "show"])
        .output()
        .unwrap();
    assert!(works.status.success(), "{}", told(&works));

    std::fs::write(data.join("addon-host.db"), "what nobody may lose").unwrap();
    std::fs::write(
        root.join("etc/default/addon-host"),
        "ADDON_HOST_OPTIONS=mine\n",
    )
    .unwrap();
    let said = dpkg(&root, &["--force-confold", "--install"], &package);
    assert!(
        !said.contains("does not run yet"),
        "an update is no news: {said}"
    );
    let kept = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert_eq!(
        kept(&root.join("etc/default/addon-host")),
        "ADDON_HOST_OPTIONS=mine\n"
    );
    for act in ["--remove", "--purge"] {
        dpkg(&root, &[act], Path::new("addon-host"));
        assert_eq!(kept(&key), first, "{act}");
        assert_eq!(
            kept(&data.join("addon-host.db")),
            "what nobody may lose",
            "{act}"
        );
        assert!(!root.join("usr/bin/addon-host").exists());
    }
}

#[test]
fn the_unit_is_one_that_systemd_understands() {
    if !has("systemd-analyze") {
        eprintln!("skipped: there is no systemd-analyze");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/debian/addon-host.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    let here = unit
        .replace("/usr/bin/addon-host", PROGRAM)
        .replace("Documentation=man:addon-host(1) ", "Documentation=");
    let file = folder.path().join("addon-host.service");
    std::fs::write(&file, here).unwrap();
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&file)
        .output()
        .unwrap();
    let complaints = told(&output);
    assert!(!complaints.contains("addon-host.service"), "{complaints}");
}

#[test]
fn systemd_is_told_when_the_host_is_up_that_it_is_well_and_that_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, data) = (folder.path().join("notify"), folder.path().join("data"));
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut host = Command::new(PROGRAM)
        .arg("--data")
        .arg(&data)
        .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "400000")
        .env_remove("WATCHDOG_PID")
        .env_remove("ADDON_HOST_DATABASE")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let hears = |wanted: &str| {
        let mut bytes = [0; 4096];
        loop {
            let length = manager.recv(&mut bytes).unwrap();
            if String::from_utf8_lossy(&bytes[..length])
                .lines()
                .any(|line| line == wanted)
            {
                return;
            }
        }
    };
    hears("READY=1");
    hears("WATCHDOG=1");
    hears("WATCHDOG=1");
    let left_open = || Store::was_left_open(&Store::default_url(&data));
    assert!(left_open(), "as long as it runs");
    ok(Command::new("kill").arg(host.id().to_string()));
    hears("STOPPING=1");
    assert!(host.wait().unwrap().success());
    // Else the next start takes it for a crash, and checks the whole database before it serves.
    assert!(!left_open());
    let mut log = String::new();
    std::io::Read::read_to_string(&mut host.stderr.take().unwrap(), &mut log).unwrap();
    for line in log.lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["level"].is_string());
    }
}

/// What a release says it is made of: every crate that is linked into the program, with its checksum, and nothing that only tests need.
#[test]
fn the_bill_of_materials_names_what_the_program_is_made_of() {
    if !has("python3") {
        println!("passed over: there is no python3");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/bill-of-materials");
    let told = ok(Command::new(script).arg("addon-host"));
    let bill: serde_json::Value = serde_json::from_str(&told).unwrap();
    let components = bill["components"].as_array().unwrap();
    let names: Vec<&str> = components
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    for linked in ["wasmtime", "tokio", "reqwest", "sqlx", "rustls"] {
        assert!(names.contains(&linked), "{linked} is missing");
    }
    for other in ["fantoccini", "askama_derive", "sandbox"] {
        assert!(!names.contains(&other), "{other} is not in the program");
    }
    for one in components {
        let checksum = one["hashes"][0]["content"].as_str();
        let is_own = one["name"].as_str().unwrap().starts_with("addon-");
        assert_eq!(checksum.map(str::len), (!is_own).then_some(64), "{one}");
        assert_eq!(one["purl"].is_null(), is_own, "{one}");
    }
}
