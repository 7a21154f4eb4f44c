//! The search dialect, operator by operator, and what it ignores and refuses.

use serde_json::{Value, json};

use crate::client::Client;

/// Four customers besides the provider's own, and the id of the first; the tables call them 1 to 4.
fn searchable() -> (Client, i64) {
    let mut client = Client::tiny();
    client
        .screen(json!({"entity": "additional_fields", "act": "create",
            "fields": {"module": "customers", "name": "area", "title": "Area", "type": "string"}}))
        .expect("a new field");
    let mut first = 0;
    for (index, (name, email, zip, status, area)) in [
        (
            "Árni Björk",
            "arni@one.example,desk@one.example",
            "0100",
            "active",
            "north",
        ),
        (
            "BETA (Pty) Ltd",
            "beta@two.example",
            "0200",
            "blocked",
            "north",
        ),
        ("beta_gamma", "gamma@two.example", "0300", "active", "south"),
        ("Delta 100%", "", "0400", "new", ""),
    ]
    .into_iter()
    .enumerate()
    {
        client.wait(3600);
        let body = json!({"name": name, "email": email, "zip_code": zip, "status": status, "partner_id": 1,
            "location_id": 1, "category": "person", "additional_attributes": {"area": area, "other": "x"}});
        let id = client.create("admin/customers/customer", body);
        if index == 0 {
            first = id;
        }
    }
    (client, first)
}

#[test]
fn every_operator_selects_what_the_database_would() {
    let (mut client, first) = searchable();
    let is = |field: &str, operator: &str, value: &str| {
        format!("main_attributes[{field}][0]={operator}&main_attributes[{field}][1]={value}")
    };
    // Created at 11:00, 12:00, 13:00 and 14:00 in the server's zone.
    let cases: Vec<(String, &[i64])> = vec![
        ("main_attributes[name]=beta (pty) ltd".to_owned(), &[2]),
        (is("zip_code", "=", "0300"), &[3]),
        (is("status", "!=", "active"), &[2, 4]),
        (is("status", "<>", "active"), &[2, 4]),
        (is("last_update", ">=", "2026-02-02 13:00:00"), &[3, 4]),
        (is("last_update", ">", "2026-02-02 13:00:00"), &[4]),
        (is("last_update", "<", "2026-02-02 12:00:00"), &[1]),
        (is("last_update", "<=", "2026-02-02 12:00:00"), &[1, 2]),
        (is("last_update", ">=", "2026-02-02"), &[1, 2, 3, 4]),
        (is("last_update", ">=", "2026-02-03"), &[]),
        // A day is its midnight, so a later time of the same day excludes it.
        (is("date_add", ">=", "2026-02-02"), &[1, 2, 3, 4]),
        (is("date_add", ">=", "2026-02-02 10:00:00"), &[]),
        (is("date_add", ">", "nonsense"), &[]),
        (is("last_online", "=", "0000-00-00 00:00:00"), &[1, 2, 3, 4]),
        (
            "main_attributes[zip_code][0]=BETWEEN&main_attributes[zip_code][1]=0200&main_attributes[zip_code][2]=0300".to_owned(),
            &[2, 3],
        ),
        (
            "main_attributes[status][0]=IN&main_attributes[status][1][0]=new&main_attributes[status][1][1]=blocked".to_owned(),
            &[2, 4],
        ),
        (
            "main_attributes[status][0]=IN&main_attributes[status][1][]=new&main_attributes[status][1][]=x".to_owned(),
            &[4],
        ),
        (is("name", "LIKE", "beta"), &[2, 3]),
        (is("name", "LIKE", "beta%"), &[2, 3]),
        (is("name", "LIKE", "%gamma"), &[3]),
        (is("name", "LIKE", "(pty"), &[2]),
        (is("name", "REGEXP", "^(beta|delta) "), &[2, 4]),
        (is("email", "FIND_IN_SET", "desk@one.example"), &[1]),
        (is("email", "FIND_IN_SET", "desk"), &[]),
        (is("email", "=", ""), &[4]),
        (is("subdivision_id", "IS", ""), &[1, 2, 3, 4]),
        (is("email", "IS", "null"), &[]),
        // Null equals nothing, and differs from nothing.
        (is("subdivision_id", "!=", "9"), &[]),
        ("additional_attributes[area]=north".to_owned(), &[1, 2]),
        ("additional_attributes[area][0]=!=&additional_attributes[area][1]=north".to_owned(), &[3, 4]),
        ("additional_attributes[other]=x".to_owned(), &[]),
        ("main_attributes[status]=active&additional_attributes[area]=south".to_owned(), &[3]),
        ("main_attributes[partner_id]=1&main_attributes[status]=blocked".to_owned(), &[2]),
    ];
    for (query, expected) in cases {
        let target = format!("admin/customers/customer?{query}");
        let found: Vec<i64> = client
            .ids(&target)
            .into_iter()
            .map(|id| id - first + 1)
            .filter(|id| *id > 0)
            .collect();
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn ids_order_and_windows_combine() {
    let (mut client, first) = searchable();
    client.behave(json!({"customer_info_listed": true}));
    let from = |operator: &str, id: i64, rest: &str| {
        format!(
            "admin/customers/customer?main_attributes[id][0]={operator}&main_attributes[id][1]={id}{rest}"
        )
    };
    let cases: Vec<(String, Vec<i64>)> = vec![
        (
            from(">", first, "&order[id]=ASC&limit=2"),
            vec![first + 1, first + 2],
        ),
        (
            from(">=", first, "&order[id]=DESC&limit=2"),
            vec![first + 3, first + 2],
        ),
        (
            from(">=", first, "&order[id]=DESC&limit=2&offset=3"),
            vec![first],
        ),
        (
            from(">=", first, "&order[status]=ASC&order[id]=DESC"),
            vec![first + 2, first, first + 1, first + 3],
        ),
        (
            from(">=", first, "&order[zip_code]=DESC&limit=1"),
            vec![first + 3],
        ),
        (from("=", first, ""), vec![first]),
        (from(">", first + 3, ""), vec![]),
        (from(">=", first, "&limit=0"), vec![]),
        (
            format!(
                "admin/customers/customer-info?main_attributes[id][0]=IN&main_attributes[id][1][0]={}&main_attributes[id][1][1]={first}&main_attributes[id][1][2]=9999",
                first + 2
            ),
            vec![first, first + 2],
        ),
        (
            format!("admin/customers/customer-info?main_attributes[id]={first}"),
            vec![first],
        ),
        // Plain parameters that are no part of the dialect are ignored.
        (
            from(">=", first, "&page=2&per_page=1&customer_id=1&filter[id]=1"),
            (first..first + 4).collect(),
        ),
    ];
    for (target, expected) in cases {
        assert_eq!(client.ids(&target), expected, "{target}");
    }
}

#[test]
fn conditions_that_make_no_sense_are_refused() {
    let (mut client, _) = searchable();
    for query in [
        "main_attributes[no_such_field]=1",
        "order[no_such_field]=ASC",
        "main_attributes[id][0]=NOT IN&main_attributes[id][1]=1",
        "main_attributes[id][0]=>",
        "main_attributes[id][0]=BETWEEN&main_attributes[id][1]=1",
        "main_attributes[name][0]=REGEXP&main_attributes[name][1]=(",
        "limit=many",
    ] {
        let (status, body) = client.call(
            "GET",
            &format!("admin/customers/customer?{query}"),
            Value::Null,
        );
        assert_eq!(
            (status, &body["error"]["code"]),
            (400, &json!(400)),
            "{query}"
        );
    }
}

#[test]
fn counts_are_of_the_matches_without_the_window() {
    let (mut client, first) = searchable();
    let target = format!(
        "admin/customers/customer?main_attributes[id][0]=>=&main_attributes[id][1]={first}&limit=1&offset=1"
    );
    let request = client.request("HEAD", &target, &Value::Null);
    let response = client.send(&request);
    assert_eq!(response.status, 204);
    for (name, value) in [
        ("x-total-count", "4"),
        ("access-control-expose-headers", "X-total-count"),
    ] {
        assert!(
            response
                .headers
                .contains(&(name.to_owned(), value.to_owned())),
            "{name}"
        );
    }
}

#[test]
fn relations_take_their_plain_parameters_and_the_dialect_only_by_switch() {
    let mut client = Client::tiny();
    let all = client.ids("admin/finance/invoice-relations");
    let of_one = client.rows(&format!(
        "admin/finance/invoice-relations?customer_id={}",
        client.customers[0]
    ));
    assert!(!of_one.is_empty() && of_one.len() < all.len());
    let invoice = of_one[0]["invoice_id"].as_i64().expect("an invoice");
    let by_invoice = client.rows(&format!(
        "admin/finance/invoice-relations?invoice_id={invoice}"
    ));
    assert!(by_invoice.iter().all(|r| r["invoice_id"] == json!(invoice)));
    let dialect = &format!(
        "admin/finance/invoice-relations?main_attributes[id][0]=>&main_attributes[id][1]={}&limit=2",
        all[0]
    );
    assert_eq!(client.ids(dialect), all);
    client.behave(json!({"relations_searchable": true}));
    assert_eq!(client.ids(dialect), all[1..3]);
}
