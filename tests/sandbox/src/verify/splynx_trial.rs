//! What Splynx tells by objects that are made on a server of their own: one customer whose name begins with [`MARK`], and its documents.

use chrono::NaiveDateTime;
use serde_json::{Value, json};

use super::MARK;
use super::asker::{Reply, Stop};
use super::sage::{decimal, number};
use super::splynx::{CUSTOMERS, Server};

const INVOICES: &str = "admin/finance/invoices";
const PAYMENTS: &str = "admin/finance/payments";
const CREDIT_NOTES: &str = "admin/finance/credit-notes";
const LOCATIONS: &str = "admin/administration/locations";

/// What a trial made, in the order of making: path and id.
pub type Made = Vec<(&'static str, i64)>;

/// Refuses a server that holds what no trial made.
pub fn check_alone(server: &Server) -> Result<(), Stop> {
    let customers = &server.rows[CUSTOMERS];
    let marked = |row: &&Value| {
        row["name"]
            .as_str()
            .is_some_and(|name| name.starts_with(MARK))
    };
    let ours: Vec<Option<i64>> = customers
        .iter()
        .filter(marked)
        .map(|row| number(row, "id"))
        .collect();
    let documents = [INVOICES, PAYMENTS, CREDIT_NOTES];
    let mut documents = documents.iter().flat_map(|list| &server.rows[list]);
    let foreign = documents.any(|row| !ours.contains(&number(row, "customer_id")));
    if ours.len() < customers.len() || foreign {
        return Err(Stop::Unfit(format!(
            "The Splynx server holds customers or documents that are not from a trial. Use a server that was set up for this alone. (Names that begin with {MARK:?} are from a trial.)"
        )));
    }
    Ok(())
}

/// Makes what the questions need, and asks them.
pub fn ask(server: &mut Server, made: &mut Made) -> Result<(), Stop> {
    let mut trial = Trial {
        day: server.asker.transport.now().date_naive().to_string(),
        server,
        made,
        customer: 0,
    };
    let before = trial.new_customer()?;
    let invoice = trial.first_invoice(&before)?;
    let total = trial.lines(invoice)?;
    trial.tied_payment(invoice, &total)?;
    trial.paid_from_balance()?;
    trial.used_up_note()?;
    trial.below_zero()
}

/// Takes away what a trial made.
pub fn clean(server: &mut Server, made: Made) -> Result<(), Stop> {
    // Documents that are paid can go only after what paid them.
    let order = [PAYMENTS, CREDIT_NOTES, INVOICES, CUSTOMERS];
    for wanted in order {
        for (path, id) in made.iter().filter(|(path, _)| *path == wanted) {
            let path = format!("{path}/{id}");
            server
                .asker
                .splynx(&server.access, "DELETE", &path, &[], None)?;
        }
    }
    Ok(())
}

struct Trial<'c, 'a, 't> {
    server: &'c mut Server<'a, 't>,
    made: &'c mut Made,
    /// Today.
    day: String,
    customer: i64,
}

impl Trial<'_, '_, '_> {
    fn make(&mut self, path: &'static str, body: &Value) -> Result<Option<i64>, Stop> {
        let reply = self.server.post(path, body)?;
        let id = number(&reply.body, "id").filter(|_| reply.is_success());
        self.made.extend(id.map(|id| (path, id)));
        Ok(id)
    }

    fn needed(&mut self, path: &'static str, body: &Value) -> Result<i64, Stop> {
        self.make(path, body)?.ok_or_else(|| {
            Stop::Unfit(format!("The Splynx server does not take a new record at {path}. Give the key the right to add, view, change and delete customers, invoices, credit notes and payments; the server needs a partner, a location and a payment method. Then ask again."))
        })
    }

    fn one(&mut self, path: &str, id: i64) -> Result<Value, Stop> {
        let reply: Reply = self.server.get(&format!("{path}/{id}"), &[])?;
        Ok(match reply.body {
            // Some servers answer with an array of one.
            Value::Array(rows) => rows.into_iter().next().unwrap_or_default(),
            row => row,
        })
    }

    /// A customer, as it was when it was new.
    fn new_customer(&mut self) -> Result<Value, Stop> {
        let first = |reply: Reply| {
            let row = reply.rows().and_then(|rows| rows.first());
            row.and_then(|row| number(row, "id"))
        };
        let location = first(self.server.get(LOCATIONS, &[("limit", "1")])?);
        let partners = &self.server.rows["admin/administration/partners"];
        let partner = partners.first().and_then(|row| number(row, "id"));
        let tag = self.server.asker.transport.now().timestamp();
        let body = json!({
            "name": format!("{MARK} {tag}"),
            "partner_id": partner,
            "location_id": location,
            "category": "person",
            "status": "active",
        });
        self.customer = self.needed(CUSTOMERS, &body)?;
        self.one(CUSTOMERS, self.customer)
    }

    fn invoice(&self, lines: &[&str]) -> Value {
        let line = |price: &&str| json!({"description": MARK, "quantity": 1, "price": price, "tax": "0", "tax_id": 0});
        json!({
            "customer_id": self.customer,
            "date_created": self.day,
            "status": "not_paid",
            "items": lines.iter().map(line).collect::<Vec<Value>>(),
        })
    }

    /// An invoice of two lines: by which clock it is stamped, and whether it moves the customer's stamp.
    fn first_invoice(&mut self, before: &Value) -> Result<i64, Stop> {
        self.server.asker.transport.wait(2);
        let now = self.server.asker.transport.now();
        let id = self.needed(INVOICES, &self.invoice(&["949.99", "50.01"]))?;
        let invoice = self.one(INVOICES, id)?;
        let moment = |row: &Value, field: &str| {
            let text = row[field].as_str()?.to_owned();
            NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S").ok()
        };
        match moment(&invoice, "real_create_datetime") {
            Some(made) => {
                let minutes = ((made - now.naive_utc()).num_seconds() + 30).div_euclid(60);
                // Zones differ by half hours; what is over is a wrong clock.
                let offset = (minutes + 15).div_euclid(30) * 30;
                self.server.findings.is("utc_offset_minutes", offset);
                self.server.findings.is("clock_minutes", minutes - offset);
            }
            None => {
                for switch in ["utc_offset_minutes", "clock_minutes"] {
                    self.server
                        .findings
                        .not_told(switch, "a new invoice has no moment");
                }
            }
        }
        let after = self.one(CUSTOMERS, self.customer)?;
        let stamps = (moment(before, "last_update"), moment(&after, "last_update"));
        match stamps {
            (Some(before), Some(after)) => self
                .server
                .findings
                .is("billing_touches_customers", after > before),
            _ => self
                .server
                .findings
                .not_told("billing_touches_customers", "a customer has no last_update"),
        }
        Ok(id)
    }

    /// Whether lines go that a change does not name; the invoice's total then.
    fn lines(&mut self, id: i64) -> Result<String, Stop> {
        let invoice = self.one(INVOICES, id)?;
        let lines = json!({"items": [invoice["items"][0]]});
        let path = format!("{INVOICES}/{id}");
        let access = self.server.access.clone();
        let reply = self
            .server
            .asker
            .splynx(&access, "PUT", &path, &[], Some(&lines))?;
        let after = self.one(INVOICES, id)?;
        match after["items"].as_array().map(Vec::len) {
            Some(1) if reply.is_success() => {
                self.server.findings.is("put_items_drop_missing", true)
            }
            Some(2) if reply.is_success() => {
                self.server.findings.is("put_items_drop_missing", false);
            }
            _ => self
                .server
                .findings
                .not_told("put_items_drop_missing", "lines cannot be changed"),
        }
        let total = decimal(&after, "total").unwrap_or_default();
        Ok(total.to_string())
    }

    fn pay(&mut self, amount: &str) -> Result<i64, Stop> {
        let methods = &self.server.rows["admin/finance/payment-methods"];
        let method = methods.first().and_then(|row| number(row, "id"));
        let body = json!({
            "customer_id": self.customer,
            "payment_type": method,
            "date": self.day,
            "amount": amount,
        });
        self.needed(PAYMENTS, &body)
    }

    /// A payment of what the only open invoice is about: whether it names that invoice.
    fn tied_payment(&mut self, invoice: i64, total: &str) -> Result<(), Stop> {
        let payment = self.pay(total)?;
        let named = number(&self.one(PAYMENTS, payment)?, "invoice_id");
        self.server
            .findings
            .is("ledger.tie_equal_payments", named == Some(invoice));
        Ok(())
    }

    /// Money on the balance, and an invoice after it.
    fn paid_from_balance(&mut self) -> Result<(), Stop> {
        self.pay("30.30")?;
        let invoice = self.needed(INVOICES, &self.invoice(&["30.30"]))?;
        let due = decimal(&self.one(INVOICES, invoice)?, "due");
        match due {
            Some(due) => self
                .server
                .findings
                .is("ledger.pay_from_balance", due.is_zero()),
            None => self
                .server
                .findings
                .not_told("ledger.pay_from_balance", "an invoice has no due"),
        }
        Ok(())
    }

    /// A credit note that an invoice uses up.
    fn used_up_note(&mut self) -> Result<(), Stop> {
        let invoice = self.needed(INVOICES, &self.invoice(&["20.20"]))?;
        let mut body = self.invoice(&["20.20"]);
        body["status"] = json!("not_refunded");
        body["invoicesId"] = json!(invoice);
        let note = self.needed(CREDIT_NOTES, &body)?;
        let note = self.one(CREDIT_NOTES, note)?;
        let used = decimal(&note, "remind_amount").is_some_and(|rest| rest.is_zero());
        match note["status"].as_str() {
            Some("closed") => self.server.findings.is("ledger.closed_status", true),
            Some("not_refunded") if used => self.server.findings.is("ledger.closed_status", false),
            _ => self.server.findings.not_told(
                "ledger.closed_status",
                "an invoice did not use up the credit note for it",
            ),
        }
        Ok(())
    }

    fn below_zero(&mut self) -> Result<(), Stop> {
        let taken = self.make(INVOICES, &self.invoice(&["-10"]))?.is_some();
        self.server.findings.is("ledger.negative_invoices", taken);
        Ok(())
    }
}
