//! What fields and mapping rows can be set to, from the guest. A guest may be slow, unconfigured or wrong; a form must
//! appear all the same, so answers are waited for only so long, kept for a while, and a failure is an answer too.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use super::App;
use super::failure::Failure;
use super::texts;

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

#[derive(Clone)]
struct Kept {
    at: DateTime<Utc>,
    /// None: it is being asked for.
    answer: Option<Answer>,
}

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
            let answer = app.choices.fresh(installation, source, app.clock.now());
            if answer.is_none() {
                asking.spawn(ask(app.clone(), installation.to_owned(), source.to_owned()));
            }
            // Replaced below; it stays where asking broke down.
            let none = || Arc::new(Err(texts::choices::FAILED.to_owned()));
            answers.insert(source.to_owned(), answer.unwrap_or_else(none));
        }
        while let Some(asked) = asking.join_next().await {
            if let Ok((source, answer)) = asked {
                app.choices
                    .keep(installation, &source, Some(answer.clone()), app.clock.now());
                answers.insert(source, answer);
            }
        }
        answers
    }

    /// What a value is called, as far as that is known; where it is not, it is asked for, for the next page.
    pub fn title(app: &App, installation: &str, source: &str, value: &str) -> Option<String> {
        let now = app.clock.now();
        let known = app.choices.known(installation, source);
        // Names hardly ever change: age does not matter.
        if let Some(Ok(titles)) = known.as_ref().and_then(|known| known.answer.as_deref()) {
            return titles
                .iter()
                .find(|(id, _)| id == value)
                .map(|(_, title)| title.clone());
        }
        if known.is_none_or(|known| known.older_than(KEPT, now)) {
            app.choices.keep(installation, source, None, now);
            let asking = ask(app.clone(), installation.to_owned(), source.to_owned());
            let (app, installation) = (app.clone(), installation.to_owned());
            tokio::spawn(async move {
                let (source, answer) = asking.await;
                app.choices
                    .keep(&installation, &source, Some(answer), app.clock.now());
            });
        }
        None
    }

    /// An answer that is still good.
    fn fresh(&self, installation: &str, source: &str, now: DateTime<Utc>) -> Option<Answer> {
        let known = self.known(installation, source)?;
        let answer = known.answer.clone()?;
        let good_for = if answer.is_ok() { KEPT } else { FAILURE_KEPT };
        (!known.older_than(good_for, now)).then_some(answer)
    }

    fn known(&self, installation: &str, source: &str) -> Option<Kept> {
        self.all()
            .get(&(installation.to_owned(), source.to_owned()))
            .cloned()
    }

    /// Forgets what was answered under other settings.
    pub fn forget(&self, installation: &str) {
        self.all().retain(|(of, _), _| of != installation);
    }

    fn keep(&self, installation: &str, source: &str, answer: Option<Answer>, at: DateTime<Utc>) {
        self.all().insert(
            (installation.to_owned(), source.to_owned()),
            Kept { at, answer },
        );
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Question, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Also where the clock was put back since.
    fn older_than(&self, span: TimeDelta, now: DateTime<Utc>) -> bool {
        (now - self.at).abs() > span
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
        Err(_) => Err(texts::choices::slow(PATIENCE.as_secs())),
    };
    (source, Arc::new(answer))
}
