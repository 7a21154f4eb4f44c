//! One connection of one installation, to send through.

use std::sync::Arc;

use addon_host::clock::{Clock, SystemClock};
use addon_host::connections::cancellation::{CancellationSource, cancellation};
use addon_host::connections::{Access, Answer, By, Caller, Connections, Request, Rights};
use addon_host::manifest::Manifest;
use addon_host::settings::{Settings, validate};
use addon_host::store::{Fence, LeaseAnswer, Store};
use addon_host::vault::Vault;
use tempfile::TempDir;

use crate::fixtures::{install, start_run, store};

pub const PASSWORD: &str = "correct horse/battery";

/// The manifest of one connection, with its terms.
pub fn manifest(terms: &str) -> Manifest {
    let setting = |key: &str, kind: &str| {
        format!("[[settings]]\nkey = \"{key}\"\ntitle = \"{key}\"\ntype = \"{kind}\"\n")
    };
    let settings = [
        ("url", "url"),
        ("login", "text"),
        ("password", "secret"),
        ("key", "secret"),
    ];
    let settings = settings.map(|(key, kind)| setting(key, kind)).concat();
    let text = format!(
        r#"[addon]
id = "example"
version = "1.2.3"
title = "Example"
interface = "splynx:addon@1.0.0"
component = "example.wasm"
state = 3
[connections.books]
title = "Books"
base_url = "{{url}}api/"
hosts = ["{{url}}"]
counted_by = ["url", "login"]
{terms}
{settings}
[[jobs]]
id = "sync"
title = "Synchronise"
"#
    );
    Manifest::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

pub const BASIC: &str = r#"auth = [
  { type = "basic", user = "login", password = "password" }, { type = "query-key", name = "apikey", value = "{{{key}}}" }]
private_addresses = true
parallel = 4
"#;

/// One installation's way out.
pub struct Rig {
    pub store: Store,
    pub vault: Vault,
    pub manifest: Manifest,
    pub connections: Connections,
    pub address: String,
    pub _folder: TempDir,
}

impl Rig {
    pub async fn new(terms: &str, address: String) -> Self {
        let (store, folder) = store().await;
        install(&store, "isp").await;
        let vault = Vault::open(&folder.path().join("master.key")).unwrap();
        let connections = Connections::new(store.clone(), Arc::new(SystemClock));
        Self {
            store,
            vault,
            manifest: manifest(terms),
            connections,
            address,
            _folder: folder,
        }
    }

    pub async fn access(&self, password: &str) -> Arc<Access> {
        let values = [
            ("url", self.address.as_str()),
            ("login", "ann"),
            ("password", password),
            ("key", "SECRET-KEY"),
        ];
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let changes = validate(&self.manifest, &values).unwrap();
        let settings = Settings::default().with_changes(&self.manifest, &changes);
        Arc::new(
            Access::open(&self.store, &self.vault, &self.manifest, &settings, "isp")
                .await
                .unwrap(),
        )
    }

    pub async fn caller(&self, rights: Rights, password: &str) -> (Caller, CancellationSource) {
        let (canceller, cancellation) = cancellation();
        let access = self.access(password).await;
        (
            Caller {
                access,
                rights,
                by: By::Person,
                urgent: false,
                run: None,
                cancellation,
                usage: Arc::default(),
                tell: Arc::new(|_, _| {}),
            },
            canceller,
        )
    }

    /// Sends as a job's preview does, with the right password.
    pub async fn send(&self, requests: Vec<Request>) -> Vec<Answer> {
        let (caller, _halter) = self.caller(Rights::Read, PASSWORD).await;
        self.connections.send(&caller, requests).await
    }

    pub async fn fence(&self) -> Fence {
        let run = start_run(&self.store, "isp").await;
        match self
            .store
            .acquire_lease("isp", run, SystemClock.now())
            .await
            .unwrap()
        {
            LeaseAnswer::Acquired(fence) => fence,
            busy => panic!("{busy:?}"),
        }
    }
}

pub fn get(path: &str) -> Request {
    let texts = |text: &str| text.to_owned();
    Request {
        connection: texts("books"),
        effect: texts("read"),
        method: texts("GET"),
        path: texts(path),
        ..Request::default()
    }
}

pub fn code(answer: &Answer) -> (bool, &str) {
    let unanswered = answer.as_ref().unwrap_err();
    (unanswered.maybe_sent, unanswered.reason.code.as_str())
}

pub fn status(answer: &Answer) -> u16 {
    answer.as_ref().unwrap().status
}
