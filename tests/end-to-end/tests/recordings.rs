//! What a run of the real host leaves in a recording: enough for the mock host to come to the same decisions with no service, and
//! nothing that tells of a person.

use std::io::Read as _;

use end_to_end::{Stage, component, post_json};
use mock_host::component::Plugin;
use mock_host::script::Script;
use serde_json::json;

/// Every job of the add-on, in an order in which each has something to do; options of some.
const JOBS: [(&str, &[&str]); 19] = [
    ("import-mapping", &[]),
    ("calibrate", &[]),
    ("load-customers-for-pairing", &[]),
    (
        "import-pairing",
        &["--option", "csv=splynx_id,sage_id\n999999,999999\n"],
    ),
    ("export-customers", &["--preview"]),
    ("export-customers", &[]),
    ("pair-same-number-invoices", &[]),
    ("export-invoices", &[]),
    ("pair-same-number-credit-notes", &[]),
    ("export-credit-notes", &[]),
    ("export-payments", &[]),
    ("sync", &["--preview"]),
    ("sync", &[]),
    ("sync", &[]),
    ("import-payments", &[]),
    ("import-all-payments", &[]),
    (
        "sync-records",
        &["--option", "records=customer:1,invoice:2,payment:1"],
    ),
    ("sweep", &[]),
    ("reconcile", &[]),
];

/// Records of the stand-ins in which people's texts stand.
const OF_PEOPLE: [&[&str]; 2] = [
    &[
        "customers",
        "customer_info",
        "customer_billing",
        "invoices",
        "credit_notes",
        "payments",
        "transactions",
    ],
    &["customers", "invoices", "returns", "receipts"],
];

/// Their fields that hold none, though they are texts: moments, states, numbers of documents, marks, and what follows from other records.
const NOBODYS: [&str; 25] = [
    "login",
    "status",
    "category",
    "billing_type",
    "date_add",
    "last_online",
    "last_update",
    "gdpr_agreed",
    "updated_at",
    "type",
    "number",
    "date_created",
    "date_updated",
    "date_till",
    "date_payment",
    "real_create_datetime",
    "date",
    "receipt_number",
    "period_from",
    "period_to",
    "Date",
    "DueDate",
    "DocumentNumber",
    "Reference",
    "source",
];

struct Recorder {
    stage: Stage,
    plugin: Plugin,
    recordings: Vec<(String, String)>,
}

impl Recorder {
    fn new(path: &std::path::Path, size: &str) -> Self {
        let stage = Stage::new(size);
        stage.set_up(&std::fs::read(path).expect("the component"));
        Self {
            stage,
            plugin: Plugin::load(path).expect("it runs"),
            recordings: Vec::new(),
        }
    }

    /// Runs a job, and again from its recording: what the mock host does otherwise.
    fn run(&mut self, job: &str, options: &[&str]) -> Vec<String> {
        let name = format!("{}-{job}.json", self.recordings.len());
        let file = self.stage.file(&name, b"");
        let arguments = [&["run", "isp", job, "--record", &file], options].concat();
        let run = self.stage.host(&arguments);
        assert!([0, 3].contains(&run.code), "{job}: {}{}", run.out, run.err);
        let script = Script::read(file.as_ref()).expect("a script");
        let preview = options.contains(&"--preview");
        let record = self
            .plugin
            .run_script(&script, job, preview)
            .expect("a run");
        let text = std::fs::read_to_string(&file).expect("a recording");
        if let Some(folder) = std::env::var_os("KEEP_RECORDINGS") {
            let folder = std::path::Path::new(&folder);
            std::fs::write(folder.join(&name), &text).expect("a file");
            let record = serde_json::to_string_pretty(&record).expect("JSON");
            std::fs::write(folder.join(format!("{name}.replayed")), record).expect("a file");
        }
        self.recordings.push((job.to_owned(), text));
        record
            .unmet
            .into_iter()
            .map(|unmet| format!("{name}: {unmet}"))
            .collect()
    }
}

#[test]
fn every_job_is_replayed_to_the_same_decisions_and_what_is_sent_to_strangers_knows_nobody() {
    let Some(path) = component() else { return };
    // `SIZE=small` has every odd name, and takes minutes.
    let size = std::env::var("SIZE").unwrap_or("tiny".to_owned());
    let mut recorder = Recorder::new(&path, &size);
    let mut hidden = plant(&recorder.stage, 0);
    let mut unmet = Vec::new();
    for (place, (job, options)) in JOBS.into_iter().enumerate() {
        if place == JOBS.len() - 6 {
            hidden.extend(plant(&recorder.stage, 1));
            let both = "payments_direction=both";
            recorder.stage.host(&["settings", "isp", "set", both]).ok();
        }
        unmet.extend(recorder.run(job, options));
    }
    assert!(unmet.is_empty(), "{}", unmet.join("\n"));
    let manifest = Stage::manifest("0.1.0");
    let jobs = manifest.split("[[jobs]]\nid = \"").skip(1);
    for job in jobs.filter_map(|text| text.split('"').next()) {
        assert!(
            JOBS.iter().any(|(name, _)| *name == job),
            "{job} is not replayed"
        );
    }
    println!("{} canaries", hidden.len());
    assert!(hidden.len() > 30, "{hidden:?}");
    hidden.extend(people(&recorder.stage));
    let secrets = recorder.stage.isp("--secrets");
    let secrets = secrets.lines().filter_map(|line| line.split_once('='));
    hidden.extend(secrets.map(|(_, value)| value.to_owned()));
    for (name, text) in &recorder.recordings {
        tells_nobody(name, text, &hidden);
    }
    let parts = bundle(&recorder.stage);
    for wanted in [
        "about.json",
        "settings.json",
        "runs.json",
        "waiting.json",
        "check.json",
        "sizes.json",
        "log-",
        "failed-",
    ] {
        assert!(
            parts.iter().any(|(name, _)| name.starts_with(wanted)),
            "{wanted}"
        );
    }
    for (name, text) in &parts {
        tells_nobody(name, text, &hidden);
    }
}

/// Everything that a support bundle holds, with requests that failed.
fn bundle(stage: &Stage) -> Vec<(String, String)> {
    stage.set_secret("sage_password", "wrong");
    assert_eq!(stage.host(&["run", "isp", "import-mapping"]).code, 1);
    let list = stage.host(&["support", "isp", "--list"]).ok();
    assert!(list.contains("about.json"), "{list}");
    let file = stage.file("isp.zip", b"");
    std::fs::remove_file(&file).expect("a file");
    let asked = stage.host(&["support", "isp", "-o", &file]);
    assert_eq!(asked.code, 1, "{}", asked.out);
    assert!(asked.err.contains("settings.json") && asked.err.contains("--yes"));
    assert!(!std::path::Path::new(&file).exists());
    stage.host(&["support", "isp", "-o", &file, "--yes"]).ok();
    let file = std::fs::File::open(&file).expect("a bundle");
    let mut zip = zip::ZipArchive::new(file).expect("a zip file");
    let mut parts = Vec::new();
    for place in 0..zip.len() {
        let mut part = zip.by_index(place).expect("a part");
        let mut text = String::new();
        part.read_to_string(&mut text).expect("a text");
        let name = part.name().expect("a name").into_owned();
        parts.push((name, text));
    }
    parts
}

#[track_caller]
fn tells_nobody(name: &str, text: &str, hidden: &[String]) {
    let text = text.to_lowercase();
    for canary in hidden {
        // As JSON within JSON has it, too.
        let escaped = canary.to_lowercase().replace('"', "\\\"");
        assert!(!text.contains(&escaped), "{canary} stands in {name}");
    }
}

/// Writes something of its own into every text of the first record of each kind that a service's people can write into; answers all of it.
fn plant(stage: &Stage, service: usize) -> Vec<String> {
    let state = [Stage::splynx_state, Stage::sage_state][service](stage);
    let address = [&stage.splynx, &stage.sage][service];
    let origin = address
        .split("/api/")
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    let mut canaries = Vec::new();
    for entity in OF_PEOPLE[service] {
        let Some(record) = state[entity].as_array().and_then(|all| all.first()) else {
            continue;
        };
        let id = [&record["id"], &record["ID"]][service];
        for (field, value) in record.as_object().expect("a record") {
            if !value.is_string() || NOBODYS.contains(&field.as_str()) {
                continue;
            }
            let canary = canary(field, 100 * service + canaries.len());
            let change =
                json!({"entity": entity, "act": "update", "id": id, "fields": {field: canary}});
            // What takes no text holds nobody's.
            if post_json(&format!("{origin}/_sandbox/edit"), &change).status == 200 {
                canaries.push(canary);
            }
        }
    }
    canaries
}

/// A value that a field takes, and that stands nowhere else.
fn canary(field: &str, place: usize) -> String {
    match field {
        "email" | "billing_email" | "Email" | "Fax" => {
            format!("kanarie{place}@voeltjie{place}.example")
        }
        "phone" | "Telephone" | "Mobile" => format!("0825{place:03}6617"),
        "vat_id" | "TaxReference" => format!("4102{place:03}347"),
        _ => format!("Kanarie{place} Voeltjie"),
    }
}

/// Names, addresses and numbers of everybody that the stand-ins know.
fn people(stage: &Stage) -> Vec<String> {
    const PERSONAL: [&str; 15] = [
        "name",
        "email",
        "billing_email",
        "phone",
        "street_1",
        "vat_id",
        "contact_person",
        "passport",
        "company_id",
        "Name",
        "ContactName",
        "Email",
        "Telephone",
        "PostalAddress01",
        "TaxReference",
    ];
    let mut found = std::collections::BTreeSet::new();
    let states = [stage.splynx_state(), stage.sage_state()];
    for entity in ["customers", "customer_info"] {
        for record in states
            .iter()
            .filter_map(|state| state[entity].as_array())
            .flatten()
        {
            for field in PERSONAL {
                let text = record[field].as_str().unwrap_or_default().trim();
                if text.len() >= 8 {
                    found.insert(text.to_owned());
                }
            }
        }
    }
    found.into_iter().collect()
}
