//! What is kept of one customer in words: counted, and gone when it is erased, while the books keep their ids, days and amounts.

use addon_host::store::{Activity, ActivityFilter, Commit, LogLine, ReportRow};

use crate::fixtures::{Database, at, by, leased, on_both_databases, start_run};

on_both_databases!(names_and_texts_go_and_what_the_books_need_stays);

async fn names_and_texts_go_and_what_the_books_need_stays(database: Database) {
    const NAME: &str = "Anna \"Ann\" Botha";
    let store = database.store().await;
    let fence = leased(&store, "isp").await;
    let activity = |entity: &str, id: &str, customer: &str, label: &str, message: &str| Activity {
        entity: entity.into(),
        action: "held".into(),
        local_id: id.into(),
        remote_id: "9".into(),
        customer_id: customer.into(),
        label: label.into(),
        code: "refused".into(),
        message: message.into(),
        more: vec![
            ("amount".into(), "115.00".into()),
            ("cure".into(), format!("Ring {NAME}.")),
            ("phone".into(), "0824455667".into()),
        ],
    };
    let activities = [
        activity("customer", "17", "17", NAME, "Sage refused it."),
        activity("invoice", "501", "17", "INV-501", "Her own words."),
        activity(
            "invoice",
            "502",
            "18",
            "INV-502",
            &format!("It is like that of {NAME}."),
        ),
    ];
    let commit = Commit {
        fence: &fence,
        expect: &[],
        changes: &[],
        activities: &activities,
        most_bytes: u64::MAX,
    };
    store.guest_commit(commit, at(1)).await.unwrap();
    let run = start_run(&store, "isp").await;
    let line = LogLine {
        at: at(2),
        level: "info".into(),
        message: format!("{NAME} has no address, 42 others have"),
    };
    store.append_log(run, &[line]).await.unwrap();
    let row = ReportRow {
        id: "1".into(),
        cells: vec![NAME.into(), "115.00".into()],
        more: Vec::new(),
    };
    store.append_report(run, "plan", &[row]).await.unwrap();

    let names = store.customer_names("isp", "customer", "17").await.unwrap();
    assert_eq!(names, [NAME]);
    let kept = store.kept_of_customer("isp", "17", &names).await.unwrap();
    assert_eq!(kept.activities, 2);
    let rows: Vec<i64> = kept.found.iter().map(|found| found.rows).collect();
    assert_eq!(rows, [3, 1, 1, 0, 0], "{kept:?}");

    store
        .erase_customer("isp", "17", &names, &by(at(9)))
        .await
        .unwrap();
    let after = store.kept_of_customer("isp", "17", &names).await.unwrap();
    assert!(after.found.iter().all(|found| found.rows == 0), "{after:?}");
    let lines = store.log_lines(run, 0, 10).await.unwrap();
    assert_eq!(
        lines[0].line.message,
        "[erased] has no address, 42 others have"
    );
    let rows = store.report_rows(run, "plan", 0, 10).await.unwrap();
    assert_eq!(rows[0].1.cells, ["[erased]", "115.00"]);
    let filter = ActivityFilter::default();
    let log = store.activities("isp", &filter).await.unwrap();
    let told = |id: &str| {
        let found = log.iter().find(|row| row.activity.local_id == id).unwrap();
        found.activity.clone()
    };
    let amount = vec![("amount".to_owned(), "115.00".to_owned())];
    for (id, label) in [("17", "[erased]"), ("501", "INV-501")] {
        let entry = told(id);
        assert_eq!((entry.label.as_str(), entry.message.as_str()), (label, ""));
        assert_eq!(
            (entry.more, entry.remote_id.as_str()),
            (amount.clone(), "9")
        );
    }
    assert_eq!(told("502").message, "It is like that of [erased].");
    let changes = store.host_changes(None, 1).await.unwrap();
    assert_eq!(changes[0].name, "isp: customer 17");
    assert!(!format!("{changes:?}").contains("Botha"));
}
