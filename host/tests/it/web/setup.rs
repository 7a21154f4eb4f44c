//! The guide through the set-up, the readiness page, and the page of what a job's runs reported.

use addon_host::store::{Outcome, ReportRow, RunState};
use reqwest::StatusCode;

use super::site::{MANIFEST, Site};
use crate::fixtures::at;
use crate::guest::guest;

const GUIDED: &str = r#"
[[guide]]
title = "Connect it"
help = "Where the <b>password</b> is."
settings = ["First"]

[[guide]]
title = "See whether it will do"
check = true

[[guide]]
title = "Look first"
job = "finish"
preview = true

[[guide]]
title = "Do it"
job = "finish"

[[guide]]
title = "By itself"
schedule = ["Second"]

[[pages]]
id = "books"
title = "The books"
job = "finish"
reports = ["differences", "months"]

[[reports]]
id = "differences"
title = "Differences"
columns = ["Class", "Name", "Here"]
money = ["Here"]
filters = [{ key = "Class", title = "Class", options = [{ value = "amount", title = "Amount" }, { value = "date", title = "Date" }] }]

[[reports]]
id = "months"
title = "Months"
columns = ["Month", "Kind", "Here", "There"]
money = ["Here", "There"]
chart = { label = "Month", split = "Kind", bars = ["Here", "There"] }
"#;

async fn guided() -> Site {
    Site::with("", &format!("{MANIFEST}{GUIDED}"), guest()).await
}

#[tokio::test]
async fn the_guide_goes_on_where_it_was_left_and_opens_a_step_again_that_broke() {
    let site = guided().await;
    let mut ann = site.ann().await;
    let setup = "/installations/isp/setup";
    ann.get("/installations/isp")
        .await
        .shows(&["0 of 5 steps are done. Next: Connect it."]);
    ann.get(setup).await.shows(&[
        "0 of 5 done",
        "1. Connect it",
        "Where the &#60;b&#62;password&#60;/b&#62; is.",
        r#"action="/installations/isp/setup/1""#,
    ]);
    let wrong = ann
        .post("/installations/isp/setup/1", &[("name", "{oops")])
        .await;
    assert_eq!(
        wrong.status,
        StatusCode::SEE_OTHER,
        "a text may hold braces"
    );
    let page = ann
        .post("/installations/isp/setup/5", &[("every", "1")])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    page.shows(&["5. By itself", r#"aria-invalid="true""#]);

    let page = ann
        .post("/installations/isp/setup/1", &[("password", "s3cret")])
        .await;
    assert_eq!(page.location, "/installations/isp/setup?step=1&saved=1");
    ann.get(&page.location)
        .await
        .shows(&["One setting was saved."]);
    // The check that saving brought along is known to the next visitor, and after a restart.
    ann.get(setup)
        .await
        .shows(&["2 of 5 done", "3. Look first"]);
    ann.get("/installations/isp/readiness")
        .await
        .shows(&["ready", "Nothing is in the way."]);

    let run = ann
        .post("/installations/isp/jobs/finish", &[("preview", "1")])
        .await;
    wait(&mut ann, &run.location).await;
    ann.get(setup).await.shows(&["3 of 5 done", "4. Do it"]);
    let run = ann.post("/installations/isp/jobs/finish", &[]).await;
    wait(&mut ann, &run.location).await;
    ann.get(setup).await.shows(&["4 of 5 done", "5. By itself"]);
    ann.post("/installations/isp/setup/5", &[("automatic", "on")])
        .await;
    ann.get(setup).await.shows(&["5 of 5 done"]);
    assert!(!ann.get("/installations/isp").await.has("steps are done"));

    ann.post(
        "/installations/isp/settings",
        &[("remove:password", "on"), ("password", "")],
    )
    .await;
    ann.get(setup)
        .await
        .shows(&["3 of 5 done", "1. Connect it", "look here"]);
    let missing = ann.get("/installations/isp/setup?step=99").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

async fn wait(browser: &mut super::site::Browser<'_>, run: &str) {
    while browser.get(run).await.has("data-live") {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn reports_of_a_job_are_filtered_searched_and_paged_run_by_run() {
    let site = guided().await;
    let mut ann = site.ann().await;
    let books = "/installations/isp/pages/books";
    ann.get(books).await.shows(&["It has not run yet."]);
    for differences in [1, 250] {
        let run = site.run("finish", false).await;
        let row = |number: usize| ReportRow {
            id: number.to_string(),
            cells: vec![
                if number % 10 == 3 { "date" } else { "amount" }.to_owned(),
                // A value of another column, wildcards, and what a browser might take for its own.
                format!("date 100%_{number} \"<i>\\"),
                "-1234.5".to_owned(),
            ],
            more: Vec::new(),
        };
        let rows: Vec<ReportRow> = (1..=differences).map(row).collect();
        site.store
            .append_report(run, "differences", &rows)
            .await
            .unwrap();
        let month = |month: &str, here: &str, there: &str| ReportRow {
            id: month.to_owned(),
            cells: [month, "invoices", here, there].map(str::to_owned).to_vec(),
            more: Vec::new(),
        };
        let months = [
            month("2026-03", "1000.00", "-500.00"),
            month("2026-02", "0", "n/a"),
        ];
        site.store
            .append_report(run, "months", &months)
            .await
            .unwrap();
        let outcome = Outcome {
            state: RunState::Finished,
            resume_at: None,
            why: None,
            counts: vec![("records compared".to_owned(), 250)],
            more: Vec::new(),
        };
        site.store.finish_run(run, &outcome, at(5)).await.unwrap();
    }
    let page = ann.get(books).await;
    page.shows(&[
        "records compared",
        "-1\u{a0}234,50",
        "100%_100 &#34;&#60;i&#62;\\",
        "after=100",
    ]);
    assert!(!page.has("100%_101 "));
    // Only what stands in that column counts.
    let page = ann.get(&format!("{books}?filter.Class=date")).await;
    assert!(page.has("100%_243 ") && !page.has("100%_244 "));
    assert!(!page.has("Next page"));
    // What LIKE takes for a pattern is a text here.
    let page = ann.get(&format!("{books}?search=100%25_25%20")).await;
    assert!(page.has("100%_25 ") && !page.has("100%_250 ") && !page.has("100%_125 "));
    let page = ann.get(&format!("{books}?search=%22%3CI%3E%5C")).await;
    assert!(page.has("100%_1 "));
    ann.get(&format!("{books}?search=nothing"))
        .await
        .shows(&["Nothing fits."]);
    let page = ann.get(&format!("{books}?run=1")).await;
    assert!(page.has("100%_1 ") && !page.has("100%_2 "));
    ann.get(&format!("{books}?report=months")).await.shows(&[
        "<svg",
        "2026-03 Here: 1\u{a0}000,00",
        "2026-03 There: -500,00",
        "2026-02 There: 0,00",
        "n/a",
    ]);
}
