//! The stand-in for the Sage Accounting South Africa API (2.0.0), as a pure state machine.
//!
//! A request passes the limits, then the key, the login and the company, then its service, which does all of it or
//! nothing. Facts come from what is publicly known of the API; what nobody outside knows is a switch in
//! [`Behaviour`], with the usual assumption as its default. Nothing here reads a clock or draws a random number.
//!
//! Reading order: `route` (services), `entity` and `table` (what all have in common), `documents`, `receipts` and
//! `ledger` (money), `odata` (lists), `auth` and `limits` (who may ask how often).

mod accounts;
mod auth;
mod bank;
pub mod behaviour;
mod books;
mod call;
mod company;
mod customer_extras;
mod customers;
mod documents;
mod edit;
mod entity;
mod fields;
mod furniture;
mod ledger;
mod limits;
mod load;
mod numbering;
mod odata;
mod receipts;
mod refusal;
mod reports;
mod route;
mod set_up;
mod state;
mod table;
mod wire;
mod write_offs;

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde_json::Value;

use self::auth::{Access, Login, plain_key};
pub use self::behaviour::Behaviour;
use self::books::Books;
use self::call::{Call, lower_names};
use self::company::Company;
pub use self::documents::totals;
use self::limits::{Bucket, Limits, Verdict};
use self::refusal::Refusal;
use crate::http::{Request, Response, Service};
use crate::isp::Isp;
use crate::journal::Journal;

/// One company's Sage, and its one login.
#[derive(Clone)]
pub struct Sage {
    books: Books,
    access: Access,
    /// Companies that the login sees in the list and can't use.
    other_companies: Vec<Company>,
    limits: Limits,
    journal: Journal,
    answered: i64,
}

impl Sage {
    /// The company of a provider: set up, and empty; with `in_step` it also holds the provider's customers and
    /// documents, as another add-on would have left them.
    pub fn from_isp(isp: &Isp, in_step: bool) -> Self {
        let mut books = set_up::furnished(isp);
        if in_step {
            load::fill(&mut books, isp);
        }
        Self {
            books,
            access: Access {
                login: isp.sage.login.clone(),
                password: isp.sage.password.clone(),
                api_key: isp.sage.api_key.clone(),
            },
            other_companies: Vec::new(),
            limits: Limits::default(),
            journal: Journal::default(),
            answered: 0,
        }
    }

    /// Switches the request limits (per minute, per day). Failed logins are counted in any case.
    pub fn set_limits(&mut self, on: bool) {
        self.limits.enforce(on);
    }

    pub fn behaviour(&self) -> &Behaviour {
        &self.books.behaviour
    }

    /// The switches, to be turned.
    pub fn behaviour_mut(&mut self) -> &mut Behaviour {
        &mut self.books.behaviour
    }

    /// What was asked and refused so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// One entity of the state, without the rest of it.
    pub fn rows(&self, entity: &str) -> Vec<Value> {
        match state::rows(&self.books, entity) {
            Value::Array(rows) => rows,
            _ => Vec::new(),
        }
    }

    /// The login's user chooses another password.
    pub fn set_password(&mut self, password: &str) {
        self.access.password = password.to_owned();
    }

    /// The company's clock.
    fn local(&self, now: DateTime<Utc>) -> NaiveDateTime {
        now.naive_utc() + Duration::hours(self.books.behaviour.clock_hours.into())
    }

    /// Counts a request, and says whether the limits let it pass.
    fn within_limits(&mut self, sender: &Sender, now: DateTime<Utc>) -> Result<(), Refusal> {
        match self
            .limits
            .admit(&sender.bucket, now, &self.books.behaviour)
        {
            Verdict::Pass => Ok(()),
            Verdict::Blocks(refusal) => {
                self.journal.record_block();
                Err(refusal)
            }
            Verdict::Refused(refusal) => Err(refusal),
        }
    }

    /// Whether the sender is who may ask.
    fn identify(
        &mut self,
        request: &Request,
        sender: &Sender,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        self.access.check_key(&sender.key)?;
        let login = Login::of(request)?;
        if let Some(refusal) = self.limits.login_blocked(&login.user, now) {
            return Err(refusal);
        }
        self.access.check_login(&login).inspect_err(|_| {
            if self.limits.login_failed(&login.user, now) {
                self.journal.record_block();
            }
        })
    }

    /// Whether the login may ask about the company that a call names.
    fn check_company(&self, call: &Call, company: Option<&str>) -> Result<(), Refusal> {
        if route::needs_no_company(call) {
            return Ok(());
        }
        let company = company.ok_or_else(|| fields::required("CompanyId"))?;
        let id: i64 = company
            .trim()
            .parse()
            .map_err(|_| Refusal::invalid("CompanyId", "CompanyId must be a whole number."))?;
        let expired = |company: &Company| company.id == id && !company.active;
        if self.other_companies.iter().any(expired) || expired(&self.books.company) {
            return Err(Refusal::Expired);
        }
        if id == self.books.company.id {
            Ok(())
        } else {
            Err(Refusal::Denied)
        }
    }

    fn answer(&mut self, call: &Call, company: Option<&str>) -> Result<Response, Refusal> {
        self.check_company(call, company)?;
        let pattern = route::pattern(call);
        let forbidden = self.books.behaviour.forbidden.iter();
        let mut forbidden = forbidden.filter(|right| pattern.starts_with(&right.call));
        if let Some(right) = forbidden.next() {
            return Err(Refusal::NoRight(right.status));
        }
        let others = &self.other_companies;
        self.books
            .transaction(|books| route::route(books, others, call))
    }
}

/// What the query says about the sender.
struct Sender {
    key: String,
    company: Option<String>,
    bucket: Bucket,
}

impl Sender {
    fn of(request: &Request, behaviour: &Behaviour) -> Self {
        let params = lower_names(request);
        let param = |wanted| {
            let found = params.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone())
        };
        let (key, company) = (param("apikey").unwrap_or_default(), param("companyid"));
        let id = company.as_deref().and_then(|id| id.trim().parse().ok());
        let bucket = Bucket::of(&plain_key(&key), id, request.peer, behaviour);
        Self {
            key,
            company,
            bucket,
        }
    }
}

impl Service for Sage {
    fn handle(&mut self, request: &Request, now: DateTime<Utc>) -> Response {
        let sender = Sender::of(request, &self.books.behaviour);
        let call = Call::of(request, self.local(now));
        let admitted = self.within_limits(&sender, now);
        let counted = admitted.is_ok();
        let answer = admitted
            .and_then(|()| self.identify(request, &sender, now))
            .and_then(|()| match &call {
                Ok(call) => self.answer(call, sender.company.as_deref()),
                Err(refusal) => Err(refusal.clone()),
            });
        let service = call.as_ref().map_or("", |call| call.service.as_str());
        let response =
            answer.unwrap_or_else(|refusal| refusal.response(service, &self.books.behaviour));

        if response.status >= 400 && counted && !self.books.behaviour.refused_requests_count {
            self.limits.forgive(&sender.bucket);
        }
        let (pattern, is_write) = match &call {
            Ok(call) => (route::pattern(call), route::is_write(call)),
            Err(_) => (request.path.clone(), false),
        };
        let verb = request.method.to_uppercase();
        self.journal
            .record(now, &verb, &pattern, response.status, is_write);
        self.answered += 1;
        response
            .with("server", "Microsoft-IIS/10.0")
            .with("cache-control", "no-cache")
            .with("loguid", &customers::guid(self.answered))
    }

    fn state(&self) -> Value {
        state::of(&self.books, &self.journal)
    }

    fn edit(&mut self, change: &Value, now: DateTime<Utc>) -> Result<Value, String> {
        let local = self.local(now);
        edit::edit(&mut self.books, &mut self.other_companies, change, local)
    }
}
