//! The fields that the add-on reads, by the fact that names them.

/// Fields that rows of a list have.
pub struct Shape {
    pub fact: &'static str,
    /// As the service calls it: `TaxType`, `admin/finance/invoices`.
    pub list: &'static str,
    pub fields: &'static [&'static str],
}

const fn shape(fact: &'static str, list: &'static str, fields: &'static [&'static str]) -> Shape {
    Shape { fact, list, fields }
}

/// What rows of Sage's lists have. Fields that can be null are left out there, so one row that has a field is enough.
pub const SAGE: &[Shape] = &[
    shape("SAGE-70", "CustomerCategory", &["ID", "Description"]),
    shape(
        "SAGE-71",
        "Customer",
        &[
            "Active",
            "AcceptsElectronicInvoices",
            "AutoAllocateToOldestInvoice",
            "EnableCustomerZone",
        ],
    ),
    shape("SAGE-72", "Customer", &["Balance"]),
    shape(
        "SAGE-77",
        "TaxType",
        &[
            "ID",
            "Name",
            "Percentage",
            "IsDefault",
            "IsManualTax",
            "Active",
        ],
    ),
    shape("SAGE-79", "Item", &["ID", "Code", "Description", "Active"]),
    shape(
        "SAGE-88",
        "TaxInvoice",
        &[
            "Exclusive",
            "Tax",
            "Rounding",
            "Discount",
            "Total",
            "AmountDue",
        ],
    ),
    shape(
        "SAGE-94",
        "CustomerReturn",
        &["CustomerId", "Date", "DocumentNumber", "Total"],
    ),
    shape("SAGE-102", "CustomerReceipt", &["TotalUnallocated"]),
    shape("SAGE-104", "CustomerReceipt", &["Reconciled"]),
    shape(
        "SAGE-107",
        "Allocation",
        &[
            "SourceDocumentId",
            "AllocatedToDocumentId",
            "Total",
            "Discount",
        ],
    ),
    shape(
        "SAGE-112",
        "BankAccount",
        &["ID", "Name", "Active", "Default"],
    ),
];

/// What lines of Sage's documents have.
pub const SAGE_LINES: Shape = shape(
    "SAGE-86",
    "TaxInvoice lines",
    &[
        "LineType",
        "SelectionId",
        "Description",
        "Quantity",
        "UnitPriceExclusive",
        "UnitPriceInclusive",
        "Exclusive",
        "Tax",
        "Total",
    ],
);

/// What rows of Splynx's lists have.
pub const SPLYNX: &[Shape] = &[
    shape("SPLYNX-54", "admin/customers/customer", &["status"]),
    shape("SPLYNX-55", "admin/customers/customer", &["category"]),
    shape("SPLYNX-56", "admin/customers/customer", &["name"]),
    shape(
        "SPLYNX-57",
        "admin/customers/customer",
        &["email", "billing_email"],
    ),
    shape(
        "SPLYNX-58",
        "admin/customers/customer",
        &["phone", "street_1", "zip_code", "city"],
    ),
    shape("SPLYNX-59", "admin/customers/customer", &["partner_id"]),
    shape(
        "SPLYNX-142",
        "admin/customers/customer",
        &["date_add", "login"],
    ),
    shape("SPLYNX-60", "admin/customers/customer", &["last_update"]),
    shape(
        "SPLYNX-65",
        "admin/administration/partners",
        &["id", "name"],
    ),
    shape(
        "SPLYNX-66",
        "admin/finance/invoices",
        &[
            "number",
            "date_created",
            "date_till",
            "customer_id",
            "note",
            "items",
        ],
    ),
    shape("SPLYNX-67", "admin/finance/invoices", &["total", "due"]),
    shape("SPLYNX-68", "admin/finance/invoices", &["date_updated"]),
    shape(
        "SPLYNX-143",
        "admin/finance/invoices",
        &["real_create_datetime"],
    ),
    shape("SPLYNX-69", "admin/finance/invoices", &["status"]),
    shape("SPLYNX-70", "admin/finance/invoices", &["payment_id"]),
    shape(
        "SPLYNX-78",
        "admin/finance/credit-notes",
        &["status", "items"],
    ),
    shape(
        "SPLYNX-79",
        "admin/finance/credit-notes",
        &["total", "remind_amount"],
    ),
    shape("SPLYNX-85", "admin/finance/transactions", &["category"]),
    shape("SPLYNX-86", "admin/finance/transactions", &["type"]),
    shape(
        "SPLYNX-87",
        "admin/finance/payments",
        &[
            "customer_id",
            "payment_type",
            "receipt_number",
            "date",
            "amount",
            "comment",
        ],
    ),
    shape("SPLYNX-89", "admin/finance/payments", &["invoice_id"]),
    shape("SPLYNX-90", "admin/finance/payments", &["remind_amount"]),
    shape("SPLYNX-91", "admin/finance/payments", &["updated_at"]),
    shape(
        "SPLYNX-94",
        "admin/finance/payment-methods",
        &["id", "name", "is_active"],
    ),
    shape(
        "SPLYNX-95",
        "admin/finance/transaction-categories",
        &["id", "name"],
    ),
    shape(
        "SPLYNX-98",
        "admin/config/taxes",
        &["id", "name", "rate", "type", "archived"],
    ),
    shape(
        "SPLYNX-99",
        "admin/finance/bank-statements",
        &["title", "handler", "status", "payment_type"],
    ),
    shape(
        "SPLYNX-101",
        "admin/finance/bank-statements-records",
        &[
            "bank_statements_process_id",
            "payment_date",
            "amount",
            "status",
            "additional_1",
        ],
    ),
];
