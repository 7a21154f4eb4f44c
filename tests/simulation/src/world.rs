//! Everything outside the add-on: two services, a clock, and the parts of the host that stand between.

use std::collections::BTreeMap;

use addon_manifest::Manifest;
use addon_store::ConnectionOverride;
use addon_traffic::auth::Credential;
use addon_traffic::governor::{Bucket, Limits};
use addon_traffic::redact::Redactor;
use addon_vault::Secret;
use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};
use mock_host::contract::{Answer, Failure, Request, Response, Unanswered};
use sandbox::faults::{Delivery, FaultPlan, Party, Plan, apply};
use sandbox::http::Service;
use sandbox::isp::Isp;
use sandbox::sage::Sage;
use sandbox::splynx::Splynx;

use crate::line::{Line, fingerprint, millis, sage_credentials};
use crate::odd::Oddities;
use crate::people::Office;
use crate::storm::{self, Answered, Asked, Fault, Instead, Storm, Strike};

/// The add-on's real manifest: limits and defaults are those that operators get.
pub const MANIFEST: &str = include_str!("../../../plugin/addon.toml");
/// How long a service takes to answer.
const LATENCY: TimeDelta = TimeDelta::milliseconds(80);

#[derive(Clone)]
pub struct World {
    pub splynx: Splynx,
    pub sage: Sage,
    pub now: DateTime<Utc>,
    pub faults: FaultPlan,
    /// What goes wrong by chance, and what people do meanwhile.
    pub storm: Storm,
    /// What one kind of request is answered instead.
    pub oddities: Oddities,
    /// By how much the host's clock is behind the services'.
    behind: TimeDelta,
    splynx_line: Line,
    sage_line: Line,
    /// The password that Sage knows, where a person has changed it there and not told the host.
    new_password: Option<String>,
}

impl World {
    /// The provider's two services, and an installation that is set up for them.
    pub fn new(manifest: &Manifest, isp: &Isp, in_step: bool) -> Self {
        let usual = ConnectionOverride::default();
        let limits = |name: &str| Limits::of(&manifest.connections[name], &usual);
        let secrets: Vec<Secret> = isp
            .secrets()
            .into_iter()
            .map(|(_, value)| Secret::new(value))
            .collect();
        let redactor = Redactor::new(&secrets);
        let line = |name, base, credentials: Vec<Credential>| Line {
            base,
            limits: limits(name),
            bucket: Bucket::default(),
            last_nonce: 0,
            redactor: redactor.clone(),
            fingerprint: fingerprint(&credentials),
            credentials,
        };
        let splynx_line = line(
            "splynx",
            "/api/2.0/",
            vec![Credential::SplynxSignature {
                key: Secret::new(isp.splynx.api_key.clone()),
                secret: Secret::new(isp.splynx.api_secret.clone()),
            }],
        );
        let sage_line = line(
            "sage",
            "/api/2.0.0/",
            sage_credentials(isp, &isp.sage.password),
        );
        let noon = isp.today.and_hms_opt(10, 0, 0).expect("a time of day");
        Self {
            splynx: Splynx::from_isp(isp),
            sage: Sage::from_isp(isp, in_step),
            now: noon.and_utc(),
            faults: FaultPlan::new(Plan::default()),
            storm: Storm::default(),
            oddities: Oddities::default(),
            behind: TimeDelta::zero(),
            splynx_line,
            sage_line,
            new_password: None,
        }
    }

    pub fn advance(&mut self, by: TimeDelta) {
        self.now += by;
    }

    /// The operator enters another Sage password.
    pub fn set_sage_password(&mut self, isp: &Isp, password: &str) {
        self.sage_line.enter(sage_credentials(isp, password));
    }

    /// A person enters what Sage's password is by now, and vouches for the other credentials.
    pub fn enter_password(&mut self, isp: &Isp) {
        let password = self.new_password.clone();
        let password = password.as_ref().unwrap_or(&isp.sage.password);
        self.sage_line.enter(sage_credentials(isp, password));
        for line in [&mut self.sage_line, &mut self.splynx_line] {
            line.bucket.forgive(&line.fingerprint);
        }
    }

    /// Whether a service has refused the credentials, so that nothing is sent until a person enters them again.
    pub fn is_locked_out(&self) -> bool {
        self.new_password.is_some()
    }

    /// Whether the host's clock is behind: it was put back once.
    pub fn is_behind(&self) -> bool {
        !self.behind.is_zero()
    }

    /// The date in the installation's time zone.
    pub fn today(&self) -> NaiveDate {
        self.local().date_naive()
    }

    /// The host's clock.
    fn host_time(&self) -> DateTime<Utc> {
        self.now - self.behind
    }

    fn local(&self) -> DateTime<FixedOffset> {
        let johannesburg = FixedOffset::east_opt(2 * 3600).expect("two hours east");
        self.host_time().with_timezone(&johannesburg)
    }

    /// People do something on the services' screens.
    pub fn people_act(&mut self, edit: crate::people::Edit, seed: u64) {
        let mut people = std::mem::take(&mut self.storm.people);
        let today = self.today();
        let mut office = Office {
            splynx: &mut self.splynx,
            sage: &mut self.sage,
            now: self.now,
            today,
        };
        let told = people.act(&mut office, edit, seed);
        self.storm.people = people;
        let told = told.unwrap_or_else(|| format!("{}: not to be had", edit.name()));
        self.storm.tell(|| format!("    people: {told}"));
    }

    fn service(&mut self, party: Party) -> &mut dyn Service {
        match party {
            Party::Splynx => &mut self.splynx,
            Party::Sage => &mut self.sage,
        }
    }

    fn line(&mut self, party: Party) -> &mut Line {
        match party {
            Party::Splynx => &mut self.splynx_line,
            Party::Sage => &mut self.sage_line,
        }
    }

    /// What was still on its way arrives, as far as its time has come.
    pub fn deliver_late(&mut self) {
        let now = self.now;
        let (due, waiting) = std::mem::take(&mut self.storm.late)
            .into_iter()
            .partition(|(at, ..)| *at <= now);
        self.storm.late = waiting;
        let due: Vec<(DateTime<Utc>, Party, sandbox::http::Request)> = due;
        for (at, party, wire) in due {
            let answer = self.service(party).handle(&wire, at);
            self.storm.tell(|| {
                format!(
                    "    arrives late: {} {}: {}",
                    wire.method, wire.path, answer.status
                )
            });
        }
    }

    fn send_one(&mut self, request: &Request) -> Answer {
        let party = match request.connection.as_str() {
            "splynx" => Party::Splynx,
            "sage" => Party::Sage,
            other => {
                return Err(Unanswered::not_sent(
                    "not-configured",
                    format!("no connection {other}"),
                ));
            }
        };
        if self.storm.fenced {
            return Err(Unanswered {
                maybe_sent: false,
                reason: storm::fenced(),
            });
        }
        let strike = self.storm.on_request(party, request);
        if let Some(strike) = &strike {
            self.happen(strike);
        }
        let answer = self.exchange(party, request, strike.as_ref());
        self.remember(party, request, strike.map(|strike| strike.fault), &answer);
        answer
    }

    /// What a strike does to the world, besides what it does to the request.
    fn happen(&mut self, strike: &Strike) {
        match strike.fault {
            Fault::PasswordChanged => {
                let password = format!("changed-secret-{}", strike.seed);
                self.sage.set_password(&password);
                self.new_password = Some(password);
            }
            Fault::Edited => {
                let edits = crate::people::Edit::earlier();
                let edit = edits[usize::try_from(strike.seed % edits.len() as u64).unwrap_or(0)];
                self.people_act(edit, strike.seed);
            }
            Fault::ClockForward => {
                let hours = i64::try_from(strike.seed % 30).unwrap_or(1) + 1;
                self.now += TimeDelta::hours(hours);
            }
            Fault::ClockBack => {
                self.behind = TimeDelta::seconds(i64::try_from(strike.seed % 55).unwrap_or(0) + 5)
            }
            Fault::Midnight => self.wait_for_midnight(0),
            Fault::MonthEnd => {
                let last = crate::clock::last_of_month(self.today());
                let days = (last - self.today()).num_days();
                self.wait_for_midnight(days);
            }
            _ => {}
        }
    }

    /// Until just after midnight of the installation's zone, so many days later.
    pub fn wait_for_midnight(&mut self, days: i64) {
        let local = self.local();
        let next = local.date_naive() + TimeDelta::days(days + 1);
        let midnight = next.and_hms_opt(0, 0, 5).expect("a time of day");
        self.now += midnight - local.naive_local();
    }

    fn exchange(&mut self, party: Party, request: &Request, strike: Option<&Strike>) -> Answer {
        let behind = self.behind;
        let host_time = self.host_time();
        let host_time = self.line(party).wait_for_turn(host_time)?;
        self.now = host_time + behind;
        self.deliver_late();
        let mut wire = self.line(party).on_the_wire(request, host_time);
        self.shorten(&mut wire);
        self.now += LATENCY;
        let instead = strike.and_then(|strike| {
            let query: Vec<String> = wire
                .query
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            storm::instead(strike, party, &format!("{}?{}", wire.path, query.join("&")))
        });
        let mut response = match (self.oddities.on(request), instead) {
            (Some(odd), _) => {
                let (wire, now) = (odd.request(&wire), self.now);
                let acts = odd.lets_it_act();
                let own = acts.then(|| self.service(party).handle(&wire, now));
                odd.answer(own)
                    .ok_or_else(|| lost("timeout", "No answer came in time."))?
            }
            (None, Some(instead)) => self.disturbed(party, &wire, instead)?,
            (None, None) => self.undisturbed(party, &wire)?,
        };
        let clock = match party {
            Party::Splynx => self.splynx.clock(self.now),
            Party::Sage => self.now,
        };
        let date = clock.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        response.headers.push(("date".to_owned(), date));
        let now = millis(self.host_time());
        let line = self.line(party);
        line.bucket
            .answered(&line.limits, &line.fingerprint, response.status, now);
        let body = String::from_utf8_lossy(&response.body).into_owned();
        let mut answer = Response {
            status: response.status,
            headers: response.headers,
            body,
        };
        if strike.is_some() {
            // As the host does with every answer; the services' own never show secrets.
            answer.body = line.redactor.clean(answer.body).into_owned();
            for (_, value) in &mut answer.headers {
                *value = line.redactor.clean(value.as_str()).into_owned();
            }
        }
        Ok(answer)
    }

    fn undisturbed(
        &mut self,
        party: Party,
        wire: &sandbox::http::Request,
    ) -> Result<sandbox::http::Response, Unanswered> {
        let service: &mut dyn Service = match party {
            Party::Splynx => &mut self.splynx,
            Party::Sage => &mut self.sage,
        };
        Ok(
            match apply(service, party, wire, self.now, &mut self.faults) {
                Delivery::Answer(response) => self.lagging(party, wire, response),
                Delivery::Dropped { .. } | Delivery::Truncated { .. } => {
                    return Err(lost("connection-lost", "The connection was lost."));
                }
                Delivery::Delayed { response, ms } => {
                    self.now += delay(ms)?;
                    response
                }
                Delivery::Late { ms } => {
                    let in_time = delay(ms);
                    let response = service.handle(
                        wire,
                        self.now + TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX)),
                    );
                    self.now += in_time?;
                    response
                }
            },
        )
    }

    fn disturbed(
        &mut self,
        party: Party,
        wire: &sandbox::http::Request,
        instead: Instead,
    ) -> Result<sandbox::http::Response, Unanswered> {
        let now = self.now;
        let own = instead
            .effect
            .then(|| self.service(party).handle(wire, now));
        match (instead.answer, own) {
            (Answered::Response(response), _) => Ok(response),
            (Answered::Changed(change), Some(own)) => Ok(change(own)),
            (Answered::Slow(wait), Some(own)) => {
                self.now += wait;
                Ok(own)
            }
            (
                Answered::Lost {
                    code,
                    maybe_sent,
                    after,
                },
                _,
            ) => {
                self.now += after;
                let reason = Failure::new(code, "No answer came.");
                Err(Unanswered { maybe_sent, reason })
            }
            (Answered::Late(after), _) => {
                self.storm.late.push((now + after, party, wire.clone()));
                self.now += TimeDelta::seconds(60);
                Err(lost("timeout", "No answer came in time."))
            }
            (Answered::Changed(_) | Answered::Slow(_), None) => {
                unreachable!("both have the service act")
            }
        }
    }

    /// Where pages are short, a server gives fewer rows than it is asked for.
    fn shorten(&self, wire: &mut sandbox::http::Request) {
        let Some(page) = self.storm.page else { return };
        for (name, value) in &mut wire.query {
            // Lists by ids ask for so many rows as they name, and get them.
            if (name == "$top" && value == "100") || (name == "limit" && value == "200") {
                *value = page.to_string();
            }
        }
    }

    /// Sage's lists, as long as they lag behind.
    fn lagging(
        &self,
        party: Party,
        wire: &sandbox::http::Request,
        response: sandbox::http::Response,
    ) -> sandbox::http::Response {
        if self.storm.lag.is_zero() || party == Party::Splynx || !wire.path.ends_with("/Get") {
            return response;
        }
        let hours = i64::from(self.sage.behaviour().clock_hours);
        let since = self.now + TimeDelta::hours(hours) - self.storm.lag;
        storm::lagging(response, &since.format("%Y-%m-%dT%H:%M:%S%.3f").to_string())
    }

    fn remember(
        &mut self,
        party: Party,
        request: &Request,
        struck: Option<Fault>,
        answer: &Answer,
    ) {
        let is_of_one = storm::is_of_one(&request.path);
        self.storm.tell(|| {
            let query: Vec<String> = request
                .query
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let came = match answer {
                Ok(answer) => format!("{} {}", answer.status, answer.body),
                Err(lost) => format!("{} (maybe sent: {})", lost.reason.code, lost.maybe_sent),
            };
            format!(
                "    {} {} {}: {came}",
                request.method,
                request.path,
                query.join("&") + " " + &request.body
            )
        });
        let Some(asked) = &mut self.storm.asked else {
            return;
        };
        let is_write = request.effect == "write";
        let answered = match answer {
            Ok(answer) => {
                let is_read = (200..300).contains(&answer.status)
                    && (request.method == "HEAD"
                        || matches!(answer.body.as_bytes().first(), Some(b'{' | b'[')));
                is_read
                    || (answer.status == 404 && is_of_one)
                    || (answer.status == 400 && struck.is_none())
            }
            Err(_) => false,
        };
        asked.push(Asked {
            party,
            method: request.method.clone(),
            path: request.path.clone(),
            is_write,
            body: if is_write {
                request.body.clone()
            } else {
                String::new()
            },
            struck,
            answered,
        });
    }
}

impl mock_host::World for World {
    /// Sends as the host does: paced, with credentials, one after the other.
    fn send(&mut self, requests: Vec<Request>) -> Vec<Answer> {
        requests
            .iter()
            .map(|request| self.send_one(request))
            .collect()
    }

    fn now(&mut self) -> u64 {
        u64::try_from(self.host_time().timestamp()).expect("after 1970")
    }

    fn goes_on(&mut self, _stage: &str, _done: u64, _total: u64) -> bool {
        self.storm.goes_on()
    }

    fn commit_trouble(&mut self) -> Option<Failure> {
        if self.storm.fenced {
            return Some(storm::fenced());
        }
        self.storm.on_commit()
    }
}

/// What the guest sees: the manifest's defaults, the provider's set-up, secrets as `set`.
pub fn settings(manifest: &Manifest, isp: &Isp) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> = manifest
        .settings
        .iter()
        .map(|setting| {
            (
                setting.key.clone(),
                setting.default.clone().unwrap_or_default(),
            )
        })
        .collect();
    let mut chosen = isp.setup();
    chosen.extend(
        isp.secrets()
            .into_iter()
            .map(|(key, _)| (key, "set".to_owned())),
    );
    chosen.push((
        "splynx_api_domain".to_owned(),
        "https://isp.example/".to_owned(),
    ));
    chosen.push(("sage_company_id".to_owned(), isp.sage.id.to_string()));
    settings.extend(chosen);
    settings
}

/// A delay that the host sits out; a longer one is its time-out.
fn delay(ms: u64) -> Result<TimeDelta, Unanswered> {
    const TIME_OUT_MS: u64 = 60_000;
    match i64::try_from(ms) {
        Ok(wait) if ms < TIME_OUT_MS => Ok(TimeDelta::milliseconds(wait)),
        _ => Err(lost("timeout", "No answer came in time.")),
    }
}

fn lost(code: &str, message: &str) -> Unanswered {
    Unanswered {
        maybe_sent: true,
        reason: Failure::new(code, message),
    }
}
