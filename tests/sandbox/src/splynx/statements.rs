//! Bank statements: importing rows, and pairing a record with an invoice by hand as staff do on the screen.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::Splynx;
use super::input::{Body, plain_text};
use super::ledger::Stamp;
use super::model::statement::{RecordStatus, StatementStatus};
use super::model::{BankStatement, StatementRecord};
use super::refusal::Refusal;
use super::wire::{Attribute, Money};

impl Splynx {
    /// `bank-statements-import`: a statement with a record for each row of `data`; `columns` names the cells.
    /// Nothing is paid by it: the records wait as `new` [assumed].
    pub(super) fn import_statement(&mut self, body: &Body, stamp: &Stamp) -> Result<i64, Refusal> {
        let cannot = |field: &str, title: &str| {
            Refusal::invalid(field, &format!("{title} cannot be blank."))
        };
        let rows = body
            .get("data")
            .and_then(Value::as_array)
            .filter(|rows| !rows.is_empty())
            .ok_or_else(|| cannot("data", "Data"))?;
        let columns = body
            .get("columns")
            .and_then(Value::as_object)
            .ok_or_else(|| cannot("columns", "Columns"))?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let mut record = StatementRecord {
                datetime: Some(stamp.at),
                ..StatementRecord::default()
            };
            for (key, column) in columns {
                let cell = row.get(key).cloned().unwrap_or(Value::Null);
                match column.as_str().unwrap_or_default() {
                    "customer_id" => record.pairing_1 = plain_text(&cell),
                    "invoice_number" => record.pairing_2 = plain_text(&cell),
                    "amount" => {
                        record.amount = Money::read(&cell)
                            .map_err(|m| Refusal::invalid("amount", &format!("Amount {m}")))?;
                    }
                    "date" => record.payment_date = plain_text(&cell),
                    "comment" => record.comment = plain_text(&cell),
                    _ => {}
                }
            }
            records.push(record);
        }
        let statement = self.statements.add(BankStatement {
            date_time: Some(stamp.at),
            title: format!("Import {}", stamp.at.format("%d/%m/%Y")),
            handler: "api".to_owned(),
            status: StatementStatus::Success,
            ..BankStatement::default()
        });
        for mut record in records {
            record.bank_statements_process_id = statement;
            self.statement_records.add(record);
        }
        Ok(statement)
    }

    /// "Manual pair": pays an invoice with the money of a record. Fields: `invoice_number`, `payment_type`.
    pub(super) fn pair_record(
        &mut self,
        id: i64,
        fields: &Body,
        stamp: &Stamp,
    ) -> Result<i64, Refusal> {
        let record = self
            .statement_records
            .get(id)
            .ok_or_else(Refusal::not_found)?;
        if record.status != RecordStatus::New && record.status != RecordStatus::Error {
            return Err(Refusal::invalid(
                "status",
                "The record does not wait for pairing.",
            ));
        }
        let number = fields
            .get("invoice_number")
            .map(plain_text)
            .unwrap_or_default();
        let invoice = self
            .ledger
            .invoices
            .iter()
            .find(|invoice| invoice.number == number)
            .ok_or_else(|| Refusal::invalid("invoice_number", "Invoice not found."))?;
        let (invoice_id, customer_id) = (invoice.id, invoice.customer_id);
        let date =
            NaiveDate::parse_from_str(&record.payment_date, "%Y-%m-%d").unwrap_or(stamp.day());
        let payment = json!({
            "customer_id": customer_id,
            "invoice_id": invoice_id,
            "payment_statement_id": record.bank_statements_process_id,
            "payment_type": fields.get("payment_type"),
            "date": date.to_string(),
            "amount": record.amount.0.to_string(),
            "comment": record.comment,
        });
        let Value::Object(payment) = payment else {
            return Err(Refusal::bad_request("The payment has no fields."));
        };
        let payment_id = self.create_payment(&payment, stamp)?;
        if let Some(record) = self.statement_records.get_mut(id) {
            record.status = RecordStatus::ManualPaired;
            record.customer_id = Some(customer_id);
            record.invoice_id = Some(invoice_id);
            record.payment_id = Some(payment_id);
        }
        Ok(payment_id)
    }
}
