//! A desk at which a person works in both services by hand, and looks at what they hold.
//!
//! Each test sets up its own: a provider without any history, its customers in Sage.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use sandbox::faults::{FaultPlan, Plan};
use sandbox::http::Service;
use sandbox::isp::{Isp, Size};
use serde_json::{Value, json};
use simulation::books::{self, rows};
use simulation::installation::Installation;
use splynx_sageone::write::record::RECORDS;

/// A provider whose Splynx and Sage are worked in by hand.
pub struct Desk {
    pub installation: Installation,
    pub isp: Isp,
    /// Bank slips so far: Sage wants references to differ.
    slips: u32,
}

impl Desk {
    /// So many customers without any history, all in Sage; imports run in both directions unless a setting says otherwise.
    pub fn new(customers: usize) -> Self {
        Self::with(customers, |_| {})
    }

    /// The same, with what else the provider had before the first day.
    pub fn with(customers: usize, before: impl FnOnce(&mut Isp)) -> Self {
        let mut isp = Isp::seeded(Size::Tiny, 7);
        let first = isp.customers[0].clone();
        isp.invoices.clear();
        isp.payments.clear();
        isp.credit_notes.clear();
        isp.customers = (0..customers)
            .map(|place| {
                let mut customer = first.clone();
                customer.id += i64::try_from(place).expect("a few");
                customer.login = format!("{:06}", customer.id);
                customer.name = format!("Customer {place}");
                customer.partner_id = 1;
                customer
            })
            .collect();
        before(&mut isp);
        let installation = Installation::new(&isp, false);
        let mut desk = Self {
            installation,
            isp,
            slips: 0,
        };
        desk.set("payments_direction", "both");
        desk.installation.run_through("export-customers");
        desk
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.installation.set(key, value);
    }

    pub fn customer(&self, place: usize) -> i64 {
        self.isp.customers[place].id
    }

    pub fn splynx(&mut self, entity: &str, act: &str, id: i64, fields: Value) -> Value {
        let change = json!({"entity": entity, "act": act, "id": id, "fields": fields});
        let world = self.installation.world();
        let now = world.now;
        world.splynx.edit(&change, now).expect("the staff may")
    }

    pub fn sage(&mut self, entity: &str, act: &str, id: i64, fields: Value) -> Value {
        let change = json!({"entity": entity, "act": act, "id": id, "fields": fields});
        let world = self.installation.world();
        let now = world.now;
        world.sage.edit(&change, now).expect("the bookkeeper may")
    }

    /// An unpaid invoice of 115.00, not yet in Sage.
    pub fn invoice(&mut self, customer: i64) -> i64 {
        self.invoice_of(customer, &[line("Fibre", "1", "100.0000")], json!({}))
    }

    /// An invoice of these lines; `more`: fields besides the usual ones, or instead of them.
    pub fn invoice_of(&mut self, customer: i64, items: &[Value], more: Value) -> i64 {
        let fields = json!({"customer_id": customer, "date_created": "2026-02-01", "date_till": "2026-02-15",
            "status": "not_paid", "items": items});
        id_of(
            &self.splynx("invoices", "create", 0, with(fields, more)),
            "id",
        )
    }

    /// A credit note of 115.00; `more` as of an invoice.
    pub fn credit_note(&mut self, customer: i64, more: Value) -> i64 {
        let fields = json!({"customer_id": customer, "date_created": "2026-02-03", "status": "not_refunded",
            "items": [line("Fibre", "1", "100.0000")]});
        id_of(
            &self.splynx("credit_notes", "create", 0, with(fields, more)),
            "id",
        )
    }

    /// A payment by bank transfer, of a day in February; `more` as of an invoice.
    pub fn payment(&mut self, customer: i64, amount: &str, more: Value) -> i64 {
        let fields = json!({"customer_id": customer, "payment_type": 2, "date": "2026-02-04", "amount": amount});
        id_of(
            &self.splynx("payments", "create", 0, with(fields, more)),
            "id",
        )
    }

    /// Splynx's staff change the price of an invoice's first line.
    pub fn reprice(&mut self, invoice: i64, price: &str) {
        let invoices = self.state(false, "invoices");
        let row = invoices.iter().find(|row| row["id"] == json!(invoice));
        let first = row.expect("it is there")["items"][0]["id"].clone();
        self.splynx(
            "invoices",
            "update",
            invoice,
            json!({"items": [{"id": first, "price": price}]}),
        );
    }

    pub fn export_invoices(&mut self) {
        self.installation.run_through("export-invoices");
    }

    pub fn state(&mut self, of_sage: bool, entity: &str) -> Vec<Value> {
        let world = self.installation.world();
        let state = if of_sage {
            world.sage.state()
        } else {
            world.splynx.state()
        };
        rows(&state, entity).to_vec()
    }

    /// Sage's document of an invoice.
    pub fn in_sage(&mut self, invoice: i64) -> Value {
        self.keyed(&format!("I{invoice}"))
            .expect("the invoice is in Sage")
    }

    /// What Sage holds under a key of ours: `I5`, `C4`, `P3`.
    pub fn keyed(&mut self, key: &str) -> Option<Value> {
        let tail = format!("-{key}");
        let mut found: Vec<Value> = ["invoices", "returns", "receipts"]
            .into_iter()
            .flat_map(|entity| self.state(true, entity))
            .filter(|row| {
                row["Reference"]
                    .as_str()
                    .is_some_and(|r| r.ends_with(&tail))
            })
            .collect();
        assert!(found.len() <= 1, "{key} stands on two documents: {found:?}");
        found.pop()
    }

    pub fn sage_customer(&mut self, customer: i64) -> i64 {
        let name = self.isp.customers.iter().find(|c| c.id == customer);
        let name = name.expect("one of ours").name.clone();
        let customers = self.state(true, "customers");
        let row = customers.iter().find(|row| row["Name"] == json!(name));
        id_of(row.expect("the customer is in Sage"), "ID")
    }

    /// A receipt of a Splynx customer, allocated to Splynx's invoices (id, amount, discount).
    pub fn receipt(
        &mut self,
        customer: i64,
        date: &str,
        total: &str,
        allocations: &[(i64, &str, &str)],
    ) -> i64 {
        let customer = self.sage_customer(customer);
        self.receipt_of(customer, date, total, allocations)
    }

    pub fn receipt_of(
        &mut self,
        customer: i64,
        date: &str,
        total: &str,
        allocations: &[(i64, &str, &str)],
    ) -> i64 {
        let bank = self.isp.sage.bank_accounts[0].id;
        self.slips += 1;
        let slip = format!("slip {}", self.slips);
        let made = self.sage(
            "receipts",
            "create",
            0,
            json!({"CustomerId": customer, "Date": date, "Total": total,
            "BankAccountId": bank, "PaymentMethod": 4, "Reference": slip}),
        );
        let receipt = id_of(&made, "ID");
        for (invoice, total, discount) in allocations {
            self.allocate(receipt, *invoice, total, discount);
        }
        receipt
    }

    pub fn allocate(&mut self, receipt: i64, invoice: i64, total: &str, discount: &str) -> i64 {
        let target = id_of(&self.in_sage(invoice), "ID");
        let made = self.sage(
            "allocations",
            "create",
            0,
            json!({"SourceDocumentId": receipt,
            "AllocatedToDocumentId": target, "Total": total, "Discount": discount}),
        );
        // What it answers is the allocation itself, or the receipt that it belongs to.
        id_of(&made, "ID")
    }

    pub fn run(&mut self, job: &str) {
        self.installation.run_through(job);
    }

    /// A person's decision in the outbox; `remote` for a link.
    pub fn decide(&mut self, act: &str, kind: &str, id: i64, remote: &str) {
        let row = format!("{kind}/{id:012}");
        self.installation
            .decide(act, &[&row], remote)
            .unwrap_or_else(|why| panic!("{act} of {row}: {why:?}"));
    }

    /// State and code of a record.
    pub fn standing(&mut self, kind: &str, id: i64) -> (String, String) {
        let record = self.record_of(kind, id);
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        (text(&record["state"]), text(&record["reason"]["code"]))
    }

    /// What people are told of a record: the reason and its cure.
    pub fn told(&mut self, kind: &str, id: i64) -> String {
        let reason = self.record_of(kind, id)["reason"].clone();
        let text = |field: &str| reason[field].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("message"), text("cure"))
    }

    fn record_of(&mut self, kind: &str, id: i64) -> Value {
        let storage = &self.installation.host().storage;
        let key = format!("{kind}/{id:012}");
        let mut tables = storage.tables().filter(|(name, _)| *name == RECORDS);
        let text = tables.find_map(|(_, rows)| rows.get(&key).cloned());
        serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default()
    }

    /// How often Sage was asked this so far: `POST TaxInvoice/Save`.
    pub fn asked(&mut self, request: &str) -> u64 {
        let requests = books::requests(self.installation.world());
        requests.get(request).copied().unwrap_or_default()
    }

    /// What goes wrong from now on with requests to a service.
    pub fn with_fault(&mut self, service: &str, when: Value, act: &Value) {
        let plan = json!({"faults": [{"service": service, "when": when, "do": act}]});
        self.installation.world().faults =
            FaultPlan::new(Plan::from_json(&plan).expect("a fault plan"));
    }

    pub fn without_faults(&mut self) {
        self.installation.world().faults = FaultPlan::default();
    }

    pub fn pass(&mut self, minutes: i64) {
        self.installation.advance(TimeDelta::minutes(minutes));
    }
}

/// A line of fibre at 15 % VAT, or of what the text says.
pub fn line(text: &str, quantity: &str, price: &str) -> Value {
    json!({"description": text, "quantity": quantity, "price": price, "tax": "15.0000", "tax_id": 1,
        "categoryIdForTransaction": 7})
}

/// An object with other fields put over its own.
pub fn with(mut object: Value, more: Value) -> Value {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}

pub fn id_of(row: &Value, field: &str) -> i64 {
    row[field].as_i64().expect("an id")
}

pub fn money(value: &Value) -> Decimal {
    let text = value.to_string();
    text.trim_matches('"')
        .parse::<Decimal>()
        .expect("an amount")
        .normalize()
}

pub fn dec(text: &str) -> Decimal {
    text.parse::<Decimal>().expect("an amount").normalize()
}
