//! The provider's furniture: partners, locations, staff, taxes, categories, payment methods.

use serde_json::{Map, Value};

use crate::splynx::record::{Additional, choices, record};
use crate::splynx::wire::{Amount, Flag, Style};

record! {
    /// `admin/administration/partners`
    Partner {
        id: i64 = Shown "ID";
        name: String = Must(64) "Name";
    }
    plus { additional: Additional }
    impl {
        fn additional(&self) -> Option<&Additional> {
            Some(&self.additional)
        }
        fn additional_mut(&mut self) -> Option<&mut Additional> {
            Some(&mut self.additional)
        }
    }
}

record! {
    /// `admin/administration/locations`
    Location {
        id: i64 = Shown "ID";
        name: String = Must(128) "Name";
        tax_for_tariff_internet: i64 = May "Tax for internet tariffs";
        tax_for_tariff_voice: i64 = May "Tax for voice tariffs";
        tax_for_tariff_recurring: i64 = May "Tax for recurring tariffs";
        tax_for_tariff_onetime: i64 = May "Tax for one-time tariffs";
        tax_for_tariff_bundle: i64 = May "Tax for bundle tariffs";
        tax_for_inventory_items: i64 = May "Tax for inventory items";
    }
    plus { additional: Additional }
    impl {
        fn additional(&self) -> Option<&Additional> {
            Some(&self.additional)
        }
        fn additional_mut(&mut self) -> Option<&mut Additional> {
            Some(&mut self.additional)
        }
    }
}

record! {
    /// `admin/administration/administrators`
    Administrator {
        id: i64 = Shown "ID";
        partner_id: i64 = May "Partner";
        role_name: String = May(64) "Role";
        login: String = Must(64) "Login";
        name: String = Must(128) "Name";
        email: String = Must(128) "Email";
        timeout: i64 = May "Timeout";
        router_access: String = May "Router access";
        phone: String = May(128) "Phone";
    }
    plus {
        /// Opens a session at `auth/tokens`; never shown.
        password: String,
    }
}

record! {
    /// `admin/finance/payment-methods`
    PaymentMethod {
        id: i64 = Shown "ID";
        name: String = Must(64) "Name";
        is_active: bool = Must "Is active";
        name_1: String = May(64) "Field 1";
        name_2: String = May(64) "Field 2";
        name_3: String = May(64) "Field 3";
        name_4: String = May(64) "Field 4";
        name_5: String = May(64) "Field 5";
        accounting_bank_accounts_id: i64 = May "Accounting bank account";
        einvoicing_payment_methods_id: i64 = May "E-invoicing payment method";
    }
}

record! {
    /// `admin/finance/transaction-categories`
    TransactionCategory {
        id: i64 = Shown "ID";
        name: String = Must(64) "Name";
        is_base: Flag = Shown "Is base";
        accounting_category_id: Option<i64> = May "Accounting category";
    }
}

choices! {
    TaxKind { Single = "single", Group = "group" }
}

record! {
    /// `admin/config/taxes`; `rate` is in percent.
    Tax {
        id: i64 = Shown "ID";
        name: String = Must(64) "Name";
        rate: Amount = Must "Rate";
        kind as "type": TaxKind = May "Type";
        archived: i64 = May "Archived";
        accounting_tax_rates_id: i64 = May "Accounting tax rate";
        einvoicing_tax_rates_id: i64 = May "E-invoicing tax rate";
    }
    plus {
        /// Of a group only.
        parts: Vec<TaxPart>,
    }
    impl {
        fn nest(&self, object: &mut Map<String, Value>, style: Style) {
            if self.kind == TaxKind::Group {
                let parts = self.parts.iter().map(|part| Value::Object(part.wire(style)));
                object.insert("items".to_owned(), parts.collect());
            }
        }
    }
}

choices! {
    /// On the net price, or on the taxes before it.
    AppliesTo { Net = "net", Tax = "tax" }
}

record! {
    /// A tax within a group.
    TaxPart {
        id: i64 = Shown "ID";
        kind as "type": AppliesTo = May "Type";
        apply_to_all_previous: i64 = May "Apply to all previous";
        position: i64 = May "Position";
    }
}

record! {
    /// `admin/config/modules`; the key is the name.
    ConfigModule {
        id: i64 = Shown "ID";
        module: String = Must(32) "Name";
        title: String = Must(64) "Title";
        root: String = Must "Root";
        kind as "type": String = Must "Type";
        icon: String = May "Icon";
        path: String = May "Path";
        status: Flag = May "Entry points status for portal";
    }
}
