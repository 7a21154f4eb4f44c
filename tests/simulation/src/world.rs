//! Everything outside the add-on: two services, a clock, and the parts of the host that stand between.

use std::collections::BTreeMap;

use addon_host::connections::auth::{Credential, Stamp, prove, splynx_nonce_at};
use addon_host::connections::governor::{Ask, Bucket, Limits, Verdict, Why};
use addon_host::manifest::Manifest;
use addon_host::store::ConnectionOverride;
use addon_host::vault::Secret;
use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta, Utc};
use mock_host::contract::{Answer, Failure, Request, Response, Unanswered};
use sandbox::faults::{Delivery, FaultPlan, Party, Plan, apply};
use sandbox::http::Service;
use sandbox::isp::Isp;
use sandbox::sage::Sage;
use sandbox::splynx::Splynx;

/// The add-on's real manifest: limits and defaults are those that operators get.
pub const MANIFEST: &str = include_str!("../../../plugin/addon.toml");
/// What would wait longer is answered `paused` (http.wit, `send`).
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(120);
/// How long a service takes to answer.
const LATENCY: TimeDelta = TimeDelta::milliseconds(80);

#[derive(Clone)]
pub struct World {
    pub splynx: Splynx,
    pub sage: Sage,
    pub now: DateTime<Utc>,
    pub faults: FaultPlan,
    splynx_line: Line,
    sage_line: Line,
}

/// One connection: what it proves itself with, and how much it may send.
#[derive(Clone)]
struct Line {
    party: Party,
    base: &'static str,
    credentials: Vec<Credential>,
    limits: Limits,
    bucket: Bucket,
    last_nonce: i64,
}

impl World {
    /// The provider's two services, and an installation that is set up for them.
    pub fn new(manifest: &Manifest, isp: &Isp, in_step: bool) -> Self {
        let usual = ConnectionOverride::default();
        let limits = |name: &str| Limits::of(&manifest.connections[name], &usual);
        let line = |party, name, base, credentials| Line {
            party,
            base,
            credentials,
            limits: limits(name),
            bucket: Bucket::default(),
            last_nonce: 0,
        };
        let splynx_line = line(
            Party::Splynx,
            "splynx",
            "/api/2.0/",
            vec![Credential::SplynxSignature {
                key: Secret::new(isp.splynx.api_key.clone()),
                secret: Secret::new(isp.splynx.api_secret.clone()),
            }],
        );
        let sage_line = line(
            Party::Sage,
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
            splynx_line,
            sage_line,
        }
    }

    pub fn advance(&mut self, by: TimeDelta) {
        self.now += by;
    }

    /// The operator enters another Sage password.
    pub fn set_sage_password(&mut self, isp: &Isp, password: &str) {
        self.sage_line.credentials = sage_credentials(isp, password);
    }

    /// The date in the installation's time zone.
    pub fn today(&self) -> NaiveDate {
        let johannesburg = FixedOffset::east_opt(2 * 3600).expect("two hours east");
        self.now.with_timezone(&johannesburg).date_naive()
    }

    fn send_one(&mut self, request: &Request) -> Answer {
        let (line, service): (_, &mut dyn Service) = match request.connection.as_str() {
            "splynx" => (&mut self.splynx_line, &mut self.splynx),
            "sage" => (&mut self.sage_line, &mut self.sage),
            other => {
                return Err(Unanswered::not_sent(
                    "not-configured",
                    format!("no connection {other}"),
                ));
            }
        };
        self.now = line.wait_for_turn(self.now)?;
        let wire = line.on_the_wire(request, self.now);
        self.now += LATENCY;
        let response = match apply(service, line.party, &wire, self.now, &mut self.faults) {
            Delivery::Answer(response) => response,
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
                    &wire,
                    self.now + TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX)),
                );
                self.now += in_time?;
                response
            }
        };
        line.bucket.answered(
            &line.limits,
            &line.fingerprint(),
            response.status,
            millis(self.now),
        );
        Ok(Response {
            status: response.status,
            headers: response.headers,
            body: String::from_utf8_lossy(&response.body).into_owned(),
        })
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
        u64::try_from(self.now.timestamp()).expect("after 1970")
    }
}

impl Line {
    /// When the request may go; or why it is not sent.
    fn wait_for_turn(&mut self, mut now: DateTime<Utc>) -> Result<DateTime<Utc>, Unanswered> {
        loop {
            let fingerprint = self.fingerprint();
            let ask = Ask {
                credentials: &fingerprint,
                want: 1,
                ..Ask::default()
            };
            match self.bucket.admit(&self.limits, &ask, millis(now)) {
                Verdict::Go { .. } => return Ok(now),
                Verdict::Wait { until, .. }
                    if until - millis(now) <= LONGEST_WAIT.num_milliseconds() =>
                {
                    now = DateTime::from_timestamp_millis(until).expect("a time near now");
                }
                Verdict::Wait { until, why } => {
                    let message = match why {
                        Why::Pace | Why::Turn | Why::Login => "The pace of the service.",
                        Why::Day | Why::Share => "The day's requests are used up.",
                        Why::Block => "The service blocks requests for a while.",
                    };
                    return Err(Unanswered {
                        maybe_sent: false,
                        reason: Failure {
                            retry_at: u64::try_from(until / 1_000 + 1).ok(),
                            ..Failure::new("paused", message)
                        },
                    });
                }
                Verdict::Refused => {
                    return Err(Unanswered::not_sent(
                        "denied",
                        "The credentials were refused; enter them again.",
                    ));
                }
            }
        }
    }

    fn on_the_wire(&mut self, request: &Request, now: DateTime<Utc>) -> sandbox::http::Request {
        self.last_nonce = splynx_nonce_at(now).max(self.last_nonce + 1);
        let stamp = Stamp {
            nonce: self.last_nonce,
            token: None,
        };
        let proof = prove(&self.credentials, stamp);
        let mut wire =
            sandbox::http::Request::new(&request.method, &format!("{}{}", self.base, request.path));
        wire.query = request.query.clone();
        wire.query.extend(
            proof
                .query
                .into_iter()
                .map(|(name, value)| (name, value.expose().to_owned())),
        );
        wire.headers = request.headers.clone();
        wire.headers.extend(
            proof
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.expose().to_owned())),
        );
        wire.body = request.body.clone().into_bytes();
        wire
    }

    fn fingerprint(&self) -> String {
        let proof = prove(&self.credentials, Stamp::default());
        proof
            .headers
            .iter()
            .map(|(_, value)| value.expose().to_owned())
            .collect()
    }
}

fn sage_credentials(isp: &Isp, password: &str) -> Vec<Credential> {
    vec![
        Credential::Basic {
            user: Secret::new(isp.sage.login.clone()),
            password: Secret::new(password.to_owned()),
        },
        Credential::QueryKey {
            name: "apikey".to_owned(),
            value: Secret::new(format!("{{{}}}", isp.sage.api_key)),
        },
    ]
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

fn millis(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}
