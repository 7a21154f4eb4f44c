//! Bank statements (on newer screens: payment statements) and their records.

use crate::splynx::record::{choices, record};
use crate::splynx::wire::{Moment, Money};

choices! {
    StatementStatus { New = "new", Fail = "fail", Success = "success" }
}

choices! {
    RecordStatus {
        New = "new", Processed = "processed", Canceled = "canceled", Error = "error",
        Ignored = "ignored", Deleted = "deleted", ManualPaired = "manual_paired", Pending = "pending",
    }
}

record! {
    /// `admin/finance/bank-statements`
    BankStatement {
        id: i64 = Shown "ID";
        date_time: Moment = May "Date & time";
        title: String = May(128) "Title";
        handler: String = May(64) "Handler";
        status: StatementStatus = May "Status";
        payment_type: i64 = May "Payment type";
        filename_original: String = May "Original file name";
        filename_uploaded: String = May "Uploaded file name";
        filename_parsed: String = May "Parsed file name";
        delimiter: String = May "Delimiter";
    }
}

record! {
    /// `admin/finance/bank-statements-records`
    StatementRecord {
        id: i64 = Shown "ID";
        bank_statements_process_id: i64 = Must "Bank statement ID";
        datetime: Moment = May "Date & time";
        payment_date: String = May "Payment date";
        amount: Money = May "Amount";
        status: RecordStatus = May "Status";
        pairing_1: String = May "Pairing 1";
        pairing_2: String = May "Pairing 2";
        pairing_3: String = May "Pairing 3";
        additional_1: String = May "Additional 1";
        additional_2: String = May "Additional 2";
        additional_3: String = May "Additional 3";
        comment: String = May "Comment";
        customer_id: Option<i64> = May "Customer ID";
        invoice_id: Option<i64> = May "Invoice ID";
        credit_note_id: Option<i64> = May "Credit note ID";
        request_id: Option<i64> = May "Proforma invoice ID";
        payment_id: Option<i64> = May "Payment ID";
        transaction_id: Option<i64> = May "Transaction ID";
    }
}
