//! `kill -9` of the real host at random moments, with a real SQLite file and the real component: whatever dies, what the two
//! services hold in the end is what an undisturbed run leaves (architecture, invariants 1, 2 and 4; D1).
//!
//! A history is three syncs with people's edits between them. Each sync is killed a few times in its course, measured in requests
//! that the services saw, and then run to its end as the scheduler would; the stage is then compared with the undisturbed one.
//! The seed is printed.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use end_to_end::{Serve, Stage, amount, component, photo};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::Row;

const STAGES: usize = 2;
/// Of each sync of a history; a process that ends before its time comes counts for nothing.
const KILLS: u64 = 2;
/// Histories go on until each stage has its part of them.
const KILLS_IN_ALL: usize = 50;
/// Of each stage.
const MOST_HISTORIES: usize = 20;

const STEPS: usize = 3;
/// A lost answer is looked up after this long; it must be more than a request's time-out.
const SETTLE: &str = "3";
const TIME_OUT: &str = "timeout_seconds = 2";
/// Long enough for a busy machine.
const PATIENCE: usize = 100;
const PAUSE: Duration = Duration::from_millis(300);

/// Who runs the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// `addon-host run`
    Command,
    /// `addon-host serve`, and a person who presses the button.
    Server,
}

/// What an undisturbed run leaves after each step, and how many requests it takes.
struct Expected {
    photo: Vec<String>,
    requests: u64,
}

#[test]
fn a_host_killed_at_any_moment_leaves_the_books_as_an_undisturbed_one() {
    let Some(path) = component() else { return };
    let component = std::fs::read(path).expect("the component");
    let seed: u64 = std::env::var("SEED").map_or_else(
        |_| rand::random(),
        |seed| seed.parse().expect("SEED is a number"),
    );
    println!("seed {seed}: SEED={seed} cargo test -p end-to-end --test kill");
    let kills = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for stage in 0..STAGES {
            let (component, kills) = (&component, &kills);
            scope.spawn(move || {
                let mut rng = StdRng::seed_from_u64(seed.wrapping_add(stage as u64));
                let theatre = Theatre::new(component);
                let mut own = 0;
                for history in 0..MOST_HISTORIES {
                    if own >= KILLS_IN_ALL.div_ceil(STAGES) {
                        break;
                    }
                    let by = [By::Command, By::Server][history % 2];
                    let told = format!("seed {seed}, stage {stage}, history {history}, {by:?}");
                    own += theatre.history(by, &mut rng, &told);
                }
                kills.fetch_add(own, Ordering::Relaxed);
            });
        }
    });
    let kills = kills.into_inner();
    println!("{kills} kills");
    assert!(kills >= KILLS_IN_ALL, "seed {seed}: only {kills} kills");
}

fn day_of_month() -> u32 {
    let date = Command::new("date").arg("+%d").output().expect("a date");
    let day = String::from_utf8_lossy(&date.stdout);
    day.trim().parse().expect("a day")
}

/// Until the scheduled run is over.
fn wait_for_the_schedule(stage: &Stage) {
    for _ in 0..PATIENCE {
        let runs = stage.host(&["runs", "isp", "--json"]).ok();
        let runs: Value = serde_json::from_str(&runs).expect("JSON");
        let first = &runs[0];
        if first["state"].is_string() && first["state"] != "running" {
            assert_eq!(first["state"], "finished", "{first}");
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("the schedule starts nothing");
}

struct Theatre {
    stage: Stage,
    cookie: String,
    expected: Vec<Expected>,
}

impl Theatre {
    fn new(component: &[u8]) -> Self {
        let mut stage = Stage::new("tiny");
        stage.set_environment("ADDON_HOST_LEASE_SECONDS", "3");
        let manifest = Stage::manifest("0.1.0").replace("timeout_seconds = 60", TIME_OUT);
        stage.set_up_as(&manifest, component);
        for connection in ["splynx", "sage"] {
            let settle = format!("settle={SETTLE}");
            stage
                .host(&["connection", "isp", connection, "set", &settle])
                .ok();
        }
        let set = |settings: &[&str]| {
            stage
                .host(&[&["settings", "isp", "set"], settings].concat())
                .ok();
        };
        // The schedule would be quicker than the person at the page. So its turn comes now, on a day on which there is nothing to
        // do, and then not for a day.
        let another_day = format!("cron_payment_days={}", day_of_month() % 28 + 1);
        let cron = |on: &str| {
            ["customers", "invoices", "credit_notes"].map(|kind| format!("cron_{kind}={on}"))
        };
        set(&cron("off").each_ref().map(String::as_str));
        set(&["sync_every_minutes=1440", "cron_payments=on", &another_day]);
        let mut serve = Serve::start(&stage);
        let password = serve.first_password();
        let entered = serve.log_in(&password);
        let cookie = entered.header("set-cookie").expect("a session");
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        wait_for_the_schedule(&stage);
        serve.kill();
        set(&cron("on").each_ref().map(String::as_str));
        set(&["cron_payment_days=", "payments_direction=both"]);
        stage.keep();
        let mut theatre = Self {
            stage,
            cookie,
            expected: Vec::new(),
        };
        theatre.stage.begin_again();
        for step in 0..STEPS {
            theatre.edit(step);
            let before = theatre.stage.requests();
            theatre.stage.host(&["run", "isp", "sync"]).ok();
            theatre.expected.push(Expected {
                requests: theatre.stage.requests() - before,
                photo: photo(&theatre.stage),
            });
            assert_eq!(theatre.open(), 0, "undisturbed, step {step}");
        }
        theatre
    }

    /// Answers how often the host was killed.
    fn history(&self, by: By, rng: &mut StdRng, told: &str) -> usize {
        self.stage.begin_again();
        let mut kills = 0;
        let mut serve = None;
        for step in 0..STEPS {
            self.edit(step);
            for before in 0..KILLS {
                // Later ones find less left to do.
                let after = self.expected[step].requests * 2 / (3 + before);
                let after = rng.random_range(0..=after);
                let late = Duration::from_millis(rng.random_range(0..30));
                let died = match by {
                    By::Command => self.kill_command(after, late),
                    By::Server => self.kill_server(&mut serve, after, late),
                };
                kills += usize::from(died);
            }
            self.finish(by, &mut serve, &format!("{told}, step {step}"));
            assert_eq!(
                photo(&self.stage),
                self.expected[step].photo,
                "{told}, step {step}: left is after the kills, right undisturbed"
            );
            assert_eq!(self.integrity(), "ok", "{told}, step {step}");
        }
        println!("{told}: {kills} kills");
        kills
    }

    /// What people do before each sync.
    fn edit(&self, step: usize) {
        let splynx = |entity: &str, act: &str, id: i64, fields: Value| {
            let change = json!({"entity": entity, "act": act, "id": id, "fields": fields});
            self.stage.edit_splynx(&change)["id"]
                .as_i64()
                .unwrap_or_default()
        };
        let line = |text: &str, price: &str| {
            json!([{"description": text, "quantity": 1, "unit": "", "price": price, "tax": "15.0000", "tax_id": 1,
                "categoryIdForTransaction": 7}])
        };
        match step {
            1 => {
                let fields = json!({"name": "Nomsa Dlamini", "login": "nomsa", "partner_id": 1, "location_id": 1,
                    "category": "person", "status": "active", "email": "nomsa@mail.example"});
                let nomsa = splynx("customers", "create", 0, fields);
                for (customer, price) in [(nomsa, "433.9130"), (nomsa, "77.7777"), (11, "120.0000")]
                {
                    let fields = json!({"customer_id": customer, "date_created": "2026-02-10", "date_till": "2026-02-25",
                        "status": "not_paid", "items": line("Installation", price)});
                    splynx("invoices", "create", 0, fields);
                }
                splynx(
                    "customers",
                    "update",
                    11,
                    json!({"phone": "+27 11 555 0000"}),
                );
            }
            2 => {
                let fields = json!({"customer_id": 11, "payment_type": 2, "date": "2026-02-12", "amount": "138.00",
                    "receipt_number": "desk-1", "comment": "At the desk"});
                splynx("payments", "create", 0, fields);
                let fields = json!({"customer_id": 13, "date_created": "2026-02-12", "status": "not_refunded",
                    "items": line("Goodwill", "86.9565")});
                splynx("credit_notes", "create", 0, fields);
                // Somebody pays at the bookkeeper's: that goes the other way.
                let sage = self.stage.sage_state();
                let invoices = sage["invoices"].as_array().expect("a list");
                let invoice = invoices
                    .iter()
                    .find(|invoice| amount(&invoice["Total"]) == "89.44")
                    .expect("the invoice over 89.44");
                let fields = json!({"CustomerId": invoice["CustomerId"], "Date": "2026-02-13", "Total": invoice["Total"],
                    "BankAccountId": 501, "PaymentMethod": 4, "Reference": "slip 1",
                    "Allocations": [{"AllocatedToDocumentId": invoice["ID"], "Total": invoice["Total"]}]});
                self.stage
                    .edit_sage(&json!({"entity": "receipts", "act": "create", "fields": fields}));
            }
            _ => {}
        }
    }

    /// Runs the job, and kills the process once that many requests arrived. False: it ended before.
    fn kill_command(&self, after: u64, late: Duration) -> bool {
        let mut run = self.start_run();
        let begun = self.stage.requests();
        let died = self.wait_for(begun + after, || {
            run.try_wait().expect("it can be asked").is_none()
        });
        std::thread::sleep(late);
        let died = died && run.try_wait().expect("it can be asked").is_none();
        run.kill().expect("it can be killed");
        run.wait().expect("it ends");
        died
    }

    /// The same of a server; it is started where there is none.
    fn kill_server(&self, serve: &mut Option<Serve>, after: u64, late: Duration) -> bool {
        let current = serve.take().unwrap_or_else(|| Serve::start(&self.stage));
        let begun = self.stage.requests();
        let run = self.press(&current);
        let works = || self.is_working(&current, &run);
        let died = self.wait_for(begun + after, works) && {
            std::thread::sleep(late);
            works()
        };
        current.kill();
        died
    }

    /// False: what it waited for ended before.
    fn wait_for(&self, requests: u64, mut works: impl FnMut() -> bool) -> bool {
        while self.stage.requests() < requests {
            if !works() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(8));
        }
        works()
    }

    /// Runs the job until nothing is left to do, as the scheduler would.
    fn finish(&self, by: By, serve: &mut Option<Serve>, told: &str) {
        for _ in 0..PATIENCE {
            let finished = match by {
                By::Command => {
                    let output = self.start_run().wait_with_output().expect("it ends");
                    output.status.success()
                }
                By::Server => {
                    let current = serve.get_or_insert_with(|| Serve::start(&self.stage));
                    let run = self.press(current);
                    while self.is_working(current, &run) {
                        std::thread::sleep(Duration::from_millis(30));
                    }
                    let page = current.page(&run, &self.cookie).body;
                    page.contains(">finished<")
                }
            };
            if finished && self.open() == 0 {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        panic!("{told}: {} records are not settled", self.open());
    }

    fn start_run(&self) -> Child {
        self.stage
            .host_command()
            .args(["run", "isp", "sync"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the host starts")
    }

    /// Presses the button until the lease of a killed one is over.
    fn press(&self, serve: &Serve) -> String {
        for _ in 0..PATIENCE {
            if let Some(run) = serve.press("sync", &self.cookie) {
                return run;
            }
            std::thread::sleep(PAUSE);
        }
        panic!("the job cannot be started");
    }

    fn is_working(&self, serve: &Serve, run: &str) -> bool {
        let live = serve.page(&format!("{run}/live"), &self.cookie);
        live.header("x-over") == Some("no")
    }

    /// Records that are planned, being sent or uncertain.
    fn open(&self) -> i64 {
        self.ask("SELECT COUNT(*) FROM guest_entry WHERE collection = 'open'")
            .parse()
            .expect("a number")
    }

    fn integrity(&self) -> String {
        self.ask("PRAGMA integrity_check")
    }

    /// The one answer of the database itself.
    fn ask(&self, question: &'static str) -> String {
        sqlx::any::install_default_drivers();
        let file = self.stage.data().join("addon-host.db");
        let url = format!("sqlite://{}", file.display());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let pool = sqlx::AnyPool::connect(&url).await.expect("it opens");
            let row = sqlx::query(question)
                .fetch_one(&pool)
                .await
                .expect("it answers");
            let answer = row
                .try_get::<String, _>(0)
                .or_else(|_| row.try_get::<i64, _>(0).map(|number| number.to_string()));
            pool.close().await;
            answer.expect("a text or a number")
        })
    }
}
