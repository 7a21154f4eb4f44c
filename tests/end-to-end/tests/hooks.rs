//! Splynx's web hooks as they are in life: what changes in Splynx is in Sage a moment later, and nobody else can make that happen.

use std::time::{Duration, Instant};

use end_to_end::{Serve, Stage, component, post_signed};
use sandbox::splynx::hook_signature;
use serde_json::{Value, json};

const SECRET: &str = "hook secret of the test";

fn json_of(stage: &Stage, arguments: &[&str]) -> Value {
    let text = stage.host(&[arguments, &["--json"]].concat()).ok();
    serde_json::from_str(&text).expect("JSON")
}

/// Runs of a job that are over.
fn ended(stage: &Stage, job: &str) -> Vec<Value> {
    let runs = json_of(stage, &["runs", "isp", "--limit", "100"]);
    let runs = runs.as_array().cloned().unwrap_or_default();
    let is_it = |run: &Value| run["job"] == job && run["state"] != "running";
    runs.into_iter().filter(is_it).collect()
}

/// Looks again until it is so; a test that waits for ever has failed.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn invoices(stage: &Stage) -> usize {
    stage.sage_state()["invoices"]
        .as_array()
        .map_or(0, Vec::len)
}

fn new_invoice(stage: &Stage, customer: &Value) -> Value {
    let items = json!([{"description": "Installation", "quantity": 1, "unit": "", "price": "433.9130", "tax": "15.0000",
        "tax_id": 1, "categoryIdForTransaction": 7}]);
    let fields = json!({"customer_id": customer, "date_created": "2026-02-10", "date_till": "2026-02-25",
        "status": "not_paid", "items": items});
    stage.edit_splynx(&json!({"entity": "invoices", "act": "create", "id": 0, "fields": fields}))["id"].clone()
}

#[test]
fn an_invoice_made_in_splynx_is_in_sage_a_moment_later_and_a_forged_or_repeated_message_does_nothing()
 {
    let Some(path) = component() else { return };
    let stage = Stage::new("tiny");
    stage.set_up(&std::fs::read(path).expect("the component"));
    stage
        .host(&["settings", "isp", "set", "sync_every_minutes=1440"])
        .ok();
    assert_eq!(json_of(&stage, &["hooks", "isp"])[0]["on"], false);
    stage.set_secret("splynx_hook_secret", SECRET).ok();

    // The first scheduled run comes at once; the next would come at midnight.
    let serve = Serve::start(&stage);
    wait_until("the first sync", || !ended(&stage, "sync").is_empty());
    assert_eq!(invoices(&stage), 6);
    let url = serve.at("hooks/isp/splynx");
    let hook =
        json!({"entity": "hooks", "act": "create", "fields": {"url": url, "secret": SECRET}});
    stage.edit_splynx(&hook);
    let customer = stage.splynx_state()["customers"][0]["id"].clone();
    new_invoice(&stage, &customer);
    wait_until("the invoice in Sage", || invoices(&stage) == 7);
    wait_until("its run is over", || {
        !ended(&stage, "sync-records").is_empty()
    });
    let runs = ended(&stage, "sync-records");
    assert_eq!(runs[0]["trigger"], "event");
    assert_eq!(runs[0]["state"], "finished", "{}", runs[0]);
    assert_eq!(ended(&stage, "sync").len(), 1, "no ordinary run did it");

    // Nobody else can.
    let event = |id: &Value, more: &str| {
        json!({"type": "event", "data": {"model": "models\\common\\finance\\Invoices", "action": "create", "note": more,
            "attributes": {"id": id, "customer_id": customer}}})
        .to_string()
    };
    let send = |signature: &str, body: &str| {
        let answer = post_signed(&url, ("X-Splynx-Signature", signature), body);
        (answer.status, answer.body)
    };
    let quiet = new_invoice_untold(&stage, &customer);
    let before = ended(&stage, "sync-records").len();
    let forged = event(&quiet, "forged");
    assert_eq!(send(&hook_signature("guessed", &forged), &forged).0, 401);
    assert_eq!(send("", &forged).0, 401);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(ended(&stage, "sync-records").len(), before);
    assert_eq!(invoices(&stage), 7);

    // The same from Splynx: heard once.
    let real = event(&quiet, "real");
    let signature = hook_signature(SECRET, &real);
    assert_eq!(send(&signature, &real), (200, "queued".to_owned()));
    wait_until("the untold invoice in Sage", || invoices(&stage) == 8);
    wait_until("its run is over", || {
        ended(&stage, "sync-records").len() == before + 1
    });
    for _ in 0..3 {
        assert_eq!(send(&signature, &real), (200, "known".to_owned()));
    }
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(ended(&stage, "sync-records").len(), before + 1);
    let shown = json_of(&stage, &["hooks", "isp"]);
    assert_eq!(shown[0]["on"], true);
    assert_eq!(
        shown[0]["refused"], 1,
        "written down once a minute: {shown}"
    );
    let events = shown[0]["events"].as_array().expect("a list");
    assert!(
        events.iter().all(|event| event["state"] != "waiting"),
        "{shown}"
    );
    assert!(!shown.to_string().contains(SECRET));
    serve.kill();
}

/// An invoice of which Splynx says nothing, because its hook is switched off meanwhile.
fn new_invoice_untold(stage: &Stage, customer: &Value) -> Value {
    let hook = stage.splynx_state()["hooks"][0]["id"].clone();
    let off = json!({"entity": "hooks", "act": "update", "id": hook, "fields": {"enabled": false}});
    stage.edit_splynx(&off);
    new_invoice(stage, customer)
}
