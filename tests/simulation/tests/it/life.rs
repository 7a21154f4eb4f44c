//! A year of a provider's life, day by day: documents come, people edit on both sides, answers are lost, runs die; and at the end both
//! ledgers are equal but for what the add-on lists with a reason that explains it.
//!
//! Judged by what the two services hold. Of the add-on only its list is asked: which record it names, and why.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate};
use mock_host::{DeathPoint, Side};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use sandbox::faults::{FaultPlan, Plan};
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use sandbox::splynx::Splynx;
use serde_json::{Value, json};
use simulation::books::rows;
use simulation::differences::{Judge, SORTS, listed};
use simulation::installation::Installation;

use crate::desk::{id_of, money};
use crate::judge::writes;

/// What a year's edits can choose from, as both services held it on the tenth of a month.
#[derive(Default)]
struct Month {
    /// Unpaid invoices: id and the first item's id.
    unpaid: Vec<(i64, i64)>,
    payments: Vec<i64>,
    customers: Vec<i64>,
    /// Of Sage: unpaid invoices with customer and amount due; customers.
    open: Vec<(i64, i64, Decimal)>,
    there: Vec<i64>,
    /// Receipts that were made by the bookkeeper.
    slips: Vec<i64>,
}

struct Life {
    installation: Installation,
    isp: Isp,
    rng: ChaCha8Rng,
    day: NaiveDate,
    edits: BTreeMap<&'static str, u32>,
    slips: Vec<i64>,
}

impl Life {
    fn begin(size: Size, seed: u64) -> Self {
        let isp = Isp::seeded(size, seed);
        let mut installation = Installation::new(&isp, false);
        let first = isp.first_day();
        let eve = first.pred_opt().expect("a day before");
        let world = installation.world();
        world.now = eve.and_hms_opt(16, 30, 0).expect("a time of day").and_utc();
        world.splynx = Splynx::opened(&isp);
        world.splynx.live(&isp, NaiveDate::MIN..=eve);
        for (key, value) in [("payments_direction", "both"), ("make_names_unique", "on")] {
            installation.set(key, value);
        }
        Self {
            installation,
            isp,
            rng: ChaCha8Rng::seed_from_u64(seed),
            day: first,
            edits: BTreeMap::new(),
            slips: Vec::new(),
        }
    }

    fn snapshot(&mut self) -> Month {
        let world = self.installation.world();
        let (splynx, sage) = (world.splynx.state(), world.sage.state());
        let ids = |list: &[Value], name: &str| list.iter().map(|row| id_of(row, name)).collect();
        Month {
            unpaid: rows(&splynx, "invoices")
                .iter()
                .filter(|row| row["status"] == "not_paid" && row["due"] == row["total"])
                .filter(|row| {
                    row["items"][0]["price"]
                        .as_str()
                        .is_some_and(|p| !p.starts_with('-'))
                })
                .map(|row| (id_of(row, "id"), id_of(&row["items"][0], "id")))
                .collect(),
            payments: ids(rows(&splynx, "payments"), "id"),
            customers: ids(rows(&splynx, "customers"), "id"),
            open: rows(&sage, "invoices")
                .iter()
                .filter(|row| row["AmountDue"] == row["Total"])
                .map(|row| {
                    (
                        id_of(row, "ID"),
                        id_of(row, "CustomerId"),
                        money(&row["Total"]),
                    )
                })
                .collect(),
            there: ids(rows(&sage, "customers"), "ID"),
            slips: self.slips.clone(),
        }
    }

    /// Something that a person does on one of the two sides. What the service refuses was not to be had.
    fn edit(&mut self, month: &Month) {
        let kind = self.rng.random_range(0..13);
        let cents = |rng: &mut ChaCha8Rng| Decimal::new(rng.random_range(100..90_000), 2);
        let now = self.installation.world().now;
        let day = self.day.to_string();
        let rng = &mut self.rng;
        let world = self.installation.world();
        let mut splynx = |entity: &str, act: &str, id: i64, fields: Value| {
            let change = json!({"entity": entity, "act": act, "id": id, "fields": fields});
            world.splynx.edit(&change, now).ok().map(|made| (made, 0))
        };
        let unpaid = month.unpaid.choose(rng).copied().unwrap_or_default();
        let customer = month.customers.choose(rng).copied().unwrap_or_default();
        let payment = month.payments.choose(rng).copied().unwrap_or_default();
        let open = month.open.choose(rng).copied().unwrap_or_default();
        let there = month.there.choose(rng).copied().unwrap_or_default();
        let slip = month.slips.choose(rng).copied().unwrap_or_default();
        let bank = self.isp.sage.bank_accounts[0].id;
        let (what, done) = match kind {
            0 => {
                let fields = json!({"name": format!("Renamed {}", rng.random_range(0..99_999)), "city": "Calvinia"});
                (
                    "customer renamed",
                    splynx("customers", "update", customer, fields),
                )
            }
            1 => {
                let price = format!(
                    "{}.{:04}",
                    rng.random_range(1..2_000),
                    rng.random_range(0..10_000)
                );
                let items = json!({"items": [{"id": unpaid.1, "price": price}]});
                (
                    "invoice repriced",
                    splynx("invoices", "update", unpaid.0, items),
                )
            }
            2 => {
                let fields = json!({"date_till": (self.day + Days::new(30)).to_string(), "note": "Agreed by telephone"});
                (
                    "invoice put off",
                    splynx("invoices", "update", unpaid.0, fields),
                )
            }
            3 => {
                let fields = json!({"status": "deleted"});
                (
                    "invoice marked as deleted",
                    splynx("invoices", "update", unpaid.0, fields),
                )
            }
            4 => (
                "invoice deleted",
                splynx("invoices", "delete", unpaid.0, json!({})),
            ),
            5 => (
                "payment deleted",
                splynx("payments", "delete", payment, json!({})),
            ),
            6 => {
                let fields = json!({"customer_id": customer, "payment_type": 2, "date": day, "amount": cents(rng).to_string(),
                    "receipt_number": format!("desk-{}", rng.random_range(0..u32::MAX)), "comment": "At the desk"});
                (
                    "payment at the desk",
                    splynx("payments", "create", 0, fields),
                )
            }
            7 => {
                let items = json!([{"description": "Goodwill", "quantity": 1, "unit": "", "price": "86.9565", "tax": "15.0000",
                    "tax_id": 1, "categoryIdForTransaction": 1}]);
                let fields = json!({"customer_id": customer, "date_created": day, "status": "not_refunded", "items": items});
                ("credit note", splynx("credit_notes", "create", 0, fields))
            }
            8..=10 => {
                // In full, in part, or on account; also for customers that Splynx does not know, if there are such.
                let (target, owner, due) = open;
                let total = match kind {
                    8 => due,
                    9 => (due / Decimal::TWO).round_dp(2),
                    _ => cents(rng),
                };
                let owner = if kind == 10 { there } else { owner };
                let mut fields = json!({"CustomerId": owner, "Date": day, "Total": total.to_string(), "BankAccountId": bank,
                    "PaymentMethod": 4, "Reference": format!("slip {}", rng.random_range(0..u32::MAX))});
                if kind != 10 {
                    fields["Allocations"] =
                        json!([{"AllocatedToDocumentId": target, "Total": total.to_string()}]);
                }
                let change = json!({"entity": "receipts", "act": "create", "fields": fields});
                (
                    "receipt in Sage",
                    world.sage.edit(&change, now).ok().map(|made| {
                        let id = id_of(&made, "ID");
                        (made, id)
                    }),
                )
            }
            11 => {
                let change = json!({"entity": "receipts", "act": "delete", "id": slip});
                (
                    "receipt deleted in Sage",
                    world.sage.edit(&change, now).ok().map(|made| (made, 0)),
                )
            }
            _ => {
                let fields = json!({"CreditLimit": 5000, "TextField1": "VIP", "DeliveryAddress01": "The barn"});
                let change =
                    json!({"entity": "customers", "act": "update", "id": there, "fields": fields});
                (
                    "customer's own fields in Sage",
                    world.sage.edit(&change, now).ok().map(|made| (made, 0)),
                )
            }
        };
        if let Some((_, id)) = done {
            *self.edits.entry(what).or_default() += 1;
            if id != 0 {
                self.slips.push(id);
            }
        }
    }

    /// Lost answers, errors, a service that is away: some days are like that.
    fn trouble(&mut self) {
        let act = [
            json!("drop-after"),
            json!("refuse"),
            json!({"status": {"code": 500}}),
            json!({"status": {"code": 503}}),
        ];
        let act = act.choose(&mut self.rng).cloned().unwrap_or_default();
        let path = [
            "TaxInvoice/Save",
            "CustomerReceipt/Save",
            "Allocation/SaveBatch",
        ];
        let path = path.choose(&mut self.rng).copied().unwrap_or_default();
        let nth = self.rng.random_range(1..4);
        let plan = json!({"faults": [{"service": "sage", "when": {"method": "POST", "path": path, "nth": nth}, "do": act}]});
        let plan = Plan::from_json(&plan).unwrap_or_else(|why| panic!("{plan}: {why}"));
        self.installation.world().faults = FaultPlan::new(plan);
    }

    /// The evening's sync; one that Sage leaves without any answer, or answers with errors alone, is begun again an hour later, as the schedule does.
    fn evening_sync(&mut self) {
        const ATTEMPTS: usize = 5;
        for _ in 0..ATTEMPTS {
            match self.installation.try_through("sync") {
                Ok(_) => return,
                Err(failure)
                    if matches!(failure.code.as_str(), "connection-lost" | "sage-trouble") =>
                {
                    self.installation.advance(chrono::TimeDelta::hours(1));
                }
                Err(failure) => panic!("{}: the sync fails: {failure:?}", self.day),
            }
        }
        panic!("{}: the sync fails {ATTEMPTS} times", self.day);
    }

    fn live_a_day(&mut self, month: &Month) {
        let (day, isp) = (self.day, self.isp.clone());
        let evening = day.and_hms_opt(16, 30, 0).expect("a time of day").and_utc();
        let world = self.installation.world();
        world.now = evening.max(world.now);
        world.splynx.live(&isp, day..=day);
        for _ in 0..self.rng.random_range(1..4) {
            self.edit(month);
        }
        if self.rng.random_bool(0.1) {
            self.trouble();
        }
        if self.rng.random_bool(0.1) {
            let call = self.rng.random_range(1..150);
            let side = [Side::Before, Side::After, Side::Within(1)];
            let side = *side.choose(&mut self.rng).expect("three sides");
            self.installation
                .run_and_die("sync", DeathPoint { call, side });
        }
        self.evening_sync();
        self.installation.world().faults = FaultPlan::new(Plan::default());
        self.day = day + Days::new(1);
    }
}

fn judge(life: &mut Life) -> Judge {
    let world = life.installation.world();
    let (splynx, sage) = (world.splynx.state(), world.sage.state());
    assert_eq!(
        splynx["not_loaded"],
        json!([]),
        "the provider's whole year was lived"
    );
    let mut judge = Judge::new(listed(&mut life.installation));
    let in_sage = |entity| -> Vec<&Value> { rows(&sage, entity).iter().collect() };
    for sort in SORTS {
        let there = in_sage(sort.sage);
        let here = rows(&splynx, sort.splynx);
        judge.compare(sort, here, &there, &BTreeSet::new(), |_| true);
    }
    let receipts = in_sage("receipts");
    judge.compare_imports(
        rows(&splynx, "payments"),
        &[],
        &receipts,
        life.slips.iter().copied(),
    );
    judge
}

fn live(size: Size, seed: u64) {
    println!("a year of a {} provider, seed {seed}", size.name());
    let mut life = Life::begin(size, seed);
    let last = life.isp.today;
    let mut month = Month::default();
    while life.day <= last {
        if life.day.day() == 10 {
            month = life.snapshot();
        }
        life.live_a_day(&month);
    }
    // The doubts of the last days are settled, and receipts are looked through as the bookkeeper does at a year's end.
    for job in ["sync", "sweep", "import-all-payments", "sync"] {
        life.installation.advance(chrono::TimeDelta::minutes(10));
        life.installation.run_through(job);
    }
    let judged = judge(&mut life);
    println!("edits: {:?}", life.edits);
    for ((kind, code), count) in &judged.explained {
        println!("{kind}, explained by {code}: {count}");
    }
    assert!(
        judged.unexplained.is_empty(),
        "{} differences that nothing explains:\n{}",
        judged.unexplained.len(),
        judged
            .unexplained
            .iter()
            .take(40)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
    let before = writes(&mut life.installation);
    life.installation.advance(chrono::TimeDelta::minutes(15));
    life.installation.run_through("sync");
    assert_eq!(writes(&mut life.installation), before, "then all is quiet");
}

#[test]
fn a_year_of_small_providers_ends_with_equal_ledgers() {
    for seed in [1, 2] {
        live(Size::Small, seed);
    }
}

#[test]
fn a_year_of_the_medium_provider_ends_with_equal_ledgers() {
    live(Size::Medium, 1);
}
