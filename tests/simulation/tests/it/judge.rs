//! What the tests ask of an installation and its services.

use std::collections::BTreeSet;

use sandbox::http::Service;
use sandbox::isp::Isp;
use simulation::books::{self, expected, held};
use simulation::installation::Installation;
use splynx_sageone::write::record::OPEN;

pub fn writes(installation: &mut Installation) -> u64 {
    let world = installation.world();
    world.sage.journal().writes() + world.splynx.journal().writes()
}

pub fn splynx_requests(installation: &mut Installation) -> u64 {
    installation.world().splynx.journal().total()
}

/// Every exportable record is in Sage once, under our key, with its total.
#[track_caller]
pub fn assert_in_step(isp: &Isp, installation: &mut Installation) {
    let (expected, held) = (expected(isp), held(installation.world()));
    assert_eq!(expected.customers, held.customers, "customers");
    assert_eq!(expected.invoices, held.invoices, "invoices");
    assert_eq!(expected.credit_notes, held.credit_notes, "credit notes");
    assert_eq!(expected.receipts, held.receipts, "receipts");
}

/// The ids of everything in Sage.
pub fn held_ids(installation: &mut Installation) -> BTreeSet<(String, String)> {
    let state = installation.world().sage.state();
    ["customers", "invoices", "returns", "receipts"]
        .iter()
        .flat_map(|entity| {
            books::rows(&state, entity)
                .iter()
                .map(|row| ((*entity).to_owned(), row["ID"].to_string()))
        })
        .collect()
}

pub fn open(installation: &mut Installation) -> Vec<String> {
    installation
        .host()
        .storage
        .tables()
        .filter(|(name, _)| *name == OPEN)
        .flat_map(|(_, rows)| rows.keys().cloned())
        .collect()
}
