//! Asks a real Splynx and a real Sage whether what is believed of them is so.
//!
//! Reading order: `asker` (what may be asked, and how often), `sage` with `sums` and `filters`, `splynx`, what takes objects of its own
//! (`sage_trial`, `splynx_trial`), and `answers` (the file that is kept). Nothing that the services hold is kept: positions of switches, names
//! of fields and statuses only.

pub mod answers;
pub mod asker;
mod filters;
pub mod findings;
pub mod over_http;
mod sage;
mod sage_trial;
mod shapes;
mod splynx;
mod splynx_trial;
mod sums;

use self::asker::{Asker, Mode, SageAccess, SplynxAccess, Stop, Transport};
use self::findings::Findings;
pub use self::sage::PROBED;
use crate::faults::Party;

/// What the names of a trial's objects begin with.
pub const MARK: &str = "Sandbox verify";

/// Who is to be asked.
#[derive(Clone, Default)]
pub struct Accesses {
    pub sage: Option<SageAccess>,
    pub splynx: Option<SplynxAccess>,
}

/// What one service was found to do, and how many requests that took.
pub struct Asked {
    pub service: Party,
    pub findings: Findings,
    pub requests: u32,
}

/// About how many requests it takes to ask a service.
pub fn estimate(service: Party, mode: Mode) -> u32 {
    match (service, mode) {
        (Party::Sage, Mode::Reading) => 60,
        (Party::Sage, Mode::Trial) => 110,
        (Party::Splynx, Mode::Reading) => 35,
        (Party::Splynx, Mode::Trial) => 80,
    }
}

/// Asks all that the mode tells: the services that were asked to the end, and what kept the rest from it.
pub fn verify(
    transport: &mut dyn Transport,
    accesses: &Accesses,
    mode: Mode,
    progress: &mut dyn FnMut(&'static str, u32),
) -> (Vec<Asked>, Result<(), Stop>) {
    let mut asker = Asker::new(transport, mode, progress);
    let mut asked = Vec::new();
    let ended = ask_both(&mut asker, accesses, &mut asked);
    (asked, ended)
}

fn ask_both(asker: &mut Asker, accesses: &Accesses, asked: &mut Vec<Asked>) -> Result<(), Stop> {
    let of = |asker: &Asker, service, findings| Asked {
        service,
        findings,
        requests: asker.sent(service),
    };
    if let Some(access) = &accesses.splynx {
        let findings = splynx::read(asker, access)?;
        asked.push(of(asker, Party::Splynx, findings));
    }
    if let Some(access) = &accesses.sage {
        let findings = sage::read(asker, access)?;
        asked.push(of(asker, Party::Sage, findings));
    }
    Ok(())
}

/// The fields that the lists of a service are asked for: list and field, as the stand-in's state names them.
pub fn fields_of_splynx() -> Vec<(String, String)> {
    let shapes = shapes::SPLYNX.iter();
    let fields = shapes.flat_map(|shape| {
        let entity = splynx::entity(shape.list);
        let fields = shape.fields.iter();
        fields.map(move |field| (entity.clone(), (*field).to_owned()))
    });
    fields.collect()
}
