//! What a manifest asks for, term by term: all that the host itself goes by when it sends, waits, starts and listens. What only the
//! add-on makes something of (titles, pages, its own settings) is no term: its code may change with every version anyway.
//!
//! Beware: a key that is added to the manifest and forgotten here would change without a question. So every structure of the
//! manifest is taken apart whole, without `..`, and a new field does not compile before somebody has decided about it.

use std::collections::{BTreeMap, BTreeSet};

use super::measure::Measure;
use addon_manifest::{
    Addon, AuthSpec, Connection, EventsSpec, HookSpec, JobSpec, Manifest, MappingSpec,
    RecordingSpec, ScheduleSpec, SettingSpec, SignatureSpec, TerritorySpec,
};
use addon_settings::credential_keys;
use addon_store::ConnectionOverride;
use addon_traffic::governor::{Class, Limits};
use addon_traffic::{By, Priority};

/// One term. The key says what it is, in words that fit its measure.
#[derive(Debug, Clone)]
pub struct Term {
    pub key: String,
    pub measure: Measure,
}

/// The terms of each subject (a connection, a schedule, a web hook), by the words for it.
pub type Terms = BTreeMap<String, Vec<Term>>;

/// All terms of a manifest.
pub fn terms(manifest: &Manifest) -> Terms {
    let Manifest {
        addon,
        connections,
        settings,
        mappings,
        jobs,
        schedules,
        hooks,
        territory,
        // How it looks.
        activity: _,
        pages: _,
        reports: _,
        guide: _,
        recording,
    } = manifest;
    // What it is called and which code it is; the version and the state are compared before anything else.
    let Addon {
        id: _,
        version: _,
        title: _,
        description: _,
        interface: _,
        component: _,
        serial: _,
        state: _,
    } = addon;
    // Rows and values are the add-on's, and only it reads what is mapped.
    for MappingSpec {
        key: _,
        title: _,
        help: _,
        rows: _,
        choices: _,
        proposals: _,
    } in mappings
    {}
    // A job runs where a person starts it, a schedule or a web hook; a preview is held to reading whatever the job says.
    for JobSpec {
        id: _,
        title: _,
        help: _,
        preview: _,
        home: _,
        options: _,
    } in jobs
    {}
    let mut terms = Terms::new();
    for (name, connection) in connections {
        let subject = format!("the connection {name}");
        terms.insert(subject, of_connection(connection, settings));
    }
    for schedule in schedules {
        let subject = format!("the job {} by itself", schedule.job);
        terms.insert(subject, of_schedule(schedule, settings));
    }
    for hook in hooks {
        terms.insert(format!("the web hook {}", hook.id), of_hook(hook));
    }
    terms.insert(
        "several installations".to_owned(),
        vec![of_territory(territory.as_ref())],
    );
    terms.insert("recordings of runs".to_owned(), of_recording(recording));
    terms
}

fn of_connection(connection: &Connection, settings: &[SettingSpec]) -> Vec<Term> {
    let Connection {
        title: _,
        base_url,
        hosts,
        private_addresses,
        auth,
        counted_by,
        reads,
        keeps,
        // Below, among the numbers.
        per_minute: _,
        per_day: _,
        reserve: _,
        burst: _,
        parallel: _,
        timeout_seconds: _,
        max_response_bytes: _,
        rest_after_429_seconds: _,
        settle_seconds: _,
    } = connection;
    let counted = counted_by.iter().map(|key| match find(settings, key) {
        Some(spec) if spec.kind.is_the_addons() => format!("{key} (which the add-on chooses)"),
        _ => key.clone(),
    });
    let mut terms = vec![
        each(
            "requests to",
            hosts.iter().map(|host| host.source().to_owned()),
        ),
        only("the address", base_url.source()),
        flag(
            "may reach",
            "addresses of private networks",
            *private_addresses,
        ),
        each(
            "each request carries",
            auth.iter().map(|auth| proof(auth, settings)),
        ),
        // Also in another order it is another budget, in which nothing was used yet.
        only("counted by", &counted.collect::<Vec<_>>().join(", ")),
        each("reads, also in previews, by POST to", reads.iter().cloned()),
        each(
            "a recording of a run keeps the fields",
            keeps.iter().cloned(),
        ),
    ];
    let addresses = hosts.iter().chain([base_url]).flat_map(|host| host.keys());
    let credentials = auth.iter().flat_map(credential_keys);
    let used: BTreeSet<&str> = addresses.chain(credentials).collect();
    terms.extend(used.into_iter().map(|key| {
        let default = find(settings, key).and_then(|spec| spec.default.clone());
        Term {
            key: format!("until somebody enters it, {key} is"),
            measure: Measure::Only(default),
        }
    }));
    terms.extend(numbers(connection));
    terms
}

fn numbers(connection: &Connection) -> [Term; 10] {
    let some = |number: u32| Some(u64::from(number));
    let least_rest = some(connection.rest_after_429_seconds);
    [
        most("requests a minute", some(connection.per_minute)),
        most("requests a day", connection.per_day.map(u64::from)),
        most(
            "requests a day by automatic runs",
            for_automatic_runs(connection, Priority::Normal),
        ),
        most(
            "requests a day by automatic runs of what matters less",
            for_automatic_runs(connection, Priority::Low),
        ),
        most("requests at once after a rest", some(connection.burst)),
        most("requests at the same time", some(connection.parallel)),
        most(
            "s until an answer is given up",
            some(connection.timeout_seconds),
        ),
        most("bytes of an answer", Some(connection.max_response_bytes)),
        least(
            "s of rest where the service says that there were too many",
            least_rest,
        ),
        least(
            "s after which a lost request is looked for",
            some(connection.settle_seconds),
        ),
    ]
}

/// What automatic runs may use of a day, at most.
fn for_automatic_runs(connection: &Connection, priority: Priority) -> Option<u64> {
    let limits = Limits::of(connection, &ConnectionOverride::default());
    let by = By::Schedule;
    limits.day_of(Class { by, priority }).map(u64::from)
}

/// What a request carries, with the settings that it is made of.
fn proof(auth: &AuthSpec, settings: &[SettingSpec]) -> String {
    let named = |key: &str| match find(settings, key) {
        Some(spec) if spec.kind.name() == "secret" => format!("the secret {key}"),
        _ => key.to_owned(),
    };
    match auth {
        AuthSpec::Basic { user, password } => {
            format!(
                "basic authentication by {} and {}",
                named(user),
                named(password)
            )
        }
        AuthSpec::Bearer { token } => format!("the bearer token {}", token.source()),
        AuthSpec::QueryKey { name, value } => {
            format!("the query parameter {name} = {}", value.source())
        }
        AuthSpec::Header { name, value } => format!("the header {name} = {}", value.source()),
        AuthSpec::SplynxSignature { key, secret } => {
            format!("{}, signed with {}", named(key), named(secret))
        }
        AuthSpec::SplynxToken { key, secret } => {
            format!(
                "an access token got with {} and {}",
                named(key),
                named(secret)
            )
        }
    }
}

fn of_schedule(schedule: &ScheduleSpec, settings: &[SettingSpec]) -> Vec<Term> {
    let ScheduleSpec {
        job: _,
        every_minutes,
        time_zone,
        when_any,
    } = schedule;
    let default = |key: &str| find(settings, key).and_then(|spec| spec.default.as_deref());
    let minutes = default(every_minutes).and_then(|text| text.parse::<u64>().ok());
    let on = when_any
        .iter()
        .filter(|toggle| default(toggle) == Some("on"));
    let switches = when_any
        .iter()
        .map(|toggle| format!("while {toggle} is on"));
    // Without any it never rests.
    let some = !when_any.is_empty();
    let (on, switches) = (
        some.then(|| on.cloned().collect()),
        some.then(|| switches.collect()),
    );
    vec![
        Term {
            key: "starts".to_owned(),
            measure: Measure::Each(switches),
        },
        only(
            "the minutes between two starts are the setting",
            every_minutes,
        ),
        least(
            "minutes between two starts until somebody enters another number",
            minutes.filter(|minutes| *minutes > 0),
        ),
        Term {
            key: "until somebody switches it off, on by".to_owned(),
            measure: Measure::Each(on),
        },
        Term {
            key: "the setting of the time zone is".to_owned(),
            measure: Measure::Free(time_zone.clone().unwrap_or_else(|| "UTC".to_owned())),
        },
    ]
}

fn of_hook(hook: &HookSpec) -> Vec<Term> {
    let HookSpec {
        id: _,
        title: _,
        signature:
            SignatureSpec {
                scheme,
                header,
                secret,
            },
        ping,
        job,
        flood_job,
        events,
        record,
    } = hook;
    let kinds = events
        .as_ref()
        .map(|EventsSpec { at, last }| last.iter().map(|last| format!("{last} at {at}")).collect());
    vec![
        only(
            "believes what is signed by",
            &format!("{} in {header} with the secret {secret}", scheme.name()),
        ),
        each(
            "answers unsigned messages with",
            ping.iter().map(|(at, is)| format!("{is} at {at}")),
        ),
        only("starts the job", job),
        only("starts in a flood the job", flood_job),
        Term {
            key: "takes messages of the kind".to_owned(),
            measure: Measure::Each(kinds),
        },
        only("takes messages for one that agree in", &record.join(", ")),
    ]
}

fn of_territory(territory: Option<&TerritorySpec>) -> Term {
    let words = territory.map(|territory| {
        let TerritorySpec {
            source,
            target,
            leaves_out,
            tag,
        } = territory;
        format!(
            "{} to {}, without {leaves_out}, as {tag}",
            source.join(" and "),
            target.join(" and ")
        )
    });
    Term {
        key: "are kept from doing the same, told apart by".to_owned(),
        measure: Measure::Guard(words),
    }
}

/// What is not replaced in what people send to strangers.
fn of_recording(recording: &RecordingSpec) -> Vec<Term> {
    let RecordingSpec {
        stored,
        plain,
        settings,
        messages,
        words,
        marks,
    } = recording;
    let sets = [
        ("the stored field", stored),
        ("the table", plain),
        ("the setting", settings),
        ("the add-on's words in the field", messages),
    ];
    let sets = sets.into_iter().flat_map(|(what, names)| {
        let named = move |name: &String| format!("{what} {name}");
        names.iter().map(named)
    });
    vec![
        each("keep", sets),
        each(
            "keep, wherever they stand,",
            words.iter().chain(marks.patterns()).cloned(),
        ),
    ]
}

/// The settings that nobody but the host reads.
pub fn secrets(manifest: &Manifest) -> BTreeSet<&str> {
    let secret = |spec: &&SettingSpec| {
        let SettingSpec {
            key: _,
            group: _,
            title: _,
            kind,
            required: _,
            // Of those that the host uses, with what uses them.
            default: _,
            help: _,
        } = spec;
        kind.name() == "secret"
    };
    let secrets = manifest.settings.iter().filter(secret);
    secrets.map(|spec| spec.key.as_str()).collect()
}

fn find<'s>(settings: &'s [SettingSpec], key: &str) -> Option<&'s SettingSpec> {
    settings.iter().find(|spec| spec.key == key)
}

fn most(key: &str, most: Option<u64>) -> Term {
    Term {
        key: key.to_owned(),
        measure: Measure::Most(most),
    }
}

fn least(key: &str, least: Option<u64>) -> Term {
    Term {
        key: key.to_owned(),
        measure: Measure::Least(least),
    }
}

fn only(key: &str, what: &str) -> Term {
    Term {
        key: key.to_owned(),
        measure: Measure::Only(Some(what.to_owned())),
    }
}

fn each(key: &str, what: impl Iterator<Item = String>) -> Term {
    Term {
        key: key.to_owned(),
        measure: Measure::Each(Some(what.collect())),
    }
}

fn flag(key: &str, what: &str, is: bool) -> Term {
    each(key, is.then(|| what.to_owned()).into_iter())
}
