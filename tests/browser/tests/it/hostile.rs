//! Texts that want to be scripts, before a real browser: none of them runs, and the browser has nothing to say about them.

use end_to_end::{Middleman, Stage};

use crate::office::{Office, by_hand, ends, ready};

/// Where texts of the services stand in every kind of place: cells, titles, fields, lists, pictures, addresses.
const PAGES: [&str; 10] = [
    "installations/isp",
    "installations/isp/settings",
    "installations/isp/mappings",
    "installations/isp/activity",
    "installations/isp/pages/outbox",
    "installations/isp/pages/records",
    "installations/isp/pages/pairing",
    "installations/isp/pages/reconciliation",
    "runs/4",
    "installations/isp/activity?code=zq1z%22%3E%3Cimg%20src%3Dx%20onerror%3Dhacked%3D2%3E",
];

#[tokio::test]
async fn no_text_of_a_service_runs_as_a_script() {
    let Some(component) = ready() else { return };
    let mut stage = Stage::in_step("small");
    let _middleman = Middleman::before(&mut stage);
    stage.set_up(&component);
    for job in [
        "import-mapping",
        "load-customers-for-pairing",
        "sync",
        "reconcile",
    ] {
        stage.host(&["run", "isp", job]).ok();
    }
    by_hand(&stage);
    let office = Office::open(stage);
    let browser = office.bookkeeper().await;
    // What a script puts into the page while a run goes on.
    browser.visit("installations/isp/jobs").await;
    browser.press("Run: Load Sage customers").await;
    ends(&browser, "finished").await;
    browser.check_console().await;
    for page in PAGES {
        browser.visit(page).await;
        // Whatever waits for a focus or a mouse gets both.
        let marked = browser
            .ask(
                "for (const one of document.querySelectorAll('*')) {
                   one.focus?.();
                   for (const kind of ['mouseover', 'focus', 'load', 'error'])
                     one.dispatchEvent(new Event(kind));
                 }
                 return [typeof window.hacked, document.querySelectorAll('evil, iframe').length];",
            )
            .await;
        assert_eq!(marked, serde_json::json!(["undefined", 0]), "{page}");
        let source = browser
            .ask("return document.documentElement.outerHTML")
            .await;
        assert!(
            source.to_string().contains("zq"),
            "{page} shows no text of a service"
        );
        browser.check_console().await;
    }
    browser.close().await;
}
