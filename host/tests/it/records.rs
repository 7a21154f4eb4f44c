//! What the store keeps of runs, add-ons, installations and accounts, from their beginning to their end.

use addon_host::store::{
    AlertChannel, Author, ConnectionOverride, Failure, LEASE_SECONDS, LogLine, LoginSource,
    NewAddonVersion, Outcome, Progress, ReportRow, Role, RunState, StoreError, TrustedKey,
};

use crate::fixtures::{Database, MANIFEST, at, by, install, on_both_databases, start_run};

on_both_databases!(
    a_run_is_followed_from_start_to_outcome,
    addons_installations_and_what_belongs_to_them_come_and_go_together,
    what_is_changed_of_the_host_is_kept_with_who_changed_it,
);

async fn a_run_is_followed_from_start_to_outcome(database: Database) {
    let store = database.store().await;
    install(&store, "isp").await;
    let run = start_run(&store, "isp").await;
    let progress = Progress {
        stage: "invoices".into(),
        done: 5,
        total: 10,
    };
    assert!(!store.set_progress(run, &progress).await.unwrap());
    assert!(store.request_stop(run).await.unwrap());
    assert!(
        store.stop_requested(run).await.unwrap()
            && store.set_progress(run, &progress).await.unwrap()
    );

    let line = |message: &str| LogLine {
        at: at(3),
        level: "info".into(),
        message: message.into(),
    };
    store
        .append_log(run, &[line("one"), line("two\0")])
        .await
        .unwrap();
    store.append_log(run, &[line("three")]).await.unwrap();
    let messages: Vec<_> = store
        .log_lines(run, 1, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.number, row.line.message))
        .collect();
    assert_eq!(
        messages,
        [(2, "two\u{2400}".to_owned()), (3, "three".to_owned())]
    );
    let row = |id: &str| ReportRow {
        id: id.into(),
        cells: vec!["a".into(), "b".into()],
        more: vec![("k".into(), "v".into())],
    };
    store
        .append_report(run, "plan", &[row("1"), row("2")])
        .await
        .unwrap();
    store
        .append_report(run, "rejected", &[row("3")])
        .await
        .unwrap();
    assert_eq!(
        store.report_rows(run, "plan", 1, 10).await.unwrap(),
        [(2, row("2"))]
    );
    assert_eq!(
        store.report_kinds(run).await.unwrap(),
        [("plan".to_owned(), 2), ("rejected".to_owned(), 1)]
    );

    let why = Failure {
        code: "paused".into(),
        message: "A limit.".into(),
        retry_at: Some(99),
        more: Vec::new(),
    };
    let outcome = Outcome {
        state: RunState::Paused,
        resume_at: Some(99),
        why: Some(why),
        counts: vec![("customers created".into(), u64::MAX)],
        more: vec![("a".into(), "b".into())],
    };
    assert!(store.finish_run(run, &outcome, at(8)).await.unwrap());
    assert!(
        !store
            .finish_run(
                run,
                &Outcome {
                    state: RunState::Failed,
                    ..outcome.clone()
                },
                at(9)
            )
            .await
            .unwrap()
    );
    assert!(!store.request_stop(run).await.unwrap(), "it is over");
    let found = store.run(run).await.unwrap();
    assert_eq!(
        (found.state, found.ended_at, found.outcome),
        (RunState::Paused, Some(at(8)), Some(outcome))
    );
    assert_eq!(found.progress, progress);

    // A run whose host died is ended by another host, one that still shows life is not.
    let (lost, alive) = (
        start_run(&store, "isp").await,
        start_run(&store, "isp").await,
    );
    store.touch_run(alive, at(20)).await.unwrap();
    let end = LEASE_SECONDS + store.clock_tolerance().num_seconds();
    assert_eq!(
        store.fail_lost_runs(at(end - 1)).await.unwrap(),
        Vec::<i64>::new()
    );
    assert_eq!(store.fail_lost_runs(at(end)).await.unwrap(), [lost]);
    let found = store.run(lost).await.unwrap();
    assert!(found.host.contains("process"), "{}", found.host);
    assert_eq!(
        (
            found.state,
            found.outcome.unwrap().why.unwrap().code.as_str()
        ),
        (RunState::Failed, "host-lost")
    );
    let ids: Vec<_> = store
        .runs("isp", Some(alive), 10)
        .await
        .unwrap()
        .into_iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(ids, [lost, run]);
    assert!(matches!(
        store.run(12345).await,
        Err(StoreError::Missing { .. })
    ));
    assert!(matches!(
        store.request_stop(12345).await,
        Err(StoreError::Missing { .. })
    ));
}

async fn addons_installations_and_what_belongs_to_them_come_and_go_together(database: Database) {
    let store = database.store().await;
    install(&store, "isp").await;
    assert!(matches!(
        store.installation("nobody").await,
        Err(StoreError::Missing { .. })
    ));
    let version = |sha256: &'static str, version: &'static str| NewAddonVersion {
        addon: "example",
        version,
        sha256,
        manifest: MANIFEST,
        package: sha256.as_bytes(),
        serial: 1,
        signature: "",
        signed_by: "",
        installed_by: "ann",
    };
    store
        .activate_addon(version("def", "1.3.0"), at(1))
        .await
        .unwrap();
    let active = store.active_addon("example").await.unwrap().unwrap();
    assert_eq!(
        (
            active.version.as_str(),
            active.sha256.as_str(),
            active.active
        ),
        ("1.3.0", "def", true)
    );
    assert_eq!(store.addon_versions().await.unwrap().len(), 2);
    assert_eq!(
        store.package("abc").await.unwrap().as_deref(),
        Some(b"bytes".as_slice()),
        "runs that began with it go on"
    );
    store
        .activate_addon(version("abc", "1.2.3"), at(2))
        .await
        .unwrap();
    assert_eq!(
        store.active_addon("example").await.unwrap().unwrap().sha256,
        "abc"
    );

    let terms = ConnectionOverride {
        per_minute: Some(20),
        allow_hosts: vec!["127.0.0.1".into()],
        ..Default::default()
    };
    assert_eq!(
        store.connection_override("isp", "books").await.unwrap(),
        ConnectionOverride::default()
    );
    store
        .set_connection_override("isp", "books", &terms, &by(at(2)))
        .await
        .unwrap();
    assert_eq!(
        store.connection_override("isp", "books").await.unwrap(),
        terms
    );
    start_run(&store, "isp").await;
    assert!(matches!(
        store.remove_addon("example", &by(at(4))).await,
        Err(StoreError::InUse { .. })
    ));
    store.remove_installation("isp", &by(at(3))).await.unwrap();
    assert!(store.runs("isp", None, 10).await.unwrap().is_empty());
    store.remove_addon("example", &by(at(4))).await.unwrap();
    assert!(store.package("abc").await.unwrap().is_none());
    assert!(matches!(
        store.remove_addon("example", &by(at(4))).await,
        Err(StoreError::Missing { .. })
    ));

    store
        .save_account("ann", "hash 1", &by(at(0)))
        .await
        .unwrap();
    store
        .insert_session("token", "ann", "", at(0), at(100))
        .await
        .unwrap();
    store.touch_session("token", at(50)).await.unwrap();
    assert_eq!(
        store
            .session("token", at(99))
            .await
            .unwrap()
            .unwrap()
            .seen_at,
        at(50)
    );
    assert!(
        store.session("token", at(100)).await.unwrap().is_none(),
        "expired"
    );
    store
        .save_account("ann", "hash 2", &by(at(60)))
        .await
        .unwrap();
    assert!(
        store.session("token", at(61)).await.unwrap().is_none(),
        "a new password ends all sessions"
    );
    assert_eq!(
        store.account("ann").await.unwrap().unwrap().password_hash,
        "hash 2"
    );
    assert_eq!(store.account_count().await.unwrap(), 1);
}

async fn what_is_changed_of_the_host_is_kept_with_who_changed_it(database: Database) {
    let store = database.store().await;
    install(&store, "isp").await;
    let before = store.host_changes(None, 100).await.unwrap().len();
    let ann = |seconds| Author::new("ann", at(seconds));

    let account = async |hash: &str, role: Option<Role>, seconds: i64| {
        let ann = ann(seconds);
        let saved = store.save_account_as("bob", hash, role, &ann);
        saved.await.unwrap();
    };
    store.save_account("ann", "hash", &ann(0)).await.unwrap();
    account("hash 1", Some(Role::View), 1).await;
    account("hash 2", None, 2).await;
    store.set_role("bob", Role::Operate, &ann(3)).await.unwrap();
    store.set_role("bob", Role::Operate, &ann(4)).await.unwrap();
    store.remove_account("bob", &ann(5)).await.unwrap();

    let terms = ConnectionOverride {
        per_minute: Some(20),
        allow_hosts: vec!["127.0.0.1".into(), "books.example".into()],
        ..Default::default()
    };
    let limits = |amount: u64| [("calls".to_owned(), amount)].into();
    store
        .set_connection_override("isp", "books", &terms, &ann(6))
        .await
        .unwrap();
    store
        .set_changed_limits("isp", &limits(7), &ann(7))
        .await
        .unwrap();
    store
        .set_changed_limits("isp", &limits(8), &ann(8))
        .await
        .unwrap();

    let channel = AlertChannel {
        name: "mail".to_owned(),
        installation: Some("isp".to_owned()),
        terms: r#"{"to":["ann@isp.example"],"port":587}"#.to_owned(),
        sealed: None,
    };
    store.save_alert_channel(&channel, &ann(9)).await.unwrap();
    assert!(store.remove_alert_channel("mail", &ann(10)).await.unwrap());
    assert!(!store.remove_alert_channel("mail", &ann(11)).await.unwrap());
    let source = LoginSource {
        installation: "isp".to_owned(),
        connection: "books".to_owned(),
        roles: vec![
            ("manager".to_owned(), Role::Operate),
            ("*".to_owned(), Role::View),
        ],
    };
    store.save_login_source(&source, &ann(12)).await.unwrap();
    assert!(store.remove_login_source("isp", &ann(13)).await.unwrap());
    let key = TrustedKey {
        id: "0123456789ABCDEF".to_owned(),
        public_key: "line".to_owned(),
        name: "Makers".to_owned(),
        added_at: at(14),
        added_by: "ann".to_owned(),
    };
    store.trust(&key).await.unwrap();
    store.distrust(&key.id, &ann(15)).await.unwrap();
    store.remove_installation("isp", &ann(16)).await.unwrap();
    store.remove_addon("example", &ann(17)).await.unwrap();
    // What is refused leaves nothing.
    assert!(store.remove_account("nobody", &ann(18)).await.is_err());
    assert!(
        store.set_role("ann", Role::View, &ann(19)).await.is_err(),
        "the last who administers"
    );

    let mut kept = store.host_changes(None, 100).await.unwrap();
    kept.reverse();
    let told = kept.iter().skip(before).map(|change| {
        assert_eq!(change.by, "ann");
        let text = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
        format!(
            "{} {} {}: {} > {}",
            (change.at - at(0)).num_seconds(),
            change.what,
            change.name,
            text(&change.before),
            text(&change.after)
        )
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "0 account ann: - > administer",
            "1 account bob: - > view",
            "2 account bob: view > view, with another password",
            "3 account bob: view > operate",
            "5 account bob: operate > -",
            "6 connection isp, books: - > allow_hosts 127.0.0.1 books.example, per_minute 20",
            "7 limits isp: - > calls 7",
            "8 limits isp: calls 7 > calls 8",
            "9 alert channel mail: - > about isp: port 587, to ann@isp.example",
            "10 alert channel mail: about isp: port 587, to ann@isp.example > -",
            "12 people of a service isp: - > books: manager may operate, * may view",
            "13 people of a service isp: books: manager may operate, * may view > -",
            "14 trusted key 0123456789ABCDEF: - > Makers",
            "15 trusted key 0123456789ABCDEF: Makers > -",
            "16 installation isp: example > -",
            "17 add-on example: 1.2.3 > -",
        ]
    );
    let numbers: Vec<i64> = kept.iter().map(|change| change.number).collect();
    let last = i64::try_from(kept.len()).unwrap();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    let older = store.host_changes(Some(last), 2).await.unwrap();
    assert_eq!(
        older.iter().map(|change| change.number).collect::<Vec<_>>(),
        [last - 1, last - 2]
    );

    // Writers of different subjects, and two hosts, all count in one row.
    let other = database.store().await;
    let busy = (0..10).map(|place| {
        let (one, two) = (store.clone(), other.clone());
        let limits: std::collections::BTreeMap<_, _> = limits(place);
        async move {
            let author = Author::new("busy", at(100));
            let name = format!("somebody-{place}");
            let scope = format!("scope-{place}");
            let (made, set) = tokio::join!(
                one.save_account(&name, "hash", &author),
                two.set_changed_limits(&scope, &limits, &author)
            );
            made.unwrap();
            set.unwrap();
        }
    });
    futures_util::future::join_all(busy).await;
    let all = store.host_changes(None, 100).await.unwrap();
    assert_eq!(all[0].number, last + 20);
    assert_eq!(all.len(), kept.len() + 20);
}
