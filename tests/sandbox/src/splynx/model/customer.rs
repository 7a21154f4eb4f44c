//! Customers and the two rows that go with each: info and billing.

use serde_json::Value;

use crate::splynx::record::{Additional, choices, record};
use crate::splynx::wire::{Day, Flag, Moment, Money};

choices! {
    CustomerStatus { New = "new", Active = "active", Blocked = "blocked", Disabled = "disabled" }
}

choices! {
    /// A lead is a prospect in the same table.
    Category { Person = "person", Company = "company", Lead = "lead" }
}

choices! {
    BillingType { Recurring = "recurring", Prepaid = "prepaid", PrepaidMonthly = "prepaid_monthly" }
}

choices! {
    Gdpr { Empty = "empty_answer", Decline = "decline", Accept = "accept" }
}

choices! {
    SubBilling { Independent = "independent", Aggregated = "aggregated" }
}

record! {
    /// `admin/customers/customer`
    Customer {
        id: i64 = Shown "ID";
        login: String = May(128) "Login";
        status: CustomerStatus = May "Status";
        partner_id: i64 = Must "Partner";
        location_id: i64 = Must "Location";
        parent_id: i64 = May "Parent";
        category: Category = Must "Category";
        billing_type: BillingType = May "Billing type";
        name: String = Must(256) "Full name";
        email: String = May(256) "Email";
        billing_email: String = May(256) "Billing email";
        phone: String = May(256) "Phone number";
        street_1: String = May(255) "Street";
        zip_code: String = May(32) "ZIP code";
        city: String = May(32) "City";
        subdivision_id: Option<i64> = May "State";
        gps: String = May "Geo data";
        date_add: Day = May "Date add";
        added_by: String = Shown "Added by";
        added_by_id: i64 = Shown "Added by ID";
        last_online: Moment = Shown "Last online";
        /// Changes with every edit: what clients poll.
        last_update: Moment = Shown "Last update";
        mrr_total: Money = Shown "MRR total";
        daily_prepaid_cost: Money = Shown "Daily prepaid cost";
        gdpr_agreed: Gdpr = May "GDPR agreed";
        conversion_date: Value = Shown "Conversion date";
        customer_labels: Value = May "Labels";
    }
    plus { additional: Additional }
    impl {
        fn customer(&self) -> Option<i64> {
            Some(self.id)
        }
        fn additional(&self) -> Option<&Additional> {
            Some(&self.additional)
        }
        fn additional_mut(&mut self) -> Option<&mut Additional> {
            Some(&mut self.additional)
        }
    }
}

record! {
    /// `admin/customers/customer-info`, one row for every customer, under the customer's id.
    CustomerInfo {
        id: i64 = Shown "ID";
        birthday: String = May(64) "Date of birth";
        passport: String = May(32) "Identification";
        company_id: String = May(32) "Company ID";
        vat_id: String = May(32) "VAT ID";
        contact_person: String = May(256) "Contact person";
        updated_at: Moment = Shown "Updated at";
    }
    impl {
        fn customer(&self) -> Option<i64> {
            Some(self.id)
        }
    }
}

record! {
    /// `admin/customers/customer-billing`, one row for every customer. `deposit` is the balance: positive is
    /// the customer's credit.
    CustomerBilling {
        id as "customer_id": i64 = Shown "Customer ID";
        enabled: Flag = May "Billing enabled";
        kind as "type": i64 = May "Type";
        deposit: Money = Shown "Deposit";
        billing_date: i64 = May "Billing day";
        billing_due: i64 = May "Billing due";
        blocking_period: i64 = May "Blocking period";
        grace_period: i64 = May "Grace period";
        make_invoices: Flag = May "Make invoices";
        payment_method: i64 = May "Payment method";
        min_balance: Money = May "Minimum balance";
        request_auto_enable: Flag = May "Auto create proforma invoices";
        request_auto_day: i64 = May "Day";
        request_auto_period: i64 = May "Period";
        request_auto_type: String = May "Type of proforma invoices";
        request_auto_next: Day = May "Next";
        reminder_enable: Flag = May "Enable reminders";
        reminder_day_1: i64 = May "Reminder 1 day";
        reminder_day_2: i64 = May "Reminder 2 day";
        reminder_day_3: i64 = May "Reminder 3 day";
        reminder_payment: Flag = May "Payment for reminder";
        reminder_payment_value: Money = May "Payment value";
        reminder_payment_comment: String = May "Payment comment";
        reminder_type: i64 = May "Message type";
        billing_person: String = May(256) "Billing name";
        billing_street_1: String = May(255) "Billing street";
        billing_zip_code: String = May(32) "Billing ZIP code";
        billing_city: String = May(32) "Billing city";
        sub_billing_mode: SubBilling = May "Sub-account billing";
        send_finance_notification: Flag = May "Send finance notification";
        partner_percent: Money = May "Partner percent";
    }
    impl {
        fn customer(&self) -> Option<i64> {
            Some(self.id)
        }
    }
}
