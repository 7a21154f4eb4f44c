//! Creating, changing and deleting records, entity by entity: which table, which checks of what a record refers
//! to, which stamps. Money goes to the ledger; new documents are in `documents`.

use serde_json::{Value, json};

use super::Splynx;
use super::auth::Caller;
use super::input::{Body, Purpose, apply, edited_items};
use super::ledger::Stamp;
use super::model::customer::BillingType;
use super::model::{Customer, CustomerBilling, CustomerInfo, Item, StatementRecord, Transaction};
use super::numbers::Numbered;
use super::record::Record;
use super::refusal::Refusal;
use super::routes::{Resource, Route};
use super::table::Table;
use super::wire::{Flag, integer};

impl Splynx {
    /// Makes a record; its id.
    pub(super) fn create(
        &mut self,
        resource: Resource,
        body: &Body,
        caller: Caller,
        stamp: &Stamp,
    ) -> Result<i64, Refusal> {
        if let Some(customer) = body.get("customer_id").and_then(integer)
            && self.customers.get(customer).is_some()
            && !self.may_see(caller, Some(customer))
        {
            return Err(Refusal::other_partner());
        }
        match resource {
            Resource::Customers => self.create_customer(body, caller, stamp),
            Resource::Invoices => self.create_invoice(body, stamp),
            Resource::Proformas => self.create_proforma(body, stamp),
            Resource::CreditNotes => self.create_credit_note(body, stamp),
            Resource::Payments => self.create_payment(body, stamp),
            Resource::Transactions => {
                let mut transaction: Transaction = self.blank(resource);
                apply(&mut transaction, body, Purpose::Create)?;
                self.require_category(transaction.category, "category")?;
                self.ledger.create_transaction(transaction, stamp)
            }
            Resource::StatementRecords => {
                let mut record = StatementRecord {
                    datetime: Some(stamp.at),
                    ..StatementRecord::default()
                };
                apply(&mut record, body, Purpose::Create)?;
                self.require_statement(&record)?;
                Ok(self.statement_records.add(record))
            }
            Resource::BankStatements => {
                let id = add(&mut self.statements, body)?;
                if let Some(statement) = self.statements.get_mut(id) {
                    statement.date_time.get_or_insert(stamp.at);
                }
                Ok(id)
            }
            Resource::Partners => add(&mut self.partners, body),
            Resource::Locations => add(&mut self.locations, body),
            Resource::Administrators => add(&mut self.administrators, body),
            Resource::PaymentMethods => add(&mut self.payment_methods, body),
            Resource::TransactionCategories => add(&mut self.categories, body),
            Resource::Taxes => add(&mut self.taxes, body),
            Resource::Modules => add(&mut self.modules, body),
            Resource::CustomerInfo | Resource::CustomerBilling | Resource::Relations => {
                Err(Refusal::method_disabled())
            }
        }
    }

    /// Changes the fields that a body names.
    pub(super) fn update(
        &mut self,
        resource: Resource,
        id: i64,
        body: &Body,
        stamp: &Stamp,
    ) -> Result<(), Refusal> {
        match resource {
            Resource::Customers => {
                let mut customer = found(&self.customers, id)?;
                apply(&mut customer, body, Purpose::Update)?;
                self.check_customer(&mut customer)?;
                customer.last_update = Some(stamp.at);
                self.customers.put(customer);
            }
            Resource::CustomerInfo => {
                let mut info = found(&self.customer_info, id)?;
                apply(&mut info, body, Purpose::Update)?;
                info.updated_at = Some(stamp.at);
                self.customer_info.put(info);
            }
            Resource::CustomerBilling => change(&mut self.ledger.billing, id, body)?,
            Resource::Invoices => {
                let mut invoice = found(&self.ledger.invoices, id)?;
                apply(&mut invoice, body, Purpose::Update)?;
                let drop_missing = self.behaviour.put_items_drop_missing;
                invoice.items = edited_items(body, &invoice.items, drop_missing)?;
                self.require_item_links(&invoice.items)?;
                self.numbers.note(Numbered::Invoice, &invoice.number);
                self.ledger.change_invoice(id, invoice, stamp)?;
            }
            Resource::Proformas => {
                let mut proforma = found(&self.ledger.proformas, id)?;
                apply(&mut proforma, body, Purpose::Update)?;
                let drop_missing = self.behaviour.put_items_drop_missing;
                proforma.items = edited_items(body, &proforma.items, drop_missing)?;
                self.ledger.price_proforma(&mut proforma, stamp);
                self.ledger.proformas.put(proforma);
            }
            Resource::CreditNotes => {
                let mut note = found(&self.ledger.credit_notes, id)?;
                apply(&mut note, body, Purpose::Update)?;
                let drop_missing = self.behaviour.put_items_drop_missing;
                note.items = edited_items(body, &note.items, drop_missing)?;
                self.require_item_links(&note.items)?;
                self.numbers.note(Numbered::CreditNote, &note.number);
                let refund = self.refund(stamp);
                self.ledger.change_credit_note(id, note, refund, stamp)?;
            }
            Resource::Payments => {
                let mut payment = found(&self.ledger.payments, id)?;
                apply(&mut payment, body, Purpose::Update)?;
                let description = self.method_name(payment.payment_type)?;
                self.numbers
                    .note(Numbered::Receipt, &payment.receipt_number);
                self.ledger
                    .change_payment(id, payment, &description, stamp)?;
            }
            Resource::Transactions => {
                let mut transaction = found(&self.ledger.transactions, id)?;
                apply(&mut transaction, body, Purpose::Update)?;
                self.require_category(transaction.category, "category")?;
                self.ledger.change_transaction(id, transaction, stamp)?;
            }
            Resource::StatementRecords => {
                let mut record = found(&self.statement_records, id)?;
                apply(&mut record, body, Purpose::Update)?;
                self.require_statement(&record)?;
                self.statement_records.put(record);
            }
            Resource::Partners => change(&mut self.partners, id, body)?,
            Resource::Locations => change(&mut self.locations, id, body)?,
            Resource::Administrators => change(&mut self.administrators, id, body)?,
            Resource::PaymentMethods => change(&mut self.payment_methods, id, body)?,
            Resource::TransactionCategories => change(&mut self.categories, id, body)?,
            Resource::BankStatements => change(&mut self.statements, id, body)?,
            Resource::Taxes => change(&mut self.taxes, id, body)?,
            Resource::Modules => change(&mut self.modules, id, body)?,
            Resource::Relations => return Err(Refusal::method_disabled()),
        }
        Ok(())
    }

    pub(super) fn delete(
        &mut self,
        resource: Resource,
        id: i64,
        stamp: &Stamp,
    ) -> Result<(), Refusal> {
        match resource {
            Resource::Customers => {
                // Its documents stay, as after Splynx's own soft delete.
                remove(&mut self.customers, id)?;
                self.customer_info.remove(id);
                self.ledger.billing.remove(id);
                Ok(())
            }
            Resource::Invoices => self.ledger.delete_invoice(id, stamp),
            Resource::CreditNotes => self.ledger.delete_credit_note(id, stamp),
            Resource::Payments => self.ledger.delete_payment(id, stamp),
            Resource::Transactions => self.ledger.delete_transaction(id, stamp),
            Resource::Proformas => remove(&mut self.ledger.proformas, id),
            Resource::Partners => {
                if self
                    .customers
                    .iter()
                    .any(|customer| customer.partner_id == id)
                {
                    return Err(Refusal::cannot_delete("The partner has customers."));
                }
                remove(&mut self.partners, id)
            }
            Resource::TransactionCategories => {
                if self
                    .categories
                    .get(id)
                    .is_some_and(|category| category.is_base.0)
                {
                    return Err(Refusal::cannot_delete("The category is a base category."));
                }
                remove(&mut self.categories, id)
            }
            Resource::Locations => remove(&mut self.locations, id),
            Resource::Administrators => remove(&mut self.administrators, id),
            Resource::PaymentMethods => remove(&mut self.payment_methods, id),
            Resource::BankStatements => remove(&mut self.statements, id),
            Resource::StatementRecords => remove(&mut self.statement_records, id),
            Resource::Modules => remove(&mut self.modules, id),
            Resource::Taxes
            | Resource::CustomerInfo
            | Resource::CustomerBilling
            | Resource::Relations => Err(Refusal::method_disabled()),
        }
    }

    fn create_customer(
        &mut self,
        body: &Body,
        caller: Caller,
        stamp: &Stamp,
    ) -> Result<i64, Refusal> {
        let mut customer: Customer = self.blank(Resource::Customers);
        apply(&mut customer, body, Purpose::Create)?;
        self.check_customer(&mut customer)?;
        if caller.partner() != 0 && caller.partner() != customer.partner_id {
            return Err(Refusal::other_partner());
        }
        customer.id = self.customers.next_id();
        if customer.login.is_empty() {
            customer.login = format!("{:06}", customer.id);
        }
        customer.date_add.get_or_insert(stamp.day());
        customer.added_by = stamp.by.to_owned();
        customer.added_by_id = stamp.by_id;
        customer.last_update = Some(stamp.at);
        Ok(self.add_customer(customer, CustomerInfo::default()))
    }

    /// Stores a customer with the two rows that every customer has.
    pub(super) fn add_customer(&mut self, customer: Customer, info: CustomerInfo) -> i64 {
        let id = customer.id;
        self.customer_info.put(CustomerInfo {
            id,
            updated_at: info.updated_at.or(customer.last_update),
            ..info
        });
        self.ledger.billing.put(CustomerBilling {
            id,
            enabled: Flag(true),
            kind: match customer.billing_type {
                BillingType::Recurring => 1,
                BillingType::Prepaid => 2,
                BillingType::PrepaidMonthly => 3,
            },
            billing_date: 1,
            billing_due: 15,
            grace_period: 15,
            make_invoices: Flag(true),
            payment_method: 2,
            ..CustomerBilling::default()
        });
        self.customers.put(customer);
        id
    }

    fn check_customer(&self, customer: &mut Customer) -> Result<(), Refusal> {
        if self.partners.get(customer.partner_id).is_none() {
            return Err(Refusal::invalid("partner_id", "Partner is invalid."));
        }
        if self.locations.get(customer.location_id).is_none() {
            return Err(Refusal::invalid("location_id", "Location is invalid."));
        }
        // Labels are sent as ids and shown as objects.
        if let Value::Array(labels) = &mut customer.customer_labels {
            for label in labels.iter_mut() {
                if let Some(id) = integer(label) {
                    *label = json!({"id": id, "label": format!("Label {id}"), "color": "#357bf2"});
                }
            }
        }
        Ok(())
    }

    pub(super) fn require_category(&self, id: i64, field: &str) -> Result<(), Refusal> {
        match self.categories.get(id) {
            Some(_) => Ok(()),
            None => Err(Refusal::invalid(field, "Category is invalid.")),
        }
    }

    pub(super) fn require_item_links(&self, items: &[Item]) -> Result<(), Refusal> {
        for item in items {
            if let Some(category) = item.category_id.filter(|id| *id != 0) {
                self.require_category(category, "items")?;
            }
            if item.tax_id != 0 && self.taxes.get(item.tax_id).is_none() {
                return Err(Refusal::invalid("items", "Tax is invalid."));
            }
        }
        Ok(())
    }

    fn require_statement(&self, record: &StatementRecord) -> Result<(), Refusal> {
        match self.statements.get(record.bank_statements_process_id) {
            Some(_) => Ok(()),
            None => Err(Refusal::invalid(
                "bank_statements_process_id",
                "Bank statement ID is invalid.",
            )),
        }
    }

    /// A new record with the installation's additional fields at their defaults.
    pub(super) fn blank<T: Record>(&self, resource: Resource) -> T {
        let mut record = T::default();
        let module = super::routes::ROUTES
            .iter()
            .find(|route: &&Route| route.resource == resource)
            .and_then(|route| route.additional);
        let fields = module.and_then(|module| self.additional_fields.get(module));
        if let (Some(fields), Some(additional)) = (fields, record.additional_mut()) {
            for field in fields {
                additional.insert(field.name.clone(), field.default_value.clone());
            }
        }
        record
    }
}

fn found<T: Record>(table: &Table<T>, id: i64) -> Result<T, Refusal> {
    table.get(id).cloned().ok_or_else(Refusal::not_found)
}

fn add<T: Record>(table: &mut Table<T>, body: &Body) -> Result<i64, Refusal> {
    let mut row = T::default();
    apply(&mut row, body, Purpose::Create)?;
    Ok(table.add(row))
}

fn change<T: Record>(table: &mut Table<T>, id: i64, body: &Body) -> Result<(), Refusal> {
    let mut row = found(table, id)?;
    apply(&mut row, body, Purpose::Update)?;
    table.put(row);
    Ok(())
}

fn remove<T: Record>(table: &mut Table<T>, id: i64) -> Result<(), Refusal> {
    table.remove(id).map(|_| ()).ok_or_else(Refusal::not_found)
}
