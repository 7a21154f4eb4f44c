//! Who may ask, how often, and how a no looks.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{TimeZone, Utc};
use sandbox::http::Service;
use sandbox::sage::Behaviour;
use sandbox::sage::behaviour::{CountedBy, Day, ErrorShape, Missing};
use serde_json::{Value, json};

use crate::desk::{Desk, basic};

#[test]
fn every_refusal_looks_as_it_was_captured_from_the_live_service() {
    let mut desk = Desk::new();
    let good = desk.request("GET", "Customer/Get", &[], &Value::Null);
    let with_login = |login: &str| {
        let mut request = good.clone();
        request.headers = vec![("authorization".to_owned(), login.to_owned())];
        request
    };
    let mut wrong_key = good.clone();
    wrong_key.query[0].1 = "{00000000-0000-0000-0000-000000000000}".to_owned();
    let mut no_company = good.clone();
    no_company.query.truncate(1);
    let mut foreign_company = good.clone();
    foreign_company.query[1].1 = "7".to_owned();
    let post = |path: &str| desk.request("POST", path, &[], &json!({}));
    let mut not_json = post("Customer/Save");
    not_json.headers[1].1 = "text/plain".to_owned();
    let mut without_length = post("Customer/Save");
    without_length.body.clear();
    let mut broken = post("Customer/Save");
    broken.body = b"{".to_vec();
    let of = |verb: &str, path: &str| desk.request(verb, path, &[], &Value::Null);

    let denied = json!({"Message": "Authorization has been denied for this request."});
    let no_verb = |verb: &str| json!({"Message": format!("The requested resource does not support http method '{verb}'.")});
    let cases = [
        (
            "no login",
            {
                let mut r = good.clone();
                r.headers.clear();
                r
            },
            401,
            denied.clone(),
        ),
        (
            "wrong password",
            with_login(&basic("books@vlakte.example:no")),
            401,
            denied.clone(),
        ),
        (
            "wrong user",
            with_login(&basic("nobody@x.example:no")),
            401,
            denied.clone(),
        ),
        (
            "another scheme",
            with_login("Bearer abc"),
            401,
            denied.clone(),
        ),
        (
            "empty user",
            with_login(&basic(":secret")),
            400,
            Value::Null,
        ),
        ("wrong key", wrong_key, 401, Value::Null),
        ("another's company", foreign_company, 401, denied),
        (
            "no company",
            no_company,
            400,
            json!("The CompanyId field is required."),
        ),
        (
            "unknown service",
            of("GET", "Nothing/Get"),
            404,
            json!({"Message": "No HTTP resource was found that matches the request URI '/api/2.0.0/Nothing/Get'."}),
        ),
        (
            "unknown method",
            of("GET", "Customer/Fly"),
            404,
            json!("No action was found on the controller 'Customer' that matches the name 'Fly'."),
        ),
        ("wrong verb", of("PUT", "Customer/Get"), 405, no_verb("PUT")),
        (
            "deleting an invoice",
            of("DELETE", "TaxInvoice/Delete/5"),
            405,
            no_verb("DELETE"),
        ),
        (
            "deleting a return",
            of("DELETE", "CustomerReturn/Delete/5"),
            405,
            no_verb("DELETE"),
        ),
        (
            "not declared as JSON",
            not_json,
            415,
            json!({"Message": "The request entity's media type is not supported for this resource."}),
        ),
        ("no length", without_length, 411, Value::Null),
        ("not JSON", broken, 400, json!("The request is invalid.")),
        (
            "nobody",
            of("GET", "Customer/Get/5"),
            404,
            json!({"Message": "The requested resource was not found."}),
        ),
        (
            "id that is none",
            of("GET", "Customer/Get/x"),
            400,
            json!("'x' is not an id."),
        ),
    ];
    for (case, request, status, body) in cases {
        let answer = desk.send(&request);
        assert_eq!((answer.status, &answer.body), (status, &body), "{case}");
        let header = |name: &str| {
            let found = answer.raw.headers.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| value.as_str())
        };
        assert!(
            header("loguid").is_some() && header("server").is_some(),
            "{case}"
        );
        match case {
            "wrong key" => {
                assert_eq!(header("x-apikey"), Some("Invalid"));
                assert_eq!(header("content-type"), Some("text/html"));
            }
            "empty user" => assert_eq!(answer.raw.body, b"Username is Required."),
            "wrong password" => assert_eq!(header("www-authenticate"), Some("Basic")),
            "wrong verb" => assert_eq!(header("allow"), Some("GET")),
            _ => {}
        }
    }
    assert_eq!(
        desk.stored(),
        Desk::new().stored(),
        "nothing was stored by any of them"
    );
}

#[test]
fn names_are_matched_in_any_case_and_keys_with_or_without_braces() {
    let mut desk = Desk::new();
    let key = desk.isp.sage.api_key.clone();
    for (path, company, key) in [
        ("customer/get", "companyid", format!("{{{key}}}")),
        ("CUSTOMER/GET", "CompanyID", key.to_uppercase()),
        ("Customer/Get", "companyId", key.clone()),
    ] {
        let mut request = desk.request("GET", path, &[("$TOP", "5")], &Value::Null);
        request.query[0] = ("ApiKey".to_owned(), key);
        request.query[1].0 = company.to_owned();
        assert_eq!(desk.send(&request).status, 200, "{path}");
    }
    assert_eq!(desk.sage.journal().count("GET", "Customer/Get"), 3);
}

#[test]
fn the_company_is_found_by_key_alone_and_an_expired_one_must_be_paid() {
    let mut desk = Desk::new();
    desk.edit(
        json!({"entity": "companies", "act": "create", "fields": {"ID": 9, "Name": "Old one"}}),
    )
    .expect("listed");
    let mut request = desk.request(
        "GET",
        "Company/Get",
        &[("includeStatus", "true")],
        &Value::Null,
    );
    request.query.remove(1);
    let list = desk.send(&request).body;
    let seen: Vec<_> = list["Results"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|c| c["ID"].as_i64())
        .collect();
    assert_eq!(seen, [Some(41_001), Some(9)]);
    assert_eq!(list["Results"][1]["Status"], 1);
    request.query.push(("CompanyId".to_owned(), "9".to_owned()));
    request.path = "/api/2.0.0/Customer/Get".to_owned();
    assert_eq!(desk.send(&request).status, 402);
    let own = desk.get("Company/Current", &[]).body;
    assert_eq!(own["ID"], 41_001);
    assert_eq!(
        (&own["RoundingType"], &own["CurrencyDecimalDigits"]),
        (&json!(3), &json!(2))
    );
}

#[test]
fn validation_failures_come_in_every_shape_that_clients_have_met() {
    let text = "The Name field is required.";
    for (shape, body) in [
        (ErrorShape::BareString, json!(text)),
        (
            ErrorShape::Message,
            json!({"Message": "The request is invalid.", "MessageDetail": text}),
        ),
        (
            ErrorShape::ModelState,
            json!({"Message": "The request is invalid.", "ModelState": {"customer.Name": [text]}}),
        ),
        (ErrorShape::Array, json!([text])),
    ] {
        let mut desk = Desk::with(Behaviour {
            error_shape: shape,
            ..Behaviour::default()
        });
        let answer = desk.post("Customer/Save", &json!({"Name": "  "}));
        assert_eq!((answer.status, answer.body), (400, body));
    }
    let mut desk = Desk::with(Behaviour {
        missing: Missing::Null,
        ..Behaviour::default()
    });
    let answer = desk.get("TaxInvoice/Get/5", &[]);
    assert_eq!(
        (answer.status, answer.raw.body.as_slice()),
        (200, b"null".as_slice())
    );
}

/// Sends `count` requests, one every `step` milliseconds, and answers how many were let through.
fn burst(desk: &mut Desk, count: usize, step_ms: i64) -> usize {
    let request = desk.request("GET", "TaxType/Get", &[], &Value::Null);
    let mut passed = 0;
    for _ in 0..count {
        passed += usize::from(desk.send(&request).status == 200);
        desk.now += chrono::Duration::milliseconds(step_ms);
    }
    passed
}

fn limited(behaviour: Behaviour) -> Desk {
    let mut desk = Desk::with(behaviour);
    desk.sage.set_limits(true);
    desk
}

#[test]
fn a_hundred_in_any_sixty_seconds_then_an_hour_that_each_request_begins_anew() {
    let mut desk = limited(Behaviour::default());
    // 60 in the first half of a minute and 60 in the next: a fixed window would let all of them through.
    desk.pass(30);
    assert_eq!(burst(&mut desk, 60, 500), 60);
    assert_eq!(
        burst(&mut desk, 60, 500),
        40,
        "the 101st in sixty seconds is refused"
    );
    let refused = desk.get("TaxType/Get", &[]);
    let text = "Your IP address has exceeded the allowed number of transactions per minute and has been blocked for 1 hour";
    assert_eq!((refused.status, refused.text()), (429, text));
    let reason = refused
        .raw
        .headers
        .iter()
        .find(|(n, _)| n == "x-requestlimit-exceededreason");
    assert_eq!(reason.map(|(_, v)| v.as_str()), Some(text));

    desk.pass(3_599);
    assert_eq!(
        desk.get("TaxType/Get", &[]).status,
        429,
        "one second too early begins a new hour"
    );
    desk.pass(3_599);
    assert_eq!(desk.get("TaxType/Get", &[]).status, 429);
    desk.pass(3_600);
    assert_eq!(desk.get("TaxType/Get", &[]).status, 200);
    let requests = &desk.sage.state()["requests"];
    assert_eq!(
        (&requests["blocks"], &requests["busiest_minute"]),
        (&json!(1), &json!(120))
    );

    let mut mild = limited(Behaviour {
        blocks_lengthen: false,
        ..Behaviour::default()
    });
    assert_eq!(burst(&mut mild, 101, 0), 100);
    mild.pass(3_599);
    assert_eq!(mild.get("TaxType/Get", &[]).status, 429);
    mild.pass(1);
    assert_eq!(mild.get("TaxType/Get", &[]).status, 200);

    // One a second is what Sage advises, and it is never too much within a day's quota.
    let mut patient = limited(Behaviour::default());
    assert_eq!(burst(&mut patient, 4_000, 1_000), 4_000);
}

#[test]
fn five_thousand_a_day_by_the_company_calendar_or_by_the_last_24_hours() {
    // 14 May, 20:00 UTC is 22:00 in the company.
    let evening = Utc
        .with_ymd_and_hms(2031, 5, 14, 20, 0, 0)
        .single()
        .expect("a moment");
    let mut desk = limited(Behaviour::default());
    desk.now = evening - chrono::Duration::seconds(5_000);
    assert_eq!(burst(&mut desk, 5_001, 1_000), 5_000);
    desk.now = evening + chrono::Duration::seconds(7_199);
    assert_eq!(burst(&mut desk, 1, 1_000), 0, "still the same day");
    assert_eq!(burst(&mut desk, 1, 1_000), 1, "midnight in the company");

    let mut rolling = limited(Behaviour {
        day: Day::Rolling,
        ..Behaviour::default()
    });
    rolling.now = evening;
    assert_eq!(burst(&mut rolling, 5_001, 1_000), 5_000);
    rolling.now = evening + chrono::Duration::hours(23);
    assert_eq!(burst(&mut rolling, 1, 0), 0);
    rolling.now = evening + chrono::Duration::hours(25);
    assert_eq!(burst(&mut rolling, 1, 0), 1);

    let mut lax = limited(Behaviour {
        daily_limit: false,
        ..Behaviour::default()
    });
    assert_eq!(burst(&mut lax, 6_000, 1_000), 6_000);
}

#[test]
fn refused_requests_count_unless_the_switch_says_no_and_other_buckets_go_on() {
    for (count, passed) in [(true, 20), (false, 100)] {
        let mut desk = limited(Behaviour {
            refused_requests_count: count,
            ..Behaviour::default()
        });
        let bad = desk.request(
            "GET",
            "Customer/Get",
            &[("$filter", "Nonsense")],
            &Value::Null,
        );
        for _ in 0..80 {
            assert_eq!(desk.send(&bad).status, 400);
        }
        assert_eq!(burst(&mut desk, 101, 0), passed);
    }
    let mut desk = limited(Behaviour::default());
    assert_eq!(burst(&mut desk, 101, 0), 100);
    let mut list = desk.request("GET", "Company/Get", &[], &Value::Null);
    list.query.truncate(1);
    assert_eq!(
        desk.send(&list).status,
        200,
        "without a company it is another bucket"
    );

    let mut desk = limited(Behaviour {
        counted_by: CountedBy::Address,
        ..Behaviour::default()
    });
    assert_eq!(burst(&mut desk, 101, 0), 100);
    assert_eq!(
        desk.send(&list).status,
        429,
        "the address is blocked as a whole"
    );
    list.peer = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    assert_eq!(desk.send(&list).status, 200);
}

#[test]
fn twenty_failed_logins_within_an_hour_shut_the_user_out_for_a_day() {
    let mut desk = Desk::new();
    let good = desk.request("GET", "TaxType/Get", &[], &Value::Null);
    let mut bad = good.clone();
    bad.headers[0].1 = basic("Books@Vlakte.example:guess");
    for _ in 0..19 {
        assert_eq!(desk.send(&bad).status, 401);
        desk.pass(60);
    }
    // The first of them falls out of the hour before the 20th comes.
    desk.pass(3_600 - 19 * 60);
    assert_eq!(desk.send(&bad).status, 401);
    assert_eq!(desk.send(&good).status, 200, "19 in the last hour");
    assert_eq!(desk.send(&bad).status, 401, "the 20th within an hour");
    let shut = desk.send(&good);
    let text = "Your Username has exceeded the allowed number of login attempts and has been blocked for 24 hours";
    assert_eq!((shut.status, shut.text()), (429, text));
    desk.pass(24 * 3_600 - 1);
    assert_eq!(desk.send(&good).status, 429);
    desk.pass(1);
    assert_eq!(desk.send(&good).status, 200);
}
