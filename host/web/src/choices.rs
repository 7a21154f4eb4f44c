//! What fields and mapping rows can be set to, from the guest. A guest may be slow, unconfigured or wrong; a form must
//! appear all the same, so answers are waited for only so long, kept for a while, and a failure is an answer too.
//!
//! To open a page is not to have requests sent: for a person who may only look, the add-on answers from what it stored.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use super::App;
use super::failure::Failure;
use super::login::session::Visitor;
use super::texts;
use addon_service::host::HostError;
use addon_store::Role;

/// Values and titles, or why there are none, as a sentence.
pub type Answer = Arc<Result<Vec<(String, String)>, String>>;

/// How long an answer is good for: people open one page after another.
const KEPT: TimeDelta = TimeDelta::seconds(60);
const FAILURE_KEPT: TimeDelta = TimeDelta::seconds(5);

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub struct Choices(Mutex<HashMap<Question, Kept>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    installation: String,
    source: String,
    /// The add-on may ask the services.
    may_send: bool,
}

impl Question {
    fn of(visitor: &Visitor, installation: &str, source: &str) -> Self {
        Self {
            installation: installation.to_owned(),
            source: source.to_owned(),
            may_send: visitor.role >= Role::Operate,
        }
    }

    /// The same of somebody for whom the services may be asked: that answer is good for all.
    fn with_sending(&self) -> Self {
        Self {
            may_send: true,
            ..self.clone()
        }
    }
}

#[derive(Clone)]
struct Kept {
    at: DateTime<Utc>,
    /// `None`: it is being asked for.
    answer: Option<Answer>,
}

impl Choices {
    /// The answers for all of these sources, asked for at the same time.
    pub async fn load<'a>(
        app: &App,
        visitor: &Visitor,
        installation: &str,
        sources: impl IntoIterator<Item = &'a str>,
    ) -> BTreeMap<String, Answer> {
        let mut answers = BTreeMap::new();
        let mut asking = JoinSet::new();
        for source in sources {
            if answers.contains_key(source) {
                continue;
            }
            let question = Question::of(visitor, installation, source);
            let answer = app.choices.fresh(&question, app.clock.now());
            if answer.is_none() {
                asking.spawn(ask(app.clone(), question));
            }
            // Replaced below; it stays where asking broke down.
            let none = || Arc::new(Err(texts::choices::FAILED.to_owned()));
            answers.insert(source.to_owned(), answer.unwrap_or_else(none));
        }
        while let Some(asked) = asking.join_next().await {
            if let Ok((question, answer)) = asked {
                answers.insert(question.source.clone(), answer.clone());
                app.choices.keep(question, Some(answer), app.clock.now());
            }
        }
        answers
    }

    /// What a value is called, as far as that is known; where it is not, it is asked for, for the next page.
    pub fn title(
        app: &App,
        visitor: &Visitor,
        installation: &str,
        source: &str,
        value: &str,
    ) -> Option<String> {
        let now = app.clock.now();
        let question = Question::of(visitor, installation, source);
        let known = app.choices.known(&question);
        // Names hardly ever change: age does not matter.
        if let Some(Ok(titles)) = known.as_ref().and_then(|known| known.answer.as_deref()) {
            return titles
                .iter()
                .find(|(id, _)| id == value)
                .map(|(_, title)| title.clone());
        }
        if known.is_none_or(|known| known.older_than(KEPT, now)) {
            app.choices.keep(question.clone(), None, now);
            let app = app.clone();
            tokio::spawn(async move {
                let (question, answer) = ask(app.clone(), question).await;
                app.choices.keep(question, Some(answer), app.clock.now());
            });
        }
        None
    }

    /// An answer that is still good.
    fn fresh(&self, question: &Question, now: DateTime<Utc>) -> Option<Answer> {
        let known = self.known(question)?;
        let answer = known.answer.clone()?;
        let good_for = if answer.is_ok() { KEPT } else { FAILURE_KEPT };
        (!known.older_than(good_for, now)).then_some(answer)
    }

    fn known(&self, question: &Question) -> Option<Kept> {
        let all = self.all();
        let good = |kept: &&Kept| kept.answer.as_deref().is_some_and(Result::is_ok);
        let known = all.get(&question.with_sending()).filter(good);
        known.or_else(|| all.get(question)).cloned()
    }

    /// Forgets what was answered under other settings.
    pub fn forget(&self, installation: &str) {
        self.all()
            .retain(|question, _| question.installation != installation);
    }

    fn keep(&self, question: Question, answer: Option<Answer>, at: DateTime<Utc>) {
        self.all().insert(question, Kept { at, answer });
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

async fn ask(app: App, question: Question) -> (Question, Answer) {
    let Question {
        installation,
        source,
        may_send,
    } = &question;
    let asking = app.host.choices(installation, source, *may_send);
    let answer = match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(choices)) => Ok(choices),
        Ok(Err(HostError::Addon(why))) if why.code == "no-http" => {
            Err(texts::choices::NOT_SENT.to_owned())
        }
        Ok(Err(error)) => Err(Failure::from(error).message),
        Err(_) => Err(texts::choices::slow(PATIENCE.as_secs())),
    };
    (question, Arc::new(answer))
}
