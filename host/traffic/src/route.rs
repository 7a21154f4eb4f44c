//! The connections of one installation, resolved: where they lead, with which credentials, on what terms.
//!
//! Resolved once for each run from manifest, settings and what the operator changed. A connection that cannot be used is
//! kept as the reason why, which is answered to whoever asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::address::{Allowed, Base};
use super::auth::Credential;
use super::egress::Terms;
use super::governor::Limits;
use super::redact::Redactor;
use addon_manifest::{Connection, Manifest};
use addon_settings::Settings;
use addon_store::{ConnectionOverride, Failure, Store, StoreError};
use addon_vault::Vault;

/// One usable connection.
#[derive(Debug)]
pub struct Route {
    /// As the manifest names it.
    pub name: String,
    /// As people call it.
    pub title: String,
    pub base: Base,
    pub credentials: Vec<Credential>,
    /// Paths to which a POST reads.
    pub reads: BTreeSet<String>,
    /// Changes exactly when the credentials do.
    pub fingerprint: String,
    /// Names the budget that is shared with all who are counted together.
    pub bucket: String,
    /// Names the budget of this machine as a sender to that address: some blocks are for it as a whole.
    pub sender: String,
    /// Names the counter of nonces.
    pub nonces: String,
    pub limits: Limits,
    /// Requests in flight at once.
    pub parallel: usize,
    /// For one request, from connecting to the last byte of the answer.
    pub timeout: Duration,
    pub max_response_bytes: usize,
}

/// All connections of an installation, and what must never be seen of them.
#[derive(Debug)]
pub struct Access {
    routes: BTreeMap<String, Result<Arc<Route>, Failure>>,
    settle_seconds: BTreeMap<String, u32>,
    redactor: Redactor,
}

impl Access {
    pub async fn open(
        store: &Store,
        vault: &Vault,
        manifest: &Manifest,
        settings: &Settings,
        installation: &str,
    ) -> Result<Self, StoreError> {
        let mut routes = BTreeMap::new();
        let mut settle_seconds = BTreeMap::new();
        for (name, connection) in &manifest.connections {
            let changed = store.connection_override(installation, name).await?;
            settle_seconds.insert(
                name.clone(),
                changed.settle_seconds.unwrap_or(connection.settle_seconds),
            );
            let route = Route::resolve(name, connection, settings, vault, &changed);
            routes.insert(name.clone(), route.map(Arc::new));
        }
        let derived = routes
            .values()
            .flatten()
            .flat_map(|route| &route.credentials)
            .flat_map(Credential::derived);
        let derived: Vec<_> = derived.collect();
        let redactor = Redactor::new(settings.secrets().chain(&derived));
        Ok(Self {
            routes,
            settle_seconds,
            redactor,
        })
    }

    /// The connection of that name; `None`: the manifest has no such connection.
    pub fn route(&self, name: &str) -> Option<&Result<Arc<Route>, Failure>> {
        self.routes.get(name)
    }

    /// By connection: seconds after which a request cannot still be in flight.
    pub fn settle_seconds(&self) -> &BTreeMap<String, u32> {
        &self.settle_seconds
    }

    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

/// The part of the day's requests that is kept for people where neither manifest nor operator says how many.
const USUAL_RESERVE: u32 = 10;

impl Limits {
    /// The manifest's terms, where the operator did not change them.
    pub fn of(declared: &Connection, changed: &ConnectionOverride) -> Self {
        let per_day = changed.per_day.or(declared.per_day);
        let tenth = per_day.map_or(0, |day| day.div_ceil(USUAL_RESERVE));
        Self {
            per_minute: changed.per_minute.unwrap_or(declared.per_minute),
            per_day,
            reserve: changed.reserve.or(declared.reserve).unwrap_or(tenth),
            burst: changed.burst.unwrap_or(declared.burst),
            rest_seconds: declared.rest_after_429_seconds,
        }
    }
}

impl Route {
    pub fn terms(&self) -> Terms {
        Terms {
            reach: self.base.reach(),
            timeout: self.timeout,
            max_response_bytes: self.max_response_bytes,
        }
    }

    pub fn resolve(
        name: &str,
        connection: &Connection,
        settings: &Settings,
        vault: &Vault,
        changed: &ConnectionOverride,
    ) -> Result<Self, Failure> {
        let missing = |key: String| {
            let message = format!(
                "{} is not set up: the setting `{key}` is missing.",
                connection.title
            );
            Failure::new("not-configured", message).with("setting", key)
        };
        let address = settings.render(&connection.base_url).map_err(missing)?;
        let hosts = connection
            .hosts
            .iter()
            .map(|host| Ok(settings.render(host)?.expose().to_owned()));
        let hosts = hosts.collect::<Result<Vec<_>, String>>().map_err(missing)?;
        let allowed = Allowed {
            manifest: &hosts,
            operator: &changed.allow_hosts,
            private: connection.private_addresses,
        };
        let base = Base::check(address.expose(), allowed).map_err(|error| {
            let code = if error.is_about_host() {
                "forbidden-host"
            } else {
                "not-configured"
            };
            Failure::new(
                code,
                format!(
                    "The address of {} cannot be used: {error}.",
                    connection.title
                ),
            )
        })?;
        let credentials = Credential::resolve(&connection.auth, settings).map_err(missing)?;
        let key = credentials.iter().find_map(Credential::nonce_key);
        let nonces = vault.fingerprint("nonce", [base.authority()].into_iter().chain(key));
        Ok(Self {
            name: name.to_owned(),
            title: connection.title.clone(),
            fingerprint: settings.credentials_fingerprint(vault, connection),
            bucket: settings.budget_key(vault, base.authority(), name, connection),
            sender: format!("sender {}", base.authority()),
            nonces,
            limits: Limits::of(connection, changed),
            base,
            credentials,
            reads: connection.reads.iter().cloned().collect(),
            parallel: usize::try_from(connection.parallel.max(1)).unwrap_or(1),
            timeout: Duration::from_secs(
                changed
                    .timeout_seconds
                    .unwrap_or(connection.timeout_seconds)
                    .into(),
            ),
            max_response_bytes: usize::try_from(match changed.answer_mib {
                Some(mebibytes) => u64::from(mebibytes) << 20,
                None => connection.max_response_bytes,
            })
            .unwrap_or(usize::MAX),
        })
    }
}
