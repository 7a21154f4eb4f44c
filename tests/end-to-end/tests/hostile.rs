//! Services whose every text is hostile, and what the admin pages make of it: text.
//!
//! The whole product stands behind a [`Middleman`]; the jobs run, some records are held, and then every page, file and form that an
//! administrator can reach is asked for and taken apart as a browser does it.

use std::collections::BTreeSet;

use attacks::{Browser, Crawl, Field, Visit};
use end_to_end::{Answer, Middleman, Serve, Stage, component, get, post_form};
use serde_json::json;

/// Fields that people have to see somewhere, whatever else is shown: were they missing, the crawl would have looked past the
/// pages that matter.
const SEEN: [&str; 15] = [
    "splynx api/2.0/admin/customers/customer: name",
    "splynx api/2.0/admin/finance/invoices: number",
    "splynx api/2.0/admin/finance/credit-notes: number",
    "splynx api/2.0/admin/finance/payments: receipt_number",
    "splynx api/2.0/admin/finance/payment-methods: name",
    "splynx api/2.0/admin/finance/transaction-categories: name",
    "splynx api/2.0/admin/config/taxes: name",
    "splynx api/2.0/admin/administration/partners: name",
    "sage Company/Get: Results Name",
    "sage Item/Get: Results Description",
    "sage TaxType/Get: Results Name",
    "sage BankAccount/Get: Results Name",
    "sage CustomerCategory/Get: Results Description",
    "sage CustomerReceipt/Get: Results DocumentNumber",
    "sage CustomerReceipt/Save:",
];

/// One in so many of all fields can be seen: of most the add-on reads nothing, or nothing that it tells people. Sage sends those that are
/// empty, too.
const SHARE: usize = 10;

#[test]
fn texts_of_the_services_are_texts_on_every_page_and_in_every_file() {
    let Some(component) = component() else { return };
    let component = std::fs::read(component).expect("the component");
    let mut stage = Stage::in_step("tiny");
    let middleman = Middleman::before(&mut stage);
    live(&stage, &middleman, &component);

    let mut serve = Serve::start(&stage);
    let password = serve.first_password();
    let mut crawl = Crawl::new(Administrator::enter(&serve, &password));
    crawl.press_acts("isp");
    crawl.visit_all();
    let visits = crawl.finish();
    check(&visits);
    let pages = Stage::manifest("0.1.0");
    let pages = pages.split("[[pages]]").skip(1);
    for id in pages.filter_map(|page| page.split('"').nth(1)) {
        let path = format!("/installations/isp/pages/{id}");
        assert!(visits.iter().any(|visit| visit.is_of(&path)), "{path}");
    }
    let fields = middleman.fields();
    let shown: BTreeSet<Field> = visits.iter().flat_map(Visit::shows).collect();
    let hidden: Vec<&str> = (0..fields.len())
        .filter(|place| !shown.contains(&Field(*place)))
        .map(|place| fields[place].as_str())
        .collect();
    println!(
        "{} answers show {} of {} fields; never seen: {hidden:#?}",
        visits.len(),
        shown.len(),
        fields.len()
    );
    let missing: Vec<&&str> = SEEN
        .iter()
        .filter(|name| !fields.iter().any(|known| known == **name) || hidden.contains(name))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:#?}");
    assert!(shown.len() * SHARE >= fields.len());

    // Nothing is read any more as it was; what is told about that is text too.
    middleman.poison_codes();
    for job in ["import-mapping", "sync", "reconcile", "calibrate"] {
        stage.host(&["run", "isp", job]);
    }
    let mut crawl = Crawl::new(Administrator::enter(&serve, &password));
    crawl.visit_all();
    crawl.fill_forms("isp");
    check(&crawl.finish());
}

/// One database takes what another does not: neither a customer's name nor an address may trouble the host.
#[test]
fn texts_of_the_services_and_of_visitors_trouble_no_host_on_postgresql() {
    let Some(component) = component() else { return };
    let component = std::fs::read(component).expect("the component");
    let Some(server) = postgres_server::shared() else {
        return;
    };
    let mut stage = Stage::in_step("tiny").on_database(&server.database());
    let middleman = Middleman::before(&mut stage);
    live(&stage, &middleman, &component);
    let mut serve = Serve::start(&stage);
    let password = serve.first_password();
    let guess = post_form(&serve.at("login"), "", "account=%00&password=%00");
    assert_eq!(guess.status, 400, "{guess:?}");
    let mut crawl = Crawl::new(Administrator::enter(&serve, &password));
    crawl.visit_all();
    check(&crawl.finish());
}

/// Of the host's own account.
struct Administrator<'s> {
    serve: &'s Serve,
    cookie: String,
}

impl<'s> Administrator<'s> {
    fn enter(serve: &'s Serve, password: &str) -> Self {
        let entered = serve.log_in(password);
        let cookie = entered.header("set-cookie").expect("a session");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Self { serve, cookie }
    }
}

impl Browser for Administrator<'_> {
    fn get(&mut self, path: &str) -> attacks::Answer {
        told(get(&self.serve.at(path), &self.cookie))
    }

    fn post(&mut self, path: &str, form: &str) -> attacks::Answer {
        told(post_form(&self.serve.at(path), &self.cookie, form))
    }
}

fn told(answer: Answer) -> attacks::Answer {
    let headers = answer.head.lines().skip(1).map(|line| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        (name.to_lowercase(), value.trim().to_owned())
    });
    attacks::Answer {
        status: answer.status,
        headers: headers.collect(),
        body: answer.body,
    }
}

/// Lets the add-on meet every field, and leaves something on each of its pages.
fn live(stage: &Stage, middleman: &Middleman, component: &[u8]) {
    stage.set_up(component);
    let set = |pairs: &[&str]| {
        stage
            .host(&[&["settings", "isp", "set"], pairs].concat())
            .ok()
    };
    set(&["payments_direction=both", "item.7="]);
    stage.host(&["check", "isp"]);
    let run = |job: &str| {
        stage.host(&["run", "isp", job]).ok();
    };
    run("import-mapping");
    // Somebody in Sage looks like somebody in Splynx.
    let known = stage.splynx_state()["customers"][0].clone();
    let text = |name: &str| known[name].as_str().unwrap_or_default().to_owned();
    let customers = "splynx api/2.0/admin/customers/customer:";
    let same = |name: &str| middleman.poisoned(&format!("{customers} {name}"), &text(name));
    let id = stage.sage_state()["customers"][0]["ID"].clone();
    let twin = json!({"Name": same("name")});
    stage.edit_sage(&json!({"entity": "customers", "act": "update", "id": id, "fields": twin}));
    run("load-customers-for-pairing");
    run("sync");
    // One customer is made, with payments; of the others some are refused below. (The names and addresses of all are like somebody's.)
    let none_of_sages = |customers: &[&str]| {
        let act = ["act", "isp", "pairing", "create"];
        stage.host(&[&act[..], customers].concat()).ok()
    };
    none_of_sages(&["13"]);
    run("sync");
    none_of_sages(&["11", "12"]);
    // The invoices that waited for a mapping go, and some are refused with Sage's own words.
    let refused = |path: &str| {
        let answer = json!({"code": 400, "body": "\"The field is not valid.\"", "content_type": "application/json"});
        json!({"service": "sage", "when": {"path": path, "nth": 1}, "do": {"status": answer}})
    };
    let faults = [
        "TaxInvoice/Save",
        "CustomerReturn/Save",
        "CustomerReceipt/Save",
        "Customer/Save",
    ];
    stage.plan_faults(&json!({"faults": faults.map(refused)}));
    set(&["item.7=2007"]);
    stage.host(&["run", "isp", "sync", "--preview"]);
    run("sync");
    // Money that nobody knows.
    let receipt = json!({"CustomerId": id, "Date": "2026-02-02", "Total": "10.00", "BankAccountId": 501,
        "PaymentMethod": 4, "Reference": "EFT nobody knows", "Comments": "a note"});
    stage.edit_sage(&json!({"entity": "receipts", "act": "create", "fields": receipt}));
    for job in ["import-all-payments", "reconcile", "calibrate", "sweep"] {
        run(job);
    }
}

#[track_caller]
fn check(visits: &[Visit]) {
    let wrong: Vec<String> = visits.iter().flat_map(Visit::problems).collect();
    assert!(
        wrong.is_empty(),
        "{} problems: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(20)]
    );
}
