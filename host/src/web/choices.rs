//! What fields and mapping rows can be set to, from the guest. A guest may be slow, unconfigured or wrong; a form must
//! appear all the same, so answers are waited for only so long, kept for a while, and a failure is an answer too.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use super::App;
use super::failure::Failure;

/// Values and titles, or why there are none, as a sentence.
pub type Answer = Arc<Result<Vec<(String, String)>, String>>;

/// How long an answer is good for: people open one page after another.
const KEPT: TimeDelta = TimeDelta::seconds(60);
const FAILURE_KEPT: TimeDelta = TimeDelta::seconds(5);

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Choices(Mutex<HashMap<Question, Kept>>);

/// Installation and source.
type Question = (String, String);

type Kept = (DateTime<Utc>, Answer);

impl Choices {
    /// The answers for all of these sources, asked for at the same time.
    pub async fn load<'a>(
        app: &App,
        installation: &str,
        sources: impl IntoIterator<Item = &'a str>,
    ) -> BTreeMap<String, Answer> {
        let mut answers = BTreeMap::new();
        let mut asking = JoinSet::new();
        for source in sources {
            if answers.contains_key(source) {
                continue;
            }
            let answer = app.choices.kept(installation, source, app.clock.now());
            if answer.is_none() {
                asking.spawn(ask(app.clone(), installation.to_owned(), source.to_owned()));
            }
            let waiting = || Arc::new(Err("The list is still being loaded.".to_owned()));
            answers.insert(source.to_owned(), answer.unwrap_or_else(waiting));
        }
        while let Some(asked) = asking.join_next().await {
            if let Ok((source, answer)) = asked {
                app.choices.keep(installation, &source, &answer, app.clock.now());
                answers.insert(source, answer);
            }
        }
        answers
    }

    /// What a value is called, as far as that is known; where it is not, it is asked for, for the next page.
    pub fn title(app: &App, installation: &str, source: &str, value: &str) -> Option<String> {
        let now = app.clock.now();
        let known = app.choices.known(installation, source);
        match known {
            // Names hardly ever change: age does not matter.
            Some((_, answer)) if answer.is_ok() => {
                let titles = answer.as_ref().as_ref().ok()?;
                titles.iter().find(|(id, _)| id == value).map(|(_, title)| title.clone())
            }
            Some((at, _)) if now - at <= KEPT => None,
            _ => {
                let waiting = Arc::new(Err("The list is still being loaded.".to_owned()));
                app.choices.keep(installation, source, &waiting, now);
                let (app, asking) = (app.clone(), ask(app.clone(), installation.to_owned(), source.to_owned()));
                let installation = installation.to_owned();
                tokio::spawn(async move {
                    let (source, answer) = asking.await;
                    app.choices.keep(&installation, &source, &answer, app.clock.now());
                });
                None
            }
        }
    }

    /// An answer that is still good.
    fn kept(&self, installation: &str, source: &str, now: DateTime<Utc>) -> Option<Answer> {
        let (at, answer) = self.known(installation, source)?;
        let good_for = if answer.is_ok() { KEPT } else { FAILURE_KEPT };
        (now - at <= good_for).then_some(answer)
    }

    fn known(&self, installation: &str, source: &str) -> Option<Kept> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(installation.to_owned(), source.to_owned())).cloned()
    }

    /// Forgets what was answered under other settings.
    pub fn forget(&self, installation: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| of != installation);
    }

    fn keep(&self, installation: &str, source: &str, answer: &Answer, now: DateTime<Utc>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((installation.to_owned(), source.to_owned()), (now, answer.clone()));
    }
}

async fn ask(app: App, installation: String, source: String) -> (String, Answer) {
    let asking = async {
        let _turn = app.guests.acquire().await;
        app.host.choices(&installation, &source).await
    };
    let answer = match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(choices)) => Ok(choices),
        Ok(Err(error)) => Err(Failure::from(error).message),
        Err(_) => Err(format!("The add-on did not answer within {} s.", PATIENCE.as_secs())),
    };
    (source, Arc::new(answer))
}
