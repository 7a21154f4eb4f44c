//! What several tests need: an instant, a manifest, a store in a folder of its own, a database of either kind, an installation
//! with a lease.

use addon_host::manifest::Manifest;
use addon_host::store::{
    Author, Fence, GuestLimits, LeaseAnswer, NewAddonVersion, NewInstallation, NewRun, Store,
    Trigger,
};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

/// Any instant will do; milliseconds are what the store keeps.
pub fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

/// Somebody who changes something, then.
pub fn by(at: DateTime<Utc>) -> Author {
    Author::new("test", at)
}

/// A small manifest with one of everything.
pub const MANIFEST: &str = r#"[addon]
id = "example"
version = "1.2.3"
title = "Example"
interface = "splynx:addon@1.0.0"
component = "example.wasm"
state = 3

[connections.books]
base_url = "{books_url}api/"
hosts = ["books.example", "{books_url}"]
auth = [
  { type = "basic", user = "login", password = "password" },
  { type = "query-key", name = "apikey", value = "{{{api_key}}}" },
]
counted_by = ["login", "api_key"]
per_minute = 90
per_day = 4500

[[settings]]
key = "books_url"
title = "Address"
type = "url"
required = true

[[settings]]
key = "login"
title = "Login"
type = "text"
required = true

[[settings]]
key = "password"
title = "Password"
type = "secret"
required = true

[[settings]]
key = "api_key"
title = "Key"
type = "secret"

[[settings]]
key = "company"
title = "Company"
type = "fetched"
choices = "companies"

[[settings]]
key = "every"
title = "Minutes"
type = "number"
min = 5
max = 1440
default = "15"

[[settings]]
key = "zone"
title = "Time zone"
type = "text"
default = "Africa/Johannesburg"

[[settings]]
key = "automatic"
title = "Automatic"
type = "toggle"
default = "off"

[[settings]]
key = "from"
title = "From"
type = "date"

[[settings]]
key = "grouping"
title = "Grouping"
type = "choice"
options = [{ value = "month", title = "By month" }, { value = "day", title = "By day" }]
default = "month"

[[settings]]
key = "partners"
title = "Partners"
type = "choices"
choices = "partners"

[[mappings]]
key = "item"
title = "Items"
rows = "categories"
choices = "items"

[[jobs]]
id = "sync"
title = "Synchronise"
preview = true

[[schedules]]
job = "sync"
every_minutes = "every"
time_zone = "zone"
when_any = ["automatic"]

[[pages]]
id = "outbox"
title = "Waiting"
columns = ["Kind", "Reason"]

[[reports]]
id = "plan"
title = "Plan"
columns = ["Act"]
"#;

pub fn manifest() -> Manifest {
    Manifest::parse(MANIFEST).unwrap()
}

/// A store on a new file, with the folder that must outlive it.
pub async fn store() -> (Store, TempDir) {
    let folder = folder();
    (
        Store::open(&Store::default_url(folder.path()))
            .await
            .unwrap(),
        folder,
    )
}

/// Its name needs encoding in an address.
pub fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("host ä%?#")
        .tempdir()
        .unwrap()
}

/// A new, empty database. Each store opened on it stands for a process.
pub struct Database {
    pub url: String,
    /// Of SQLite's file.
    pub folder: Option<TempDir>,
}

impl Database {
    pub fn sqlite() -> Self {
        let folder = folder();
        Self {
            url: Store::default_url(folder.path()),
            folder: Some(folder),
        }
    }

    /// `None`: PostgreSQL is not installed, and the test is skipped.
    pub fn postgres() -> Option<Self> {
        Some(Self {
            url: postgres_server::shared()?.database(),
            folder: None,
        })
    }

    pub async fn store(&self) -> Store {
        self.store_with(GuestLimits::default()).await
    }

    pub async fn store_with(&self, limits: GuestLimits) -> Store {
        Store::open_with(&self.url, limits).await.unwrap()
    }

    /// The database without the store, for looking at it and for damaging it.
    pub async fn raw(&self) -> sqlx::AnyPool {
        sqlx::any::install_default_drivers();
        sqlx::AnyPool::connect(&self.url).await.unwrap()
    }
}

/// Runs tests that take a [`Database`] on both: `name::on_sqlite`, `name::on_postgresql`.
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$test($crate::fixtures::Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgresql() {
                if let Some(database) = $crate::fixtures::Database::postgres() {
                    super::$test(database).await;
                }
            }
        }
    )+};
}
pub(crate) use on_both_databases;

/// Installs the example add-on and makes an installation of it.
pub async fn install(store: &Store, name: &str) {
    let version = NewAddonVersion {
        addon: "example",
        version: "1.2.3",
        sha256: "abc",
        manifest: MANIFEST,
        package: b"bytes",
        serial: 1,
        signature: "",
        signed_by: "",
        installed_by: "test",
    };
    store.activate_addon(version, at(0)).await.unwrap();
    let new = NewInstallation {
        name,
        addon: "example",
        created_on: at(0).date_naive(),
        state: 3,
    };
    store.create_installation(new, &by(at(0))).await.unwrap();
}

pub async fn start_run(store: &Store, installation: &str) -> i64 {
    let run = NewRun {
        installation,
        job: "sync",
        trigger: Trigger::Person,
        actor: "ann",
        preview: false,
        package_sha256: "abc",
        options: &[],
        whole_options: None,
    };
    store.insert_run(run, at(0)).await.unwrap()
}

/// An installation with a run that holds its lease.
pub async fn leased(store: &Store, installation: &str) -> Fence {
    install(store, installation).await;
    let run = start_run(store, installation).await;
    match store.acquire_lease(installation, run, at(0)).await.unwrap() {
        LeaseAnswer::Acquired(fence) => fence,
        busy => panic!("a new installation has no lease: {busy:?}"),
    }
}
