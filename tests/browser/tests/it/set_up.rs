//! From a host with a package and nothing else to automatic runs, by the pages alone.

use end_to_end::Stage;

use crate::office::{Office, ends, ready};

#[tokio::test]
async fn a_bookkeeper_sets_the_small_provider_up_and_the_cron_is_green() {
    let Some(component) = ready() else { return };
    let stage = Stage::new("small");
    stage.install(&Stage::manifest("0.1.0"), &component);
    let known: Vec<(String, String)> = [stage.isp("--setup"), stage.isp("--secrets")]
        .concat()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .chain([
            ("splynx_api_domain".to_owned(), stage.splynx.clone()),
            ("sage_api_url".to_owned(), stage.sage.clone()),
        ])
        .collect();
    let office = Office::open(stage);
    let browser = office.bookkeeper().await;
    let step = async |number: usize, keys: &[&str]| {
        browser
            .visit(&format!("installations/isp/setup?step={number}"))
            .await;
        for key in keys {
            let (_, value) = known
                .iter()
                .find(|(known, _)| known == key)
                .expect("the key");
            browser.set(key, value).await;
        }
        browser.press("Save and check").await;
        browser.sees("saved").await;
    };
    let job = async |number: usize| {
        browser
            .visit(&format!("installations/isp/setup?step={number}"))
            .await;
        browser.press("Run").await;
        ends(&browser, "finished").await;
    };
    browser.visit("installations").await;
    browser.inspect("no-installation").await;
    browser.fill("Name", "Our ISP").await;
    browser.press("Make it, and set it up").await;
    browser.sees("cannot be an installation's name").await;
    browser.inspect("installation-refused").await;
    browser.fill("Name", "isp").await;
    browser.press("Make it, and set it up").await;
    browser.sees("0 of 18 done").await;
    browser.inspect("set-up-first").await;
    // Both services are on this machine, and have no limits.
    office.stage.widen(6000);

    step(
        1,
        &["splynx_api_domain", "splynx_api_key", "splynx_api_secret"],
    )
    .await;
    step(
        2,
        &[
            "sage_api_url",
            "sage_login",
            "sage_password",
            "sage_api_key",
        ],
    )
    .await;
    browser.sees("Connected to").await;
    job(3).await;
    step(
        4,
        &[
            "export_invoices_from",
            "export_credit_notes_from",
            "export_payments_from",
        ],
    )
    .await;
    browser.inspect("set-up-documents").await;
    step(
        5,
        &[
            "payment_method_id",
            "payments_push_methods",
            "default_bank_account",
            "import_payments_from",
        ],
    )
    .await;

    browser.visit("installations/isp/setup?step=6").await;
    browser.inspect("set-up-mappings").await;
    browser.follow("Open the mappings").await;
    browser.sees("filled in with what fits").await;
    for (key, value) in known.iter().filter(|(key, _)| key.contains('.')) {
        browser.set(key, value).await;
    }
    browser.inspect("mappings").await;
    browser.press("Save mappings").await;
    browser.sees("settings were saved").await;
    browser.visit("installations/isp/setup?step=7").await;
    browser.press("Check now").await;
    browser.sees("7. Is everything in place? done").await;
    browser.inspect("set-up-check").await;

    job(8).await;
    browser.visit("installations/isp/setup").await;
    browser.sees("10. Preview the customers").await;
    browser.press("Preview").await;
    ends(&browser, "finished").await;
    browser.sees("Plan").await;
    browser.inspect("preview").await;
    for number in [11, 12, 13, 14, 16, 17] {
        job(number).await;
    }
    step(
        18,
        &[
            "cron_customers",
            "cron_invoices",
            "cron_credit_notes",
            "cron_payments",
        ],
    )
    .await;
    browser.sees("18 of 18 done").await;
    browser.inspect("set-up-done").await;

    // The scheduler begins by itself.
    browser.visit("installations/isp/runs").await;
    let mut looks = 0;
    while !browser.text().await.contains("schedule") {
        looks += 1;
        assert!(
            looks < 300,
            "no run by the schedule: {}",
            browser.text().await
        );
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        browser.visit("installations/isp/runs").await;
    }
    // The newest is the first.
    browser
        .ask("document.querySelector('tbody a').click()")
        .await;
    ends(&browser, "finished").await;
    browser
        .visit("installations/isp/pages/reconciliation")
        .await;
    browser.inspect("reconciliation").await;
    browser
        .visit("installations/isp/pages/reconciliation?report=reconciliation-months")
        .await;
    browser.inspect("reconciliation-months").await;
    browser.visit("installations").await;
    browser.inspect("dashboard").await;
    browser.close().await;
}
