//! From the text to the manifest: the order of reading, and the sections that are small. Settings come first, since
//! connections and schedules refer to them; every reference is checked where it is read, while its line is known.

use std::collections::BTreeSet;

use super::problem::{ManifestError, nearest};
use super::reader::{Source, Table};
use super::{
    ActivitySpec, Addon, INTERFACE, INTERFACE_VERSION, JobSpec, Manifest, ScheduleSpec,
    SettingKind, SettingSpec, connections, guide, hooks, inputs, pages, recording, settings,
};

pub(super) fn manifest(text: &str) -> Result<Manifest, ManifestError> {
    let source = Source::new(text);
    let parsed = source.parse()?;
    let root = Table::root(&source, &parsed);
    let addon = root.table("addon").map(addon);
    let settings = settings::settings(&root);
    let mappings = settings::mappings(&root, &settings);
    let connections = connections::connections(&root, &settings);
    let jobs = jobs(&root);
    let schedules = schedules(&root, &jobs, &settings);
    let hooks = hooks::hooks(&root, &jobs, &settings);
    let territory = hooks::territory(&root, &settings);
    let activity = root.maybe_table("activity").map(activity);
    let reports = pages::reports(&root);
    let pages = pages::pages(&root, &jobs, &reports);
    let guide = guide::guide(&root, &settings, &mappings, &jobs, &pages);
    let recording = recording::recording(&root);
    root.done();
    match addon {
        Some(addon) if !source.has_problems() => Ok(Manifest {
            addon,
            connections,
            settings,
            mappings,
            jobs,
            schedules,
            hooks,
            territory,
            activity,
            pages,
            reports,
            guide,
            recording,
        }),
        _ => Err(source.error()),
    }
}

fn addon(table: Table<'_>) -> Addon {
    let id = table.text("id");
    check_id(&table, "id", &id);
    let version = table.text("version");
    let addon = Addon {
        id,
        version: semver::Version::parse(&version).unwrap_or_else(|_| {
            if !version.is_empty() {
                table.problem(
                    "version",
                    format!("`{version}` is no version"),
                    "Write three numbers, such as 1.4.0",
                );
            }
            semver::Version::new(0, 0, 0)
        }),
        title: table.text("title"),
        description: table.maybe_text("description").unwrap_or_default(),
        interface: interface(&table),
        component: component(&table),
        serial: table.count("serial", 0..=u32::MAX, Some(0)),
        state: table.count("state", 1..=u32::MAX, Some(1)),
    };
    table.done();
    addon
}

fn activity(table: Table<'_>) -> ActivitySpec {
    let activity = ActivitySpec {
        local: table.text("local"),
        remote: table.text("remote"),
        turned: table.texts("turned"),
        customer: table.maybe_text("customer"),
    };
    table.done();
    activity
}

/// The interface that the component was built against; this host must offer at least it.
fn interface(table: &Table<'_>) -> semver::Version {
    let text = table.text("interface");
    let version = text
        .split_once('@')
        .filter(|(name, _)| *name == INTERFACE)
        .and_then(|(_, version)| semver::Version::parse(version).ok());
    let offered = format!("This host offers {INTERFACE}@{INTERFACE_VERSION}");
    match version {
        Some(version) if offers(&INTERFACE_VERSION, &version) => version,
        Some(_) => {
            table.problem(
                "interface",
                format!("`{text}` is not an interface of this host"),
                offered,
            );
            INTERFACE_VERSION
        }
        None => {
            if !text.is_empty() {
                table.problem(
                    "interface",
                    format!("`{text}` names no interface that is known here"),
                    offered,
                );
            }
            INTERFACE_VERSION
        }
    }
}

/// Whether an interface has everything that a component built against another version can ask for.
fn offers(offered: &semver::Version, wanted: &semver::Version) -> bool {
    wanted.major == offered.major && wanted.minor <= offered.minor
}

fn component(table: &Table<'_>) -> String {
    let name = table.text("component");
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && !name.starts_with('.')
        && name.ends_with(".wasm");
    if !name.is_empty() && !plain {
        let cure = "A plain file name that ends in .wasm, beside addon.toml";
        table.problem(
            "component",
            format!("`{name}` is no component's file name"),
            cure,
        );
    }
    name
}

fn jobs(root: &Table<'_>) -> Vec<JobSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let job = JobSpec {
            id: table.text("id"),
            title: table.text("title"),
            help: table.maybe_text("help").unwrap_or_default(),
            preview: table.flag("preview", false),
            home: table.flag("home", false),
            options: inputs::inputs(&table, "options"),
        };
        check_id(&table, "id", &job.id);
        check_unique(&table, "id", &job.id, &mut seen);
        table.done();
        job
    };
    root.tables("jobs").into_iter().map(read).collect()
}

fn schedules(root: &Table<'_>, jobs: &[JobSpec], settings: &[SettingSpec]) -> Vec<ScheduleSpec> {
    let mut seen = BTreeSet::new();
    let read = |table: Table<'_>| {
        let schedule = ScheduleSpec {
            job: table.text("job"),
            every_minutes: table.text("every_minutes"),
            time_zone: table.maybe_text("time_zone"),
            when_any: table.texts("when_any"),
        };
        refer_job(&table, "job", &schedule.job, jobs);
        check_unique(&table, "job", &schedule.job, &mut seen);
        let options = jobs.iter().filter(|job| job.id == schedule.job);
        if let Some(option) = options
            .flat_map(|job| &job.options)
            .find(|option| option.required)
        {
            let message = format!("the job needs its option `{}`", option.key);
            table.problem(
                "job",
                message,
                "Nobody gives it when a schedule starts the job",
            );
        }
        let is_number = |kind: &SettingKind| matches!(kind, SettingKind::Number { .. });
        refer(
            &table,
            "every_minutes",
            &schedule.every_minutes,
            settings,
            is_number,
            "a number",
        );
        if let Some(zone) = &schedule.time_zone {
            refer(
                &table,
                "time_zone",
                zone,
                settings,
                |kind| matches!(kind, SettingKind::Text(_)),
                "a text",
            );
        }
        for toggle in &schedule.when_any {
            refer(
                &table,
                "when_any",
                toggle,
                settings,
                |kind| *kind == SettingKind::Toggle,
                "a toggle",
            );
        }
        table.done();
        schedule
    };
    root.tables("schedules").into_iter().map(read).collect()
}

/// Names that appear in commands and addresses: lower-case letters, digits and dashes.
pub(super) fn check_id(table: &Table<'_>, key: &'static str, id: &str) {
    let plain = id
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let begins = id.starts_with(|c: char| c.is_ascii_lowercase());
    let fits = plain && begins && id.len() <= 64;
    if !id.is_empty() && !fits {
        let cure = "Lower-case letters, digits and dashes, a letter first, at most 64";
        table.problem(key, format!("`{id}` is no name"), cure);
    }
}

/// Names that add-ons give to values: as [`check_id`], and underscores.
pub(super) fn check_name(table: &Table<'_>, key: &'static str, name: &str) {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    let fits = plain && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 64;
    if !name.is_empty() && !fits {
        let cure = "Lower-case letters, digits, dashes and underscores, a letter first, at most 64";
        table.problem(key, format!("`{name}` is no name"), cure);
    }
}

pub(super) fn check_unique(
    table: &Table<'_>,
    key: &'static str,
    name: &str,
    seen: &mut BTreeSet<String>,
) {
    if !name.is_empty() && !seen.insert(name.to_owned()) {
        table.problem(
            key,
            format!("`{name}` stands here a second time"),
            "Give each its own, or remove one",
        );
    }
}

/// Checks that a key names a setting of the right kind.
pub(super) fn refer(
    table: &Table<'_>,
    key: &'static str,
    name: &str,
    settings: &[SettingSpec],
    fits: impl Fn(&SettingKind) -> bool,
    wanted: &str,
) {
    match settings.iter().find(|spec| spec.key == name) {
        // A missing key was reported when it was read.
        None if name.is_empty() => {}
        None => {
            let keys = settings.iter().map(|spec| spec.key.as_str());
            table.problem(
                key,
                format!("there is no setting `{name}`"),
                suggestion(name, keys),
            );
        }
        Some(spec) if fits(&spec.kind) => {}
        Some(spec) => {
            let message = format!("the setting `{name}` is of type {}", spec.kind.name());
            table.problem(key, message, format!("Name {wanted} here"));
        }
    }
}

/// Checks that a key names a job.
pub(super) fn refer_job(table: &Table<'_>, key: &'static str, id: &str, jobs: &[JobSpec]) {
    if !id.is_empty() && !jobs.iter().any(|job| job.id == id) {
        let ids = jobs.iter().map(|job| job.id.as_str());
        table.problem(key, format!("there is no job `{id}`"), suggestion(id, ids));
    }
}

pub(super) fn suggestion<'c>(name: &str, known: impl Iterator<Item = &'c str>) -> String {
    match nearest(name, known) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => "Declare it, or name one that is declared".to_owned(),
    }
}
