//! `verify` against the stand-ins: however their switches stand, it finds out how, asks no more than it says, and stores nothing that it may not.

mod program;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sandbox::facts::{self, Told};
use sandbox::faults::Party;
use sandbox::http::{Request, Response, Service};
use sandbox::isp::{Isp, Size};
use sandbox::sage::{self, Sage};
use sandbox::splynx::{self, Splynx};
use sandbox::verify::answers::Answers;
use sandbox::verify::asker::{MOST, Mode, SageAccess, SplynxAccess, Transport};
use sandbox::verify::{self, Accesses, Asked, PROBED, fields_of_splynx};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use program::{Program, sandbox};

/// Both stand-ins in process; each request takes a second.
#[derive(Clone)]
struct Local {
    sage: Sage,
    splynx: Splynx,
    now: DateTime<Utc>,
}

impl Transport for Local {
    fn send(&mut self, to: Party, request: &Request) -> Result<Response, String> {
        self.now += TimeDelta::seconds(1);
        Ok(match to {
            Party::Sage => self.sage.handle(request, self.now),
            Party::Splynx => self.splynx.handle(request, self.now),
        })
    }

    fn now(&self) -> DateTime<Utc> {
        self.now
    }

    fn wait(&mut self, seconds: u32) {
        self.now += TimeDelta::seconds(seconds.into());
    }
}

fn accesses(isp: &Isp) -> Accesses {
    Accesses {
        sage: Some(SageAccess {
            login: isp.sage.login.clone(),
            password: isp.sage.password.clone(),
            api_key: isp.sage.api_key.clone(),
            company: None,
        }),
        splynx: Some(SplynxAccess {
            key: isp.splynx.api_key.clone(),
            secret: isp.splynx.api_secret.clone(),
        }),
    }
}

/// A year's documents on both sides, and a manual tax type.
fn in_use(isp: &Isp) -> Local {
    let mut isp = isp.clone();
    let mut manual = isp.sage.tax_types[0].clone();
    (manual.id, manual.is_manual, manual.is_default) = (304, true, false);
    manual.name = "VAT adjustments".to_owned();
    isp.sage.tax_types.push(manual);
    Local {
        sage: Sage::from_isp(&isp, true),
        splynx: Splynx::from_isp(&isp),
        now: (isp.today + chrono::Days::new(2))
            .and_time(chrono::NaiveTime::MIN)
            .and_utc(),
    }
}

/// Some position of a switch.
fn position(switch: &str, rng: &mut ChaCha8Rng) -> Value {
    let mut of = |texts: &[&str]| json!(texts.choose(rng).expect("positions"));
    match switch {
        "error_shape" => of(&["bare_string", "message", "model_state", "array"]),
        "sent_totals" => of(&["recomputed", "trusted"]),
        "ties" => of(&["away_from_zero", "to_even"]),
        "tax_basis" => of(&["line", "document"]),
        "inclusive_total" => of(&["preserved", "from_exclusive"]),
        "unit_price" => of(&["as_sent", "rounded"]),
        "string_filters" | "modified_filters" => of(&["works", "ignored", "empty", "refused"]),
        "long_ids" => of(&["either", "bare", "suffixed"]),
        "day" => of(&["calendar", "rolling"]),
        "counted_by" => of(&["company", "address"]),
        "missing" => of(&["status404", "null"]),
        "style" => of(&["modern", "legacy", "seventeen-digits"]),
        "invalid_shape" => of(&["list", "object", "error", "text"]),
        "rounding" => of(&["per-line", "at-end"]),
        "duplicate_numbers"
        | "empty_numbers"
        | "other_numbers"
        | "duplicate_references"
        | "negative_lines"
        | "used_tax_types"
        | "manual_tax_types"
        | "several_emails" => of(&["accepted", "refused"]),
        "unit_price_digits" => json!(rng.random_range(0..7)),
        "update_status" => json!([200, 201].choose(rng).copied()),
        "batch_limit" => json!(rng.random_range(1..200)),
        "line_description_length" => json!(rng.random_range(20..4000)),
        // A request takes a second, so that none and one look the same.
        "list_lag_seconds" => json!([0, 2, 3, 5, 9].choose(rng)),
        "clock_hours" => json!(rng.random_range(-11..13)),
        "utc_offset_minutes" => json!(rng.random_range(-22..26) * 30),
        "clock_minutes" => json!(rng.random_range(-14..15)),
        "filter_nodes" => match rng.random_range(0..3) {
            0 => Value::Null,
            1 => json!(100),
            _ => json!(rng.random_range(4..40) * 5),
        },
        _ => json!(rng.random::<bool>()),
    }
}

/// Calls that a login may not make: mostly none.
fn forbidden(rng: &mut ChaCha8Rng) -> Value {
    let most = if rng.random_ratio(1, 4) { 3 } else { 0 };
    let calls = PROBED.sample(rng, most).copied().collect::<Vec<&str>>();
    // In the order in which they are met.
    let calls = PROBED.iter().filter(|call| calls.contains(call));
    calls
        .map(|call| {
            let status = [401, 403, 405].choose(rng).copied();
            json!({"call": call, "status": status})
        })
        .collect()
}

/// Fields that an old version lacks: mostly none. Those of lists with rows, and none that everything else is told by.
fn missing_fields(splynx: &Splynx, rng: &mut ChaCha8Rng) -> Value {
    let most = if rng.random_ratio(1, 4) { 3 } else { 0 };
    let mut fields = fields_of_splynx();
    fields.retain(|(list, field)| {
        !["id", "total", "due", "customer_id", "items"].contains(&field.as_str())
            && !splynx.rows(list).is_empty()
    });
    fields.sort();
    fields.dedup();
    let mut missing: Vec<_> = fields.sample(rng, most).cloned().collect();
    missing.sort();
    json!(missing)
}

/// A behaviour with its switches at random.
fn turned<T: Serialize + DeserializeOwned + Default>(
    service: Party,
    rng: &mut ChaCha8Rng,
    own: &mut dyn FnMut(&str, &mut ChaCha8Rng) -> Option<Value>,
) -> T {
    let mut fields = serde_json::to_value(T::default()).expect("JSON");
    for switch in facts::switches(service) {
        let value = own(switch.name, rng).unwrap_or_else(|| position(switch.name, rng));
        let path = format!("/{}", switch.name.replace('.', "/"));
        *fields.pointer_mut(&path).expect("a switch") = value;
    }
    serde_json::from_value(fields).expect("positions that there are")
}

/// Turns all switches; in a trial company everything may be done, and no field is missing.
fn turn(local: &mut Local, rng: &mut ChaCha8Rng, mode: Mode) {
    let is_trial = mode == Mode::Trial;
    let sage: sage::Behaviour = turned(Party::Sage, rng, &mut |switch, rng| match switch {
        "forbidden" if is_trial => Some(json!([])),
        "forbidden" => Some(forbidden(rng)),
        _ => None,
    });
    *local.sage.behaviour_mut() = sage;
    let before = local.splynx.clone();
    let splynx: splynx::Behaviour = turned(Party::Splynx, rng, &mut |switch, rng| match switch {
        "missing_fields" if is_trial => Some(json!([])),
        "missing_fields" => Some(missing_fields(&before, rng)),
        _ => None,
    });
    local.splynx.set_behaviour(splynx);
}

/// How the switches stand for a client: a key's own switches count too.
fn standing(local: &Local, isp: &Isp, service: Party) -> BTreeMap<String, Value> {
    match service {
        Party::Sage => facts::positions(local.sage.behaviour()),
        Party::Splynx => {
            let mut behaviour = local.splynx.behaviour().clone();
            behaviour.check_nonce |= isp.splynx.check_nonce;
            behaviour.unsecure_auth |= isp.splynx.unsecure_auth;
            facts::positions(&behaviour)
        }
    }
}

fn ask(local: &mut Local, isp: &Isp, mode: Mode) -> Vec<Asked> {
    let (asked, ended) = verify::verify(local, &accesses(isp), mode, &mut |_, _| {});
    ended.expect("both services answer");
    asked
}

/// Each switch that the mode can tell was found as it stands. What may not be read cannot be told: a few of them, where calls are forbidden.
fn assert_found(local: &Local, isp: &Isp, asked: &Asked, mode: Mode) {
    let service = asked.service;
    let standing = standing(local, isp, service);
    let is_free = !local
        .sage
        .behaviour()
        .forbidden
        .iter()
        .any(|_| service == Party::Sage);
    for switch in facts::switches(service) {
        let found = asked.findings.positions().get(switch.name);
        let can_be_told = match switch.told {
            Told::Reading => true,
            Told::Trial => mode == Mode::Trial,
            Told::Nothing(_) => false,
        };
        let why = asked.findings.why_untold(switch.name);
        match found {
            Some(found) => {
                assert!(can_be_told, "{} is told by {mode:?}", switch.name);
                assert_eq!(*found, standing[switch.name], "{}", switch.name);
            }
            None => assert!(
                !(can_be_told && is_free),
                "{} is not told: {why:?}",
                switch.name
            ),
        }
    }
    let requests = asked.requests;
    assert!(
        requests <= verify::estimate(service, mode),
        "{service:?} took {requests}"
    );
}

/// The file of answers sets another stand-in to the same positions, and holds nothing of the services' own.
fn assert_file_tells(local: &Local, isp: &Isp, asked: &[Asked], mode: Mode) {
    let file = Answers::of(asked, mode, "2031-05-01");
    let text = serde_json::to_string_pretty(&file).expect("JSON");
    for customer in &isp.customers {
        for own in [
            &customer.name,
            &customer.email,
            &customer.phone,
            &customer.street,
        ] {
            assert!(
                own.is_empty() || !text.contains(own.as_str()),
                "{own} in {text}"
            );
        }
    }
    for secret in [
        &isp.splynx.api_key,
        &isp.splynx.api_secret,
        &isp.sage.api_key,
        &isp.sage.login,
    ] {
        assert!(!text.contains(secret.as_str()));
    }
    let file = Answers::parse(&text).expect("the file is read back");
    let (sage, splynx) = (
        file.sage().expect("Sage's"),
        file.splynx().expect("Splynx's"),
    );
    let set = [facts::positions(&splynx), facts::positions(&sage)];
    for (asked, set) in asked.iter().zip(set) {
        let assumed = verify::findings::assumed(asked.service);
        let standing = standing(local, isp, asked.service);
        for (switch, position) in set {
            let expected = match asked.findings.positions().contains_key(switch.as_str()) {
                true => &standing[&switch],
                false => &assumed[&switch],
            };
            assert_eq!(position, *expected, "{switch}");
        }
    }
}

#[test]
fn however_the_switches_stand_reading_finds_it_within_its_number_and_stores_nothing() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let base = in_use(&isp);
    for seed in 0..1_000 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut local = base.clone();
        turn(&mut local, &mut rng, Mode::Reading);
        let asked = ask(&mut local, &isp, Mode::Reading);
        for asked in &asked {
            assert_found(&local, &isp, asked, Mode::Reading);
        }
        let journals = [local.splynx.journal(), local.sage.journal()];
        for (asked, journal) in asked.iter().zip(journals) {
            assert_eq!(
                (journal.writes(), journal.total()),
                (0, asked.requests.into())
            );
        }
        assert!(asked.iter().map(|asked| asked.requests).sum::<u32>() <= MOST);
        assert_file_tells(&local, &isp, &asked, Mode::Reading);
    }
}

/// A server and a company that nobody has used.
fn unused(isp: &Isp) -> Local {
    let mut isp = isp.clone();
    isp.customers.clear();
    isp.invoices.clear();
    isp.credit_notes.clear();
    isp.payments.clear();
    let mut local = Local {
        sage: Sage::from_isp(&isp, false),
        ..in_use(&isp)
    };
    let checks = json!({"CheckForDuplicateCustomerReferences": true});
    let change = json!({"entity": "company", "act": "update", "fields": checks});
    local
        .sage
        .edit(&change, local.now)
        .expect("a setting of the company");
    local
}

#[test]
fn in_a_trial_company_all_switches_are_found_and_what_was_made_goes_as_far_as_it_can() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let base = unused(&isp);
    for seed in 0..1_000 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut local = base.clone();
        turn(&mut local, &mut rng, Mode::Trial);
        let asked = ask(&mut local, &isp, Mode::Trial);
        for asked in &asked {
            assert_found(&local, &isp, asked, Mode::Trial);
        }
        assert!(asked.iter().map(|asked| asked.requests).sum::<u32>() <= MOST);
        assert_file_tells(&local, &isp, &asked, Mode::Trial);

        for list in ["customers", "invoices", "credit_notes", "payments"] {
            assert_eq!(local.splynx.rows(list), Vec::<Value>::new(), "{list}");
        }
        for customer in local.sage.rows("customers") {
            let name = customer["Name"].as_str().unwrap_or_default();
            assert!(name.starts_with(verify::MARK) && customer["Active"] == false);
        }
        // What stays does not keep a second trial away.
        if seed % 100 == 0 {
            local.wait(60);
            for asked in ask(&mut local, &isp, Mode::Trial) {
                assert_found(&local, &isp, &asked, Mode::Trial);
            }
        }
    }
}

#[test]
fn a_company_in_use_is_no_trial_company() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let both = accesses(&isp);
    for accesses in [
        Accesses {
            sage: None,
            ..both.clone()
        },
        Accesses {
            splynx: None,
            ..both
        },
    ] {
        let mut local = in_use(&isp);
        let (asked, ended) = verify::verify(&mut local, &accesses, Mode::Trial, &mut |_, _| {});
        let why = ended.expect_err("it is refused").to_string();
        assert!(
            asked.is_empty() && why.contains("not from a trial"),
            "{why}"
        );
        assert_eq!(
            local.sage.journal().writes() + local.splynx.journal().writes(),
            0
        );
    }
}

/// Serves the tiny provider as a file of answers says; the addresses.
fn serve(answers: &Path) -> (Program, String, String) {
    let anywhere = "127.0.0.1:0";
    let mut command = sandbox(&["serve", "--isp", "tiny", "--in-step", "--as"]);
    command.arg(answers);
    command.args(["--splynx", anywhere, "--sage", anywhere]);
    let child = command.stdout(Stdio::piped()).spawn();
    let mut program = Program(child.expect("the program"));
    let out = BufReader::new(program.0.stdout.take().expect("a pipe"));
    let mut lines = out.lines().map(|line| line.expect("text"));
    let mut address = |service: &str| {
        let line = lines.next().expect("a line");
        line.strip_prefix(service)
            .expect("the service's name")
            .to_owned()
    };
    let (splynx, sage) = (address("splynx "), address("sage "));
    assert_eq!(lines.next().as_deref(), Some("ready"));
    (program, splynx, sage)
}

/// What the program has written, all of it.
fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .concat()
}

#[test]
fn the_program_asks_over_http_keeps_the_answers_and_serves_by_them_without_telling_a_secret() {
    let isp = Isp::seeded(Size::Tiny, 1);
    let folder = std::env::temp_dir().join(format!("sandbox-verify-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str| folder.join(name);

    let mut local = in_use(&isp);
    turn(&mut local, &mut ChaCha8Rng::seed_from_u64(22), Mode::Trial);
    let asked = ask(&mut local, &isp, Mode::Reading);
    let wanted = Answers::of(&asked, Mode::Reading, "2031-05-01");
    let text = serde_json::to_string(&wanted).expect("JSON");
    std::fs::write(file("wanted.json"), text).expect("a file");
    let (_program, splynx, sage) = serve(&file("wanted.json"));

    let mut secrets = isp.secrets();
    secrets.push(("sage_login".to_owned(), isp.sage.login.clone()));
    let lines: Vec<String> = secrets
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    std::fs::write(file("secrets"), lines.concat()).expect("a file");
    let mut verify = sandbox(&["verify", "--splynx", &splynx, "--sage", &sage]);
    verify
        .arg("--secrets")
        .arg(file("secrets"))
        .arg("-o")
        .arg(file("found.json"));
    let output = verify.output().expect("the program");
    let told = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("Nothing is stored")
            && told.contains("at most")
            && told.contains("otherwise")
    );
    for (key, secret) in &secrets {
        assert!(!told.contains(secret), "{key} is told");
    }
    let found = std::fs::read_to_string(file("found.json")).expect("the file of answers");
    let found = Answers::parse(&found).expect("answers");
    assert_eq!(found.splynx(), wanted.splynx());
    // The manual tax type is not in the provider that is served.
    let behaviour = |answers: &Answers| {
        let mut behaviour = answers.sage().expect("Sage's");
        behaviour.manual_tax_types = sage::behaviour::Doubtful::Refused;
        behaviour
    };
    assert_eq!(behaviour(&found), behaviour(&wanted));

    let wrong = lines.concat().replace(&isp.sage.password, "another");
    std::fs::write(file("wrong"), wrong).expect("a file");
    let mistakes = [
        (
            vec!["--sage", &sage, "--secrets", "wrong"],
            "Correct them before you ask again",
        ),
        (
            vec!["--sage", &sage, "--secrets", "no-such-file"],
            "cannot read no-such-file",
        ),
        (
            vec![
                "--sage",
                &sage,
                "--sage-company",
                "1",
                "--secrets",
                "secrets",
            ],
            "Name the company",
        ),
        (
            vec!["--sage", &splynx, "--secrets", "secrets"],
            "Check that the address",
        ),
        (
            vec![
                "--splynx",
                "http://splynx.example.com/",
                "--secrets",
                "secrets",
            ],
            "by https only",
        ),
        (
            vec![
                "--splynx",
                &splynx,
                "--secrets",
                "secrets",
                "--trial-company",
            ],
            "set up for this alone",
        ),
        (vec!["--splynx", &splynx], "splynx_api_key is missing"),
        (vec!["--secrets", "secrets"], "name whom to ask"),
    ];
    for (arguments, expected) in mistakes {
        let mut verify = sandbox(&["verify"]);
        let output = verify.args(&arguments).current_dir(&folder).output();
        let output = output.expect("the program");
        let told = said(&output);
        assert!(
            !output.status.success() && told.contains(expected),
            "{arguments:?}: {told}"
        );
        assert!(
            secrets.iter().all(|(_, secret)| !told.contains(secret)),
            "{told}"
        );
    }
    std::fs::remove_dir_all(folder).expect("the folder is there");
}
