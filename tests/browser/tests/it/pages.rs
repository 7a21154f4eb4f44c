//! Every page of an installation that has lived, in every light.

use end_to_end::Stage;

use crate::office::{Office, ready};

#[tokio::test]
async fn every_page_is_quiet_narrow_enough_and_usable_by_everybody() {
    let Some(component) = ready() else { return };
    let stage = Stage::new("small");
    stage.set_up(&component);
    for job in ["import-mapping", "sync", "reconcile"] {
        stage.host(&["run", "isp", job]).ok();
    }
    let manifest: Vec<String> = Stage::manifest("0.1.0")
        .split("[[pages]]")
        .skip(1)
        .filter_map(|page| page.split('"').nth(1).map(str::to_owned))
        .collect();
    assert!(manifest.len() > 5, "{manifest:?}");
    let office = Office::open(stage);
    let browser = office.bookkeeper().await;
    let own = [
        "",
        "/todo",
        "/jobs",
        "/setup",
        "/readiness",
        "/settings",
        "/mappings",
        "/activity",
        "/runs",
        "/changes",
        "/jobs/reconcile/form",
    ];
    let pages = own
        .iter()
        .map(|path| (*path).to_owned())
        .chain(manifest.iter().map(|page| format!("/pages/{page}")))
        .map(|path| format!("installations/isp{path}"))
        .chain(
            [
                "installations",
                "runs/2",
                "sessions",
                "people",
                "alerts",
                "changes",
                "addons",
                "nothing",
            ]
            .map(str::to_owned),
        );
    for page in pages {
        browser.visit(&page).await;
        browser
            .inspect(&format!("every-{}", page.replace('/', "-")))
            .await;
    }
    browser.close().await;
}
