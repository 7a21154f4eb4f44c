//! Messages that services send to the host: proven by their signature, looked at as far as the manifest says, and queued.
//!
//! Nothing of a message is believed before its signature was checked over the raw bytes, and nothing of it is acted on here: the
//! scheduler begins a run with what waits. Beware: who has no secret learns nothing, not even whether there is such an installation.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Host, HostError};
use addon_manifest::{HookSpec, Manifest, SignatureScheme};
use addon_runs::Services;
use addon_settings::Settings;
use addon_store::{NewHookEvent, Queued, StoreError};
use addon_vault::Secret;

/// Longest name of a record that is kept with a message.
const LONGEST_RECORD: usize = 200;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// There is no such hook, or it is off.
    Unknown,
    /// Its signature is missing or wrong.
    Refused,
    /// It is signed, and no JSON.
    NoJson,
    /// A test of the connection.
    Ping,
    /// Of a kind that does not count.
    PassedOver,
    Known,
    Queued,
    Flood,
}

impl Host {
    /// Takes a message for a hook of an installation; `signature` finds a header's value by its name.
    pub async fn receive_hook(
        &self,
        installation: &str,
        hook: &str,
        header: impl Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Received, HostError> {
        let Some((spec, secret)) = self.open_hook(installation, hook).await? else {
            return Ok(Received::Unknown);
        };
        let parsed = |body| serde_json::from_slice::<Value>(body).ok();
        let signature = header(&spec.signature.header);
        if !signature.is_some_and(|signature| is_signed(&spec, &secret, &signature, body)) {
            // Short, so that nobody has the host parse what nobody signed.
            const LONGEST_PING: usize = 1000;
            let is_ping = body.len() <= LONGEST_PING
                && parsed(body).is_some_and(|message| is_ping(&spec, &message));
            return Ok(if is_ping {
                Received::Ping
            } else {
                Received::Refused
            });
        }
        let (Some(message), Ok(text)) = (parsed(body), std::str::from_utf8(body)) else {
            return Ok(Received::NoJson);
        };
        if is_ping(&spec, &message) {
            return Ok(Received::Ping);
        }
        if let Some(events) = &spec.events
            && !events.count(&at(&message, &events.at))
        {
            return Ok(Received::PassedOver);
        }
        let event = NewHookEvent {
            digest: &hex::encode(Sha256::digest(body)),
            record: &record(&spec, &message),
            body: text,
        };
        let Services { store, clock, .. } = &self.0.services;
        let queued = store
            .queue_event(installation, hook, event, clock.now())
            .await?;
        self.wake_scheduler();
        Ok(match queued {
            Queued::Waits => Received::Queued,
            Queued::Known => Received::Known,
            Queued::Flood => {
                tracing::warn!(
                    installation,
                    hook,
                    "too many messages wait: they are dropped, and a sync is due"
                );
                Received::Flood
            }
        })
    }

    /// `None`: there is no such hook, or its secret is not set.
    async fn open_hook(
        &self,
        installation: &str,
        hook: &str,
    ) -> Result<Option<(HookSpec, Secret)>, HostError> {
        let Services { store, vault, .. } = &self.0.services;
        let found = match store.installation(installation).await {
            Err(StoreError::Missing { .. }) => return Ok(None),
            found => found?,
        };
        let Some(version) = store.addon_of(&found).await? else {
            return Ok(None);
        };
        let manifest = Manifest::parse(&version.manifest)?;
        let Some(spec) = manifest.hook(hook).cloned() else {
            return Ok(None);
        };
        let settings = Settings::load(store, vault, &manifest, installation).await?;
        let secret = settings.secret(&spec.signature.secret).cloned();
        Ok(secret.map(|secret| (spec, secret)))
    }
}

/// Compares in constant time.
fn is_signed(spec: &HookSpec, secret: &Secret, signature: &str, body: &[u8]) -> bool {
    let Ok(signature) = hex::decode(signature.trim()) else {
        return false;
    };
    let key = secret.expose().as_bytes();
    match spec.signature.scheme {
        SignatureScheme::HmacSha1 => Hmac::<sha1::Sha1>::new_from_slice(key)
            .is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok()),
        SignatureScheme::HmacSha256 => Hmac::<Sha256>::new_from_slice(key)
            .is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok()),
    }
}

fn is_ping(spec: &HookSpec, message: &Value) -> bool {
    spec.ping
        .as_ref()
        .is_some_and(|(place, is)| at(message, place) == *is)
}

/// The text or number at a place; empty for anything else.
fn at(message: &Value, pointer: &str) -> String {
    match message.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// Empty where the message lacks one of the places: then it stands for itself.
fn record(spec: &HookSpec, message: &Value) -> String {
    let parts: Vec<String> = spec
        .record
        .iter()
        .map(|pointer| at(message, pointer))
        .collect();
    if parts.is_empty() || parts.iter().any(String::is_empty) {
        return String::new();
    }
    parts.join(" ").chars().take(LONGEST_RECORD).collect()
}
