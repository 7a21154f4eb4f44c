//! What Sage tells by objects that are made in a company of their own.
//!
//! Customers and tax types of a trial bear [`MARK`] in their names, documents belong to such customers. What Sage lets nobody delete stays:
//! the customers of such documents are set inactive.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Value, json};

use super::MARK;
use super::asker::{Reply, Stop};
use super::sage::{Company, decimal, doubtful, literal, number};

/// For how many seconds a new object is looked for in lists.
const LONGEST_LAG: i64 = 12;

/// The lists of documents, by the customer that each belongs to.
const DOCUMENTS: [&str; 3] = ["TaxInvoice", "CustomerReturn", "CustomerReceipt"];

/// What a trial made, to be taken away.
#[derive(Default)]
pub struct Made {
    customers: Vec<Value>,
    /// `CustomerReceipt/Delete` and an id.
    rest: Vec<(&'static str, i64)>,
}

/// Refuses a company that holds what no trial made.
pub fn check_alone(company: &Company) -> Result<(), Stop> {
    let marked = |row: &Value| {
        row["Name"]
            .as_str()
            .is_some_and(|name| name.starts_with(MARK))
    };
    let customers = &company.rows["Customer"];
    let ours: Vec<Option<i64>> = customers
        .iter()
        .filter(|row| marked(row))
        .map(|row| number(row, "ID"))
        .collect();
    let documents = DOCUMENTS.iter().flat_map(|list| &company.rows[list]);
    let mut foreign = documents.filter(|row| !ours.contains(&number(row, "CustomerId")));
    let readable = DOCUMENTS
        .iter()
        .chain(["Customer"].iter())
        .all(|list| !company.may_not(&format!("{list}/Get")));
    if ours.len() < customers.len() || foreign.next().is_some() || !readable {
        return Err(Stop::Unfit(format!(
            "The Sage company holds customers or documents that are not from a trial, or they may not be read. Make a company for this alone, and name it with --sage-company. (Names that begin with {MARK:?} are from a trial.)"
        )));
    }
    Ok(())
}

/// Makes what the questions need, and asks them.
pub fn ask(company: &mut Company, made: &mut Made) -> Result<(), Stop> {
    let mut trial = Trial {
        tag: company.asker.transport.now().timestamp().to_string(),
        company,
        made,
        lag: 0,
    };
    let Some(customer) = trial.customer("A", false)? else {
        return trial.refused("a customer");
    };
    trial.saved_again(&customer)?;
    trial.tax_types(&customer)?;
    let Some(invoice) = trial.numbers(&customer)? else {
        return trial.refused("an invoice");
    };
    trial.returns(&customer, &invoice)?;
    trial.receipts(&customer)?;
    trial.bank_transactions(&customer)
}

/// Takes away what a trial made, as far as Sage lets it be deleted.
pub fn clean(company: &mut Company, made: Made) -> Result<(), Stop> {
    for (service, id) in made.rest {
        company.call("DELETE", &format!("{service}/Delete/{id}"), &[], None)?;
    }
    for mut customer in made.customers {
        let Some(id) = number(&customer, "ID") else {
            continue;
        };
        let reply = company.call("DELETE", &format!("Customer/Delete/{id}"), &[], None)?;
        if !reply.is_success() {
            customer["Active"] = json!(false);
            company.call("POST", "Customer/Save", &[], Some(&customer))?;
        }
    }
    Ok(())
}

struct Trial<'c, 'a, 't> {
    company: &'c mut Company<'a, 't>,
    made: &'c mut Made,
    /// Tells this trial's objects from earlier ones.
    tag: String,
    /// Seconds after which lists show what is new.
    lag: u32,
}

impl Trial<'_, '_, '_> {
    fn save(&mut self, service: &str, body: &Value) -> Result<Reply, Stop> {
        self.company
            .call("POST", &format!("{service}/Save"), &[], Some(body))
    }

    /// A document under a number of its own.
    fn save_numbered(&mut self, service: &str, body: &Value) -> Result<Reply, Stop> {
        let own = [("useSystemDocumentNumber", "false")];
        self.company
            .call("POST", &format!("{service}/Save"), &own, Some(body))
    }

    fn refused(&mut self, what: &str) -> Result<(), Stop> {
        Err(Stop::Unfit(format!(
            "The Sage company does not take {what}. Give the login the right to save customers and documents; the company needs an active item, an active bank account and a tax type above 0 %. Then ask again."
        )))
    }

    fn customer(&mut self, name: &str, automatic: bool) -> Result<Option<Value>, Stop> {
        let name = format!("{MARK} {} {name}", self.tag);
        let body = json!({
            "Name": name,
            "Active": true,
            "AutoAllocateToOldestInvoice": automatic,
        });
        let asked_at = self.company.asker.transport.now();
        let reply = self.save("Customer", &body)?;
        if !reply.is_success() {
            return Ok(None);
        }
        let customer = reply.body;
        self.company.specimen.customer = number(&customer, "ID").map(|id| (id, name));
        self.made.customers.push(customer.clone());
        if !automatic {
            self.clock(&customer, asked_at);
            self.list_lag(&customer)?;
        }
        Ok(Some(customer))
    }

    /// Hours between UTC and the clock of Sage's stamps.
    fn clock(&mut self, customer: &Value, asked_at: DateTime<Utc>) {
        let created = customer["Created"].as_str();
        let created = created.and_then(|text| text.parse::<NaiveDateTime>().ok());
        match created {
            Some(created) => {
                let seconds = (created - asked_at.naive_utc()).num_seconds();
                let hours = (seconds + 1_800).div_euclid(3_600);
                self.company.findings.is("clock_hours", hours);
            }
            None => self
                .company
                .findings
                .not_told("clock_hours", "a new customer has no stamp"),
        }
    }

    /// Seconds until a new customer stands in its list; at the first look is at once.
    fn list_lag(&mut self, customer: &Value) -> Result<(), Stop> {
        let id = number(customer, "ID").unwrap_or_default();
        let made_at = self.company.asker.transport.now();
        let since = |company: &Company| (company.asker.transport.now() - made_at).num_seconds();
        for look in 0..LONGEST_LAG {
            if since(self.company) < look {
                self.company.asker.transport.wait(1);
            }
            let params = [("$filter", format!("ID eq {id}"))];
            let params = params
                .each_ref()
                .map(|(name, value)| (*name, value.as_str()));
            let reply = self.company.get("Customer/Get", &params)?;
            if number(&reply.body, "TotalResults") == Some(1) {
                let lag = if look == 0 { 0 } else { since(self.company) };
                self.lag = u32::try_from(lag).unwrap_or(0);
                self.company.findings.is("list_lag_seconds", lag);
                return Ok(());
            }
        }
        self.lag = u32::try_from(LONGEST_LAG).unwrap_or(0);
        self.company
            .findings
            .not_told("list_lag_seconds", "a new customer is in no list for long");
        Ok(())
    }

    /// An update, with one address of mail and with several.
    fn saved_again(&mut self, customer: &Value) -> Result<(), Stop> {
        let mut body = customer.clone();
        body["ContactName"] = json!("Saved again");
        let reply = self.save("Customer", &body)?;
        match reply.is_success() {
            true => self.company.findings.is("update_status", reply.status),
            false => self
                .company
                .findings
                .not_told("update_status", "a customer could not be saved again"),
        }
        body["Email"] = json!("first@example.com, second@example.com");
        let taken = self.save("Customer", &body)?.is_success();
        self.company.findings.is("several_emails", doubtful(taken));
        Ok(())
    }

    /// Another rate for a used tax type; and a manual one, which `Calculate` is asked with later.
    fn tax_types(&mut self, customer: &Value) -> Result<(), Stop> {
        let name = format!("{MARK} {}", self.tag);
        let manual = json!({"Name": format!("{name} manual"), "Percentage": 0, "IsManualTax": true, "Active": true});
        let manual = self.save("TaxType", &manual)?;
        if let Some(id) = number(&manual.body, "ID").filter(|_| manual.is_success()) {
            self.made.rest.push(("TaxType", id));
        }
        let rated = json!({"Name": name, "Percentage": 0.1, "Active": true});
        let mut rated = self.save("TaxType", &rated)?.body;
        let used = match number(&rated, "ID") {
            Some(id) => {
                let mut line = self.company.line(true, "1", "10");
                line["TaxTypeId"] = json!(id);
                let body = self.document(customer, "used tax", &[line]);
                self.save("TaxInvoice", &body)?.is_success()
            }
            None => false,
        };
        if !used {
            self.company.findings.not_told(
                "used_tax_types",
                "a tax type of the trial could not be used",
            );
            return Ok(());
        }
        rated["Percentage"] = json!(0.11);
        let taken = self.save("TaxType", &rated)?.is_success();
        self.company.findings.is("used_tax_types", doubtful(taken));
        // Nothing is to be proposed with it.
        rated["Percentage"] = json!(if taken { 0.11 } else { 0.1 });
        rated["Active"] = json!(false);
        self.save("TaxType", &rated)?;
        Ok(())
    }

    fn document(&self, customer: &Value, reference: &str, lines: &[Value]) -> Value {
        let mut body = self.company.document(true, lines);
        body["CustomerId"] = customer["ID"].clone();
        body["Reference"] = json!(format!("{MARK} {} {reference}", self.tag));
        body
    }

    /// A number twice, none, and a reference twice; the first invoice.
    fn numbers(&mut self, customer: &Value) -> Result<Option<Value>, Stop> {
        let lines = [self.company.line(true, "1", "115")];
        let mut body = self.document(customer, "1", &lines);
        body["DocumentNumber"] = json!(format!("SV-{}-1", self.tag));
        let first = self.save_numbered("TaxInvoice", &body)?;
        if !first.is_success() {
            return Ok(None);
        }
        let mut again = self.document(customer, "2", &lines);
        again["DocumentNumber"] = body["DocumentNumber"].clone();
        let taken = self.save_numbered("TaxInvoice", &again)?.is_success();
        self.company
            .findings
            .is("duplicate_numbers", doubtful(taken));
        let mut empty = self.document(customer, "3", &lines);
        empty["DocumentNumber"] = json!("");
        let taken = self.save_numbered("TaxInvoice", &empty)?.is_success();
        self.company.findings.is("empty_numbers", doubtful(taken));
        if self.company.checks_references {
            let same = self.document(customer, "1", &lines);
            let taken = self.save("TaxInvoice", &same)?.is_success();
            self.company
                .findings
                .is("duplicate_references", doubtful(taken));
        } else {
            self.company.findings.not_told(
                "duplicate_references",
                "the company does not check references: switch it on in its settings, then ask again",
            );
        }
        Ok(Some(first.body))
    }

    /// Whether a return that names an invoice settles it.
    fn returns(&mut self, customer: &Value, invoice: &Value) -> Result<(), Stop> {
        let lines = [self.company.line(true, "1", "15")];
        let mut body = self.document(customer, "return", &lines);
        body["FromDocumentId"] = invoice["ID"].clone();
        body["FromDocumentTypeId"] = json!(1);
        let made = self.save("CustomerReturn", &body)?;
        let id = number(invoice, "ID").unwrap_or_default();
        let after = self.company.get(&format!("TaxInvoice/Get/{id}"), &[])?;
        let due = decimal(&after.body, "AmountDue").filter(|_| made.is_success());
        match (due, decimal(invoice, "AmountDue")) {
            (Some(after), Some(before)) => {
                self.company.findings.is("returns_allocate", after < before)
            }
            _ => self
                .company
                .findings
                .not_told("returns_allocate", "a return or its invoice cannot be had"),
        }
        Ok(())
    }

    fn receipt(&mut self, customer: &Value, total: &str) -> Result<Reply, Stop> {
        let body = json!({
            "CustomerId": customer["ID"],
            "Date": self.company.specimen.date,
            "Total": literal(total),
            "BankAccountId": self.company.specimen.bank,
            "PaymentMethod": 4,
            "Reference": format!("{MARK} {} {total}", self.tag),
        });
        self.save("CustomerReceipt", &body)
    }

    /// Whether a receipt settles the oldest invoice by itself, and can be deleted.
    fn receipts(&mut self, customer: &Value) -> Result<(), Stop> {
        let unfit = "a receipt could not be saved";
        let automatic = self.customer("B", true)?.unwrap_or_default();
        let lines = [self.company.line(true, "1", "115")];
        let body = self.document(&automatic, "B", &lines);
        let invoice = self.save("TaxInvoice", &body)?;
        let receipt = self.receipt(&automatic, "50")?;
        let rest = decimal(&receipt.body, "TotalUnallocated");
        match rest.filter(|_| invoice.is_success() && receipt.is_success()) {
            Some(rest) => self.company.findings.is("auto_allocation", rest.is_zero()),
            None => self.company.findings.not_told("auto_allocation", unfit),
        }
        if let Some(id) = number(&receipt.body, "ID") {
            self.made.rest.push(("CustomerReceipt", id));
        }
        let receipt = self.receipt(customer, "5")?;
        match number(&receipt.body, "ID").filter(|_| receipt.is_success()) {
            Some(id) => {
                let call = format!("CustomerReceipt/Delete/{id}");
                let gone = self.company.call("DELETE", &call, &[], None)?.is_success();
                self.company.findings.is("receipts_can_be_deleted", gone);
            }
            None => self
                .company
                .findings
                .not_told("receipts_can_be_deleted", unfit),
        }
        Ok(())
    }

    /// Whether a bank transaction against a customer makes a receipt.
    fn bank_transactions(&mut self, customer: &Value) -> Result<(), Stop> {
        let reference = format!("{MARK} {} bank", self.tag);
        let body = json!({
            "Type": 2,
            "SelectionId": customer["ID"],
            "Date": self.company.specimen.date,
            "BankAccountId": self.company.specimen.bank,
            "Total": literal("1.23"),
            "Reference": reference,
        });
        let reply = self.save("BankTransaction", &body)?;
        if !reply.is_success() {
            self.company.findings.not_told(
                "bank_transactions_make_receipts",
                "a bank transaction could not be saved",
            );
            return Ok(());
        }
        self.company.asker.transport.wait(self.lag + 1);
        let filter = format!("CustomerId eq {}", customer["ID"]);
        let receipts = self
            .company
            .get("CustomerReceipt/Get", &[("$filter", filter.as_str())])?;
        let made = receipts.rows().into_iter().flatten();
        let made = made.filter(|row| row["Reference"] == reference.as_str());
        let made: Vec<i64> = made.filter_map(|row| number(row, "ID")).collect();
        self.company
            .findings
            .is("bank_transactions_make_receipts", !made.is_empty());
        match made.first().or(number(&reply.body, "ID").as_ref()) {
            Some(id) if made.is_empty() => self.made.rest.push(("BankTransaction", *id)),
            Some(id) => self.made.rest.push(("CustomerReceipt", *id)),
            None => {}
        }
        Ok(())
    }
}
