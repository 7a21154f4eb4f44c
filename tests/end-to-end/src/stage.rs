//! The built programs, started against each other: `sandbox` for both services, `addon-host` with a data folder of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::{get, post_json};

pub struct Stage {
    folder: TempDir,
    installation: String,
    /// The host's data folder.
    data: PathBuf,
    /// The address of its database; `None`: SQLite in the data folder.
    database: Option<String>,
    sandbox: Child,
    size: String,
    /// For every command of the host.
    environment: Vec<(&'static str, String)>,
    pub splynx: String,
    pub sage: String,
}

/// How a command of the host ended.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Finished {
    /// # Panics
    /// Where the command failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }
}

/// The built component, or none where there is none; `scripts/test` insists on it.
pub fn component() -> Option<PathBuf> {
    built(std::env::var_os("ADDON_COMPONENT").map_or_else(
        || root().join("target/plugin/splynx-sageone.wasm"),
        Into::into,
    ))
}

/// The same of the template.
pub fn template() -> Option<PathBuf> {
    built(root().join("target/plugin/invoice-digest.wasm"))
}

fn built(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("REQUIRE_COMPONENT").is_ok_and(|value| value == "1");
    assert!(!required, "there is no component at {}", path.display());
    eprintln!(
        "skipped: no component at {}; scripts/build-plugin makes it",
        path.display()
    );
    None
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read");
        // Folders hold what a host can make again.
        if entry.path().is_dir() {
            continue;
        }
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
    }
}

/// A program of the workspace, beside the test's own.
fn program(name: &str) -> Command {
    let test = std::env::current_exe().expect("a test knows itself");
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("target/PROFILE/deps");
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is not built: cargo build -p addon-host -p sandbox",
        path.display()
    );
    Command::new(path)
}

impl Stage {
    /// Both services for a provider, and an empty host.
    pub fn new(size: &str) -> Self {
        Self::with(size, &[])
    }

    /// As [`Stage::new`], and Sage already holds what Splynx holds, as another add-on would have left it.
    pub fn in_step(size: &str) -> Self {
        Self::with(size, &["--in-step"])
    }

    /// As [`Stage::new`], and both services behave as a file of answers says.
    pub fn behaving(size: &str, answers: &Value) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), answers.to_string()).expect("a file");
        Self::with(size, &["--as", &file.path().to_string_lossy()])
    }

    fn with(size: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sandbox = program("sandbox")
            .args(["serve", "--splynx", "127.0.0.1:0", "--sage", "127.0.0.1:0"])
            .args(["--isp", size, "--seed", "1", "--limits", "off"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sandbox starts");
        let out = sandbox.stdout.take().expect("its output is piped");
        let (mut splynx, mut sage) = (String::new(), String::new());
        for line in BufReader::new(out).lines() {
            let line = line.expect("text");
            match line.split_once(' ') {
                Some(("splynx", address)) => splynx = address.to_owned(),
                Some(("sage", address)) => sage = address.to_owned(),
                _ if line == "ready" => break,
                _ => {}
            }
        }
        Self {
            data: folder.path().join("data"),
            installation: "isp".to_owned(),
            database: None,
            folder,
            sandbox,
            size: size.to_owned(),
            environment: Vec::new(),
            splynx,
            sage,
        }
    }

    /// Both services for one more provider of the same host.
    #[must_use]
    pub fn beside(&self, size: &str, installation: &str) -> Self {
        let mut other = Self::new(size);
        installation.clone_into(&mut other.installation);
        other.data.clone_from(&self.data);
        other.database.clone_from(&self.database);
        other
    }

    /// The same with the host on another database.
    #[must_use]
    pub fn on_database(mut self, url: &str) -> Self {
        self.database = Some(url.to_owned());
        self
    }

    /// The host's data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A command of the host.
    pub fn host(&self, arguments: &[&str]) -> Finished {
        self.host_with_input(arguments, "")
    }

    /// The host's program with this stage's data folder, to be started.
    pub fn host_command(&self) -> Command {
        self.host_command_in(&self.data)
    }

    /// The same with another data folder.
    pub fn host_command_in(&self, data: &Path) -> Command {
        let mut command = program("addon-host");
        command.arg("--data").arg(data);
        if let Some(database) = &self.database {
            command.args(["--database", database]);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Sets a variable for every command of the host from now on.
    pub fn set_environment(&mut self, name: &'static str, value: &str) {
        self.environment.push((name, value.to_owned()));
    }

    /// Keeps a copy of the data folder, for [`Stage::begin_again`]. No host may be running.
    pub fn keep(&self) {
        copy_folder(self.data(), &self.folder.path().join("kept"));
    }

    /// Makes both services and the data folder as they were: at the start, and when they were kept.
    pub fn begin_again(&self) {
        std::fs::remove_dir_all(self.data()).expect("the data folder can be removed");
        copy_folder(&self.folder.path().join("kept"), self.data());
        for origin in self.origins() {
            let answer = post_json(&format!("{origin}/_sandbox/reset"), &Value::Null);
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }

    /// A change on Splynx's own screens, as the sandbox's `edit` takes it.
    pub fn edit_splynx(&self, change: &Value) -> Value {
        self.edit(0, change)
    }

    /// A change on Sage's own screens.
    pub fn edit_sage(&self, change: &Value) -> Value {
        self.edit(1, change)
    }

    /// What goes wrong with both services from now on, as the sandbox takes it.
    pub fn plan_faults(&self, plan: &Value) {
        let [origin, _] = self.origins();
        let answer = post_json(&format!("{origin}/_sandbox/faults"), plan);
        assert_eq!(answer.status, 200, "{plan}: {answer:?}");
    }

    fn edit(&self, service: usize, change: &Value) -> Value {
        let origin = &self.origins()[service];
        let answer = post_json(&format!("{origin}/_sandbox/edit"), change);
        assert_eq!(answer.status, 200, "{change}: {answer:?}");
        answer.json()
    }

    /// Requests that both services were sent so far.
    pub fn requests(&self) -> u64 {
        [self.splynx_state(), self.sage_state()]
            .iter()
            .filter_map(|state| state["requests"]["total"].as_u64())
            .sum()
    }

    /// Splynx's and Sage's, without a path.
    fn origins(&self) -> [String; 2] {
        let origin = |address: &str| {
            let host = address.strip_prefix("http://").expect("a plain address");
            format!("http://{}", host.split('/').next().unwrap_or_default())
        };
        [origin(&self.splynx), origin(&self.sage)]
    }

    /// A command that reads something.
    pub fn host_with_input(&self, arguments: &[&str], input: &str) -> Finished {
        let mut child = self
            .host_command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the host starts");
        let mut stdin = child.stdin.take().expect("its input is piped");
        stdin
            .write_all(input.as_bytes())
            .expect("it reads its input");
        drop(stdin);
        let output = child.wait_with_output().expect("the host ends");
        Finished {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// A file in the stage's folder.
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, content).expect("a file");
        path.to_string_lossy().into_owned()
    }

    /// The add-on's manifest, of another version.
    pub fn manifest(version: &str) -> String {
        let text = std::fs::read_to_string(root().join("plugin/addon.toml")).expect("the manifest");
        text.replace("version = \"0.1.0\"", &format!("version = \"{version}\""))
    }

    /// The key that the stage's packages are signed with; the host trusts it.
    fn signing_key(&self) -> String {
        let key = self.folder.path().join("makers.key");
        let key = key.to_string_lossy().into_owned();
        if !std::fs::exists(&key).expect("the folder") {
            self.host(&["addon", "keygen", "--no-password", "-o", &key])
                .ok();
            self.host(&["addon", "trust", &format!("{key}.pub"), "--name", "makers"])
                .ok();
        }
        key
    }

    /// Packs and signs a manifest with a component; answers how that ended, and the package's path.
    pub fn pack(&self, name: &str, manifest: &str, component: &[u8]) -> (Finished, String) {
        self.file(&format!("{name}/addon.toml"), manifest.as_bytes());
        let part = manifest
            .lines()
            .find_map(|line| line.strip_prefix("component = "));
        let part = part
            .expect("the manifest names its component")
            .trim_matches('"');
        self.file(&format!("{name}/{part}"), component);
        let folder = self.folder.path().join(name);
        let package = self.folder.path().join(format!("{name}.addon"));
        let (folder, package) = (
            folder.to_string_lossy(),
            package.to_string_lossy().into_owned(),
        );
        (
            self.host(&[
                "addon",
                "pack",
                &folder,
                "-o",
                &package,
                "--sign",
                &self.signing_key(),
            ]),
            package,
        )
    }

    /// Installs the add-on and sets an installation `isp` up for the provider, as `scripts/demo` does.
    pub fn set_up(&self, component: &[u8]) {
        self.set_up_as(&Self::manifest("0.1.0"), component);
    }

    /// The same, with another manifest.
    pub fn set_up_as(&self, manifest: &str, component: &[u8]) {
        self.install(manifest, component);
        self.set_up_installation(6000);
    }

    /// The add-on alone, without an installation.
    pub fn install(&self, manifest: &str, component: &[u8]) {
        let (packed, package) = self.pack("first", manifest, component);
        packed.ok();
        self.host(&["addon", "install", &package, "--yes"]).ok();
    }

    /// The installation alone, where the add-on is there already; `per_minute`: most requests to each service.
    pub fn set_up_installation(&self, per_minute: u32) {
        self.make_installation(per_minute);
        let name = self.installation.as_str();
        for line in self.isp("--secrets").lines() {
            let (key, value) = line.split_once('=').expect("KEY=VALUE");
            self.set_secret(key, value);
        }
        let (splynx, sage) = (
            format!("splynx_api_domain={}", self.splynx),
            format!("sage_api_url={}", self.sage),
        );
        let setup = self.isp("--setup");
        let mut arguments = vec!["settings", name, "set", &splynx, &sage];
        arguments.extend(setup.lines());
        self.host(&arguments).ok();
    }

    /// An installation without any settings, which may reach this machine.
    pub fn make_installation(&self, per_minute: u32) {
        let name = self.installation.as_str();
        self.host(&["installation", "create", name, "--addon", "splynx-sageone"])
            .ok();
        self.widen(per_minute);
    }

    /// Lets the installation send its requests to this machine, and as many as that.
    pub fn widen(&self, per_minute: u32) {
        let name = self.installation.as_str();
        let (per_minute, burst) = (
            format!("per-minute={per_minute}"),
            format!("burst={}", per_minute.div_ceil(6)),
        );
        let limits = [per_minute.as_str(), "per-day=1000000", burst.as_str()];
        self.host(
            &[
                &["connection", name, "sage", "set", "allow-host=127.0.0.1"],
                &limits[..],
            ]
            .concat(),
        )
        .ok();
        self.host(&["connection", name, "splynx", "set", &per_minute, &burst])
            .ok();
    }

    pub fn set_secret(&self, key: &str, value: &str) -> Finished {
        self.host_with_input(&["settings", &self.installation, "set-secret", key], value)
    }

    /// What the sandbox says of the provider.
    pub fn isp(&self, what: &str) -> String {
        let output = program("sandbox")
            .args(["isp", "--size", &self.size, "--seed", "1", what])
            .output()
            .expect("the sandbox runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Asks the stage's Splynx what `sandbox verify` asks; the path of the file of answers.
    pub fn ask_splynx(&self) -> String {
        let secrets = self.file("secrets", self.isp("--secrets").as_bytes());
        let answers = self.folder.path().join("answers.json");
        let answers = answers.to_string_lossy().into_owned();
        let output = program("sandbox")
            .args(["verify", "--splynx", &self.splynx, "--secrets", &secrets])
            .args(["-o", &answers])
            .output()
            .expect("the sandbox runs");
        assert!(output.status.code().is_some_and(|code| code < 2));
        answers
    }

    /// Everything that Sage holds, and what it was asked.
    pub fn sage_state(&self) -> Value {
        let origin = self.sage.split("/api/").next().expect("an address");
        get(&format!("{origin}/_sandbox/state"), "").json()
    }

    pub fn splynx_state(&self) -> Value {
        get(&format!("{}_sandbox/state", self.splynx), "").json()
    }

    /// Ends both services at once.
    pub fn stop_services(&mut self) {
        // Already gone is as good.
        let _ = self.sandbox.kill();
        let _ = self.sandbox.wait();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop_services();
    }
}
