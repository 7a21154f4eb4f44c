//! `send` and what limits it: refused credentials, blocks, pace, the order of signed requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use addon_host::clock::{Clock, SystemClock};
use addon_host::connections::cancellation::Reason;
use addon_host::connections::{By, Connections, Request, Rights};

use crate::rig::{BASIC, PASSWORD, Rig, code, get, status};
use crate::service::{Service, answer};

#[tokio::test]
async fn refused_credentials_are_tried_once_until_somebody_changes_them() {
    let service = Service::start(|seen| match seen.header("authorization") {
        Some("Basic YW5uOmNvcnJlY3QgaG9yc2UvYmF0dGVyeQ==") => answer(200, "in"),
        _ => answer(401, "{\"Message\":\"denied\"}"),
    })
    .await;
    let rig = Rig::new(&format!("{BASIC}per_minute = 600"), service.address()).await;
    let (wrong, _halter) = rig.caller(Rights::Read, "wrong password").await;
    let batch = || vec![get("a"), get("b"), get("c"), get("d"), get("e")];
    // Two runs at once, with requests that could leave together.
    let (one, two) = tokio::join!(
        rig.connections.send(&wrong, batch()),
        rig.connections.send(&wrong, batch())
    );
    let (answered, unsent): (Vec<_>, Vec<_>) =
        one.iter().chain(&two).partition(|answer| answer.is_ok());
    assert_eq!(answered.len(), 1);
    assert_eq!(
        status(answered[0]),
        401,
        "the guest sees what the service said"
    );
    assert!(
        unsent
            .iter()
            .all(|answer| code(answer) == (false, "denied"))
    );
    assert_eq!(service.count(), 1);

    // Another process on the same database.
    let restarted = Connections::new(rig.store.clone(), Arc::new(SystemClock));
    assert!(
        restarted
            .send(&wrong, batch())
            .await
            .iter()
            .all(|answer| code(answer) == (false, "denied"))
    );
    assert_eq!(service.count(), 1);

    // A person says that it is right: one attempt again.
    rig.connections
        .forgive(&wrong.access, "books")
        .await
        .unwrap();
    assert_eq!(status(&rig.connections.send(&wrong, batch()).await[0]), 401);
    assert_eq!(service.count(), 2);

    assert!(
        rig.send(batch())
            .await
            .iter()
            .all(|answer| status(answer) == 200),
        "changed credentials are tried"
    );
    assert_eq!(service.count(), 7);
}

#[tokio::test]
async fn a_block_is_kept_to_and_one_for_the_sender_covers_all_budgets() {
    let service = Service::start(|seen| match seen.line.contains("/own?") {
        true => answer(429, "too many"),
        false => answer(
            429,
            "Your IP address has exceeded the allowed number of transactions per minute",
        ),
    })
    .await;
    let terms = format!("{BASIC}per_minute = 600\nrest_after_429_seconds = 3900");
    let rig = Rig::new(&terms, service.address()).await;
    let soon = SystemClock.now().timestamp() as u64;
    let answers = rig.send(vec![get("own"), get("own"), get("own")]).await;
    assert_eq!(status(&answers[0]), 429);
    for answer in &answers[1..] {
        let reason = &answer.as_ref().unwrap_err().reason;
        assert_eq!(code(answer), (false, "paused"));
        assert!(reason.retry_at.unwrap() >= soon + 3900, "{reason:?}");
    }
    assert_eq!(
        code(&rig.send(vec![get("own")]).await[0]),
        (false, "paused")
    );
    assert_eq!(service.count(), 1);

    // The same sender with another login is counted apart, unless the block is for the address.
    let mut other = Rig::new(
        &terms.replace("user = \"login\"", "user = \"key\""),
        service.address(),
    )
    .await;
    other
        .manifest
        .connections
        .get_mut("books")
        .unwrap()
        .counted_by = vec!["key".to_owned()];
    other.store = rig.store.clone();
    other.connections = rig.connections.clone();
    assert_eq!(status(&other.send(vec![get("all")]).await[0]), 429);
    let mut third = Rig::new(&terms, service.address()).await;
    third
        .manifest
        .connections
        .get_mut("books")
        .unwrap()
        .counted_by = vec!["password".to_owned()];
    third.store = rig.store.clone();
    third.connections = rig.connections.clone();
    assert_eq!(
        code(&third.send(vec![get("all")]).await[0]),
        (false, "paused")
    );
    assert_eq!(service.count(), 2);
}

#[tokio::test]
async fn waiting_for_the_pace_ends_with_the_word_to_stop_and_long_waits_are_not_begun() {
    let service = Service::start(|_| answer(200, "")).await;
    let rig = Rig::new(
        &format!("{BASIC}per_minute = 2\nburst = 1"),
        service.address(),
    )
    .await;
    let (caller, canceller) = rig.caller(Rights::Read, PASSWORD).await;
    let connections = rig.connections.clone();
    let sending = tokio::spawn(async move {
        connections
            .send(&caller, vec![get("a"), get("b"), get("c")])
            .await
    });
    while service.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    canceller.cancel(Reason::Stopped);
    let answers = sending.await.unwrap();
    assert_eq!(status(&answers[0]), 200, "what is in flight is waited for");
    assert_eq!(
        (code(&answers[1]), code(&answers[2])),
        ((false, "stopped"), (false, "stopped"))
    );

    let rig = Rig::new(
        &format!("{BASIC}per_minute = 60\nper_day = 2"),
        service.address(),
    )
    .await;
    let answers = rig.send(vec![get("a"), get("b"), get("c")]).await;
    assert_eq!((status(&answers[0]), status(&answers[1])), (200, 200));
    assert_eq!(code(&answers[2]), (false, "paused"));
    let reason = &answers[2].as_ref().unwrap_err().reason;
    assert!(
        reason.message.contains("day") && reason.retry_at.is_some(),
        "{reason:?}"
    );
    assert_eq!(service.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_requests_arrive_one_by_one_with_growing_nonces() {
    let (flying, peak) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let most = peak.clone();
    let service = Service::start(move |_| {
        most.fetch_max(flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        flying.fetch_sub(1, Ordering::SeqCst);
        answer(200, "")
    })
    .await;
    let terms = "per_minute = 6000\nburst = 100\nparallel = 1\nprivate_addresses = true
auth = [{ type = \"splynx-signature\", key = \"key\", secret = \"password\" }]";
    let rig = Rig::new(terms, service.address()).await;
    // Two processes on one database, and later a third one.
    let batch = |amount: usize| vec![get("a"); amount];
    let process = || Connections::new(rig.store.clone(), Arc::new(SystemClock));
    let (caller, _halter) = rig.caller(Rights::Read, PASSWORD).await;
    let (one, two) = (process(), process());
    let (one, two) = tokio::join!(one.send(&caller, batch(8)), two.send(&caller, batch(8)));
    let three = process().send(&caller, batch(2)).await;
    assert!(
        one.iter()
            .chain(&two)
            .chain(&three)
            .all(|answer| status(answer) == 200)
    );
    let nonces: Vec<u64> = service
        .seen()
        .iter()
        .map(|seen| {
            let proof = seen.header("authorization").unwrap();
            let nonce = proof
                .strip_prefix("Splynx-EA (key=SECRET-KEY&nonce=")
                .unwrap()
                .split('&')
                .next()
                .unwrap();
            nonce.parse().unwrap()
        })
        .collect();
    assert_eq!((nonces.len(), peak.load(Ordering::SeqCst)), (18, 1));
    assert!(
        nonces.is_sorted_by(|earlier, later| earlier < later),
        "{nonces:?}"
    );
}

#[tokio::test]
async fn access_tokens_are_fetched_once_and_again_when_they_are_withdrawn() {
    let issued = Arc::new(AtomicUsize::new(0));
    let counter = issued.clone();
    let service = Service::start(move |seen| {
        if seen.line.starts_with("POST /api/admin/auth/tokens ") {
            assert!(seen.body.contains("\"auth_type\":\"api_key\"") && seen.body.contains("\"key\":\"SECRET-KEY\""));
            let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
            let expires = SystemClock.now().timestamp() + 1800;
            return answer(201, format!(r#"{{"access_token":"token-number-{number}","access_token_expiration":{expires}}}"#));
        }
        let current = format!("Splynx-EA (access_token=token-number-{})", counter.load(Ordering::SeqCst));
        let withdrawn = seen.line.contains("/withdrawn") && current.contains("number-1)");
        match seen.header("authorization") == Some(current.as_str()) && !withdrawn {
            true => answer(200, current),
            false => answer(401, ""),
        }
    })
    .await;
    let terms = "per_minute = 6000\nburst = 100\nprivate_addresses = true
auth = [{ type = \"splynx-token\", key = \"key\", secret = \"password\" }]";
    let rig = Rig::new(terms, service.address()).await;
    let answers = rig
        .send(vec![get("a"), get("b"), get("withdrawn"), get("c")])
        .await;
    let statuses: Vec<_> = answers.iter().map(status).collect();
    assert_eq!(statuses, [200, 200, 401, 200]);
    assert_eq!(issued.load(Ordering::SeqCst), 2);
    assert_eq!(answers[0].as_ref().unwrap().body, "[redacted]");
}

#[tokio::test]
async fn an_automatic_run_leaves_the_reserve_to_people_and_its_log_tells_of_waits_and_pauses() {
    let service = Service::start(|_| answer(200, "")).await;
    let terms = format!("{BASIC}per_minute = 600\nburst = 100\nper_day = 20\nreserve = 4");
    let rig = Rig::new(&terms, service.address()).await;
    let (mut automatic, _halter) = rig.caller(Rights::Read, PASSWORD).await;
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = told.clone();
    automatic.by = By::Schedule;
    automatic.run = Some(7);
    automatic.tell = Arc::new(move |level, line| {
        heard.lock().unwrap().push(format!("{level} {line}"));
    });
    let low = Request {
        options: vec![("priority".to_owned(), "low".to_owned())],
        ..get("low")
    };
    // Twelve of low priority, although they come first: four less than all automatic ones.
    let batch = [vec![low; 14], vec![get("normal"); 10]].concat();
    let answers = rig.connections.send(&automatic, batch).await;
    let sent = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(
        sent, 12,
        "the part of those that can wait is used up, and stops the rest of the list"
    );
    assert!(
        answers[14..].iter().all(|answer| answer.is_ok()),
        "the others left first"
    );
    let share = answers[..14]
        .iter()
        .find_map(|answer| answer.as_ref().err())
        .unwrap();
    assert!(
        share
            .reason
            .more
            .contains(&("limit".to_owned(), "share".to_owned())),
        "{share:?}"
    );
    let answers = rig
        .connections
        .send(&automatic, vec![get("normal"); 10])
        .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4);
    let day = answers[9].as_ref().unwrap_err();
    assert!(
        day.reason
            .message
            .contains("Of 20 a day, 4 are kept for people"),
        "{day:?}"
    );
    assert!(day.reason.retry_at.is_some());
    let lines = told.lock().unwrap().clone();
    assert!(
        lines.len() == 2 && lines.iter().all(|line| line.starts_with("warn ")),
        "{lines:?}"
    );
    let figures = rig
        .connections
        .figures(&automatic.access, "books")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (figures.last_day, figures.reserve, figures.runs[0].calls),
        (16, 4, 16)
    );
    assert_eq!(automatic.usage.calls(), [("books".to_owned(), 16)]);
    // A person has the rest, and nobody has more.
    let answers = rig.send(vec![get("person"); 6]).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4);
    assert_eq!(service.count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_batch_brings_back_is_bounded_in_sum() {
    const ANSWER: usize = 12 << 20;
    let service = Service::start(|_| answer(200, "x".repeat(ANSWER))).await;
    let terms = format!("{BASIC}per_minute = 6000\nburst = 100\nmax_response_bytes = 16777216");
    let rig = Rig::new(&terms, service.address()).await;
    let answers = rig.send(vec![get("large"); 30]).await;
    let whole: Vec<_> = answers.iter().flatten().collect();
    assert!(whole.iter().all(|answer| answer.body.len() == ANSWER));
    let brought = whole.len() * ANSWER;
    assert!(
        (64 << 20..=128 << 20).contains(&brought),
        "{brought} bytes came back"
    );
    for answer in answers.iter().filter(|answer| answer.is_err()) {
        assert!(
            matches!(code(answer), (true, "too-large") | (false, "limit")),
            "{answer:?}"
        );
    }
    // What was on its way when there was no more room, at most.
    assert!(service.count() <= whole.len() + 4, "{}", service.count());
    assert_eq!(code(&answers[29]), (false, "limit"));
}
