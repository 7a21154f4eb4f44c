//! The add-on's calibration and `sandbox verify` ask a company the same questions, so they must come to the same answers.

use chrono::{DateTime, TimeDelta, Utc};
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use sandbox::faults::Party;
use sandbox::http::{Request, Response, Service};
use sandbox::isp::{Isp, Size};
use sandbox::sage::Sage;
use sandbox::verify::asker::{Mode, SageAccess, Transport};
use sandbox::verify::{Accesses, verify};
use serde_json::{Value, json};
use simulation::installation::Installation;

/// The company of an installation, asked from outside.
struct Company {
    sage: Sage,
    now: DateTime<Utc>,
}

impl Transport for Company {
    fn send(&mut self, _: Party, request: &Request) -> Result<Response, String> {
        self.now += TimeDelta::seconds(1);
        Ok(self.sage.handle(request, self.now))
    }

    fn now(&self) -> DateTime<Utc> {
        self.now
    }

    fn wait(&mut self, seconds: u32) {
        self.now += TimeDelta::seconds(seconds.into());
    }
}

/// A question of calibration: its number, what it is about, the switch, and what the page says of each position.
type Question = (
    &'static str,
    &'static str,
    &'static str,
    Vec<(Value, &'static str)>,
);

fn questions() -> Vec<Question> {
    let works = |no: &'static str| {
        let no = ["ignored", "empty", "refused"].map(|position| (json!(position), no));
        [(json!("works"), "work")].into_iter().chain(no).collect()
    };
    let texts = ["works", "empty", "ignored", "refused"].map(|position| json!(position));
    let said = [
        "work, or find nothing",
        "work, or find nothing",
        "are ignored",
        "are refused",
    ];
    vec![
        (
            "Q3",
            "tax amount",
            "sent_totals",
            vec![(json!("recomputed"), "ignored"), (json!("trusted"), "kept")],
        ),
        (
            "Q4",
            "Half a cent",
            "ties",
            vec![
                (json!("away_from_zero"), "away from zero"),
                (json!("to_even"), "to the even cent"),
            ],
        ),
        (
            "Q5",
            "Tax is",
            "tax_basis",
            vec![
                (json!("line"), "line by line"),
                (json!("document"), "once for the document"),
            ],
        ),
        (
            "Q6",
            "inclusive line",
            "inclusive_total",
            vec![
                (json!("preserved"), "kept to the cent"),
                (
                    json!("from_exclusive"),
                    "computed again from the amount without tax",
                ),
            ],
        ),
        (
            "Q7",
            "long unit price",
            "unit_price",
            vec![
                (json!("as_sent"), "as sent"),
                (json!("rounded"), "rounded first"),
            ],
        ),
        (
            "Q7",
            "Decimals",
            "unit_price_digits",
            vec![(json!(2), "2"), (json!(3), "3"), (json!(4), "4")],
        ),
        (
            "Q8",
            "tax percentage",
            "sent_tax_percentage_rules",
            vec![(json!(false), "ignored"), (json!(true), "kept")],
        ),
        (
            "Q9",
            "by text",
            "string_filters",
            texts.into_iter().zip(said).collect(),
        ),
        (
            "Q10",
            "time of change",
            "modified_filters",
            works("do not work"),
        ),
        (
            "Q23",
            "below zero",
            "negative_lines",
            vec![
                (json!("accepted"), "taken"),
                (json!("refused"), "refused: "),
            ],
        ),
        (
            "Q24",
            "longest",
            "line_description_length",
            vec![(json!(100), "100"), (json!(255), "255")],
        ),
    ]
}

#[test]
fn calibration_and_verify_come_to_the_same_answers() {
    let isp = Isp::seeded(Size::Tiny, 22);
    let mut exported = Installation::new(&isp, false);
    exported.run_through("export-customers");
    let accesses = Accesses {
        sage: Some(SageAccess {
            login: isp.sage.login.clone(),
            password: isp.sage.password.clone(),
            api_key: isp.sage.api_key.clone(),
            company: None,
        }),
        splynx: None,
    };
    let questions = questions();
    for seed in 0..60 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut installation = Installation::new(&isp, false);
        installation.world().sage = exported.world().sage.clone();
        let mut fields = json!({});
        for (_, _, switch, positions) in &questions {
            let (position, _) = positions.choose(&mut rng).expect("positions");
            fields[*switch] = position.clone();
        }
        installation.in_sage(&json!({"entity": "behaviour", "act": "update", "fields": fields}));
        installation.run_through("calibrate");
        let page = installation.rows("calibration", &[]);

        let mut company = Company {
            sage: installation.world().sage.clone(),
            now: installation.world().now,
        };
        let (asked, ended) = verify(&mut company, &accesses, Mode::Reading, &mut |_, _| {});
        assert_eq!(ended, Ok(()));
        let found = asked[0].findings.positions();
        for (question, about, switch, positions) in &questions {
            let row = page
                .iter()
                .find(|row| row[0] == *question && row[1].contains(about));
            let says = row.map_or("", |row| row[2].as_str());
            let of_found = positions
                .iter()
                .find(|(position, _)| *position == found[switch]);
            let expected = of_found.map_or("", |(_, text)| *text);
            let same = match expected.strip_suffix(": ") {
                Some(start) => says.starts_with(start),
                None => says == expected && !says.is_empty(),
            };
            assert!(same, "{question} {switch}: {says:?}, {}", found[switch]);
        }
    }
}
