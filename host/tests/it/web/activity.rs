//! The activity log.

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
        more: vec![("amount".into(), "115.00".into())],
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
    page.shows(&["&#60;b&#62;250&#60;/b&#62;", "amount: 115.00", "Next page"]);
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
