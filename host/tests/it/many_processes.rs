//! The governor over real processes on one database: this test's own program, started several times, some of them killed.
//!
//! The judge is the service that they call. It sees what arrived, and when.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use addon_host::clock::SystemClock;
use addon_host::connections::{By, Connections, Rights};
use addon_host::store::Store;
use addon_host::vault::Vault;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::fixtures::{Database, install, on_both_databases};
use crate::rig::{BASIC, PASSWORD, Rig, get, manifest};
use crate::service::{Service, answer};

/// Says to a started program that it is one of the many, and what it is to do: `URL FOLDER ADDRESS BY PASSWORD`, by lines.
const ORDERS: &str = "ADDON_HOST_TEST_SENDER";

/// 38 a second after the burst, and an early end of the day.
const TERMS: &str = "per_minute = 2400\nburst = 100\nper_day = 400\nreserve = 60";
const INTERVAL_MS: u128 = 60_000 / (2_400 - 100);
const BURST: u128 = 100;
const DAY: usize = 400;
const RESERVE: usize = 60;
const PARALLEL: usize = 4;

/// One of the processes: sends until it is told that the day is over, or that the password is wrong.
#[tokio::test]
async fn one_of_many_processes_sends_as_it_was_ordered() {
    let Ok(orders) = std::env::var(ORDERS) else {
        // Started by hand or with all tests: nothing was ordered.
        return;
    };
    let orders: Vec<&str> = orders.lines().collect();
    let [url, folder, address, by, password] = orders[..] else {
        panic!("{orders:?}");
    };
    let store = Store::open(url).await.unwrap();
    let rig = Rig {
        vault: Vault::open(&std::path::Path::new(folder).join("master.key")).unwrap(),
        manifest: manifest(&format!("{BASIC}{TERMS}")),
        connections: Connections::new(store.clone(), Arc::new(SystemClock)),
        address: address.to_owned(),
        _folder: tempfile::tempdir().unwrap(),
        store,
    };
    let (mut caller, _halter) = rig.caller(Rights::Read, password).await;
    if by == "schedule" {
        caller.by = By::Schedule;
    }
    loop {
        let batch = (0..7).map(|_| get(by)).collect();
        for answer in rig.connections.send(&caller, batch).await {
            if let Err(unanswered) = answer {
                assert!(
                    ["paused", "denied"].contains(&unanswered.reason.code.as_str()),
                    "{unanswered:?}"
                );
                return;
            }
        }
    }
}

struct Many<'a> {
    url: &'a str,
    folder: &'a str,
    address: String,
}

impl Many<'_> {
    fn start(&self, by: &str, password: &str) -> Child {
        let orders = [self.url, self.folder, &self.address, by, password].join("\n");
        Command::new(std::env::current_exe().unwrap())
            .args([
                "many_processes::one_of_many_processes_sends_as_it_was_ordered",
                "--exact",
            ])
            .env(ORDERS, orders)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }
}

on_both_databases!(limits_hold_over_processes);

async fn limits_hold_over_processes(database: Database) {
    let url = database.url.as_str();
    let arrived: Arc<Mutex<Vec<(Instant, bool)>>> = Arc::default();
    let refused = Arc::new(Mutex::new(0));
    let (seen, denied) = (arrived.clone(), refused.clone());
    let service = Service::start(move |request| {
        // `ann:wrong`
        if request.header("authorization") == Some("Basic YW5uOndyb25n") {
            *denied.lock().unwrap() += 1;
            return answer(401, "");
        }
        seen.lock()
            .unwrap()
            .push((Instant::now(), request.line.contains("/schedule?")));
        answer(200, "")
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(url).await.unwrap();
    install(&store, "isp").await;
    Vault::open(&folder.path().join("master.key")).unwrap();
    let many = Many {
        url,
        folder: folder.path().to_str().unwrap(),
        address: service.address(),
    };

    // Five with the same wrong password, beside one that has the right one: of the wrong ones one request arrives in all.
    let wrong: Vec<Child> = (0..5).map(|_| many.start("schedule", "wrong")).collect();
    let mut working: Vec<Child> = (0..4).map(|_| many.start("schedule", PASSWORD)).collect();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut kills = 0;
    // Until the automatic ones have used up their part of the day, and all others ended.
    while !working.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        working.retain_mut(|child| match child.try_wait().unwrap() {
            Some(status) => {
                assert!(status.success(), "one of the processes failed");
                false
            }
            None => true,
        });
        // Not before the right password has proven itself: the others would wait for the lost answer.
        let begun = arrived.lock().unwrap().len() > 10;
        if begun && kills < 12 && working.len() > 1 && rng.random_ratio(1, 3) {
            let victim = rng.random_range(0..working.len());
            let mut child = working.remove(victim);
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            working.push(many.start("schedule", PASSWORD));
        }
    }
    assert!(kills > 0, "seed {seed}: some died in the middle");
    let automatic = arrived.lock().unwrap().len();
    for mut wrong in wrong {
        assert!(wrong.wait().unwrap().success());
    }
    assert_eq!(*refused.lock().unwrap(), 1, "one attempt in all");
    // What was taken and never left is lost with its process; nothing else is.
    let lost = kills * PARALLEL;
    assert!(automatic <= DAY - RESERVE, "{automatic}");
    assert!(automatic + lost >= DAY - RESERVE, "{automatic}");

    // People go on with what was kept for them.
    let people: Vec<Child> = (0..3).map(|_| many.start("person", PASSWORD)).collect();
    for mut person in people {
        assert!(person.wait().unwrap().success());
    }
    let arrived = arrived.lock().unwrap();
    let by_people = arrived.iter().filter(|(_, schedule)| !schedule).count();
    assert_eq!(arrived.len() - by_people, automatic);
    assert!(arrived.len() <= DAY, "{}", arrived.len());
    assert_eq!(by_people, RESERVE, "to the last one");

    // In any window: the burst, what the pace adds, and what was on its way when the window began.
    let on_the_way = (9 * PARALLEL) as u128;
    for (from, (begin, _)) in arrived.iter().enumerate() {
        for (count, (end, _)) in (1..).zip(&arrived[from..]) {
            let most = BURST + (*end - *begin).as_millis() / INTERVAL_MS + 1 + on_the_way;
            assert!(count <= most, "seed {seed}: {count} in {:?}", *end - *begin);
        }
    }
}
