//! What is held says why, and is cured by the person who reads it.

use end_to_end::Stage;
use serde_json::json;

use crate::office::{Office, by_hand, ends, ready};

#[tokio::test]
async fn a_held_invoice_is_cured_where_its_cure_points() {
    let Some(component) = ready() else { return };
    let stage = Stage::new("small");
    stage.set_up(&component);
    stage.host(&["settings", "isp", "set", "item.1="]).ok();
    stage.host(&["run", "isp", "import-mapping"]).ok();
    stage.host(&["run", "isp", "sync"]).ok();
    by_hand(&stage);
    let office = Office::open(stage);
    let browser = office.bookkeeper().await;
    browser.visit("installations/isp").await;
    browser.sees("things need you").await;
    browser.inspect("home-held").await;
    browser.follow("To do").await;
    browser.sees("is not mapped to Sage").await;
    browser.sees("follow by themselves").await;
    browser.inspect("to-do").await;
    browser.follow("Held and waiting").await;
    browser.choose("State", "Held: needs a person").await;
    browser.press("Show").await;
    browser.sees("invoice").await;
    browser.inspect("outbox").await;
    browser.follow("Set-up").await;
    browser.follow("Mappings").await;
    browser.set("item.1", "2001").await;
    browser.press("Save mappings").await;
    browser.sees("One setting was saved").await;
    browser.visit("installations/isp/jobs").await;
    browser.press("Run: Export invoices to Sage").await;
    ends(&browser, "finished").await;
    browser.inspect("run").await;
    browser
        .visit("installations/isp/pages/outbox?filter.state=held&filter.kind=invoice")
        .await;
    browser.sees("Nothing fits").await;
    browser.visit("installations/isp/activity").await;
    browser.inspect("activity").await;
    browser.close().await;
}

#[tokio::test]
async fn customers_that_sage_has_already_are_paired_all_at_once() {
    let Some(component) = ready() else { return };
    let stage = Stage::in_step("small");
    stage.set_up(&component);
    by_hand(&stage);
    let office = Office::open(stage);
    let browser = office.bookkeeper().await;
    browser.visit("installations/isp/jobs").await;
    browser.press("Run: Load Sage customers").await;
    ends(&browser, "finished").await;
    browser.follow("Set-up").await;
    browser.follow("Pairing").await;
    browser.choose("State", "Proposed").await;
    browser.press("Show").await;
    browser.inspect("pairing").await;
    browser.tick("All rows of this page").await;
    browser.press("Pair").await;
    browser.sees("overwrites name").await;
    browser.inspect("pairing-confirm").await;
    browser.press("Pair").await;
    browser.sees("paired").await;
    browser
        .visit("installations/isp/pages/pairing?filter.state=proposed")
        .await;
    browser.sees("Nothing fits").await;
    browser.close().await;
}

#[tokio::test]
async fn a_receipt_that_waits_in_the_statement_pays_the_invoice_that_a_person_names() {
    let Some(component) = ready() else { return };
    let stage = Stage::new("small");
    stage.set_up(&component);
    stage
        .host(&["settings", "isp", "set", "payments_direction=both"])
        .ok();
    stage.host(&["run", "isp", "sync"]).ok();
    let splynx = stage.splynx_state();
    let unpaid = splynx["invoices"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|invoice| invoice["status"] == "not_paid")
        .expect("an invoice that nobody has paid")
        .clone();
    let number = unpaid["number"].as_str().expect("a number").to_owned();
    let sage = stage.sage_state();
    let in_sage = sage["invoices"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|invoice| invoice["DocumentNumber"] == unpaid["number"])
        .expect("the invoice was exported")
        .clone();
    let fields = json!({"CustomerId": in_sage["CustomerId"], "Date": in_sage["Date"], "Total": "10.00",
        "BankAccountId": 501, "PaymentMethod": 4, "Reference": "EFT nobody knows"});
    stage.edit_sage(&json!({"entity": "receipts", "act": "create", "fields": fields}));
    stage.host(&["run", "isp", "import-payments"]).ok();
    by_hand(&stage);

    let office = Office::open(stage);
    let browser = office.bookkeeper().await;
    browser.visit("installations/isp/pages/statements").await;
    browser.sees("10,00").await;
    browser.inspect("statements").await;
    browser.tick_row("10,00").await;
    browser.press("Pair with invoices").await;
    browser.tick(&number).await;
    browser.inspect("statement-pairing").await;
    browser.press("Pair with invoices").await;
    browser.sees("There is nothing here").await;
    let splynx = office.stage.splynx_state();
    let made = splynx["payments"].as_array().into_iter().flatten();
    let made = made
        .filter(|payment| payment["invoice_id"] == unpaid["id"])
        .count();
    assert_eq!(made, 1, "one payment of that invoice");
    browser.close().await;
}
