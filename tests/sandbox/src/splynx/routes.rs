//! Which paths there are, what each offers, and by which names its permissions, its state and its hook events
//! go (Splynx API, overview of paths).

use super::auth::Action;
use super::refusal::Refusal;

/// A collection of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    Customers,
    CustomerInfo,
    CustomerBilling,
    Partners,
    Locations,
    Administrators,
    Invoices,
    Proformas,
    CreditNotes,
    Relations,
    Transactions,
    Payments,
    PaymentMethods,
    TransactionCategories,
    BankStatements,
    StatementRecords,
    Taxes,
    Modules,
}

pub struct Route {
    pub resource: Resource,
    /// Below the API's version.
    pub path: &'static str,
    /// In permissions.
    pub controller: &'static str,
    /// In the state, and for edits.
    pub name: &'static str,
    /// The last part of a hook event's model.
    pub model: &'static str,
    on_collection: &'static [&'static str],
    on_item: &'static [&'static str],
    /// The module whose additional fields its records carry.
    pub additional: Option<&'static str>,
}

const LIST: &[&str] = &["GET", "HEAD", "OPTIONS", "POST"];
const LIST_ONLY: &[&str] = &["GET", "HEAD", "OPTIONS"];
const NO_LIST: &[&str] = &[];
const ITEM: &[&str] = &["GET", "PUT", "DELETE"];
const ITEM_KEPT: &[&str] = &["GET", "PUT"];
const ITEM_READ: &[&str] = &["GET"];

macro_rules! route {
    ($resource:ident $path:literal $controller:literal $name:literal $model:literal $list:ident $item:ident $additional:expr) => {
        Route {
            resource: Resource::$resource,
            path: $path,
            controller: $controller,
            name: $name,
            model: $model,
            on_collection: $list,
            on_item: $item,
            additional: $additional,
        }
    };
}

#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    route!(Customers "admin/customers/customer" r"admin\customers\Customer" "customers" r"models\common\customers\Customers" LIST ITEM Some("customers")),
    route!(CustomerInfo "admin/customers/customer-info" r"admin\customers\CustomerInfo" "customer_info" r"models\common\customers\CustomerInfo" LIST_ONLY ITEM_KEPT None),
    route!(CustomerBilling "admin/customers/customer-billing" r"admin\customers\CustomerBilling" "customer_billing" r"models\common\customers\CustomerBilling" NO_LIST ITEM_KEPT None),
    route!(Partners "admin/administration/partners" r"admin\administration\Partners" "partners" r"models\admin\administration\Partners" LIST ITEM Some("partners")),
    route!(Locations "admin/administration/locations" r"admin\administration\Locations" "locations" r"models\admin\administration\Locations" LIST ITEM Some("locations")),
    route!(Administrators "admin/administration/administrators" r"admin\administration\Administrators" "administrators" r"models\admin\administration\Administrators" LIST ITEM None),
    route!(Invoices "admin/finance/invoices" r"admin\finance\Invoices" "invoices" r"models\common\finance\Invoices" LIST ITEM Some("invoices")),
    route!(Proformas "admin/finance/proforma-invoices" r"admin\finance\Requests" "proforma_invoices" r"models\common\finance\Requests" LIST ITEM None),
    route!(CreditNotes "admin/finance/credit-notes" r"admin\finance\CreditNotes" "credit_notes" r"models\common\finance\CreditNotes" LIST ITEM Some("credit_notes")),
    route!(Relations "admin/finance/invoice-relations" r"admin\finance\InvoiceRelations" "invoice_relations" r"models\common\finance\InvoicePayers" LIST_ONLY ITEM_READ None),
    route!(Transactions "admin/finance/transactions" r"admin\finance\Transactions" "transactions" r"models\common\finance\Transactions" LIST ITEM Some("billing_transactions")),
    route!(Payments "admin/finance/payments" r"admin\finance\Payments" "payments" r"models\common\finance\Payments" LIST ITEM Some("payments")),
    route!(PaymentMethods "admin/finance/payment-methods" r"admin\finance\PaymentMethods" "payment_methods" r"models\common\finance\PaymentMethods" LIST ITEM None),
    route!(TransactionCategories "admin/finance/transaction-categories" r"admin\finance\TransactionCategories" "transaction_categories" r"models\common\finance\TransactionCategories" LIST ITEM None),
    route!(BankStatements "admin/finance/bank-statements" r"admin\finance\BankStatements" "bank_statements" r"models\common\finance\BankStatements" LIST ITEM None),
    route!(StatementRecords "admin/finance/bank-statements-records" r"admin\finance\BankStatementsRecords" "bank_statements_records" r"models\common\finance\BankStatementsRecords" LIST ITEM None),
    route!(Taxes "admin/config/taxes" r"admin\config\Taxes" "taxes" r"models\common\config\Taxes" LIST_ONLY ITEM_READ None),
    route!(Modules "admin/config/modules" r"admin\config\Modules" "modules" r"models\common\config\Modules" LIST ITEM None),
];

/// A path as matched: a collection, or one item of it.
pub struct Match<'p> {
    pub route: &'static Route,
    pub item: Option<&'p str>,
}

impl Route {
    /// The collection or item that a path (below the version) names.
    pub fn find(path: &str) -> Option<Match<'_>> {
        ROUTES.iter().find_map(|route| {
            let rest = path.strip_prefix(route.path)?;
            match rest.strip_prefix('/') {
                None if rest.is_empty() => Some(Match { route, item: None }),
                Some(item) if !item.is_empty() && !item.contains('/') => Some(Match {
                    route,
                    item: Some(item),
                }),
                _ => None,
            }
        })
    }

    pub fn named(name: &str) -> Option<&'static Route> {
        let name = name.replace('-', "_");
        ROUTES.iter().find(|route| route.name == name)
    }

    /// What a method does here; a method that is not offered is refused, one that lacks the id too.
    pub fn action(&self, method: &str, has_item: bool) -> Result<Action, Refusal> {
        let offered = if has_item {
            self.on_item
        } else {
            self.on_collection
        };
        if !offered.contains(&method) {
            return Err(if !has_item && self.on_item.contains(&method) {
                Refusal::bad_request("Id is missing.")
            } else {
                Refusal::method_disabled()
            });
        }
        Ok(match method {
            "GET" if has_item => Action::View,
            "POST" => Action::Add,
            "PUT" => Action::Update,
            "DELETE" => Action::Delete,
            _ => Action::Index,
        })
    }
}
