//! Fault plans: which requests a fault strikes, and what then comes of the request.

use chrono::{DateTime, Utc};
use sandbox::faults::{Act, Delivery, FaultPlan, Party, Plan, apply};
use sandbox::http::{Request, Response, Service};
use serde_json::{Value, json};

fn plan(plan: &Value) -> FaultPlan {
    FaultPlan::new(Plan::from_json(plan).expect("a plan"))
}

fn strikes(mut plan: FaultPlan, requests: &[(&str, &str)]) -> Vec<bool> {
    requests
        .iter()
        .map(|(method, path)| {
            plan.decide(Party::Sage, &Request::new(method, path))
                .is_some()
        })
        .collect()
}

/// Which of ten saved invoices a fault strikes.
fn positions(when: &Value) -> Vec<usize> {
    let plan = plan(&json!({"faults": [{"service": "sage", "when": when, "do": "refuse"}]}));
    let struck = strikes(plan, &[("POST", "/api/2.0.0/TaxInvoice/Save"); 10]);
    (1..)
        .zip(struck)
        .filter(|(_, hit)| *hit)
        .map(|(n, _)| n)
        .collect()
}

#[test]
fn each_condition_chooses_the_requests_that_it_names() {
    let all: Vec<usize> = (1..=10).collect();
    for (when, expected) in [
        (json!({}), all.clone()),
        (json!({"nth": 3}), vec![3]),
        (json!({"every": 4}), vec![4, 8]),
        (json!({"from": 9}), vec![9, 10]),
        (json!({"count": 2}), vec![1, 2]),
        (json!({"from": 3, "every": 3, "count": 2}), vec![5, 8]),
        (json!({"from": 4, "nth": 3}), vec![]),
        (json!({"method": "post", "path": "taxinvoice/save"}), all),
        (json!({"method": "GET"}), vec![]),
        (json!({"path": "Customer"}), vec![]),
    ] {
        assert_eq!(positions(&when), expected, "{when}");
    }
}

#[test]
fn a_fault_counts_only_requests_that_fit_and_the_first_of_two_happens() {
    let mut plan = plan(&json!({"faults": [
        {"service": "splynx", "do": "refuse"},
        {"service": "sage", "when": {"path": "Save", "nth": 2}, "do": "html"},
        {"service": "sage", "when": {"path": "Customer", "from": 2, "count": 1}, "do": "null"},
    ]}));
    let requests = [
        ("POST", "/Customer/Save"),
        ("GET", "/Item/Get"),
        ("POST", "/Customer/Save"),
        ("GET", "/Customer/Get"),
        ("GET", "/Customer/Get"),
    ];
    let acts: Vec<_> = requests
        .iter()
        .map(|(method, path)| plan.decide(Party::Sage, &Request::new(method, path)))
        .collect();
    assert_eq!(acts, [None, None, Some(Act::Html), Some(Act::Null), None]);
    assert_eq!(plan.report(), json!({"faults": [0, 1, 1], "rates": []}));
}

#[test]
fn chances_follow_the_seed_and_come_near_their_rate() {
    let struck = |seed: u64| {
        let rate = json!({"service": "sage", "per_mille": 100, "do": "drop-after"});
        strikes(
            plan(&json!({"seed": seed, "rates": [rate]})),
            &[("GET", "/x"); 5000],
        )
    };
    assert_eq!(struck(7), struck(7));
    assert_ne!(struck(7), struck(8));
    let hits = struck(7).into_iter().filter(|hit| *hit).count();
    assert!(
        (400..600).contains(&hits),
        "{hits} of 5000 at 100 per mille, seed 7"
    );
}

#[test]
fn a_mistaken_plan_is_refused_with_its_place() {
    for (plan, expected) in [
        (
            json!({"faults": [{"service": "xero", "do": "refuse"}]}),
            "unknown variant `xero`",
        ),
        (
            json!({"faults": [{"service": "sage", "do": "explode"}]}),
            "unknown variant `explode`",
        ),
        (json!({"fault": []}), "unknown field `fault`"),
        (
            json!({"faults": [{"service": "sage", "when": {"nth": 0}, "do": "refuse"}]}),
            "fault 0: `nth` counts from 1",
        ),
        (
            json!({"faults": [{"service": "sage", "do": {"status": {"code": 99}}}]}),
            "fault 0: 99 is no final HTTP status",
        ),
        (
            json!({"rates": [{"service": "sage", "per_mille": 1001, "do": "html"}]}),
            "rate 0: `per_mille` is at most 1000",
        ),
    ] {
        let error = Plan::from_json(&plan).expect_err("a mistake").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Counts what reaches it.
#[derive(Default)]
struct Counting(u32);

impl Service for Counting {
    fn handle(&mut self, _: &Request, _: DateTime<Utc>) -> Response {
        self.0 += 1;
        stored()
    }

    fn state(&self) -> Value {
        Value::Null
    }

    fn edit(&mut self, _: &Value, _: DateTime<Utc>) -> Result<Value, String> {
        Ok(Value::Null)
    }
}

fn stored() -> Response {
    Response::json(201, &json!({"ID": 5}))
}

#[test]
fn every_fault_has_the_effect_and_the_answer_that_it_names() {
    let status = |before: bool| {
        let body = "Down for maintenance";
        json!({"status": {"code": 503, "body": body, "content_type": "text/html", "before": before}})
    };
    let down = || Delivery::Answer(Response::text(503, "text/html", "Down for maintenance"));
    let response = stored();
    for (act, reached, expected) in [
        (json!("refuse"), 0, Delivery::Dropped { effect: false }),
        (json!("drop-after"), 1, Delivery::Dropped { effect: true }),
        (status(true), 0, down()),
        (status(false), 1, down()),
        (
            json!({"delay": 40}),
            1,
            Delivery::Delayed {
                response: response.clone(),
                ms: 40,
            },
        ),
        (json!({"late": 40}), 0, Delivery::Late { ms: 40 }),
        (
            json!({"truncate": 3}),
            1,
            Delivery::Truncated { response, bytes: 3 },
        ),
        (
            json!("null"),
            1,
            Delivery::Answer(Response::json(201, &Value::Null)),
        ),
        (
            json!("bare-string"),
            1,
            Delivery::Answer(Response::json(201, &json!("The request was processed."))),
        ),
        (
            json!({"redirect": "http://elsewhere.example/"}),
            0,
            Delivery::Answer(Response::empty(302).with("location", "http://elsewhere.example/")),
        ),
    ] {
        let mut plan = plan(&json!({"faults": [{"service": "sage", "do": act}]}));
        let mut service = Counting::default();
        let request = Request::new("POST", "/api/2.0.0/Customer/Save");
        let now = DateTime::UNIX_EPOCH;
        let delivery = apply(&mut service, Party::Sage, &request, now, &mut plan);
        assert_eq!((delivery, service.0), (expected, reached), "{act}");
        // The other service is left alone.
        let delivery = apply(&mut service, Party::Splynx, &request, now, &mut plan);
        assert_eq!(delivery, Delivery::Answer(stored()), "{act}");
    }
}

#[test]
fn each_service_limits_in_its_own_words() {
    for (party, header) in [
        ("splynx", "retry-after"),
        ("sage", "x-requestlimit-exceededreason"),
    ] {
        let mut plan = plan(&json!({"faults": [{"service": party, "do": "rate-limit"}]}));
        let who = if party == "sage" {
            Party::Sage
        } else {
            Party::Splynx
        };
        let request = Request::new("GET", "/");
        let mut service = Counting::default();
        let delivery = apply(&mut service, who, &request, DateTime::UNIX_EPOCH, &mut plan);
        let Delivery::Answer(response) = delivery else {
            panic!("{party}: {delivery:?}");
        };
        assert_eq!((response.status, service.0), (429, 0), "{party}");
        assert!(
            response.headers.iter().any(|(name, _)| name == header),
            "{party}"
        );
    }
}

/// What the README shows can be sent as it stands.
#[test]
fn the_plan_of_the_readme_is_one() {
    let readme = include_str!("../README.md");
    let shown = readme.split("```json\n").nth(1).expect("a plan");
    let text = shown.split("```").next().expect("its text");
    let plan = Plan::from_json(&serde_json::from_str(text).expect("JSON")).expect("a plan");
    assert_eq!((plan.faults.len(), plan.rates.len()), (2, 1));
}
