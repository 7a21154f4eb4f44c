//! The guest's tables: against a model, and at their limits.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU32, Ordering};

use addon_host::store::{
    Activity, ActivityFilter, Change, Commit, CommitError, Entry, Fence, GuestLimits, LogLine,
    Outcome, ReportRow, RunState, Store, StoreError,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

use crate::fixtures::{Database, at, install, leased, on_both_databases, start_run};

on_both_databases!(
    what_exceeds_a_limit_is_refused_before_anything_happens,
    all_that_an_installation_keeps_counts,
);

type Model = BTreeMap<(String, String), String>;

#[derive(Debug, Clone)]
enum Call {
    Get(String, Vec<String>),
    Scan {
        table: String,
        prefix: String,
        after: String,
        limit: u32,
    },
    Commit {
        expect: Vec<Expect>,
        changes: Vec<Change>,
        activities: usize,
    },
}

/// An expectation, made true or false when its turn comes.
#[derive(Debug, Clone)]
struct Expect {
    table: String,
    key: String,
    right: bool,
}

fn table() -> impl Strategy<Value = String> {
    select(vec!["a", "b"]).prop_map(str::to_owned)
}

/// Few keys, so that calls meet; with characters at the edges of UTF-8's lengths, whose order differs in UTF-16, and SQL's
/// wild cards.
fn key() -> impl Strategy<Value = String> {
    prop::collection::vec(
        select(vec![
            'a',
            'B',
            '%',
            '_',
            '\u{7f}',
            'é',
            '\u{d7ff}',
            '\u{e000}',
            '\u{ffff}',
            '\u{10ffff}',
        ]),
        1..4,
    )
    .prop_map(|characters| characters.into_iter().collect())
}

/// What a guest may ask for: also what no key can be.
fn asked() -> impl Strategy<Value = String> {
    (key(), prop::bool::weighted(0.1), key()).prop_map(|(key, has_nul, rest)| match has_nul {
        true => format!("{key}\0{rest}"),
        false => key,
    })
}

fn start() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just(String::new()), 3 => asked()]
}

fn change() -> impl Strategy<Value = Change> {
    (table(), key(), prop::option::weighted(0.7, "[a-zé]{0,6}"))
        .prop_map(|(table, key, value)| Change { table, key, value })
}

fn call() -> impl Strategy<Value = Call> {
    let expect = (table(), key(), prop::bool::weighted(0.9))
        .prop_map(|(table, key, right)| Expect { table, key, right });
    prop_oneof![
        1 => (table(), prop::collection::vec(asked(), 0..80)).prop_map(|(table, keys)| Call::Get(table, keys)),
        2 => (table(), start(), start(), 0..6_u32)
            .prop_map(|(table, prefix, after, limit)| Call::Scan { table, prefix, after, limit }),
        3 => (prop::collection::vec(expect, 0..3), prop::collection::vec(change(), 0..80), 0..3_usize)
            .prop_map(|(expect, changes, activities)| Call::Commit { expect, changes, activities }),
    ]
}

fn scan(model: &Model, table: &str, prefix: &str, after: &str, limit: u32) -> Vec<Entry> {
    let from = (
        Bound::Excluded((table.to_owned(), after.to_owned())),
        Bound::Unbounded,
    );
    model
        .range(from)
        .filter(|((found, key), _)| found == table && key.starts_with(prefix))
        .take(limit as usize)
        .map(|((_, key), value)| Entry {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

/// Four entries of 90 bytes under keys of one, and a little.
const ROOM: u64 = 450 + 4 * 64;

async fn commit(
    store: &Store,
    fence: &Fence,
    expect: &[Change],
    changes: &[Change],
) -> Result<(), CommitError> {
    store
        .guest_commit(
            Commit {
                fence,
                expect,
                changes,
                activities: &[],
                most_bytes: ROOM,
            },
            at(1),
        )
        .await
}

async fn play(store: &Store, fence: &Fence, calls: Vec<Call>) {
    let mut model = Model::new();
    let mut activities = 0;
    for call in calls {
        match call {
            Call::Get(table, keys) => {
                let found = store
                    .guest_get(&fence.installation, &table, &keys)
                    .await
                    .unwrap();
                let expected = keys.iter().filter_map(|key| {
                    let value = model.get(&(table.clone(), key.clone()))?.clone();
                    Some(Entry {
                        key: key.clone(),
                        value,
                    })
                });
                assert_eq!(found, expected.collect::<Vec<_>>());
            }
            Call::Scan {
                table,
                prefix,
                after,
                limit,
            } => {
                let found = store
                    .guest_scan(&fence.installation, &table, &prefix, &after, limit)
                    .await
                    .unwrap();
                assert_eq!(
                    found,
                    scan(&model, &table, &prefix, &after, limit),
                    "{table} {prefix:?} after {after:?}"
                );
            }
            Call::Commit {
                expect,
                changes,
                activities: added,
            } => {
                let holds = expect.iter().all(|expect| expect.right);
                let expect: Vec<Change> = expect
                    .into_iter()
                    .map(|Expect { table, key, right }| {
                        let stands = model.get(&(table.clone(), key.clone())).cloned();
                        let value = if right {
                            stands
                        } else {
                            Some(format!("not {stands:?}"))
                        };
                        Change { table, key, value }
                    })
                    .collect();
                let mut keys: Vec<_> = changes
                    .iter()
                    .map(|change| (&change.table, &change.key))
                    .collect();
                keys.sort();
                let twice = keys.windows(2).any(|pair| pair[0] == pair[1]);
                let told = vec![
                    Activity {
                        label: "one\0".into(),
                        ..Activity::default()
                    };
                    added
                ];
                let answer = store
                    .guest_commit(
                        Commit {
                            fence,
                            expect: &expect,
                            changes: &changes,
                            activities: &told,
                            most_bytes: u64::MAX,
                        },
                        at(1),
                    )
                    .await;
                match answer {
                    Ok(()) => {
                        assert!(holds && !twice);
                        activities += added;
                        for Change { table, key, value } in changes {
                            match value {
                                Some(value) => model.insert((table, key), value),
                                None => model.remove(&(table, key)),
                            };
                        }
                    }
                    Err(CommitError::Conflict { .. }) => assert!(!holds),
                    Err(CommitError::Invalid(_)) => assert!(twice),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
    for table in ["a", "b"] {
        assert_eq!(
            store
                .guest_scan(&fence.installation, table, "", "", u32::MAX)
                .await
                .unwrap(),
            scan(&model, table, "", "", u32::MAX)
        );
    }
    let stored: usize = model
        .iter()
        .map(|((_, key), value)| key.len() + value.len() + 64)
        .sum();
    assert_eq!(
        store
            .installation(&fence.installation)
            .await
            .unwrap()
            .stored_bytes,
        stored as u64,
        "the size is kept exactly"
    );
    let filter = ActivityFilter {
        limit: 10_000,
        ..ActivityFilter::default()
    };
    assert_eq!(
        store
            .activities(&fence.installation, &filter)
            .await
            .unwrap()
            .len(),
        activities,
        "activities live and die with their commit"
    );
    assert!(
        store
            .guest_scan("other", "a", "", "", 10)
            .await
            .unwrap()
            .is_empty(),
        "another installation sees nothing of it"
    );
}

/// Many histories, each on an installation of its own.
async fn play_all(database: Database, cases: u32) {
    let store = database.store().await;
    install(&store, "other").await;
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let numbers = AtomicU32::new(0);
    let runtime = tokio::runtime::Handle::current();
    let answer = tokio::task::block_in_place(|| {
        runner.run(&prop::collection::vec(call(), 1..25), |calls| {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            runtime.block_on(async {
                let fence = leased(&store, &format!("isp-{number}")).await;
                play(&store, &fence, calls).await;
            });
            Ok(())
        })
    });
    answer.unwrap_or_else(|error| panic!("{error}"));
}

mod the_tables_behave_like_a_sorted_map_with_all_or_nothing_commits {
    use super::{Database, play_all};

    #[tokio::test(flavor = "multi_thread")]
    async fn on_sqlite() {
        play_all(Database::sqlite(), 48).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn on_postgresql() {
        if let Some(database) = Database::postgres() {
            play_all(database, 48).await;
        }
    }
}

fn put(key: &str, value: &str) -> Change {
    Change {
        table: "t".into(),
        key: key.into(),
        value: Some(value.into()),
    }
}

async fn what_exceeds_a_limit_is_refused_before_anything_happens(database: Database) {
    let limits = GuestLimits {
        table_name: 4,
        key: 8,
        value: 100,
        items_per_call: 5,
        bytes_per_call: 250,
    };
    let store = database.store_with(limits).await;
    let fence = leased(&store, "isp").await;
    let long = "x".repeat(101);
    let full = "x".repeat(90);
    let limited = [
        vec![put("123456789", "")],
        vec![put("k", &long)],
        vec![Change {
            table: "table".into(),
            ..put("k", "")
        }],
        (0..6).map(|n| put(&n.to_string(), "")).collect(),
        vec![put("a", &full), put("b", &full), put("c", &full)],
    ];
    for changes in limited {
        let answer = commit(&store, &fence, &[], &changes).await;
        assert!(
            matches!(answer, Err(CommitError::Store(StoreError::Limit(_)))),
            "{changes:?}: {answer:?}"
        );
    }
    for change in [
        put("", "x"),
        put("a\0b", "x"),
        put("a", "\0"),
        Change {
            table: String::new(),
            ..put("a", "x")
        },
    ] {
        assert!(matches!(
            commit(&store, &fence, &[], &[change]).await,
            Err(CommitError::Invalid(_))
        ));
    }
    assert!(
        store
            .guest_scan("isp", "t", "", "", 10)
            .await
            .unwrap()
            .is_empty()
    );

    for keys in [["a", "b"], ["c", "d"]] {
        commit(&store, &fence, &[], &keys.map(|key| put(key, &full)))
            .await
            .unwrap();
    }
    assert!(matches!(
        commit(&store, &fence, &[], &[put("e", &full)]).await,
        Err(CommitError::Full { limit: ROOM })
    ));
    // Replacing and deleting still work when full, and a scan that would carry too much says so.
    commit(&store, &fence, &[], &[put("a", &full)])
        .await
        .unwrap();
    assert!(matches!(
        store.guest_scan("isp", "t", "", "", 4).await,
        Err(StoreError::Limit(_))
    ));
    assert_eq!(
        store.guest_scan("isp", "t", "", "", 2).await.unwrap().len(),
        2
    );
    let keys: Vec<String> = ["a", "b", "c"].map(String::from).into();
    assert!(matches!(
        store.guest_get("isp", "t", &keys).await,
        Err(StoreError::Limit(_))
    ));
    let gone = Change {
        value: None,
        ..put("a", "")
    };
    commit(&store, &fence, &[], &[gone]).await.unwrap();
    commit(&store, &fence, &[put("b", &full)], &[put("e", &full)])
        .await
        .unwrap();
}

async fn all_that_an_installation_keeps_counts(database: Database) {
    let store = database.store().await;
    let fence = leased(&store, "isp").await;
    let told = |store: &Store| {
        let store = store.clone();
        async move { store.installation("isp").await.unwrap().told_bytes }
    };
    let activity = Activity {
        message: "x".repeat(1000),
        ..Activity::default()
    };
    let commit = |activities| Commit {
        fence: &fence,
        expect: &[],
        changes: &[],
        activities,
        most_bytes: 4000,
    };
    let (one, many) = ([activity.clone()], vec![activity; 10]);
    store.guest_commit(commit(&one), at(1)).await.unwrap();
    let full = store.guest_commit(commit(&many), at(1)).await;
    assert!(
        matches!(full, Err(CommitError::Full { limit: 4000 })),
        "{full:?}"
    );
    let kept = told(&store).await;
    assert!(
        (1000..1200).contains(&kept),
        "what was refused does not count: {kept}"
    );

    let row = ReportRow {
        cells: vec!["x".repeat(1000)],
        ..ReportRow::default()
    };
    store
        .append_report(fence.run, "plan", &[row])
        .await
        .unwrap();
    let line = LogLine {
        at: at(1),
        level: "info".to_owned(),
        message: "x".repeat(1000),
    };
    store.append_log(fence.run, &[line]).await.unwrap();
    assert!((3000..3600).contains(&told(&store).await));
    store.has_room("isp", 4000).await.unwrap();
    let outcome = Outcome {
        state: RunState::Finished,
        resume_at: None,
        why: None,
        counts: Vec::new(),
        more: vec![("a".to_owned(), "x".repeat(1000))],
    };
    store.finish_run(fence.run, &outcome, at(2)).await.unwrap();
    let full = store.has_room("isp", 4000).await;
    assert!(matches!(full, Err(CommitError::Full { .. })), "{full:?}");

    // On a disk with less room than add-ons leave free only the host writes on.
    let tight = store.clone().with_floor(u64::MAX);
    let changes = [Change {
        table: "a".to_owned(),
        key: "k".to_owned(),
        value: Some("v".to_owned()),
    }];
    let commit = Commit {
        changes: &changes,
        most_bytes: u64::MAX >> 1,
        ..commit(&[])
    };
    let refused = tight.guest_commit(commit, at(3)).await;
    match database.folder {
        Some(_) => {
            let why = refused.unwrap_err();
            assert!(
                matches!(why, CommitError::Disk { .. }) && why.to_string().contains("make room"),
                "{why}"
            );
            let run = start_run(&tight, "isp").await;
            tight.finish_run(run, &outcome, at(4)).await.unwrap();
        }
        None => refused.unwrap(),
    }
    assert_eq!(
        store
            .guest_scan("isp", "a", "", "", 10)
            .await
            .unwrap()
            .len(),
        usize::from(database.folder.is_none())
    );
}
