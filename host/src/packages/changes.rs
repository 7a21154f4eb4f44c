//! What a package asks for, and what changes where it takes the place of another: people agree to that before it runs.

use std::collections::BTreeSet;

use super::{Manifest, PackageError};
use crate::manifest::{AuthSpec, Connection};

/// What is different in a new version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// It may do more than before: a person has to agree.
    pub asks_for_more: Vec<String>,
    pub other: Vec<String>,
}

impl Changes {
    /// From one manifest of an add-on to another; none before: all that the new one asks for.
    pub fn between(before: Option<&Manifest>, next: &Manifest) -> Self {
        let mut changes = Self::default();
        for (name, connection) in &next.connections {
            match before.and_then(|before| before.connections.get(name)) {
                None => changes.asks_for_more.push(format!(
                    "the connection {name} ({}): to {}, with {}, {}",
                    connection.title,
                    list(&hosts(connection)),
                    list(&auth(connection)),
                    limits(connection)
                )),
                Some(known) => changes.of_connection(name, known, connection),
            }
        }
        let Some(before) = before else {
            return changes;
        };
        let gone = before.connections.keys();
        let gone = gone.filter(|name| !next.connections.contains_key(*name));
        changes
            .other
            .extend(gone.map(|name| format!("no connection {name} any more")));
        let settings = |manifest: &Manifest| {
            let settings = manifest.settings.iter().map(|spec| spec.key.clone());
            let mappings = manifest.mappings.iter().map(|spec| spec.key.clone());
            settings.chain(mappings).collect()
        };
        changes.of_names("setting", &settings(before), &settings(next));
        let jobs = |manifest: &Manifest| manifest.jobs.iter().map(|job| job.id.clone()).collect();
        changes.of_names("job", &jobs(before), &jobs(next));
        let pages =
            |manifest: &Manifest| manifest.pages.iter().map(|page| page.id.clone()).collect();
        changes.of_names("page", &pages(before), &pages(next));
        let (old, new) = (&before.addon, &next.addon);
        if old.interface != new.interface {
            let text = format!("interface {} in place of {}", new.interface, old.interface);
            changes.other.push(text);
        }
        if old.state != new.state {
            changes.other.push(format!(
                "stored state {} in place of {}: it is brought up to date with the next run",
                new.state, old.state
            ));
        }
        changes
    }

    fn of_connection(&mut self, name: &str, before: &Connection, next: &Connection) {
        let (old, new) = (hosts(before), hosts(next));
        for host in new.difference(&old) {
            let text = format!("{name}: requests to {host}");
            self.asks_for_more.push(text);
        }
        for host in old.difference(&new) {
            self.other.push(format!("{name}: none to {host} any more"));
        }
        let (old, new) = (auth(before), auth(next));
        if old != new {
            let text = format!("{name}: credentials sent as {}", list(&new));
            self.asks_for_more.push(text);
        }
        if next.private_addresses && !before.private_addresses {
            let text = format!("{name}: addresses of private networks");
            self.asks_for_more.push(text);
        }
        let day = |connection: &Connection| connection.per_day.unwrap_or(u32::MAX);
        if next.per_minute > before.per_minute || day(next) > day(before) {
            let text = format!("{name}: {} in place of {}", limits(next), limits(before));
            self.asks_for_more.push(text);
        } else if (next.per_minute, day(next)) != (before.per_minute, day(before)) {
            self.other.push(format!("{name}: {}", limits(next)));
        }
    }

    fn of_names(&mut self, what: &str, before: &BTreeSet<String>, next: &BTreeSet<String>) {
        let added = next.difference(before);
        self.other
            .extend(added.map(|name| format!("a new {what} {name}")));
        let gone = before.difference(next);
        self.other
            .extend(gone.map(|name| format!("no {what} {name} any more")));
    }
}

/// Whether a package may take the place of another of the same add-on. Going back to an earlier version is not an update: code that is
/// older than the stored state must be a person's decision. `highest`: the highest serial that was ever installed here.
pub fn may_replace(current: &Manifest, next: &Manifest, highest: u32) -> Result<(), PackageError> {
    let (current, next) = (&current.addon, &next.addon);
    let refused = |text: String| Err(PackageError::NoUpdate(text));
    if current.id != next.id {
        return refused(format!(
            "the package is of add-on `{}`, not `{}`",
            next.id, current.id
        ));
    }
    if next.version < current.version {
        return refused(format!(
            "version {} is installed, and {} is older; `addon rollback` goes back to what was installed here before",
            current.version, next.version
        ));
    }
    if next.serial < highest {
        return refused(format!(
            "its serial number {} is lower than {highest}, which was installed here: somebody may be passing off an old package as new",
            next.serial
        ));
    }
    if next.state < current.state {
        return refused(format!(
            "its state version {} is older than the installed {}",
            next.state, current.state
        ));
    }
    Ok(())
}

/// Where requests of a connection may go.
pub fn hosts(connection: &Connection) -> BTreeSet<&str> {
    connection.hosts.iter().map(|host| host.source()).collect()
}

/// How its credentials are sent.
pub fn auth(connection: &Connection) -> BTreeSet<&'static str> {
    let name = |auth: &AuthSpec| match auth {
        AuthSpec::Basic { .. } => "basic",
        AuthSpec::Bearer { .. } => "bearer",
        AuthSpec::QueryKey { .. } => "query-key",
        AuthSpec::SplynxSignature { .. } => "splynx-signature",
        AuthSpec::SplynxToken { .. } => "splynx-token",
    };
    connection.auth.iter().map(name).collect()
}

fn limits(connection: &Connection) -> String {
    let day = connection.per_day;
    let day = day.map_or("any number".to_owned(), |most| most.to_string());
    format!(
        "{} requests a minute and {day} a day",
        connection.per_minute
    )
}

fn list(names: &BTreeSet<&str>) -> String {
    let names: Vec<&str> = names.iter().copied().collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}
