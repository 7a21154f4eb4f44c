//! The activity log, as pages and as files.

use addon_host::store::{Activity, Change, Commit, LeaseAnswer};

use super::site::{Page, Site};
use crate::fixtures::at;

#[tokio::test]
async fn the_activity_log_is_filtered_and_paged() {
    let site = Site::new("").await;
    let run = site.run("finish", false).await;
    let LeaseAnswer::Acquired(fence) = site.store.acquire_lease("isp", run, at(0)).await.unwrap()
    else {
        panic!("nobody else is there");
    };
    let activity = |number: usize| Activity {
        entity: if number.is_multiple_of(2) {
            "invoice"
        } else {
            "customer"
        }
        .into(),
        action: if number.is_multiple_of(3) {
            "held"
        } else {
            "created"
        }
        .into(),
        local_id: number.to_string(),
        customer_id: (number % 5).to_string(),
        label: format!("record-{number}-"),
        message: format!("<b>{number}</b>"),
        more: vec![
            ("amount".into(), "115.00".into()),
            ("currency".into(), "ZAR".into()),
        ],
        ..Activity::default()
    };
    for (day, numbers) in [(0, 1..=100), (1, 101..=250)] {
        let activities: Vec<_> = numbers.map(activity).collect();
        let change = Change {
            table: "t".into(),
            key: "k".into(),
            value: Some(day.to_string()),
        };
        let commit = Commit {
            fence: &fence,
            expect: &[],
            changes: &[change],
            activities: &activities,
            most_bytes: u64::MAX,
        };
        site.store
            .guest_commit(commit, at(day * 86_400))
            .await
            .unwrap();
    }
    let mut ann = site.ann().await;
    let log = "/installations/isp/activity";
    let labels = |page: &Page| -> Vec<usize> {
        page.text
            .split("record-")
            .skip(1)
            .map(|rest| rest.split('-').next().unwrap().parse().unwrap())
            .collect()
    };
    let page = ann.get(log).await;
    assert_eq!(labels(&page), (151..=250).rev().collect::<Vec<_>>());
    page.shows(&["&#60;b&#62;250&#60;/b&#62;", ">ZAR 115,00<", "Next page"]);
    assert!(!page.has("<b>") && !page.has("first page"));
    let second = ann.get(&format!("{log}?before=151")).await;
    assert_eq!(labels(&second), (51..=150).rev().collect::<Vec<_>>());
    let third = ann.get(&format!("{log}?before=51")).await;
    assert_eq!(labels(&third).len(), 50);
    assert!(!third.has("Next page") && third.has("first page"));

    let matching = |keep: fn(usize) -> bool| -> Vec<usize> {
        (1..=250)
            .rev()
            .filter(|number| keep(*number))
            .take(100)
            .collect()
    };
    let second_day = at(86_400).date_naive();
    for (query, expected) in [
        (
            "entity=invoice&action=&customer=&since=".to_owned(),
            matching(|number| number % 2 == 0),
        ),
        ("action=held".to_owned(), matching(|number| number % 3 == 0)),
        (
            "entity=customer&action=held&customer=3".to_owned(),
            matching(|number| number % 2 == 1 && number % 3 == 0 && number % 5 == 3),
        ),
        (
            format!("since={second_day}&entity=invoice&action=held"),
            matching(|number| number > 100 && number % 6 == 0),
        ),
        (
            format!("run={run}&customer=0&action=held"),
            matching(|number| number % 15 == 0),
        ),
        ("run=99".to_owned(), Vec::new()),
        ("entity=%3Cscript%3E".to_owned(), Vec::new()),
        (
            "since=nonsense&before=nonsense&entity=customer".to_owned(),
            matching(|number| number % 2 == 1),
        ),
    ] {
        let page = ann.get(&format!("{log}?{query}")).await;
        assert_eq!(labels(&page), expected, "{query}");
        assert!(!page.has("<script>"));
        let told = page.has("nonsense is no day: write it as 2026-11-30");
        assert_eq!(told, query.contains("since=nonsense"), "{query}");
    }
    // The way on keeps the filter.
    let page = ann.get(&format!("{log}?entity=invoice")).await;
    page.shows(&[
        "entity=invoice&#38;before=",
        r#"<option selected>invoice</option>"#,
        "Clear",
    ]);
    site.stop().await;
}

/// Stores activities as a run's commits do.
async fn record(site: &Site, activities: &[Activity], seconds: i64) {
    let run = site.run("finish", false).await;
    let LeaseAnswer::Acquired(fence) = site
        .store
        .acquire_lease("isp", run, at(seconds))
        .await
        .unwrap()
    else {
        panic!("nobody else is there");
    };
    let commit = Commit {
        fence: &fence,
        expect: &[],
        changes: &[],
        activities,
        most_bytes: u64::MAX,
    };
    site.store.guest_commit(commit, at(seconds)).await.unwrap();
    site.store.release_lease(&fence).await.unwrap();
}

/// F80 and B6: the log's tabs and filters, and that a file holds what the page's filter lets through.
#[tokio::test]
async fn each_tab_and_filter_shows_its_records_on_the_page_and_in_the_file() {
    let site = Site::new("").await;
    let activity = |entity: &str, action: &str, code: &str, customer: &str| Activity {
        entity: entity.into(),
        action: action.into(),
        code: code.into(),
        customer_id: customer.into(),
        label: format!("{entity}/{action}"),
        ..Activity::default()
    };
    // 22:26:40 in Johannesburg; the second is after midnight there, and before it in UTC.
    record(
        &site,
        &[
            activity("customer", "created", "", "1"),
            activity("invoice", "held", "mapping-missing", "1"),
            activity("credit-note", "synced", "", "2"),
        ],
        0,
    )
    .await;
    record(
        &site,
        &[
            activity("payment", "created", "", "2"),
            activity("receipt", "imported", "", "1"),
            activity("allocation", "owed", "", "1"),
            activity("statement", "paired", "", "3"),
            activity("hook", "created", "", "3"),
        ],
        2 * 3600,
    )
    .await;
    let mut ann = site.ann().await;
    let all = [
        "customer/created",
        "invoice/held",
        "credit-note/synced",
        "payment/created",
        "receipt/imported",
        "allocation/owed",
        "statement/paired",
        "hook/created",
    ];
    let first = at(0).date_naive();
    let second = at(86_400).date_naive();
    for (query, expected) in [
        (String::new(), all.to_vec()),
        ("tab=customers".into(), vec![all[0]]),
        ("tab=invoices".into(), vec![all[1]]),
        ("tab=credit-notes".into(), vec![all[2]]),
        ("tab=payments".into(), all[3..7].to_vec()),
        ("tab=payments&entity=receipt".into(), vec![all[4]]),
        ("tab=payments&customer=1".into(), vec![all[4], all[5]]),
        ("action=owed".into(), vec![all[5]]),
        ("code=mapping-missing".into(), vec![all[1]]),
        (format!("until={first}"), all[..3].to_vec()),
        (format!("since={second}&tab=payments"), all[3..7].to_vec()),
        (format!("since={first}&until={second}"), all.to_vec()),
        (format!("since={second}&until={first}"), Vec::new()),
    ] {
        let page = ann
            .get(&format!("/installations/isp/activity?{query}"))
            .await;
        for label in all {
            let shown = page.has(&format!(" {label}</td>"));
            assert_eq!(shown, expected.contains(&label), "{label} for {query}");
        }
        let file = ann
            .get(&format!("/installations/isp/activity/csv?{query}"))
            .await;
        let labels: Vec<&str> = file
            .text
            .lines()
            .skip(1)
            .map(|line| line.split(',').nth(3).unwrap())
            .collect();
        assert_eq!(labels, expected, "{query}");
        let file = ann
            .get(&format!("/installations/isp/activity/json?{query}"))
            .await;
        let rows: Vec<serde_json::Value> = serde_json::from_str(&file.text).unwrap();
        let labels: Vec<&str> = rows
            .iter()
            .map(|row| row["label"].as_str().unwrap())
            .collect();
        assert_eq!(labels, expected, "{query}");
    }
    let page = ann
        .get("/installations/isp/activity?tab=payments&customer=1")
        .await;
    page.shows(&[
        r#"aria-current="page">Payments</a>"#,
        // Another tab keeps the filter, the file has both.
        "?tab=invoices&#38;customer=1",
        "/activity/csv?tab=payments&#38;customer=1",
    ]);
    // Columns are left out of the page, of the pages that it leads to, and not of the file.
    let page = ann
        .get("/installations/isp/activity?column=amount&column=here&column=nonsense&customer=1")
        .await;
    page.shows(&[
        ">Splynx id</th>",
        ">Amount</th>",
        "?tab=invoices&#38;customer=1&#38;column=amount&#38;column=here",
    ]);
    assert!(!page.has(">Sage id</th>") && !page.has(">Told</th>"));
    assert_eq!(
        ann.get("/installations/isp/activity/csv?column=amount&customer=1")
            .await
            .text,
        ann.get("/installations/isp/activity/csv?customer=1")
            .await
            .text
    );
    assert_eq!(
        ann.get("/installations/isp/activity/ods").await.status,
        reqwest::StatusCode::NOT_FOUND
    );
    site.stop().await;
}

#[tokio::test]
async fn twenty_thousand_rows_leave_as_one_file_and_no_cell_of_it_is_a_formula() {
    let site = Site::new("").await;
    for block in 0..20 {
        let activity = |number: usize| Activity {
            entity: "invoice".into(),
            action: "created".into(),
            local_id: number.to_string(),
            label: "=HYPERLINK(\"http://evil.example\",\"x\")".into(),
            message: "+cmd|' /C calc'!A0,\nsecond line".into(),
            more: vec![
                ("amount".into(), "-12.50".into()),
                ("reference".into(), "@x".into()),
            ],
            ..Activity::default()
        };
        let block: Vec<Activity> = (block * 1000 + 1..=block * 1000 + 1000)
            .map(activity)
            .collect();
        record(&site, &block, 0).await;
    }
    let mut ann = site.ann().await;
    let answer = ann
        .send(
            reqwest::Method::GET,
            "/installations/isp/activity/csv",
            &[],
            &[],
        )
        .await;
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        answer.headers()["content-disposition"],
        "attachment; filename=\"isp-activity.csv\""
    );
    let text = answer.text().await.unwrap();
    let rest = text
        .strip_prefix("\u{feff}Time (Africa/Johannesburg),")
        .unwrap();
    let rows: Vec<&str> = rest.split("\r\n").collect();
    assert_eq!(
        (rows.len(), rows.last()),
        (20_002, Some(&"")),
        "headings, rows, and an end"
    );
    for (number, row) in (1..).zip(&rows[1..20_001]) {
        let expected = format!(
            "2026-05-28 22:26:40,invoice,created,\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"x\"\")\",{number},,,\
             -12.50,,\"'+cmd|' /C calc'!A0,\nsecond line\",reference: @x,{}",
            (number - 1) / 1000 + 1
        );
        assert_eq!(*row, expected);
    }
    for refused in ["until=30/11/2026", "run=x"] {
        let page = ann
            .get(&format!("/installations/isp/activity/csv?{refused}"))
            .await;
        assert_eq!(page.status, 422, "{refused}");
    }
    let json = ann.get("/installations/isp/activity/json").await;
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json.text).unwrap();
    assert_eq!(
        (rows.len(), &rows[19_999]["local_id"]),
        (20_000, &"20000".into())
    );
    site.stop().await;
}
