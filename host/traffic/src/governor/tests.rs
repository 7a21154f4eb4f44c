//! The governor over a simulated clock: several processes at once, deaths, late comers, clocks set back.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::line::{GRACE_MS, LONGEST_WAIT_MS as LONGEST_TURN_MS, PATIENCE_MS};
use super::windows::{HOUR_MS, MINUTE_MS};
use super::*;

const SAGE: Limits = Limits {
    per_minute: 70,
    per_day: Some(4_500),
    reserve: 450,
    burst: 10,
    rest_seconds: 3_900,
};

const START: i64 = 1_700_000_000_000;

const PEOPLE: Class = Class {
    by: By::Person,
    priority: Priority::Normal,
};
const AUTOMATIC: Class = Class {
    by: By::Schedule,
    priority: Priority::Normal,
};
const CAN_WAIT: Class = Class {
    by: By::Schedule,
    priority: Priority::Low,
};

fn ask(class: Class, want: u32) -> Ask<'static> {
    Ask {
        credentials: "k",
        class,
        want,
        ..Ask::default()
    }
}

/// A bucket whose credentials are good.
fn proven(now: i64) -> Bucket {
    let mut bucket = Bucket::default();
    bucket.answered(&SAGE, "k", 200, now);
    bucket
}

/// Through the store and back.
fn restarted(bucket: &Bucket) -> Bucket {
    let kept = serde_json::to_string(bucket).expect("plain data");
    let read = serde_json::from_str(&kept).expect("plain data");
    assert_eq!(&read, bucket, "nothing is lost on the way");
    read
}

/// Panics where more than `most` of `sent` lie within `window`.
fn assert_window(sent: &[i64], window: i64, most: usize, seed: u64) {
    let mut from = 0;
    for (to, at) in sent.iter().enumerate() {
        while at - sent[from] >= window {
            from += 1;
        }
        let found = to - from + 1;
        assert!(found <= most, "seed {seed}: {found} in {window} ms");
    }
}

/// One queue of some process.
struct Actor {
    who: u64,
    class: Class,
    /// When it asks (again), in real time.
    next: i64,
    want: u32,
    /// Since when it waits, in real time and by the clock.
    waiting: Option<(i64, i64)>,
    dead: bool,
}

#[test]
fn several_processes_never_exceed_a_window_and_people_go_first_and_nobody_starves() {
    const ACTORS: usize = 8;
    // Sixty seconds of patience; then at most one turn for each of the others, after the claim of a dead one ended; asking
    // again, and being late.
    let bound = PATIENCE_MS + ACTORS as i64 * 1_000 + 2 * LONGEST_TURN_MS + GRACE_MS + 4 * 1_000;
    let (mut longest, mut overtaken) = (0, 0);
    for seed in 0..60_u64 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut bucket = proven(START);
        let (mut real, mut back) = (START, 0);
        // Patience is by the clock, so order is judged where the clock is right.
        let steps = seed % 3 == 0;
        let mut whos = 0..;
        // From hardly anybody to more people than there are turns.
        let busy = rng.random_range(1..=20);
        let mut born = |rng: &mut StdRng, class: Class, at: i64| Actor {
            who: whos.next().unwrap_or(0),
            class,
            next: at + rng.random_range(0..busy * 1_000),
            want: rng.random_range(1..6),
            waiting: None,
            dead: false,
        };
        let people = rng.random_range(0..ACTORS);
        let classes = (0..ACTORS).map(|index| match index {
            index if index < people => PEOPLE,
            index if index % 2 == 0 => CAN_WAIT,
            _ => AUTOMATIC,
        });
        let classes: Vec<Class> = classes.collect();
        let mut actors: Vec<Actor> = classes
            .iter()
            .map(|class| born(&mut rng, *class, real))
            .collect();
        let mut sent = Vec::new();
        for _ in 0..6_000 {
            let turn = (0..actors.len())
                .min_by_key(|index| actors[*index].next)
                .expect("actors");
            real = real.max(actors[turn].next);
            if actors[turn].dead {
                actors[turn] = born(&mut rng, classes[turn], real);
                continue;
            }
            if steps && rng.random_ratio(1, 400) {
                back += rng.random_range(0..90_000);
            }
            if rng.random_ratio(1, 100) {
                bucket = restarted(&bucket);
            }
            let now = real - back;
            bucket.answered(&SAGE, "k", 200, now);
            let actor = &actors[turn];
            let (class, waiting) = (actor.class, actor.waiting);
            let mine = Ask {
                who: actor.who,
                since: waiting.map(|(_, since)| since),
                more: rng.random_range(0..4),
                ..ask(class, actor.want)
            };
            match bucket.admit(&SAGE, &mine, now) {
                Verdict::Go { count, .. } => {
                    let at_once = count.min(mine.want);
                    let late = rng.random_range(0..LEAVES_WITHIN_MS);
                    sent.extend((0..at_once).map(|_| real));
                    sent.extend((at_once..count).map(|_| real + late));
                    let waited = waiting.map_or(0, |(from, _)| real - from);
                    longest = longest.max(if steps { 0 } else { waited });
                    assert!(steps || waited <= bound, "seed {seed}: waited {waited} ms");
                    // Those whose turn was first: they wait, and will come when they were told to.
                    let patient = waited < PATIENCE_MS;
                    let passed = actors.iter().filter(|other| {
                        other.class > class
                            && !other.dead
                            && other.waiting.is_some_and(|(from, _)| from < real)
                            && other.next >= real
                    });
                    let passed = passed.count();
                    assert!(
                        passed == 0 || !patient || steps,
                        "seed {seed}: {class:?} overtook {passed} after {waited} ms"
                    );
                    overtaken += if steps { 0 } else { passed };
                    actors[turn] = born(&mut rng, classes[turn], real);
                }
                Verdict::Wait { until, why } => {
                    assert!(until > now, "seed {seed}: waiting gets somewhere");
                    let actor = &mut actors[turn];
                    actor.waiting.get_or_insert((real, now));
                    // Late, as a busy process is; or never.
                    actor.next = real + (until - now) + rng.random_range(0..100);
                    if why == Why::Day || why == Why::Share {
                        // Such a run pauses.
                        *actor = born(&mut rng, classes[turn], actor.next);
                    } else if rng.random_ratio(1, 50) {
                        actor.dead = true;
                        actor.next = real + rng.random_range(0..20_000);
                    }
                }
                Verdict::Refused => unreachable!("nothing was refused"),
            }
        }
        sent.sort_unstable();
        assert_window(&sent, MINUTE_MS, 70, seed);
        assert_window(&sent, 24 * HOUR_MS, 4_500, seed);
        assert!(sent.len() > 1_000, "seed {seed}: and it does get on");
    }
    assert!(longest > PATIENCE_MS && overtaken > 0, "patience was tried");
}

#[test]
fn what_follows_soon_is_admitted_where_nobody_waits_and_the_credentials_are_good() {
    let mine = Ask {
        more: 3,
        ..ask(AUTOMATIC, 1)
    };
    let count = |bucket: &mut Bucket, at: i64| match bucket.admit(&SAGE, &mine, at) {
        Verdict::Go { count, .. } => count,
        verdict => panic!("{verdict:?}"),
    };
    assert_eq!(count(&mut proven(START), START), 4);
    assert_eq!(
        count(&mut Bucket::default(), START),
        1,
        "a trial goes alone"
    );
    // With the burst used up there is room for two more after two seconds, and somebody who matters less waits for it.
    let mut alone = proven(START);
    while let Verdict::Go { .. } = alone.admit(&SAGE, &ask(PEOPLE, 1), START) {}
    let mut waited_for = alone.clone();
    let waits = Ask {
        who: 7,
        ..ask(CAN_WAIT, 1)
    };
    let told = waited_for.admit(&SAGE, &waits, START);
    assert!(matches!(told, Verdict::Wait { .. }), "{told:?}");
    let soon = START + 2_500;
    assert_eq!(
        [count(&mut alone, soon), count(&mut waited_for, soon)],
        [2, 1]
    );
}

#[test]
fn a_steady_stream_keeps_one_a_second_after_the_burst_also_when_shared() {
    for lanes in [1_u64, 2, 7] {
        let mut bucket = proven(0);
        let mut asking: Vec<(i64, Option<i64>)> = (0..lanes).map(|_| (0, None)).collect();
        let mut sent = vec![0_u32; asking.len()];
        loop {
            let asker = (0..asking.len())
                .min_by_key(|asker| asking[*asker].0)
                .expect("lanes");
            let (now, since) = asking[asker];
            if now >= 10 * MINUTE_MS {
                break;
            }
            bucket.answered(&SAGE, "k", 200, now);
            let ask = Ask {
                who: asker as u64,
                since,
                ..ask(AUTOMATIC, 4)
            };
            asking[asker] = match bucket.admit(&SAGE, &ask, now) {
                Verdict::Go { count, .. } => {
                    sent[asker] += count;
                    (now, None)
                }
                Verdict::Wait { until, .. } => (until, since.or(Some(now))),
                Verdict::Refused => unreachable!("nothing was refused"),
            };
        }
        // Ten at the beginning, then one at each second before the end.
        let all: u32 = sent.iter().sum();
        assert!((600..=609).contains(&all), "{lanes} lanes: {all}");
        let fair = all / u32::try_from(lanes).expect("few");
        assert!(
            sent.iter().all(|own| own.abs_diff(fair) <= 10),
            "each its part: {sent:?}"
        );
    }
}

#[test]
fn automatic_runs_leave_the_days_reserve_to_people_and_what_can_wait_leaves_as_much_to_the_rest() {
    let mut bucket = proven(START);
    let mut used_by = |class: Class| {
        let (mut used, mut now) = (0, START);
        loop {
            bucket.answered(&SAGE, "k", 200, now);
            match bucket.admit(&SAGE, &ask(class, 100), now) {
                Verdict::Go { count, .. } => used += count,
                Verdict::Wait {
                    until,
                    why: Why::Pace,
                } => now = until,
                Verdict::Wait { until, why } => return (used, why, until > now + 20 * HOUR_MS),
                Verdict::Refused => unreachable!("nothing was refused"),
            }
        }
    };
    assert_eq!(used_by(CAN_WAIT), (3_600, Why::Share, true));
    assert_eq!(used_by(AUTOMATIC), (450, Why::Day, true));
    assert_eq!(used_by(CAN_WAIT), (0, Why::Day, true));
    assert_eq!(used_by(PEOPLE), (450, Why::Day, true));
    let silly = Limits {
        per_day: Some(10),
        reserve: 1_000,
        ..SAGE
    };
    let parts = [PEOPLE, AUTOMATIC, CAN_WAIT].map(|class| silly.day_of(class));
    assert_eq!(parts, [Some(10), Some(5), Some(3)], "work goes on");
}

#[test]
fn an_estimate_is_what_it_then_takes() {
    for seed in 0..40_u64 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut now = START + rng.random_range(0..24 * HOUR_MS);
        let mut bucket = proven(now);
        // Some traffic before, perhaps a block.
        for _ in 0..rng.random_range(0..2_000) {
            match bucket.admit(&SAGE, &ask(PEOPLE, 1), now) {
                Verdict::Wait { until, .. } => now = until,
                _ => now += rng.random_range(0..5_000),
            }
        }
        if rng.random_ratio(1, 4) {
            bucket.answered(&SAGE, "k", 429, now);
        }
        let class = [PEOPLE, AUTOMATIC, CAN_WAIT][rng.random_range(0..3)];
        let requests = rng.random_range(1..20_000);
        let estimate = bucket.estimate(&SAGE, class, requests, now);
        let (from, mut left, mut last) = (now, requests, now);
        while left > 0 {
            bucket.answered(&SAGE, "k", 200, now);
            let want = u32::try_from(left.min(4)).expect("few");
            match bucket.admit(&SAGE, &ask(class, want), now) {
                Verdict::Go { count, .. } => {
                    left -= u64::from(count);
                    last = now;
                }
                Verdict::Wait { until, .. } => now = until,
                Verdict::Refused => unreachable!("nothing was refused"),
            }
        }
        let (told, took) = (estimate.until - from, last - from);
        assert!(
            (told - took).abs() * 20 <= took.max(1_000),
            "seed {seed}: {requests} requests took {took} ms, told {told} ms"
        );
        let day = SAGE.day_of(class).expect("a limit");
        if requests > u64::from(day) {
            let pause = estimate.pause.expect("the day's limit is told");
            assert!(pause.until > pause.from + LONGEST_WAIT_MS, "seed {seed}");
        }
    }
}

#[test]
fn a_block_is_waited_out_and_refused_credentials_are_tried_once() {
    let with = |credentials, who| Ask {
        credentials,
        who,
        flight_ms: 60_000,
        ..ask(AUTOMATIC, 5)
    };
    let one = Verdict::Go {
        count: 1,
        vouch: true,
    };
    let on_trial = |now: i64| Verdict::Wait {
        until: now + TRIAL_POLL_MS,
        why: Why::Login,
    };
    let mut bucket = Bucket::default();
    assert_eq!(bucket.admit(&SAGE, &with("old", 1), 0), one, "alone");
    assert_eq!(bucket.admit(&SAGE, &with("old", 2), 10), on_trial(10));
    bucket.answered(&SAGE, "old", 429, 500);
    let until = 500 + 3_900_000;
    let why = Why::Block;
    assert_eq!(
        restarted(&bucket).admit(&SAGE, &with("old", 1), until - 1),
        Verdict::Wait { until, why }
    );
    assert_eq!(bucket.admit(&SAGE, &with("old", 1), until), one);
    bucket.answered(&SAGE, "old", 401, until);
    let later = until * 9;
    // Others' credentials change nothing of that, be they good or bad.
    assert_eq!(bucket.admit(&SAGE, &with("new", 3), later), one);
    assert_eq!(bucket.admit(&SAGE, &with("new", 4), later), on_trial(later));
    bucket.answered(&SAGE, "new", 200, later);
    assert_eq!(
        bucket.admit(&SAGE, &with("new", 4), later),
        Verdict::Go {
            count: 5,
            vouch: false
        }
    );
    bucket = restarted(&bucket);
    for who in 1..5 {
        assert_eq!(
            bucket.admit(&SAGE, &with("old", who), later),
            Verdict::Refused
        );
    }
    // An answer that was on its way proves nothing.
    bucket.answered(&SAGE, "old", 200, later);
    assert_eq!(
        bucket.admit(&SAGE, &with("old", 1), later),
        Verdict::Refused
    );
    bucket.forgive("old");
    assert_eq!(bucket.admit(&SAGE, &with("old", 1), later), one);
    // Whoever tried them died, or got no answer.
    let lost = later + 66_000;
    assert_eq!(
        bucket.admit(&SAGE, &with("old", 2), lost - 2_000),
        Verdict::Wait {
            until: lost - 2_000 + TRIAL_POLL_MS,
            why: Why::Login
        }
    );
    assert_eq!(bucket.admit(&SAGE, &with("old", 2), lost), one);
    bucket.unanswered("old");
    assert_eq!(bucket.admit(&SAGE, &with("old", 3), lost + 1), one);
}

#[test]
fn figures_tell_what_is_used_and_who_waits() {
    let mut bucket = proven(START);
    let run = |run, calls| {
        Some(RunPace {
            run,
            calls,
            records: 3,
        })
    };
    let first = Ask {
        run: run(7, 0),
        who: 1,
        ..ask(PEOPLE, 10)
    };
    assert!(matches!(
        bucket.admit(&SAGE, &first, START),
        Verdict::Go { count: 10, .. }
    ));
    for (who, class) in [(2, CAN_WAIT), (3, PEOPLE), (4, PEOPLE)] {
        let waits = Ask {
            who,
            ..ask(class, 1)
        };
        assert!(matches!(
            bucket.admit(&SAGE, &waits, START),
            Verdict::Wait { .. }
        ));
    }
    bucket.rest(START + 1_000, "too many");
    bucket.answered(&SAGE, "wrong", 401, START);
    let figures = bucket.figures(&SAGE, "wrong", START + 10);
    let waiting = |class, count| Waiting { class, count };
    assert_eq!(
        figures,
        Figures {
            last_minute: 10,
            per_minute: 70,
            last_day: 10,
            per_day: Some(4_500),
            reserve: 450,
            waiting: vec![waiting(PEOPLE, 2), waiting(CAN_WAIT, 1)],
            blocked_until: Some(START + 1_000),
            blocked_because: "too many".to_owned(),
            refused: true,
            runs: vec![Usage {
                run: 7,
                calls: 10,
                stage: (0, 3)
            }],
        }
    );
    let later = bucket.figures(&SAGE, "k", START + 2 * HOUR_MS);
    assert_eq!(
        (
            later.last_minute,
            later.last_day,
            later.blocked_until,
            later.refused
        ),
        (0, 10, None, false)
    );
    assert!(later.waiting.is_empty() && later.runs.is_empty());
}

#[test]
fn a_clock_set_back_costs_minutes_and_not_the_time_it_was_wrong_by() {
    let mut bucket = proven(START);
    let wrong = START + 1_000 * HOUR_MS;
    let mut now = wrong;
    for _ in 0..3_000 {
        bucket.answered(&SAGE, "k", 200, now);
        if let Verdict::Wait { until, .. } = bucket.admit(&SAGE, &ask(PEOPLE, 1), now) {
            now = until;
        }
    }
    bucket.rest(wrong + 24 * HOUR_MS, "");
    now = START;
    loop {
        match bucket.admit(&SAGE, &ask(PEOPLE, 1), now) {
            Verdict::Go { .. } => break,
            Verdict::Wait { until, .. } => now = until,
            Verdict::Refused => unreachable!("nothing was refused"),
        }
    }
    assert!(now - START <= 26 * HOUR_MS, "{}", now - START);
}
