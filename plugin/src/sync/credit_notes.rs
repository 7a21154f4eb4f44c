//! True credit notes: Splynx → Sage (D8).

use crate::sage::Service;
use crate::splynx::CreditNote;
use crate::sync::documents::{self, DocumentContext, Facts};
use crate::sync::pipeline::{Decision, Description, Entity};
use crate::write::ledger::{Run, RunResult};
use crate::write::record::{Kind, Record, Stored};

pub struct CreditNotes {
    pub context: DocumentContext,
}

impl Entity for CreditNotes {
    const KIND: Kind = Kind::CreditNote;
    const SERVICES: &'static [Service] = &[Service::CustomerReturn];
    type Source = CreditNote;
    type Facts = Facts;

    fn facts(&self, run: &mut Run, page: &[(CreditNote, Stored)]) -> RunResult<Facts> {
        documents::facts(
            run,
            &self.context,
            Self::KIND,
            page.iter().map(|(n, s)| (&n.0, s)),
        )
    }

    fn decide(
        &self,
        run: &Run,
        facts: &mut Facts,
        note: &CreditNote,
        record: Option<&Record>,
    ) -> Decision {
        documents::decide(run, &self.context, facts, Self::KIND, &note.0, record)
    }

    fn renew(&self, run: &mut Run) -> RunResult<bool> {
        self.context.renew(run)
    }

    fn hangs_on(&self, note: &CreditNote) -> Vec<String> {
        documents::hangs_on(&note.0)
    }

    fn describe(&self, _run: &Run, note: &CreditNote) -> Description {
        documents::describe(&note.0)
    }
}
