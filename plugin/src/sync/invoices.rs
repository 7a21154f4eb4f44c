//! Invoices: Splynx → Sage, as tax invoices; those with a negative total as credit notes (F34).

use crate::sage::Service;
use crate::splynx::Invoice;
use crate::sync::documents::{self, DocumentContext, Facts};
use crate::sync::pipeline::{Decision, Description, Entity};
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{Kind, Record, Stored};

pub struct Invoices {
    pub context: DocumentContext,
}

impl Entity for Invoices {
    const KIND: Kind = Kind::Invoice;
    const SERVICES: &'static [Service] = &[Service::TaxInvoice, Service::CustomerReturn];
    type Source = Invoice;
    type Facts = Facts;

    fn facts(&self, run: &mut Run, page: &[(Invoice, Stored)]) -> RunResult<Facts> {
        documents::facts(
            run,
            &self.context,
            Self::KIND,
            page.iter().map(|(i, s)| (&i.0, s)),
        )
    }

    fn decide(
        &self,
        run: &Run,
        facts: &mut Facts,
        invoice: &Invoice,
        record: Option<&Record>,
    ) -> Decision {
        documents::decide(run, &self.context, facts, Self::KIND, &invoice.0, record)
    }

    fn renew(&self, run: &mut Run) -> RunResult<bool> {
        self.context.renew(run)
    }

    fn hangs_on(&self, invoice: &Invoice) -> Vec<String> {
        documents::hangs_on(&invoice.0)
    }

    fn describe(&self, _run: &Run, invoice: &Invoice) -> Description {
        documents::describe(&invoice.0)
    }
}
