use super::*;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
}

fn incident(kind: Kind, job: &str) -> Incident {
    Incident {
        kind,
        installation: "isp".to_owned(),
        job: job.to_owned(),
        title: job.to_owned(),
        since: at(0),
        times: 1,
        run: None,
        code: String::new(),
        message: String::new(),
        zone: "UTC".to_owned(),
    }
}

fn seen(incidents: &[Incident]) -> Seen {
    Seen {
        installation: "isp".to_owned(),
        scheduled: true,
        incidents: incidents.to_vec(),
        held: None,
    }
}

/// What is told, in words, with the minute.
struct Play {
    past: Past,
    told: Vec<String>,
}

impl Play {
    fn new() -> Self {
        let (past, told) = (Past::default(), Vec::new());
        Self { past, told }
    }

    fn look(&mut self, minute: i64, seen: Seen) {
        // As the store keeps it.
        let kept = serde_json::to_string(&self.past).unwrap();
        let past: Past = serde_json::from_str(&kept).unwrap();
        let (past, news) = past.go_on(vec![seen], at(minute));
        self.past = past;
        for one in news {
            let word = match one {
                News::Began(incident) => format!("{} began", incident.job),
                News::Lasts(incident) => format!("{} lasts", incident.job),
                News::Ended { incident, .. } => format!("{} ended", incident.job),
                News::Held(held) => format!("{} held", held.groups[0].records),
                News::Away { .. } => "away".to_owned(),
                News::Test => "test".to_owned(),
            };
            self.told.push(format!("{minute} {word}"));
        }
    }

    /// Looks every ten minutes; `seen` says what there is.
    fn hours(&mut self, hours: std::ops::Range<i64>, seen: impl Fn(i64) -> Seen) {
        for minute in (hours.start * 60..hours.end * 60).step_by(10) {
            self.look(minute, seen(minute));
        }
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

#[test]
fn a_trouble_is_told_once_then_every_six_hours_with_all_others_and_when_it_is_over() {
    let (sync, push) = (
        incident(Kind::Failing, "sync"),
        incident(Kind::Failing, "push"),
    );
    let mut play = Play::new();
    play.hours(0..20, |minute| match minute {
        0..60 => seen(&[]),
        // From the fourth hour both fail.
        60..240 => seen(std::slice::from_ref(&sync)),
        240..1000 => seen(&[sync.clone(), push.clone()]),
        _ => seen(std::slice::from_ref(&push)),
    });
    assert_eq!(
        play.told(),
        [
            "60 sync began",
            "240 push began",
            "420 sync lasts",
            "420 push lasts",
            "780 sync lasts",
            "780 push lasts",
            "1000 sync ended",
            "1140 push lasts",
        ]
    );
}

#[test]
fn one_that_comes_and_goes_is_told_at_most_twice_in_six_hours() {
    let sync = incident(Kind::Failing, "sync");
    let mut play = Play::new();
    play.hours(0..24, |minute| match minute / 10 % 2 {
        0 => seen(&[]),
        _ => seen(std::slice::from_ref(&sync)),
    });
    let told = play.told();
    assert!((6..=8).contains(&told.len()), "{told:?}");
    assert_eq!(told[..2], ["10 sync began", "20 sync ended"]);
    assert!(told.iter().all(|word| !word.contains("lasts")));
}

#[test]
fn what_may_pass_by_itself_is_told_only_once_it_lasts() {
    let late = incident(Kind::NotStarted, "sync");
    let idle = incident(Kind::NothingDone, "");
    let mut play = Play::new();
    for (minute, incidents) in [
        (0, vec![late.clone()]),
        (9, vec![late.clone()]),
        (10, vec![]),
        (11, vec![late.clone()]),
        (20, vec![late.clone(), idle.clone()]),
        (21, vec![late.clone(), idle.clone()]),
        (79, vec![idle.clone()]),
        (80, vec![idle.clone()]),
        (90, vec![]),
    ] {
        play.look(minute, seen(&incidents));
    }
    assert_eq!(
        play.told(),
        ["21 sync began", "79 sync ended", "80  began", "90  ended"]
    );
}

#[test]
fn held_records_are_told_once_a_day_and_those_from_before_never() {
    let group = |records| HeldGroup {
        entity: "invoice".to_owned(),
        code: "tax".to_owned(),
        records,
        message: String::new(),
    };
    let with = |newest, records: u64| Seen {
        held: Some((
            newest,
            (records > 0).then(|| group(records)).into_iter().collect(),
        )),
        ..seen(&[])
    };
    let mut play = Play::new();
    assert!(!play.past.knows("isp"));
    play.look(0, with(70, 0));
    assert_eq!(play.past.held_after("isp", at(1)), Some(70));
    play.look(10, with(75, 2));
    assert_eq!(play.past.held_after("isp", at(23 * 60)), None);
    play.hours(1..24, |_| seen(&[]));
    assert_eq!(play.past.held_after("isp", at(10 + 24 * 60)), Some(75));
    play.look(10 + 24 * 60, with(90, 5));
    assert_eq!(play.told(), ["10 2 held", "1450 5 held"]);
}

#[test]
fn a_time_without_any_host_is_told_where_something_should_have_run_and_removed_installations_are_forgotten()
 {
    let mut play = Play::new();
    play.look(0, seen(&[incident(Kind::Failing, "sync")]));
    play.look(59, seen(&[incident(Kind::Failing, "sync")]));
    let idle = Seen {
        scheduled: false,
        ..seen(&[incident(Kind::Failing, "sync")])
    };
    play.look(150, idle);
    play.look(300, seen(&[incident(Kind::Failing, "sync")]));
    // A clock that was put back, and an installation that is gone.
    play.look(290, seen(&[incident(Kind::Failing, "sync")]));
    let (past, news) = play.past.clone().go_on(Vec::new(), at(295));
    assert_eq!((past.known.len(), news), (0, Vec::new()));
    assert_eq!(play.told(), ["0 sync began", "300 away"]);
}
