//! Coming in, being kept out, and being shown out.

use end_to_end::{Serve, Stage};

use browser::Browser;

use crate::office::{Office, enter, log_in, ready};

#[tokio::test]
async fn the_first_start_tells_a_password_that_lets_somebody_in() {
    if ready().is_none() {
        return;
    }
    let stage = Stage::new("tiny");
    let mut serve = Serve::start(&stage);
    let password = serve.first_password();
    let browser = Browser::open(&serve.at("")).await;
    browser.visit("").await;
    browser.inspect("log-in").await;
    enter(&browser, &password).await;
    browser.sees("There are none yet").await;
    browser.inspect("first-start").await;
    browser.press("Log out").await;
    browser.sees("Log in").await;
    browser.close().await;
}

#[tokio::test]
async fn a_guesser_is_slowed_down_and_a_session_that_was_ended_is_over() {
    if ready().is_none() {
        return;
    }
    let office = Office::open(Stage::new("tiny"));
    let guesser = office.visitor().await;
    guesser.visit("").await;
    let mut tries = 0;
    while !guesser.text().await.contains("Too many") {
        tries += 1;
        assert!(
            tries < 50,
            "nobody stops a guesser: {}",
            guesser.text().await
        );
        enter(&guesser, &format!("guess {tries}")).await;
    }
    guesser.inspect("log-in-refused").await;
    guesser.close().await;
}

#[tokio::test]
async fn a_session_that_was_ended_elsewhere_is_over() {
    if ready().is_none() {
        return;
    }
    let office = Office::open(Stage::new("tiny"));
    let (here, there) = (office.bookkeeper().await, office.visitor().await);
    log_in(&there).await;
    here.visit("sessions").await;
    here.inspect("sessions").await;
    // Both are listed; the one that is not this one is ended.
    let ended = here
        .ask("for (const row of document.querySelectorAll('tbody tr')) if (!row.innerText.includes('this one')) { row.querySelector('button').click(); return 1 } return 0")
        .await;
    assert_eq!(ended, 1);
    there.visit("installations").await;
    there.sees("Log in").await;
    here.visit("installations").await;
    here.sees("Installations").await;
    here.close().await;
    there.close().await;
}
