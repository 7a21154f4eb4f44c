//! A throw-away PostgreSQL server for tests: one for each test process, in a folder of its own, on a Unix socket in that folder.
//!
//! It ends with the process that started it, however that ends: a shell stands between the two, and stops the server when its
//! standard input closes, which the kernel does for a process that was killed, too. Beware: PostgreSQL refuses to run as
//! root, so where the tests do, the server runs as `postgres`, or as `nobody`.

#![cfg(unix)]

use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The server that all tests of this process share, or none where PostgreSQL is not installed.
///
/// # Panics
/// Where there is none and `REQUIRE_POSTGRES` is `1`; where it is installed and does not start.
pub fn shared() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| programs().map(Server::start));
    if server.is_none() {
        let required = std::env::var("REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "PostgreSQL is not installed: scripts/setup does that"
        );
        eprintln!("skipped: PostgreSQL is not installed; scripts/setup does that");
    }
    server.as_ref()
}

pub struct Server {
    programs: PathBuf,
    folder: PathBuf,
    user: Option<Account>,
    /// The shell; its standard input is the server's life line.
    keeper: Child,
    databases: AtomicU32,
}

/// A user of the machine that is not root.
#[derive(Debug, Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

/// Longer than a slow machine takes to start one.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server, waits for its input to end, and takes the server and its folder away; where the input is `keep`, not the folder.
const KEEPER: &str = r#"
programs=$1 folder=$2 data=$3; shift 3
"$programs/postgres" -D "$data" "$@" </dev/null >"$folder/log" 2>&1 &
server=$!
said=$(cat)
kill -QUIT "$server"
wait "$server"
[ "$said" = keep ] || { cd / && rm -rf "$folder"; }
"#;

impl Server {
    /// Makes an empty cluster and starts a server on it.
    fn start(programs: PathBuf) -> Self {
        let user = is_root().then(unprivileged);
        // Not removed on drop: a static is never dropped, so the keeper does it.
        let folder = TempDir::with_prefix("pg").expect("a folder").keep();
        if let Some(Account { uid, gid }) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).expect("root may");
        }
        let data = folder.join("data");
        // The rules of a language, as operators' servers have them, which the store must not depend on.
        let languages: [&[&str]; 2] = [
            &["--locale-provider=icu", "--icu-locale=en"],
            &["--locale=C"],
        ];
        let mut said = String::new();
        let made = languages.iter().any(|language| {
            let output = as_user(user, &programs.join("initdb"))
                .args([
                    "--auth=trust",
                    "--username=host",
                    "--encoding=UTF8",
                    "--no-sync",
                ])
                .args(*language)
                .arg("-D")
                .arg(&data)
                .current_dir(&folder)
                .output()
                .expect("initdb runs");
            said = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success()
        });
        assert!(made, "initdb: {said}");
        let server = Self {
            folder: folder.clone(),
            user,
            keeper: keep(&programs, &folder, &data, user),
            programs,
            databases: AtomicU32::new(0),
        };
        server.wait();
        server
    }

    /// Until it answers.
    fn wait(&self) {
        let begun = Instant::now();
        while !self.ask("SELECT 1").status.success() {
            assert!(
                begun.elapsed() < PATIENCE,
                "the server does not start: {}",
                std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// One of a test's own, to be broken; none where PostgreSQL is not installed.
    pub fn alone() -> Option<Self> {
        programs().map(Self::start)
    }

    /// Has the server do something, as its administrator.
    ///
    /// # Panics
    /// Where it does not.
    pub fn order(&self, sql: &str) {
        let done = self.ask(sql);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{sql}: {said}");
    }

    /// A standby as it is now, which hears of nothing that is written from here on.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub fn make_standby(&self) {
        let standby = self.folder.join("standby");
        let made = as_user(self.user, &self.programs.join("pg_basebackup"))
            .args(["--username=host", "--checkpoint=fast", "--no-sync", "-D"])
            .arg(&standby)
            .arg("--host")
            .arg(&self.folder)
            .current_dir(&self.folder)
            .output()
            .expect("pg_basebackup runs");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "pg_basebackup: {said}");
        std::fs::write(standby.join("standby.signal"), "").expect("a file");
    }

    /// The server dies, and its standby is promoted and takes over its address.
    ///
    /// # Panics
    /// Where there is no standby.
    pub fn fail_over(&mut self) {
        let mut ear = self.keeper.stdin.take().expect("its life line");
        ear.write_all(b"keep").expect("it listens");
        drop(ear);
        self.keeper.wait().expect("it ends");
        let data = self.folder.join("standby");
        self.keeper = keep(&self.programs, &self.folder, &data, self.user);
        self.wait();
        self.order("SELECT pg_promote()");
    }

    /// The address of a new, empty database.
    pub fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let made = self.ask(&format!("CREATE DATABASE {name}"));
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let socket = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://host@{socket}/{name}")
    }

    /// A PgBouncer before this server, or none where it is not installed. `settings`: lines of its file, besides those of where it is.
    pub fn pooler(&self, settings: &str) -> Option<Pooler> {
        let program = pooler_program()?;
        let folder = TempDir::with_prefix("pgbouncer").expect("a folder");
        if let Some(Account { uid, gid }) = self.user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).expect("root may");
        }
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} user=host\n[pgbouncer]\nunix_socket_dir={}\nlisten_port=5432\nauth_type=any\n{settings}\n",
            self.folder.display(),
            folder.path().display()
        );
        std::fs::write(&file, text).expect("a file of settings");
        let child = as_user(self.user, &program)
            .arg(&file)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PgBouncer starts");
        let pooler = Pooler { child, folder };
        let begun = Instant::now();
        while !pooler.folder.path().join(".s.PGSQL.5432").exists() {
            assert!(begun.elapsed() < PATIENCE, "PgBouncer does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(pooler)
    }

    fn ask(&self, sql: &str) -> std::process::Output {
        as_user(self.user, &self.programs.join("psql"))
            .args([
                "--no-psqlrc",
                "--quiet",
                "--username=host",
                "--dbname=postgres",
                "--command",
                sql,
            ])
            .arg("--host")
            .arg(&self.folder)
            .current_dir(&self.folder)
            .output()
            .expect("psql runs")
    }
}

/// The shell with a server on that folder of data.
fn keep(programs: &Path, folder: &Path, data: &Path, user: Option<Account>) -> Child {
    as_user(user, Path::new("/bin/sh"))
        .args(["-c", KEEPER, "keeper"])
        .args([programs, folder, data])
        .args(["-c", "listen_addresses=", "-c", "max_connections=300", "-c"])
        .arg(format!("unix_socket_directories={}", folder.display()))
        // Only clients die in tests, never the machine.
        .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // Ctrl-C in a terminal is for the tests; the end of their process is what counts here.
        .process_group(0)
        .spawn()
        .expect("a shell")
}

/// Ends with this.
pub struct Pooler {
    child: Child,
    folder: TempDir,
}

impl Pooler {
    /// The address of a server's database, by way of the pooler.
    pub fn before(&self, database: &str) -> String {
        let name = database.rsplit('/').next().unwrap_or_default();
        let socket = self.folder.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://host@{socket}/{name}")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // One that ended by itself is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian keeps it off an ordinary user's path.
fn pooler_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.exists());
    if found.is_none() {
        eprintln!("skipped: PgBouncer is not installed");
    }
    found
}

/// Where the newest installed server's programs are: Debian keeps them off the path.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = debian
        .flatten()
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = found
        .into_iter()
        .rev()
        .map(|(_, folder)| folder)
        .chain(std::env::split_paths(&path));
    folders.find(|folder| {
        ["postgres", "initdb", "psql"]
            .iter()
            .all(|program| folder.join(program).exists())
    })
}

/// A program, as somebody who is not root.
fn as_user(user: Option<Account>, program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(Account { uid, gid }) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn is_root() -> bool {
    let own = std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own));
    own.is_ok_and(|uid| uid == 0)
}

fn unprivileged() -> Account {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let is_it = fields.next() == Some(name);
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            is_it.then_some(Account { uid, gid })
        })
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .expect("a machine has a user who is nobody")
}
