//! `addon keygen`, `addon trust`, `addon distrust`, and signing.

use std::io::Write;
use std::path::Path;

use addon_host::packages::{PublicKey, SecretKey, make_keys, split};
use addon_host::store::TrustedKey;
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use zeroize::Zeroizing;

use super::super::context::Context;
use super::super::output::{instant, table};
use super::super::secret_input;

/// How a secret key begins that is under no password: the algorithm by which its password becomes a key is zero (minisign's format).
const NO_PASSWORD: &str = "RWQAA";

pub fn make(context: &Context, file: &Path, no_password: bool) -> Result<()> {
    let public_file = file.with_added_extension("pub");
    for file in [file, &public_file] {
        ensure!(
            !file.exists(),
            "{} is there already: keep it, or choose another name with -o",
            file.display()
        );
    }
    let password = match no_password {
        true => None,
        false => {
            let password = Zeroizing::new(secret_input::read()?);
            ensure!(
                !password.is_empty(),
                "no password was given on standard input; --no-password makes a key without one"
            );
            Some(password)
        }
    };
    let keys = make_keys(password.as_ref().map(|password| password.as_str()))?;
    let secret = Zeroizing::new(keys.secret);
    private(file, secret.as_bytes())?;
    super::write(&public_file, keys.public.as_bytes())?;
    let (id, line) = (keys.key.id(), keys.key.line());
    let json = json!({
        "key": id, "public_key": line, "secret_file": file.display().to_string(),
        "public_file": public_file.display().to_string(),
    });
    context.output.show(json, || {
        format!(
            "The secret key is in {}: keep it where nobody else can read it, and a copy in a safe place.\n\
             Operators trust your packages with: addon-host addon trust {line} --name YOURS",
            file.display()
        )
    })?;
    Ok(())
}

/// The archive behind a new signature of its makers.
pub fn sign(archive: &[u8], key: &Path) -> Result<Vec<u8>> {
    let package = addon_host::packages::read(archive)?;
    let text = std::fs::read_to_string(key);
    let text = Zeroizing::new(text.with_context(|| format!("{} cannot be read", key.display()))?);
    let is_open = text
        .lines()
        .nth(1)
        .is_some_and(|line| line.starts_with(NO_PASSWORD));
    let password = match is_open {
        true => None,
        false => Some(Zeroizing::new(secret_input::read()?)),
    };
    let key = SecretKey::read(&text, password.as_ref().map(|password| password.as_str()))?;
    let addon = &package.manifest.addon;
    let comment = format!("{} {} serial {}", addon.id, addon.version, addon.serial);
    let signed = key.sign(archive, &comment)?.before(archive);
    // What goes out has been read back.
    split(&signed)?;
    Ok(signed)
}

/// The text of a key that was given as itself, or as its file.
pub fn text_of_key(key: &str) -> String {
    std::fs::read_to_string(key).unwrap_or_else(|_| key.to_owned())
}

pub async fn trust(context: &Context, key: &str, name: &str) -> Result<()> {
    let key = PublicKey::read(&text_of_key(key))?;
    let name = if name.is_empty() { "unnamed" } else { name };
    let trusted = TrustedKey {
        id: key.id(),
        public_key: key.line(),
        name: name.to_owned(),
        added_at: context.now(),
        added_by: context.actor(),
    };
    context.store().await?.trust(&trusted).await?;
    let json = json!({ "trusted": trusted.id, "name": trusted.name });
    context.output.show(json, || {
        format!(
            "Packages signed with the key {} ({name}) are trusted now.",
            trusted.id
        )
    })?;
    Ok(())
}

pub async fn distrust(context: &Context, id: &str) -> Result<()> {
    let store = context.store().await?;
    store.distrust(id, &context.author()).await?;
    context.output.show(json!({ "distrusted": id }), || {
        format!("The key {id} is no longer trusted; what was installed with it goes on running.")
    })?;
    Ok(())
}

pub async fn list(context: &Context) -> Result<()> {
    let keys = context.store().await?.trusted_keys().await?;
    let json = keys.iter().map(|key| {
        json!({
            "key": key.id, "name": key.name, "public_key": key.public_key,
            "added_at": instant(key.added_at), "added_by": key.added_by,
        })
    });
    context.output.show(json.collect(), || {
        let rows = keys.iter().map(|key| {
            [
                key.id.clone(),
                key.name.clone(),
                instant(key.added_at),
                key.added_by.clone(),
            ]
        });
        table(
            &["key", "of", "since", "by"],
            rows,
            "No key is trusted: `addon trust KEY --name MAKERS`.",
        )
    })?;
    Ok(())
}

/// A new file for its owner's eyes.
fn private(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = || format!("{} cannot be written", file.display());
    let mut opened = options.open(file).with_context(failed)?;
    opened.write_all(bytes).with_context(failed)?;
    opened.sync_all().with_context(failed)
}
