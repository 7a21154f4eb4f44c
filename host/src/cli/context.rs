//! What every command works with: where the data is, how to print, who is asking.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use addon_host::clock::{Clock, SystemClock};
use addon_host::host::{Host, HostConfig};
use addon_host::manifest::Manifest;
use addon_host::runs::Limits;
use addon_host::store::{Author, Installation, Store};
use addon_host::vault::KeySource;
use anyhow::{Context as _, Result, anyhow};
use chrono::{DateTime, Utc};

use super::Global;
use super::output::Output;

/// How long a database that something still works on is waited for at the end.
const CLOSING: Duration = Duration::from_secs(5);

pub struct Context {
    data_dir: PathBuf,
    database_url: String,
    master_key: KeySource,
    limits: Limits,
    /// What [`close`](Self::close) closes.
    opened: Mutex<Vec<Store>>,
    pub output: Output,
}

impl Context {
    pub fn new(global: Global) -> Result<Self> {
        let data_dir = global
            .data
            .or_else(platform_data_dir)
            .ok_or_else(|| anyhow!("there is no data folder: name one with --data DIR"))?;
        let database_url = global
            .database
            .unwrap_or_else(|| Store::default_url(&data_dir));
        let master_key = KeySource::find(global.master_key_file, &data_dir);
        Ok(Self {
            data_dir,
            master_key,
            database_url,
            limits: Limits {
                lease: Duration::from_secs(global.lease_seconds),
                ..Limits::default()
            },
            opened: Mutex::default(),
            output: Output { json: global.json },
        })
    }

    /// The database alone, for commands that run nothing.
    pub async fn store(&self) -> Result<Store> {
        make_private(&self.data_dir)?;
        let store = Store::open(&self.database_url).await?;
        self.keep(&store);
        Ok(store)
    }

    /// The whole host.
    pub async fn host(&self) -> Result<Host> {
        make_private(&self.data_dir)?;
        let (data_dir, database_url) = (self.data_dir.clone(), self.database_url.clone());
        let config = HostConfig {
            data_dir,
            database_url,
        };
        let (clock, limits) = (Arc::new(SystemClock), self.limits.clone());
        let host = Host::open_keyed(config, self.master_key.clone(), clock, limits).await?;
        self.keep(host.store());
        Ok(host)
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    fn keep(&self, store: &Store) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.push(store.clone());
    }

    /// Closes what was opened; else SQLite leaves its log behind, and the next start takes that for a crash.
    pub async fn close(self) {
        let opened = self.opened.into_inner();
        for store in opened.unwrap_or_else(PoisonError::into_inner) {
            if tokio::time::timeout(CLOSING, store.close()).await.is_err() {
                tracing::debug!("the database is still used; it is left open");
            }
        }
    }

    /// Where the database is, and the folder for what belongs to it.
    pub fn place(&self) -> Result<(&str, &Path)> {
        make_private(&self.data_dir)?;
        Ok((&self.database_url, &self.data_dir))
    }

    /// Where the master key is.
    pub fn master_key(&self) -> &KeySource {
        &self.master_key
    }

    /// Whether the database was not closed when it was used last.
    pub fn was_left_open(&self) -> bool {
        Store::was_left_open(&self.database_url)
    }

    pub fn now(&self) -> DateTime<Utc> {
        SystemClock.now()
    }

    /// Who changes something now.
    pub fn author(&self) -> Author {
        Author::new(self.actor(), self.now())
    }

    /// Who changes something, for the record.
    pub fn actor(&self) -> String {
        let user = std::env::var("USER").or_else(|_| std::env::var("USERNAME"));
        match user {
            Ok(user) if !user.is_empty() => format!("{user} (command line)"),
            _ => "command line".to_owned(),
        }
    }
}

/// An installation with the manifest that its next run would use.
pub async fn installed(store: &Store, name: &str) -> Result<(Installation, Manifest)> {
    let installation = store.installation(name).await?;
    let version = store
        .addon_of(&installation)
        .await?
        .ok_or_else(|| anyhow!("add-on `{}` is not installed", installation.addon))?;
    Ok((installation, Manifest::parse(&version.manifest)?))
}

/// Makes the folder, for its owner alone: it holds the master key.
fn make_private(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .with_context(|| format!("the data folder {} cannot be made", folder.display()))
}

fn platform_data_dir() -> Option<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")))
    };
    base.map(|base| base.join("addon-host"))
}
