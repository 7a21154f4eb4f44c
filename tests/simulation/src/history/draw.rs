//! A history as data: everything that will happen, drawn ahead from one seed, so that any part of it can be taken out.
//!
//! Each step carries a seed of its own: what it picks depends on that and on the services' state, never on the steps before it. Swarm
//! style: a history first draws which kinds of faults it knows and how likely they are, so that some histories are all of one kind.

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::isp::Isp;
use serde_json::{Value, json};

use crate::history::provider;
use crate::people::Edit;
use crate::storm::{Fault, Place, Strike};

/// The jobs that people and the scheduler start.
pub const JOBS: [&str; 13] = [
    "sync",
    "export-customers",
    "export-invoices",
    "export-credit-notes",
    "export-payments",
    "import-payments",
    "import-all-payments",
    "import-mapping",
    "load-customers-for-pairing",
    "pair-same-number-invoices",
    "pair-same-number-credit-notes",
    "calibrate",
    "sweep",
];

const NUMBERS: &str = "use_system_document_number";

/// What a person does in the outbox.
pub const DECISIONS: [&str; 4] = ["retry", "exclude", "done", "link"];

#[derive(Debug, Clone)]
pub struct History {
    pub seed: u64,
    pub isp: Isp,
    /// Sage holds everything already, as another add-on would have left it.
    pub in_step: bool,
    pub settings: Vec<(String, String)>,
    /// Switches of the Sage stand-in.
    pub sage: Value,
    /// Switches of the Splynx stand-in.
    pub splynx: Value,
    pub steps: Vec<Step>,
    pub end: End,
}

#[derive(Debug, Clone)]
pub struct Step {
    /// Its place in the history as drawn, for the story.
    pub place: usize,
    pub seed: u64,
    pub act: Act,
    pub strikes: Vec<Strike>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    Run(&'static str),
    /// A preview, and the job at once afterwards.
    Preview(&'static str),
    People(Edit),
    Decide(&'static str),
    Set(&'static str, String),
    /// Time passes, in seconds.
    Wait(i64),
    Midnight,
    MonthEnd,
    Backup,
    /// Splynx is backed up.
    SplynxKept,
    /// Splynx is put back as it was kept, and gives its ids again.
    SplynxPutBack,
    /// A person settles a held record by hand, and its record changes in Splynx afterwards.
    SettledByHand,
}

impl Act {
    /// As in reports, of acts that are people's and no edit on a screen.
    pub const PEOPLES: [&str; 2] = [Self::PUT_BACK, Self::BY_HAND];
    pub const PUT_BACK: &str = "Splynx put back from a backup";
    pub const BY_HAND: &str = "settled by hand, and changed afterwards";
}

/// What happens to the store at the very end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Kept,
    Lost,
    /// The last backup is put back; without one, the store is lost.
    Restored,
}

impl History {
    pub fn draw(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let isp = provider::draw(&mut rng);
        let weather = Weather::draw(&mut rng);
        let count = rng.random_range(10..=40);
        let mut steps: Vec<Step> = (0..count)
            .map(|place| {
                let act = act(&isp, &mut rng);
                let strikes = match act {
                    Act::Run(_) => weather.strikes(&mut rng),
                    _ => Vec::new(),
                };
                let seed = rng.random();
                Step {
                    place,
                    seed,
                    act,
                    strikes,
                }
            })
            .collect();
        // The first sync is where most is written: it is hit as often as not.
        steps[0].act = Act::Run("sync");
        steps[0].strikes = weather.strikes(&mut rng);
        let mut steps = with_later_acts(seed, steps);
        // From a source of their own: what else a seed draws stays what it was.
        let mut switches = ChaCha8Rng::seed_from_u64(!seed);
        let in_step = rng.random_ratio(1, 6);
        let mut chosen = settings(&isp, &mut rng);
        if in_step {
            // The other add-on went by Splynx's numbers, and they are what its documents are known by.
            chosen.retain(|(key, _)| key != NUMBERS);
            steps.retain(|step| !matches!(step.act, Act::Set(NUMBERS, _)));
            // What was there before the first run is in every list by then.
            for step in &mut steps {
                step.strikes.retain(|strike| strike.fault != Fault::Lag);
            }
        }
        let mut sage = with_answers(sage(&mut rng), &mut switches);
        let mut splynx = turned(&SPLYNX, &mut switches);
        splynx["ledger"] = turned(&LEDGER, &mut switches);
        add(&mut sage, turned(&NUMBERS_KEPT, &mut switches));
        Self {
            seed,
            in_step,
            settings: chosen,
            sage,
            splynx,
            steps,
            end: *[End::Kept, End::Kept, End::Lost, End::Restored]
                .choose(&mut rng)
                .expect("four ends"),
            isp,
        }
    }
}

/// Acts that came later stand between the others, from a source of their own: half of the histories know them.
fn with_later_acts(seed: u64, drawn: Vec<Step>) -> Vec<Step> {
    const SOURCE: u64 = 0x5eed_0f1a_7e50_0000;
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ SOURCE);
    if rng.random_bool(0.5) {
        return drawn;
    }
    let mut steps = Vec::with_capacity(drawn.len());
    for step in drawn {
        steps.push(step);
        if rng.random_bool(0.9) {
            continue;
        }
        let act = match rng.random_range(0..7) {
            0 => Act::People(Edit::TakenCustomer),
            1 => Act::People(Edit::IdleCustomer),
            2 | 3 => Act::SplynxKept,
            4 | 5 => Act::SplynxPutBack,
            _ => Act::SettledByHand,
        };
        steps.push(Step {
            place: 0,
            seed: rng.random(),
            act,
            strikes: Vec::new(),
        });
    }
    for (place, step) in steps.iter_mut().enumerate() {
        step.place = place;
    }
    steps
}

fn act(isp: &Isp, rng: &mut ChaCha8Rng) -> Act {
    match rng.random_range(0..100) {
        0..34 => Act::Run("sync"),
        34..46 => Act::Run(JOBS.choose(rng).expect("jobs")),
        46..49 => Act::Preview(JOBS[..7].choose(rng).expect("jobs")),
        49..74 => Act::People(*Edit::earlier().choose(rng).expect("edits")),
        74..79 => Act::Decide(DECISIONS.choose(rng).expect("decisions")),
        79..85 => {
            let (key, value) = setting(isp, rng);
            Act::Set(key, value)
        }
        85..95 => Act::Wait(
            *[60, 240, 310, 900, 3_600, 14_400, 86_400]
                .choose(rng)
                .expect("waits"),
        ),
        95..97 => Act::Midnight,
        97 => Act::MonthEnd,
        _ => Act::Backup,
    }
}

/// A setting that a history begins with, or that is changed in the middle, and its value.
fn setting(isp: &Isp, rng: &mut ChaCha8Rng) -> (&'static str, String) {
    const TOGGLES: [&str; 8] = [
        NUMBERS,
        "use_credit_notes",
        "use_inclusive_amounts",
        "make_names_unique",
        "auto_allocate_oldest",
        "create_payment_without_invoice",
        "create_payment_for_paid_invoice",
        "follow_inactive_customers",
    ];
    match rng.random_range(0..12) {
        0..6 => {
            let key = *TOGGLES.choose(rng).expect("toggles");
            let value = ["on", "off"].choose(rng).expect("two");
            (key, (*value).to_owned())
        }
        6 => {
            let item = isp.sage.items.choose(rng).map(|item| item.id.to_string());
            let value = if rng.random_bool(0.5) {
                item.unwrap_or_default()
            } else {
                String::new()
            };
            ("fix_item_id", value)
        }
        7 => {
            let value = ["to_sage", "from_sage", "both", "both"]
                .choose(rng)
                .expect("some");
            ("payments_direction", (*value).to_owned())
        }
        8 => {
            let value = ["month", "day"].choose(rng).expect("two");
            ("bank_statements_group", (*value).to_owned())
        }
        9 => {
            let value = ["", "3", "2,3"].choose(rng).expect("some");
            ("partners_ignore", (*value).to_owned())
        }
        10 => {
            let value = ["{name}", "{name}", "{name} {id}", "{id}"]
                .choose(rng)
                .expect("some");
            ("customer_name_pattern", (*value).to_owned())
        }
        _ => {
            let mapped = isp.setup();
            let items = mapped.iter().find(|(key, _)| key == "item.8");
            let value = if rng.random_bool(0.3) {
                String::new()
            } else {
                items.map(|(_, v)| v.clone()).unwrap_or_default()
            };
            ("item.8", value)
        }
    }
}

fn settings(isp: &Isp, rng: &mut ChaCha8Rng) -> Vec<(String, String)> {
    let mut chosen = vec![(
        "payments_direction".to_owned(),
        ["to_sage", "both", "both"][rng.random_range(0..3)].to_owned(),
    )];
    for _ in 0..rng.random_range(0..6) {
        let (key, value) = setting(isp, rng);
        chosen.push((key.to_owned(), value));
    }
    chosen
}

/// How Sage may compute and answer, where nobody outside knows.
fn sage(rng: &mut ChaCha8Rng) -> Value {
    let mut switches = json!({});
    let choices: [(&str, &[Value]); 14] = [
        (
            "error_shape",
            &[
                json!("bare_string"),
                json!("message"),
                json!("model_state"),
                json!("array"),
            ],
        ),
        ("sent_totals", &[json!("recomputed"), json!("trusted")]),
        ("ties", &[json!("away_from_zero"), json!("to_even")]),
        ("tax_basis", &[json!("line"), json!("document")]),
        (
            "inclusive_total",
            &[json!("preserved"), json!("from_exclusive")],
        ),
        ("unit_price", &[json!("as_sent"), json!("rounded")]),
        (
            "string_filters",
            &[
                json!("works"),
                json!("ignored"),
                json!("empty"),
                json!("refused"),
            ],
        ),
        (
            "modified_filters",
            &[
                json!("works"),
                json!("ignored"),
                json!("empty"),
                json!("refused"),
            ],
        ),
        ("update_status", &[json!(200), json!(201)]),
        ("missing", &[json!("status404"), json!("null")]),
        ("receipts_can_be_deleted", &[json!(true), json!(false)]),
        ("returns_allocate", &[json!(false), json!(true)]),
        ("negative_lines", &[json!("refused"), json!("accepted")]),
        (
            "duplicate_references",
            &[json!("refused"), json!("accepted")],
        ),
    ];
    for (name, values) in choices {
        if rng.random_ratio(1, 4) {
            switches[name] = values.choose(rng).expect("some").clone();
        }
    }
    switches
}

/// How Splynx may answer.
const SPLYNX: [(&str, &[&str]); 2] = [
    ("style", &["modern", "seventeen-digits"]),
    ("put_items_drop_missing", &["true", "false"]),
];

/// How Sage may answer, besides how it computes.
const SAGE: [(&str, &[&str]); 4] = [
    ("filter_nodes", &["100", "null"]),
    ("long_ids", &["either", "bare", "suffixed"]),
    ("empty_texts", &["true", "false"]),
    ("bare_documents", &["true", "false"]),
];

/// What Splynx lets people change of an invoice.
const LEDGER: [(&str, &[&str]); 2] = [
    ("paid_invoices_change", &["true", "false"]),
    ("invoices_change_hands", &["true", "false"]),
];

/// Whether Sage takes another number for a document that it has.
const NUMBERS_KEPT: [(&str, &[&str]); 1] = [("other_numbers", &["accepted", "refused"])];

fn with_answers(mut sage: Value, rng: &mut ChaCha8Rng) -> Value {
    add(&mut sage, turned(&SAGE, rng));
    sage
}

fn add(switches: &mut Value, more: Value) {
    if let (Value::Object(all), Value::Object(more)) = (switches, more) {
        all.extend(more);
    }
}

/// One position of each switch.
fn turned(switches: &[(&str, &[&str])], rng: &mut ChaCha8Rng) -> Value {
    let turned = switches.iter().map(|(name, positions)| {
        let position = *positions.choose(rng).expect("some");
        let value = serde_json::from_str(position).unwrap_or_else(|_| position.into());
        ((*name).to_owned(), value)
    });
    Value::Object(turned.collect())
}

/// Which kinds of faults a history knows, and how many of a run's places they strike.
struct Weather {
    known: Vec<Fault>,
    /// Of ten runs, so many are struck at all.
    struck: u32,
    most: u32,
}

impl Weather {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut known = Fault::ALL.to_vec();
        known.shuffle(rng);
        known.truncate(match rng.random_range(0..10) {
            0 => 0,
            1..4 => rng.random_range(1..4),
            4..8 => rng.random_range(4..12),
            _ => known.len(),
        });
        Self {
            known,
            struck: rng.random_range(3..=8),
            most: rng.random_range(1..=4),
        }
    }

    fn strikes(&self, rng: &mut ChaCha8Rng) -> Vec<Strike> {
        if self.known.is_empty() || !rng.random_ratio(self.struck, 10) {
            return Vec::new();
        }
        (0..rng.random_range(1..=self.most))
            .map(|_| {
                // What strikes a write matters most, and writes are few.
                let of_writes: Vec<Fault> = self
                    .known
                    .iter()
                    .copied()
                    .filter(|fault| fault.place() == Place::Write)
                    .collect();
                let known = if !of_writes.is_empty() && rng.random_ratio(1, 3) {
                    &of_writes
                } else {
                    &self.known
                };
                let fault = *known.choose(rng).expect("some are known");
                // Quiet runs have few places, first ones have many.
                let most = match fault.place() {
                    Place::Call => *[12, 60, 250].choose(rng).expect("three"),
                    Place::Commit | Place::Progress => *[2, 6, 20].choose(rng).expect("three"),
                    Place::Write => *[1, 3, 10].choose(rng).expect("three"),
                    _ => *[4, 15, 50].choose(rng).expect("three"),
                };
                Strike {
                    fault,
                    at: rng.random_range(1..=most),
                    seed: rng.random(),
                }
            })
            .collect()
    }
}
