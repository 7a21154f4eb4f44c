//! Tables of what is due, with clocks that jump and zones that put theirs forward and back.

use super::*;
use addon_settings::validate;

const MANIFEST: &str = r#"[addon]
id = "example"
version = "1.0.0"
title = "Example"
interface = "splynx:addon@1.0.0"
component = "example.wasm"
state = 1

[[settings]]
key = "every"
title = "Minutes"
type = "number"
default = "15"

[[settings]]
key = "zone"
title = "Time zone"
type = "text"
default = "Africa/Johannesburg"

[[settings]]
key = "invoices"
title = "Invoices"
type = "toggle"
default = "off"

[[settings]]
key = "payments"
title = "Payments"
type = "toggle"
default = "off"

[[jobs]]
id = "sync"
title = "Synchronise"

[[jobs]]
id = "export"
title = "Export"

[[schedules]]
job = "sync"
every_minutes = "every"
time_zone = "zone"
when_any = ["invoices", "payments"]
"#;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn settings(manifest: &Manifest, values: &[(&str, &str)]) -> Settings {
    let owned: Vec<_> = values
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Settings::default().with_changes(manifest, &validate(manifest, &owned).unwrap())
}

fn sync_verdict(values: &[(&str, &str)], state: ScheduleState, now: DateTime<Utc>) -> Verdict {
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let settings = settings(&manifest, values);
    agenda(
        &manifest,
        &settings,
        &BTreeMap::from([("sync".to_owned(), state)]),
        now,
    )["sync"]
}

const ON: &[(&str, &str)] = &[
    ("every", "15"),
    ("zone", "Africa/Johannesburg"),
    ("payments", "on"),
];

#[test]
fn a_job_is_due_once_for_each_slot_and_waits_where_a_pause_says() {
    use Trigger::{Resume, Schedule};
    use Verdict::{ClockWentBack, Due, Rests, Waits};
    let waits = |until: &str| Waits(at(until), Schedule);
    let table: &[(&str, &str, &str, &str, Verdict)] = &[
        // what, last start, resume at, now, verdict
        (
            "never started",
            "",
            "",
            "2026-03-01T10:07:00Z",
            Due(Schedule),
        ),
        (
            "within its slot",
            "2026-03-01T10:00:02Z",
            "",
            "2026-03-01T10:14:59Z",
            waits("2026-03-01T10:15:00Z"),
        ),
        (
            "the next slot",
            "2026-03-01T10:00:02Z",
            "",
            "2026-03-01T10:15:00Z",
            Due(Schedule),
        ),
        (
            "exactly at a slot",
            "2026-03-01T10:15:00Z",
            "",
            "2026-03-01T10:15:00Z",
            waits("2026-03-01T10:30:00Z"),
        ),
        (
            "a machine that slept",
            "2026-03-01T10:00:02Z",
            "",
            "2026-05-01T00:00:00Z",
            Due(Schedule),
        ),
        (
            "and woke",
            "2026-05-01T00:00:00Z",
            "",
            "2026-05-01T00:00:01Z",
            waits("2026-05-01T00:15:00Z"),
        ),
        (
            "put back 6 s",
            "2026-03-01T10:00:01Z",
            "",
            "2026-03-01T09:59:55Z",
            waits("2026-03-01T10:15:00Z"),
        ),
        (
            "put back 15 min",
            "2026-03-01T10:00:01Z",
            "",
            "2026-03-01T09:45:01Z",
            waits("2026-03-01T10:15:00Z"),
        ),
        (
            "put back an hour",
            "2026-03-01T10:00:01Z",
            "",
            "2026-03-01T09:00:00Z",
            ClockWentBack,
        ),
        (
            "put back years",
            "2037-03-01T10:00:00Z",
            "",
            "2026-03-01T09:00:00Z",
            ClockWentBack,
        ),
        (
            "paused",
            "2026-03-01T10:00:00Z",
            "2026-03-01T12:34:56Z",
            "2026-03-01T12:34:55Z",
            Waits(at("2026-03-01T12:34:56Z"), Resume),
        ),
        (
            "resumed",
            "2026-03-01T10:00:00Z",
            "2026-03-01T12:34:56Z",
            "2026-03-01T12:34:56Z",
            Due(Resume),
        ),
        (
            "paused for years",
            "2026-03-01T10:00:00Z",
            "2037-01-01T00:00:00Z",
            "2026-03-01T10:15:00Z",
            Due(Schedule),
        ),
    ];
    let instant = |text: &str| (!text.is_empty()).then(|| at(text));
    for (what, last, resume, now, expected) in table {
        let state = ScheduleState {
            last_start: instant(last),
            resume_at: instant(resume),
        };
        assert_eq!(sync_verdict(ON, state, at(now)), *expected, "{what}");
        for off in [
            &[("every", "15")][..],
            &[("payments", "on")],
            &[("every", "0"), ("payments", "on")],
        ] {
            assert_eq!(
                sync_verdict(off, state, at(now)),
                Rests,
                "{what}, with {off:?}"
            );
        }
    }
}

#[test]
fn a_job_without_a_schedule_only_goes_on_after_a_pause() {
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let now = at("2026-03-01T10:00:00Z");
    let paused = |seconds| ScheduleState {
        last_start: None,
        resume_at: Some(now + TimeDelta::seconds(seconds)),
    };
    let states =
        |state| BTreeMap::from([("export".to_owned(), state), ("gone".to_owned(), paused(0))]);
    let verdicts = |state| agenda(&manifest, &Settings::default(), &states(state), now);
    assert_eq!(
        verdicts(paused(0)).get("export"),
        Some(&Verdict::Due(Trigger::Resume))
    );
    assert_eq!(
        verdicts(paused(9)).get("export"),
        Some(&Verdict::Waits(
            now + TimeDelta::seconds(9),
            Trigger::Resume
        ))
    );
    assert_eq!(verdicts(ScheduleState::default()).get("export"), None);
    assert_eq!(
        verdicts(paused(0)).get("gone"),
        None,
        "a job that an update took away"
    );
    assert_eq!(verdicts(paused(0))["sync"], Verdict::Rests);
}

#[test]
fn slots_are_counted_from_midnight_where_the_installation_is() {
    let table = [
        // zone, minutes, instant, next slot
        (
            "Africa/Johannesburg",
            1440,
            "2026-03-01T10:00:00Z",
            "2026-03-01T22:00:00Z",
        ),
        (
            "Africa/Johannesburg",
            100,
            "2026-03-01T21:30:00Z",
            "2026-03-01T22:00:00Z",
        ),
        (
            "Africa/Johannesburg",
            100,
            "2026-03-01T22:00:00Z",
            "2026-03-01T23:40:00Z",
        ),
        (
            "Asia/Kathmandu",
            60,
            "2026-03-01T10:00:00Z",
            "2026-03-01T10:15:00Z",
        ),
        (
            "UTC",
            999_999,
            "2026-03-01T10:00:00Z",
            "2026-03-02T00:00:00Z",
        ),
        // Prague puts its clock forward on 29 March 2026 at 01:00 UTC, and back on 25 October.
        (
            "Europe/Prague",
            1440,
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
        (
            "Europe/Prague",
            30,
            "2026-03-29T00:45:00Z",
            "2026-03-29T01:00:00Z",
        ),
        (
            "Europe/Prague",
            1440,
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        (
            "Europe/Prague",
            30,
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
        ),
        // Cairo does so at midnight: 24 April 2026 begins at 01:00, which is 22:00 UTC.
        (
            "Africa/Cairo",
            1440,
            "2026-04-23T12:00:00Z",
            "2026-04-23T22:00:00Z",
        ),
        (
            "Africa/Cairo",
            1440,
            "2026-04-23T22:00:00Z",
            "2026-04-24T21:00:00Z",
        ),
        // Samoa had no 30 December 2011.
        (
            "Pacific/Apia",
            1440,
            "2011-12-29T20:00:00Z",
            "2011-12-30T10:00:00Z",
        ),
        // Newfoundland put its clock back at 00:01 to 23:01, so that 29 October 2006 began twice.
        (
            "America/St_Johns",
            1440,
            "2006-10-29T02:29:30Z",
            "2006-10-29T02:30:00Z",
        ),
        (
            "America/St_Johns",
            1440,
            "2006-10-29T02:30:30Z",
            "2006-10-30T03:30:00Z",
        ),
        (
            "America/St_Johns",
            1440,
            "2006-10-29T02:45:00Z",
            "2006-10-30T03:30:00Z",
        ),
        (
            "America/St_Johns",
            60,
            "2006-10-29T02:45:00Z",
            "2006-10-29T03:30:00Z",
        ),
    ];
    for (zone, minutes, instant, expected) in table {
        let slots = Slots {
            step: TimeDelta::minutes(i64::min(minutes, LONGEST_STEP_MINUTES)),
            zone: zone.parse().unwrap(),
        };
        assert_eq!(
            slots.after(at(instant)),
            at(expected),
            "{zone}, every {minutes} min, after {instant}"
        );
    }
}

#[test]
fn in_a_year_with_changes_of_the_clock_no_wait_is_longer_than_the_interval() {
    for zone in [
        "Europe/Prague",
        "America/New_York",
        "Africa/Cairo",
        "Australia/Lord_Howe",
        "America/Santiago",
    ] {
        for minutes in [7, 60, 1440] {
            let slots = Slots {
                step: TimeDelta::minutes(minutes),
                zone: zone.parse().unwrap(),
            };
            let (mut now, end) = (at("2025-12-31T00:00:00Z"), at("2027-01-02T00:00:00Z"));
            while now < end {
                let next = slots.after(now);
                let longest = if minutes == 1440 {
                    TimeDelta::hours(25)
                } else {
                    slots.step
                };
                assert!(
                    next > now && next - now <= longest,
                    "{zone}, every {minutes} min: {now} to {next}"
                );
                now = next;
            }
        }
    }
}
