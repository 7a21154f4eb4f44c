//! What a package asks for, and what changes where it takes the place of another: people agree to that before it runs.

use std::collections::BTreeSet;

use super::measure::Difference;
use super::terms::{Term, Terms, secrets, terms};
use super::{Manifest, PackageError};
use addon_manifest::{AuthSpec, Connection};

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
        let known = before.map(terms).unwrap_or_default();
        let wanted = terms(next);
        changes.of_terms(&known, &wanted);
        let Some(before) = before else {
            return changes;
        };
        let (kept, told) = (secrets(before), secrets(next));
        let still_there = kept.iter().filter(|key| next.setting(key).is_some());
        for key in still_there.filter(|key| !told.contains(*key)) {
            let text = format!("the setting {key}: no secret any more, the add-on reads it");
            changes.asks_for_more.push(text);
        }
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

    fn of_terms(&mut self, known: &Terms, wanted: &Terms) {
        for (subject, terms) in wanted {
            let Some(known) = known.get(subject) else {
                self.of_new(subject, terms);
                continue;
            };
            for term in terms {
                let before = known.iter().find(|known| known.key == term.key);
                let before =
                    before.map_or(term.measure.none_of_it(), |known| known.measure.clone());
                self.of_difference(subject, before.difference(&term.measure, &term.key));
            }
        }
        let gone = known
            .keys()
            .filter(|subject| !wanted.contains_key(*subject));
        self.other
            .extend(gone.map(|subject| format!("no more {subject}")));
    }

    fn of_difference(&mut self, subject: &str, difference: Difference) {
        let of_subject = |text: String| format!("{subject}: {text}");
        let Difference { more, less } = difference;
        self.asks_for_more.extend(more.into_iter().map(of_subject));
        self.other.extend(less.into_iter().map(of_subject));
    }

    /// All that it asks for: numbers in one line, everything else in a line of its own.
    fn of_new(&mut self, subject: &str, terms: &[Term]) {
        let asked = terms.iter().filter(|term| {
            let none = term.measure.none_of_it();
            !none.difference(&term.measure, &term.key).more.is_empty()
        });
        let (numbers, others): (Vec<&Term>, Vec<&Term>) =
            asked.partition(|term| term.measure.is_number());
        let words = |term: &&Term| term.measure.words(&term.key);
        let lines = others.iter().map(words);
        let numbers = numbers.iter().map(words).collect::<Vec<_>>().join(", ");
        let lines = lines.chain((!numbers.is_empty()).then_some(numbers));
        let lines = lines.map(|line| format!("{subject}: {line}"));
        self.asks_for_more.extend(lines);
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
        AuthSpec::Header { .. } => "header",
        AuthSpec::SplynxSignature { .. } => "splynx-signature",
        AuthSpec::SplynxToken { .. } => "splynx-token",
    };
    connection.auth.iter().map(name).collect()
}
