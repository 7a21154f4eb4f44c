//! Single records, as Splynx's web hooks tell of them: whatever becomes of the messages, the ordinary runs bring everything to the end
//! that it would have had.

use chrono::TimeDelta;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::isp::{Isp, Size};
use serde_json::{Value, json};
use simulation::books::held;
use simulation::installation::Installation;
use simulation::people::Edit;

use crate::judge::{assert_in_step, splynx_requests, writes};
use crate::picture::{differences, picture};

/// Edits that come to one end whether or not what they change was sent before.
const KEPT: &[Edit] = &[
    Edit::NewCustomer,
    Edit::NewInvoice,
    Edit::RepricedInvoice,
    Edit::PostponedInvoice,
    Edit::NewPayment,
    Edit::NewCreditNote,
];

/// Of these it makes a difference: a document that was never sent is not missed, and one bears its customer's address of the day.
const TIMED: &[Edit] = &[
    Edit::RenamedCustomer,
    Edit::MarkedInvoice,
    Edit::DeletedInvoice,
    Edit::InvoicePaid,
    Edit::DeletedPayment,
    Edit::DeletedCreditNote,
];

/// What Splynx has to say by now, as the host hands it on.
fn told(installation: &mut Installation) -> Vec<String> {
    let world = installation.world();
    let due = world.splynx.due_deliveries(world.now);
    for delivery in &due {
        world.splynx.report_delivery(delivery.id, true, world.now);
    }
    let events = due
        .into_iter()
        .filter(|delivery| delivery.signature.is_some());
    events.map(|delivery| delivery.body).collect()
}

fn hand_on(installation: &mut Installation, events: &[String]) {
    let option = ("event".to_owned(), format!("[{}]", events.join(",")));
    let ended = installation.run_with("sync-records", &[option]);
    let outcome = ended.unwrap_or_else(|why| panic!("{why:?}"));
    assert_eq!(outcome.state, "finished", "{outcome:?}");
}

/// A few weeks of edits; `hook`: how Splynx's messages fare, `None`: every edit is followed by an ordinary sync.
fn weeks(start: &Installation, seed: u64, edits: &[Edit], hook: Option<&Value>) -> Vec<String> {
    let mut installation = start.clone();
    if let Some(hook) = hook {
        let mut fields = json!({"url": "http://127.0.0.1:9/", "secret": "s"});
        let object = fields.as_object_mut().expect("an object");
        object.extend(hook.as_object().cloned().unwrap_or_default());
        installation.in_splynx(&json!({"entity": "hooks", "act": "create", "fields": fields}));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..40 {
        installation.advance(TimeDelta::minutes(90));
        let edit = *edits.choose(&mut rng).expect("some");
        installation.world().people_act(edit, rng.random());
        if hook.is_some() {
            let events = told(&mut installation);
            hand_on(&mut installation, &events);
        } else {
            installation.run_through("sync");
        }
    }
    // What was late, and what was lost.
    installation.advance(TimeDelta::days(1));
    let events = told(&mut installation);
    if hook.is_some() {
        hand_on(&mut installation, &events);
    }
    for job in ["sync", "sweep", "sync"] {
        installation.advance(TimeDelta::minutes(10));
        installation.run_through(job);
    }
    picture(&mut installation)
}

#[test]
fn events_lost_doubled_late_and_out_of_order_come_to_the_end_of_an_undisturbed_run() {
    let isp = Isp::seeded(Size::Tiny, 41);
    let mut start = Installation::new(&isp, false);
    start.run_through("sync");
    let all: Vec<Edit> = [KEPT, TIMED].concat();
    for (edits, hook) in [
        (&all[..], json!({})),
        (&all[..], json!({"double": true, "newest_first": true})),
        (KEPT, json!({"lose_every": 2, "double": true})),
        (
            KEPT,
            json!({"lose_every": 3, "newest_first": true, "delay_seconds": 20_000}),
        ),
        (KEPT, json!({"lose_every": 1})),
    ] {
        for seed in 0..8 {
            let undisturbed = weeks(&start, seed, edits, None);
            let found = weeks(&start, seed, edits, Some(&hook));
            let differences = differences(&undisturbed, &found);
            assert!(
                differences.is_empty(),
                "seed {seed}, {hook}: {differences:#?}"
            );
        }
    }
}

#[test]
fn an_event_obeys_the_automatic_runs_and_a_person_does_not() {
    let isp = Isp::seeded(Size::Tiny, 42);
    let mut installation = Installation::new(&isp, false);
    for kind in ["invoices", "credit_notes", "payments"] {
        installation.set(&format!("cron_{kind}"), "off");
    }
    let (customer, invoice) = (isp.invoices[0].customer_id, isp.invoices[0].id);
    let event = json!({"type": "event", "data": {"model": "models\\common\\finance\\Invoices", "action": "create",
        "attributes": {"id": invoice.to_string(), "customer_id": customer.to_string()}}});
    hand_on(&mut installation, &[event.to_string()]);
    let sent = held(installation.world());
    assert_eq!(
        (sent.customers, sent.invoices.len()),
        (1, 0),
        "customers are an automatic run's, invoices are not"
    );

    // Switched on, an event brings what it names, and the customer that it needs.
    installation.set("cron_invoices", "on");
    hand_on(&mut installation, &[event.to_string()]);
    let sent = held(installation.world());
    assert_eq!((sent.customers, sent.invoices.len()), (1, 1));
    installation.set("cron_invoices", "off");

    // The same again changes nothing, and costs next to nothing.
    let before = (
        writes(&mut installation),
        splynx_requests(&mut installation),
    );
    installation.set("cron_invoices", "on");
    hand_on(&mut installation, &[event.to_string(), event.to_string()]);
    assert_eq!(writes(&mut installation), before.0);
    assert!(splynx_requests(&mut installation) <= before.1 + 3);
    installation.set("cron_invoices", "off");

    let mut names: Vec<String> = isp
        .customers
        .iter()
        .map(|c| format!("customer:{}", c.id))
        .collect();
    names.extend(isp.invoices.iter().map(|i| format!("invoice:{}", i.id)));
    names.extend(
        isp.credit_notes
            .iter()
            .map(|n| format!("credit-note:{}", n.id)),
    );
    names.extend(isp.payments.iter().map(|p| format!("payment:{}", p.id)));
    let records = ("records".to_owned(), names.join(","));
    let plan = installation
        .preview_with("sync-records", std::slice::from_ref(&records))
        .expect("a plan");
    assert!(plan.len() > 10, "{plan:?}");
    installation
        .run_with("sync-records", &[records])
        .expect("it runs");
    assert_in_step(&isp, &mut installation);
    for wrong in [vec![], vec![("records".to_owned(), "bill:1".to_owned())]] {
        let failure = installation
            .run_with("sync-records", &wrong)
            .expect_err("nothing is named");
        assert_eq!(failure.code, "invalid-option");
    }
}
